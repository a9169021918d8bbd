"""The calls of a game: known values, and properties that hold for every policy."""

import functools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluators.games.compiled import CompiledGame
from evaluators.games.game import PolicyError
from evaluators.games.loading import load

game = functools.cache(load)
SMALL = ["kuhn2", "kuhn3", "kuhn4", "leduc2", "goofspiel3", "goofspiel4", "liars_dice4", "blotto5_3p"]
"""Both summation paths, two to four players."""


def profile(g, seed):
    """Interior for even seeds; for odd ones a third of the actions are never played."""
    rng = np.random.default_rng(seed)
    weights = [rng.random(s) + 1e-3 for s in g.num_pairs]
    if seed % 2:
        weights = [w * (rng.random(len(w)) > 1 / 3) for w in weights]
    return [g.average_policy(p, w) for p, w in enumerate(weights)]


def rows(g, p, x):
    return np.add.reduceat(x, g.form.trees[p].offset[:-1])


def games_and_seeds(test):
    """No deadline: the first example of a game compiles it."""
    return settings(deadline=None)(given(name=st.sampled_from(SMALL), seed=st.integers(0, 10_000))(test))


@pytest.mark.parametrize(
    ("name", "nash_conv"),
    [
        ("kuhn2", 11 / 12),  # OpenSpiel, exploitability_test.py
        ("kuhn3", 2.0625),  # OpenSpiel, exploitability_test.py
        ("leduc2", 4.747222222222222),  # OpenSpiel, exploitability_test.py
    ],
)
def test_nash_conv_of_the_uniform_policy(name, nash_conv):
    g = game(name)
    uniform = [g.uniform(p) for p in range(g.num_players)]
    assert g.nash_conv(uniform) == pytest.approx(nash_conv, rel=1e-13)
    assert g.exploitability(uniform) == pytest.approx(nash_conv / g.num_players, rel=1e-13)


@pytest.mark.parametrize("alpha", [0.0, 0.1, 1 / 3])
def test_kuhn_equilibria(alpha):
    """Kuhn 1950: player 0 bets a jack with alpha, a king with 3 alpha, and loses 1/18 a game."""
    g = game("kuhn2")
    bet = [
        {"0": alpha, "1": 0, "2": 3 * alpha, "0pb": 0, "1pb": alpha + 1 / 3, "2pb": 1},
        {"0p": 1 / 3, "1p": 0, "2p": 1, "0b": 0, "1b": 1 / 3, "2b": 1},
    ]
    equilibrium = [
        np.array([x for key in g.form.infoset_keys(p) for x in (1 - bet[p][key], bet[p][key])])
        for p in (0, 1)
    ]
    assert abs(g.exploitability(equilibrium)) < 1e-15
    np.testing.assert_allclose(g.profile_values(equilibrium).expected, [-1 / 18, 1 / 18], atol=1e-15)


@games_and_seeds
def test_own_reach_is_conserved(name, seed):
    """What arrives at an infoset leaves by its actions: the reach of children's parents is reach x policy."""
    g = game(name)
    for p, policy in enumerate(profile(g, seed)):
        g.set_policy(p, policy)
        tree = g.form.trees[p]
        plan = np.concatenate([[1.0], np.repeat(g.reach(p), g.num_actions[p]) * policy])
        np.testing.assert_allclose(g.reach(p), plan[tree.parent], atol=1e-15)
        np.testing.assert_allclose(rows(g, p, plan[1:]), g.reach(p), atol=1e-14)


@games_and_seeds
def test_regrets_under_the_own_policy_average_to_zero(name, seed):
    g = game(name)
    policies = profile(g, seed)
    for p, policy in enumerate(policies):
        g.set_policy(p, policy)
    for p, policy in enumerate(policies):
        scale = np.abs(g.utility[p]).sum()
        np.testing.assert_allclose(rows(g, p, g.regrets(p) * policy), 0.0, atol=1e-14 * scale)


@games_and_seeds
def test_a_best_response_gains(name, seed):
    g = game(name)
    policies = profile(g, seed)
    gain = g.profile_values(policies).best - g.profile_values(policies).expected
    assert gain.min() > -1e-13
    assert g.nash_conv(policies) == gain.sum()
    for p in range(g.num_players):
        better = [*policies[:p], g.uniform(p), *policies[p + 1 :]]
        assert g.profile_values(better).expected[p] <= g.profile_values(policies).best[p] + 1e-13


@games_and_seeds
def test_counterfactual_reach_times_own_reach_is_reach(name, seed):
    """Summed over the infosets of one depth, an upper bound of 1; at the first infosets exactly chance."""
    g = game(name)
    for p, policy in enumerate(profile(g, seed)):
        g.set_policy(p, policy)
    for p in range(g.num_players):
        both = g.counterfactual_reach(p) * g.reach(p)
        per_depth = np.bincount(g.depth[p], both)
        assert per_depth.max() <= 1 + 1e-12
        assert (np.diff(per_depth) <= 1e-12).all()
        assert (g.counterfactual_reach(p) >= 0).all()


@games_and_seeds
def test_scoring_leaves_the_current_policies(name, seed):
    g = game(name)
    before, other = profile(g, seed), profile(g, seed + 1)
    for p, policy in enumerate(before):
        g.set_policy(p, policy)
    expected = [g.regrets(p).copy() for p in range(g.num_players)]
    g.exploitability(other)
    for p in range(g.num_players):
        assert np.array_equal(g.regrets(p), expected[p])


@games_and_seeds
def test_equal_input_gives_equal_bits(name, seed):
    first, second = game(name), CompiledGame(name, game(name).form)
    policies = profile(first, seed)
    assert first.exploitability(policies) == second.exploitability([p[::1].copy() for p in policies])


@games_and_seeds
def test_project_is_idempotent_and_keeps_distributions(name, seed):
    g = game(name)
    rng = np.random.default_rng(seed)
    for p, policy in enumerate(profile(g, seed)):
        blurred = policy + rng.uniform(-1e-9, 1e-9, len(policy))
        once = g.project(p, blurred)
        np.testing.assert_allclose(once, policy, atol=5e-8)
        assert once.min() >= 0
        np.testing.assert_allclose(rows(g, p, once), 1.0, rtol=1e-15)
        np.testing.assert_allclose(g.project(p, once), once, rtol=1e-15)


def test_project_says_what_is_wrong_and_where():
    g = game("leduc2")
    begin, end = g.form.trees[1].offset[5:7].tolist()
    for change, message in [
        ((begin, np.nan), "expected finite numbers"),
        ((begin, np.inf), "expected finite numbers"),
        ((begin, -0.1), "expected no entry below -1e-9; .* with minimum -0.1"),
        ((begin, 0.9), "expected a sum within 1e-6 of 1; .* with sum "),
    ]:
        policy = g.uniform(1)
        policy[change[0]] = change[1]
        where = rf"leduc2: policy of player 1, infoset 5 \(entries {begin} to {end - 1}\): "
        with pytest.raises(PolicyError, match=where + message):
            g.project(1, policy)


@pytest.mark.parametrize("shape", [(935,), (2, 468), (0,), ()])
def test_shapes_are_checked(shape):
    g = game("leduc2")
    for call in (g.project, g.average_policy, g.set_policy):
        with pytest.raises(PolicyError, match=r"expected shape \(1092,\), one entry per"):
            call(0, np.zeros(shape))
    with pytest.raises(PolicyError, match="expected shape"):
        g.exploitability([g.uniform(0), np.zeros(shape)])
    with pytest.raises(PolicyError, match="expected 2 policies; got 1"):
        g.exploitability([g.uniform(0)])


def test_average_policy():
    g = game("kuhn2")
    cumulative = np.array([3.0, 1.0, 0.0, 0.0, -1e-12, 2.0, 0.0, 5.0, 1e300, 1e300, 1e-320, 0.0])
    average = g.average_policy(0, cumulative)
    np.testing.assert_allclose(average, [0.75, 0.25, 0.5, 0.5, 0, 1, 0, 1, 0.5, 0.5, 1, 0])
    for bad, message in [(-1e-3, "no entry below -1e-9"), (np.nan, "finite"), (np.inf, "finite")]:
        for index in (2, 3):
            wrong = cumulative.copy()
            wrong[index] = bad
            with pytest.raises(PolicyError, match=f"cumulative policy of player 0, infoset 1 .*{message}"):
                g.average_policy(0, wrong)


def test_any_float_array_is_taken():
    """Read-only views of shared memory, slices, float32: what a sandbox or a person may hand over."""
    g = game("kuhn3")
    policies = profile(g, 0)
    frozen = [p.copy() for p in policies]
    for p in frozen:
        p.setflags(write=False)
    strided = [np.repeat(p, 2)[::2] for p in policies]
    expected = g.exploitability(policies)
    assert g.exploitability(frozen) == expected
    assert g.exploitability(strided) == expected
    assert g.exploitability([p.astype(np.float32) for p in policies]) == pytest.approx(expected, rel=1e-5)
    g.set_policy(0, frozen[0])
    assert np.array_equal(g.project(0, strided[0]), g.project(0, frozen[0]))
