"""River subgames: reference values, the compiled form in lock-step, OpenSpiel's universal_poker."""

import functools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import seeds
from evaluators.cfr.domain import DOMAIN
from evaluators.games.compile import compile_loaded
from evaluators.games.compiled import CompiledGame
from evaluators.games.game import NOISE, Game
from evaluators.games.loading import load
from evaluators.games.public_tree import compile_public_tree
from evaluators.games.river.cards import HANDS, blocked, parse_board, strengths
from evaluators.games.river.game import PLAYERS, RiverGame
from evaluators.games.river.spots import ALL_IN, Betting, Spot, draw
from sandbox.base import Limits
from sandbox.inprocess import InProcessSandbox

# Of an implementation that was written independently of this one, from the rules in `evaluators.games.river.game`, and
# that agrees with OpenSpiel's universal_poker. Exploitability of the average policy in initial pots, K = 1 and 10.
UNIFORM = {"libratus3": 5.65551685430255, "libratus4": 1.098525}
REFERENCE = {
    "cfr": 1.3348302792,
    "linear_cfr": 0.525745226648,
    "cfr_plus": 0.54216814232,
    "dcfr": 0.330485713677,
    "dcfr_plus": 0.330953061766,
    "pcfr_plus": 0.415482964486,
    "pdcfr_plus": 0.394800372948,
    "apcfr_plus": 0.368354161464,
    "sapcfr_plus": 0.367900389033,
    "hs_pcfr_plus_30": 1.15772308687,
    "aod_cfr": 0.407435365715,
    "aod_cfr_nofloor": 0.407443506196,
    "vad_cfr": 5.6555168543,
    "vad_cfr_shared": 5.6555168543,
}


def values(game: Game, program: str, iterations: int) -> list[float]:
    with InProcessSandbox() as sandbox:
        source = seeds.source("cfr", program) + "# As it stands: planned for 1000 iterations.\n"
        run = DOMAIN.begin(source, game, iterations, sandbox, Limits())
        out = []
        for _ in range(iterations):
            run.iterate()
            out.append(run.exploitability())
    return out


@functools.cache
def trimmed(seed: int, variant: str) -> tuple[RiverGame, CompiledGame]:
    """A drawn spot with a dozen hands a side, and the same game as an explicit tree over pairs of hands."""
    rng, spot = np.random.default_rng(seed), draw("river", seed)
    ranges = np.zeros((2, len(HANDS)))
    for own in ranges:
        own[rng.choice(np.flatnonzero(~blocked(spot.board)), 12, replace=False)] = rng.uniform(0.01, 1.0, 12)
    ranges[1, np.flatnonzero(ranges[0])[:4]] = 0.5  # Some hands that both may have.
    spot = Spot(spot.board, spot.pot, spot.stack, ranges, spot.betting)
    game = RiverGame(f"trimmed-{seed}", spot, variant)
    first, second = game.hands
    shared = (HANDS[first][:, None, :, None] == HANDS[second][None, :, None, :]).any(axis=(2, 3))
    law = np.where(shared, 0.0, np.outer(ranges[0, first], ranges[1, second]))
    strength, leaves = strengths(spot.board), game.bets.tree.leaves
    sign = np.sign(strength[first][:, None] - strength[second][None, :])
    payoffs = np.empty((2, len(leaves), len(first), len(second)))
    xi = np.random.default_rng(game_seed(variant)).standard_normal((2, len(leaves), 1326))
    for leaf, node in enumerate(leaves):
        folded, lost = game.bets.folded[node], game.bets.put_in[node].min() / spot.pot
        payoffs[0, leaf] = lost * (sign if folded < 0 else -1 if folded == 0 else 1)
        if "-" in variant:
            noise = xi[0, leaf][first][:, None] + xi[1, leaf][second][None, :]
            payoffs[0, leaf] *= 1 + NOISE["generic"] * noise / np.sqrt(2)
    payoffs[1] = -payoffs[0]
    form = compile_public_tree(game.name, game.bets.tree, law / law.sum(), payoffs)
    return game, CompiledGame(game.name, form)


def game_seed(variant: str) -> int:
    return int(variant.partition("-")[2] or 0)


@pytest.mark.parametrize("name", UNIFORM)
def test_uniform_policies(name):
    expected = pytest.approx(UNIFORM[name], rel=1e-8 if name == "libratus3" else 1e-6)
    assert load(name).uniform_exploitability == expected


def test_sizes_of_the_endgames():
    third, fourth = load("libratus3"), load("libratus4")
    assert [len(hands) for hands in third.hands] == [1033, 1059]
    assert [len(hands) for hands in fourth.hands] == [705, 982]
    assert (len(third.bets.labels), len(fourth.bets.labels)) == (69, 57)
    assert third.num_infosets == (12_396, 12_708)
    assert third.num_pairs == (35_122, 36_006)
    assert fourth.num_pairs == (19_740, 27_496)


@pytest.mark.parametrize("program", REFERENCE)
def test_seeds_reach_the_reference_values(program):
    curve = values(load("libratus3"), program, 10)
    assert curve[0] == pytest.approx(UNIFORM["libratus3"], rel=1e-8)
    assert curve[9] == pytest.approx(REFERENCE[program], rel=1e-8)


def interior(game, rng):
    policies = [rng.uniform(0.05, 1.0, pairs) for pairs in game.num_pairs]
    return [game.average_policy(p, policy) for p, policy in enumerate(policies)]


@pytest.mark.parametrize("variant", ["exact", "generic-3"])
@pytest.mark.parametrize("seed", range(6))
def test_kernels_agree_with_the_compiled_tree_in_lock_step(seed, variant):
    game, tree = trimmed(seed, variant)
    assert game.num_pairs == tree.num_pairs
    rng = np.random.default_rng(seed)
    for _ in range(20):
        policies = interior(game, rng)
        for p in PLAYERS:
            game.set_policy(p, policies[p])
            tree.set_policy(p, policies[p])
        for p in PLAYERS:
            np.testing.assert_allclose(game.regrets(p), tree.regrets(p), rtol=1e-10, atol=1e-13)
            np.testing.assert_allclose(game.reach(p), tree.reach(p), rtol=1e-14)
            np.testing.assert_allclose(
                game.counterfactual_reach(p), tree.counterfactual_reach(p), rtol=1e-10, atol=1e-15
            )
        ours, theirs = game.profile_values(policies), tree.profile_values(policies)
        np.testing.assert_allclose(ours.expected, theirs.expected, rtol=1e-10, atol=1e-13)
        np.testing.assert_allclose(ours.best, theirs.best, rtol=1e-10, atol=1e-13)
    np.testing.assert_array_equal(np.concatenate(game.depth), np.concatenate(tree.depth))
    np.testing.assert_array_equal(np.concatenate(game.actions), np.concatenate(tree.actions))


def test_a_program_gets_the_same_values_on_both():
    game, tree = trimmed(1, "exact")
    np.testing.assert_allclose(values(game, "dcfr", 10), values(tree, "dcfr", 10), rtol=1e-9)


@pytest.mark.slow
def test_openspiels_universal_poker_is_the_same_game():
    import pyspiel

    rng, board = np.random.default_rng(0), parse_board("4s8hTc9h2s")
    ranges = np.zeros((2, len(HANDS)))
    for own in ranges:
        own[rng.choice(np.flatnonzero(~blocked(board)), 8, replace=False)] = rng.uniform(0.1, 1.0, 8)
    parameters = {
        "betting": "nolimit", "numPlayers": 2, "numRounds": 1, "blind": "100 100", "firstPlayer": "1",
        "numSuits": 4, "numRanks": 13, "numHoleCards": 2, "numBoardCards": "5", "stack": "1600 1600",
        "bettingAbstraction": "fcpa", "boardCards": "4s8hTc9h2s", "potSize": 200,
        "handReaches": " ".join(map(str, ranges.ravel().tolist())),
    }  # fmt: skip
    openspiel = pyspiel.load_game("universal_poker", parameters)
    tree = CompiledGame("universal_poker", compile_loaded(openspiel, "universal_poker"))
    spot = Spot(board, 200.0, 1500.0, ranges, Betting((1.0, ALL_IN), (1.0, ALL_IN), 9))
    game = RiverGame("spot", spot)
    assert sorted(game.num_pairs) == sorted(tree.num_pairs)
    for program in ("cfr_plus", "pdcfr_plus"):
        ours, theirs = values(game, program, 100), values(tree, program, 100)
        np.testing.assert_allclose(ours, np.array(theirs) / 200.0, rtol=1e-9)


@given(st.integers(0, 2**31), st.sampled_from(["river", "river60"]))
@settings(max_examples=10, deadline=None)
def test_drawn_subgames_are_zero_sum_and_best_responses_gain(seed, law):
    game = load(f"{law}-{seed}")
    policies = interior(game, np.random.default_rng(seed))
    played = game.profile_values(policies)
    assert played.expected.sum() == pytest.approx(0.0, abs=1e-9 * abs(played.expected).max() + 1e-12)
    assert (played.best >= played.expected - 1e-12).all()
    for p in PLAYERS:
        game.set_policy(p, policies[p])
    for p in PLAYERS:  # Regrets of a policy's own actions, weighted by it, cancel.
        widths = game.num_actions[p]
        own = np.add.reduceat(game.regrets(p) * policies[p], np.append(0, np.cumsum(widths)[:-1]))
        assert abs(own).max() < 1e-12


def test_a_draw_is_always_the_same():
    first, second = draw("river60", 5), draw("river60", 5)
    assert first.board == second.board
    assert first.pot == second.pot
    assert np.array_equal(first.ranges, second.ranges)
    assert not np.array_equal(first.ranges, draw("river60", 9).ranges)
    assert ((first.ranges > 0).sum(axis=1) <= 60).all()


@pytest.mark.parametrize("remainder", range(4))
def test_four_seeds_in_a_row_have_all_ratios_of_stack_to_pot(remainder):
    edges = 200.0 * 50.0 ** (np.arange(5) / 4)
    for seed in range(remainder, 40, 4):
        assert edges[remainder] - 1 <= draw("river60", seed).pot <= edges[remainder + 1] + 1
