"""VAD-CFR and AOD-CFR where small games do not take them, and the older baselines against OpenSpiel's own solvers.

`test_cfr_seeds.py` plays all seeds on perturbed games. There regrets stay small and runs short, so no regret
reaches VAD's floor or the bound of its volatility, and neither AOD's ramps nor its floor end. Here both forms of a
rule, over arrays and over dictionaries, get made-up regrets of all sizes at iterations around 500.
"""

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from open_spiel.python.algorithms import cfr, discounted_cfr

import seeds
from evaluators.cfr.domain import DOMAIN
from evaluators.cfr.loop import CfrRun, shared_bytes
from evaluators.games.compile import load_turn_based
from evaluators.games.loading import load
from sandbox.base import Limits
from sandbox.inprocess import InProcessSandbox

pytestmark = pytest.mark.slow

PROGRAMS = Path(__file__).parents[1] / "evaluators" / "cfr" / "programs"
NUM_ACTIONS = (np.array([2, 3, 1, 4] * 20), np.array([3, 2] * 35))
ITERATIONS = (*range(12), 120, *range(497, 504), 1500)


def program(name):
    return (PROGRAMS / f"{name}.py").read_text()


def own_averages(source):
    """The dictionary form of VAD-CFR with an EWMA for each information set."""
    assert "self.ewma = 0.0" in source
    source = source.replace("self.ewma = 0.0", "self.table = {}")
    return source.replace("self.ewma", "self.table[info_state_node.index_in_tabular_policy]")


RULES = {
    "vad_cfr": own_averages(program("vad_cfr")),
    "vad_cfr_shared": program("vad_cfr"),
    "aod_cfr": program("aod_cfr"),
    "aod_cfr_nofloor": program("aod_cfr").replace("mass <= 1e-12", "mass <= 0.0"),
}
"""Seed -> the same rule over dictionaries."""


def module(source):
    found = ModuleType("program")
    exec(source, found.__dict__)
    return found


@pytest.fixture(scope="module")
def guest():
    found = ModuleType("guest")
    found.BadResult = AssertionError
    exec(DOMAIN.guest_per_infoset, found.__dict__)
    return found


class Arrays:
    """A seed's players; `state` is cumulative regret, policy and cumulative policy."""

    def __init__(self, guest, source):
        program = module(source)
        self.players = [guest.Player(program, p, n, np.zeros_like(n)) for p, n in enumerate(NUM_ACTIONS)]

    def state(self, p):
        player = self.players[p]
        return player.info_states.cumulative_regret, player.policy, player.cumulative_policy


class Dictionaries:
    """The same of a program over dictionaries."""

    def __init__(self, guest, source):
        program = module(source)
        components = (
            program.RegretAccumulator(),
            program.PolicyFromRegretAccumulator(),
            program.PolicyAccumulator(),
        )
        actions = [[list(range(k)) for k in n.tolist()] for n in NUM_ACTIONS]
        self.players = [guest.NodePlayer(components, p, 100 * p, a) for p, a in enumerate(actions)]

    def state(self, p):
        player = self.players[p]
        regret, policy = (
            np.array(
                [row[a] for row, actions in zip(rows, player.legal_actions, strict=True) for a in actions]
            )
            for rows in ([node.cumulative_regret for node in player.nodes], player.policies)
        )
        return regret, policy, player.cumulative_policy


def made_up(rng, num_actions):
    """(S,) regrets from 1e-12 to 100, some zero; every seventh information set's stay below 1e-6, AOD's floor."""
    sizes = 10.0 ** rng.choice([-12, -8, -6.5, -3, -1, 0, 0.5, 2], len(num_actions))
    sizes[::7] *= 1e-9
    zeros = rng.random(num_actions.sum()) < 0.1
    return np.where(zeros, 0.0, rng.standard_normal(num_actions.sum()) * np.repeat(sizes, num_actions))


@pytest.mark.parametrize("name", RULES)
def test_both_forms_agree_on_made_up_regrets(name, guest):
    flat, rows = Arrays(guest, seeds.source("cfr", name)), Dictionaries(guest, RULES[name])
    rng = np.random.default_rng(0)
    for k in ITERATIONS:
        for p, num_actions in enumerate(NUM_ACTIONS):
            regrets = made_up(rng, num_actions)
            reach = rng.random(len(num_actions))
            for form in (flat, rows):
                form.players[p].step(k, regrets.copy(), reach, None)
            for mine, other in zip(flat.state(p), rows.state(p), strict=True):
                np.testing.assert_allclose(mine, other, rtol=1e-9, atol=1e-12)


def test_made_up_regrets_reach_the_floors(guest):
    """Else the test above tests less than it says."""
    vad, aod, without = (
        Arrays(guest, seeds.source("cfr", name)) for name in ("vad_cfr", "aod_cfr", "aod_cfr_nofloor")
    )
    rng = np.random.default_rng(0)
    for k in range(12):
        regrets = made_up(rng, NUM_ACTIONS[0])
        for form in (vad, aod, without):
            form.players[0].step(k, regrets, np.ones(len(NUM_ACTIONS[0])), None)
    assert vad.state(0)[0].min() == -20.0
    assert not np.allclose(aod.state(0)[1], without.state(0)[1])


def test_the_variants_of_vad_differ(guest):
    one, other = (Arrays(guest, seeds.source("cfr", name)) for name in ("vad_cfr", "vad_cfr_shared"))
    rng = np.random.default_rng(0)
    for k in range(3):
        regrets = made_up(rng, NUM_ACTIONS[0])
        for form in (one, other):
            form.players[0].step(k, regrets, np.ones(len(NUM_ACTIONS[0])), None)
    assert not np.allclose(one.state(0)[0], other.state(0)[0])


@pytest.mark.parametrize("name", ["vad_cfr", "vad_cfr_shared"])
def test_each_vad_file_says_which_variant_it_is(name):
    docstring = seeds.source("cfr", name).split('"""')[1]
    assert "\nVariant: " in docstring
    assert {"vad_cfr": "vad_cfr_shared", "vad_cfr_shared": "vad_cfr keeps"}[name] in docstring


@pytest.mark.parametrize("size", [1, 2, 3, 64, 65, 1000])
def test_the_running_average_is_the_recurrence(size):
    values = np.random.default_rng(size).random(size) * 10.0 ** np.arange(size).clip(max=6)
    expected, last = [], 3.0
    for value in values:
        last = 0.1 * value + 0.9 * last
        expected.append(last)
    kept = values.copy()
    found = module(seeds.source("cfr", "vad_cfr_shared")).running_average(values, 3.0)
    np.testing.assert_allclose(found, expected, rtol=1e-13)
    assert (values == kept).all()


SOLVERS = {
    "cfr": cfr.CFRSolver,
    "cfr_plus": cfr.CFRPlusSolver,
    "linear_cfr": discounted_cfr.LCFRSolver,
    "dcfr": discounted_cfr.DCFRSolver,
}


# Unperturbed: up to here, ties on these games are none or fall the same way.
@pytest.mark.parametrize(("game", "iterations"), [("kuhn2", 10), ("kuhn3", 10), ("leduc2", 4)])
@pytest.mark.parametrize("name", SOLVERS)
def test_average_policy_is_that_of_openspiels_solver(name, game, iterations):
    ours = load(game)
    prepared = DOMAIN.prepare(seeds.source("cfr", name))
    session = InProcessSandbox().open(
        prepared.guest, prepared.source, limits=Limits(), shared_bytes=shared_bytes(ours)
    )
    play, solver = CfrRun(prepared, ours, session), SOLVERS[name](load_turn_based(ours.game_string))
    for _ in range(iterations):
        play.iterate()
        solver.evaluate_and_update_policy()
    table = solver.average_policy()
    for p, average in enumerate(play.average_policies()):
        actions = np.split(ours.form.trees[p].action, ours.form.trees[p].offset[1:-1])
        rows = [table.policy_for_key(k)[a] for k, a in zip(ours.form.infoset_keys(p), actions, strict=True)]
        np.testing.assert_allclose(average, np.concatenate(rows), rtol=1e-9, atol=1e-12)
