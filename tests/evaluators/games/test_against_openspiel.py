"""The same numbers as OpenSpiel: exploitability, counterfactual regrets, whole CFR and CFR+ runs.

3-player Leduc only runs here: walking its million histories in OpenSpiel takes minutes per profile.
"""

import dataclasses
import functools
import itertools
import json
import pathlib
import sys

import numpy as np
import pyspiel
import pytest
from open_spiel.python.algorithms import cfr

import seeds
from evaluators.cfr.openspiel import CfrSolver
from evaluators.games.compile import load_turn_based
from evaluators.games.compiled import CompiledGame
from evaluators.games.loading import load_tree
from evaluators.games.suites import GAMES as GAME_STRINGS
from evaluators.games.suites import SUITES, member
from sandbox.inprocess import InProcessSandbox

pytestmark = pytest.mark.slow

GAMES = [name for name in (*SUITES["paper"], *SUITES["test"]) if name != "leduc3"]
OTHERS = [
    *(
        "blotto5",
        "blotto5_3p",
        "battleship22_2",
        "goofspiel4_3p",
        "leduc2_ranks5",
        "oshi_zumo4",
        "matrix_nfg5",
    ),
    "goofspiel(imp_info=True,num_cards=3,players=4,points_order=descending)",
]
"""General sums, players with different trees, one-shot games, four players without lanes, sealed games."""
FAMILIES = dict.fromkeys((*SUITES["validation"], *SUITES["sealed"], *SUITES["extended"], "liars_dice3_2d"))
PROFILES = dict.fromkeys(GAMES, 20) | {
    name: 3 if member(name).sizes.terminals < 20_000 else 1 for name in FAMILIES if name != "leduc2_big"
}
"""Game -> interior profiles at which NashConv is recorded. On Big Leduc OpenSpiel takes more than 12 GB."""
WALKED = {
    name: {"goofspiel5": 2, "liars_dice5": 2, "liars_dice6": 1, "kuhn4": 5, "leduc2": 5}.get(name, profiles)
    for name, profiles in PROFILES.items()
    if member(name).sizes.terminals < 150_000
}
"""Of these, those that OpenSpiel computes again at every run: 0.5 s a profile on 5-card Goofspiel, 20 s on two dice."""
RECORDED = pathlib.Path(__file__).with_name("openspiel_nash_conv.json")
SOLVERS = {
    False: (pyspiel.CFRSolver, cfr.CFRSolver),
    True: (pyspiel.CFRPlusSolver, cfr.CFRPlusSolver),
}

game = functools.cache(load_tree)


@functools.cache
def openspiel_game(name):
    return load_turn_based(game(name).game_string)


def interior_profile(g, seed):
    rng = np.random.default_rng(seed)
    return [g.average_policy(p, rng.random(s) + 0.01) for p, s in enumerate(g.num_pairs)]


def by_key(g, p, flat):
    """Information state string -> the entries of a flat array, last axis split."""
    return dict(
        zip(g.form.infoset_keys(p), np.split(flat, g.form.trees[p].offset[1:-1], axis=-1), strict=True)
    )


def tabular(g, profile):
    table = {}
    for p, policy in enumerate(profile):
        actions = by_key(g, p, g.form.trees[p].action)
        for key, probabilities in by_key(g, p, policy).items():
            table[key] = list(zip(actions[key].tolist(), probabilities.tolist(), strict=True))
    return pyspiel.TabularPolicy(table)


def openspiel_nash_conv(name, seed):
    """OpenSpiel's, in C++; its Python module ``exploitability`` has the same values."""
    g = game(name)
    return pyspiel.nash_conv(openspiel_game(name), tabular(g, interior_profile(g, seed)))


def largest_utility(name):
    return max(abs(openspiel_game(name).max_utility()), abs(openspiel_game(name).min_utility()))


@pytest.mark.parametrize("name", PROFILES)
def test_nash_conv_agrees_at_recorded_profiles(name):
    """With what OpenSpiel gave when `RECORDED` was written (see the end of this file)."""
    g, recorded = game(name), json.loads(RECORDED.read_text())[name]
    assert len(recorded) == PROFILES[name]
    for seed, expected in enumerate(recorded):
        profile = interior_profile(g, seed)
        assert abs(g.nash_conv(profile) - expected) <= 1e-12 * largest_utility(name)
        assert abs(g.exploitability(profile) - expected / g.num_players) <= 1e-12 * largest_utility(name)


@pytest.mark.parametrize("name", WALKED)
def test_recorded_nash_conv_is_openspiels(name):
    recorded = json.loads(RECORDED.read_text())[name]
    for seed in range(WALKED[name]):
        assert abs(openspiel_nash_conv(name, seed) - recorded[seed]) <= 1e-12 * largest_utility(name)


def test_nash_conv_agrees_on_leduc_with_six_raises():
    """Three of Big Leduc's twelve ranks."""
    name = GAME_STRINGS["leduc2_big"].replace("numRanks=12", "numRanks=3")
    g = game(name)
    assert abs(g.nash_conv(interior_profile(g, 0)) - openspiel_nash_conv(name, 0)) <= 1e-12 * largest_utility(
        name
    )


def walked_regrets(root, policies):
    """Counterfactual regrets and reaches by definition, over OpenSpiel's histories, many profiles at once.

    Args:
        root: an OpenSpiel state.
        policies: per player, information state string -> (profiles, actions).

    Returns:
        Per player, information state string -> (profiles, actions) regrets, and -> (profiles,) reaches.
    """
    num_players = len(policies)
    regrets = [{key: np.zeros_like(rows) for key, rows in table.items()} for table in policies]
    reaches = [{key: np.zeros(len(rows)) for key, rows in table.items()} for table in policies]

    def walk(state, reach):
        """(players, profiles) values of a history; `reach`: (players + chance, profiles)."""
        if state.is_terminal():
            return np.array(state.returns())[:, None]
        values = []
        if state.is_chance_node():
            outcomes = state.chance_outcomes()
            for action, probability in outcomes:
                after = reach.copy()
                after[-1] *= probability
                values.append(walk(state.child(action), after))
            return sum(p * v for (_, p), v in zip(outcomes, values, strict=True))
        player, key = state.current_player(), state.information_state_string()
        rows = policies[player][key]
        for k, action in enumerate(state.legal_actions()):
            after = reach.copy()
            after[player] *= rows[:, k]
            values.append(walk(state.child(action), after))
        value = sum(rows[:, k] * v for k, v in enumerate(values))
        others = reach[:player].prod(axis=0) * reach[player + 1 :].prod(axis=0)
        reaches[player][key] += others
        for k, v in enumerate(values):
            regrets[player][key][:, k] += others * (v[player] - value[player])
        return value

    profiles = len(next(iter(policies[0].values())))
    walk(root, np.ones((num_players + 1, profiles)))
    return regrets, reaches


@pytest.mark.parametrize("name", [*GAMES, *OTHERS])
def test_regrets_and_counterfactual_reach_agree_at_20_profiles(name):
    g, reference = game(name), openspiel_game(name)
    profiles = [interior_profile(g, seed) for seed in range(20)]
    stacked = [by_key(g, p, np.stack(policies)) for p, policies in enumerate(zip(*profiles, strict=True))]
    regrets, reaches = walked_regrets(reference.new_initial_state(), stacked)
    expected = [np.concatenate(list(table.values()), axis=1) for table in regrets]
    expected_reach = [np.stack(list(table.values()), axis=1) for table in reaches]
    for k, profile in enumerate(profiles):
        for p, policy in enumerate(profile):
            g.set_policy(p, policy)
        for p in range(g.num_players):
            np.testing.assert_allclose(
                g.regrets(p), expected[p][k], rtol=0, atol=1e-12 * largest_utility(name)
            )
            np.testing.assert_allclose(g.counterfactual_reach(p), expected_reach[p][k], rtol=0, atol=1e-12)


def run_cfr(g, iterations, *, plus):
    """Average policies of CFR (Zinkevich et al. 2007) or CFR+ (Tammelin 2014), alternating updates."""
    players = range(g.num_players)
    regret = [np.zeros(s) for s in g.num_pairs]
    cumulative = [np.zeros(s) for s in g.num_pairs]
    policy = [g.uniform(p) for p in players]
    for p in players:
        g.set_policy(p, policy[p])
    for t, p in itertools.product(range(iterations), players):
        regret[p] += g.regrets(p)
        if plus:
            regret[p] = np.maximum(regret[p], 0)
        weight = t + 1 if plus else 1
        cumulative[p] += weight * np.repeat(g.reach(p), g.num_actions[p]) * policy[p]
        policy[p] = g.average_policy(p, np.maximum(regret[p], 0))
        g.set_policy(p, policy[p])
    return [g.average_policy(p, cumulative[p]) for p in players]


@pytest.mark.parametrize(
    ("name", "iterations", "plus", "exploitability"),
    [
        ("kuhn3", 50, True, 0.0035504991241),  # these four: OpenSpiel's Python solvers
        ("leduc2", 20, True, 0.1736553734420),
        ("kuhn3", 50, False, 0.0242174692594),
        ("leduc2", 20, False, 0.4531456534161),
    ],
)
def test_known_values(name, iterations, plus, exploitability):
    g = game(name)
    found = g.exploitability(run_cfr(g, iterations, plus=plus))
    assert found == pytest.approx(exploitability, abs=1e-12)


def test_dcfr_on_big_leduc_is_as_published():
    """By the authors of DDCFR (rpSebastian/DDCFR, results/DCFR/BigLeduc), in single precision."""
    published = {1: 4.157665, 2: 5.802114, 5: 3.241441, 10: 0.7554047, 20: 0.1918135}
    with CfrSolver(seeds.source("cfr", "dcfr"), "leduc2_big", sandbox=InProcessSandbox()) as solver:
        for k in range(1, 21):
            solver.evaluate_and_update_policy()
            if k in published:
                assert solver.exploitability() == pytest.approx(published[k], rel=1e-5)


@pytest.mark.parametrize("plus", [False, True])
@pytest.mark.parametrize("name", ["kuhn2", "kuhn3", "leduc2", "goofspiel4"])
def test_exact_runs_agree_with_the_python_solvers(name, plus):
    g = game(name)
    solver = SOLVERS[plus][1](openspiel_game(name))
    for _ in range(10):
        solver.evaluate_and_update_policy()
    average = solver.average_policy()
    ours = run_cfr(g, 10, plus=plus)
    theirs = [
        np.concatenate(
            [
                average.policy_for_key(key)[actions]
                for key, actions in by_key(g, p, g.form.trees[p].action).items()
            ]
        )
        for p in range(g.num_players)
    ]
    assert g.exploitability(ours) == pytest.approx(g.exploitability(theirs), rel=1e-9)
    for mine, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-9, atol=1e-12)


def to_efg(reference, factor):
    """The game as a Gambit file, infosets numbered by first visit, payoffs times factor(own sequences)."""
    lines = ['EFG 2 R "" { ' + " ".join(f'"{p}"' for p in range(reference.num_players())) + ' } ""']
    numbers = [{} for _ in range(reference.num_players())]
    outcomes, chance_nodes = itertools.count(1), itertools.count(1)

    def walk(state, sequences):
        if state.is_terminal():
            payoffs = " ".join(repr(u * factor(sequences)) for u in state.returns())
            lines.append(f't "" {next(outcomes)} "" {{ {payoffs} }}')
        elif state.is_chance_node():
            labels = " ".join(f'"{action}" {p!r}' for action, p in state.chance_outcomes())
            lines.append(f'c "" {next(chance_nodes)} "" {{ {labels} }} 0')
            for action, _ in state.chance_outcomes():
                walk(state.child(action), sequences)
        else:
            p, key, actions = state.current_player(), state.information_state_string(), state.legal_actions()
            number = numbers[p].setdefault(key, len(numbers[p]) + 1)
            lines.append(f'p "" {p + 1} {number} "" {{ ' + " ".join(f'"{a}"' for a in actions) + " } 0")
            for action in actions:
                walk(state.child(action), (*sequences[:p], (key, action), *sequences[p + 1 :]))

    walk(reference.new_initial_state(), (None,) * reference.num_players())
    return "\n".join(lines) + "\n"


@functools.cache
def perturbed(name):
    """Our game with payoffs x (1 + 1e-3 xi_z), and OpenSpiel's, by way of a Gambit file."""
    exact = game(name)
    form = exact.form
    names = []
    for p, tree in enumerate(form.trees):
        keys = np.repeat(np.array(form.infoset_keys(p), object), exact.num_actions[p])
        names.append([None, *zip(keys, tree.action.tolist(), strict=True)])
    xi = np.random.default_rng(5).standard_normal(form.num_terminals)[form.visit]
    utility = form.utility * (1 + 1e-3 * xi)
    factors = {
        tuple(names[p][s] for p, s in enumerate(sequences)): 1 + 1e-3 * x
        for sequences, x in zip(form.sequence.T.tolist(), xi.tolist(), strict=True)
    }
    text = to_efg(openspiel_game(name), factors.__getitem__)
    return CompiledGame(name, dataclasses.replace(form, utility=utility)), pyspiel.load_efg_game(text)


@pytest.mark.parametrize("plus", [False, True])
@pytest.mark.parametrize("name", GAMES)
def test_perturbed_runs_agree_with_the_compiled_solvers(name, plus, tmp_path):
    g, reference = perturbed(name)
    solver = SOLVERS[plus][0](reference)
    for _ in range(10):
        solver.evaluate_and_update_policy()
    table = solver.tabular_average_policy().policy_table()
    ours = run_cfr(g, 10, plus=plus)
    assert len(table) == sum(g.num_infosets)
    theirs = [
        np.concatenate([[x for _, x in table[f"{p}-{p}-{i + 1}-"]] for i in range(g.num_infosets[p])])
        for p in range(g.num_players)
    ]
    assert g.exploitability(ours) == pytest.approx(g.exploitability(theirs), rel=1e-9)
    for mine, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-9, atol=1e-12)


def test_three_player_leduc_runs():
    g = game("leduc3")
    uniform = [g.uniform(p) for p in range(3)]
    start = g.exploitability(uniform)
    policies = run_cfr(g, 20, plus=True)
    assert g.exploitability(policies) < start / 5
    np.testing.assert_allclose(g.profile_values(policies).expected.sum(), 0.0, atol=1e-12)


if __name__ == "__main__":
    # Writes `RECORDED` anew, in some minutes: PYTHONPATH=. python tests/evaluators/games/<this file> [game ...]
    table = json.loads(RECORDED.read_text())
    for name in sys.argv[1:] or PROFILES:
        table[name] = [openspiel_nash_conv(name, seed) for seed in range(PROFILES[name])]
        RECORDED.write_text(json.dumps(table, indent=1) + "\n")
