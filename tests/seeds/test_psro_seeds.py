"""Each PSRO baseline on meta-games: against OpenSpiel's function where it has one, else against its equations.

A meta-game here is a list of payoff tensors, one for each player.
"""

from __future__ import annotations

import ast
import inspect
import re
from math import exp
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from open_spiel.python.algorithms import projected_replicator_dynamics, regret_matching
from open_spiel.python.egt import alpharank
from scipy.optimize import linprog

import seeds
from evaluators.psro.domain import DOMAIN
from evaluators.psro.loop import BEST_RESPONSE_CALLS
from evaluators.records import Tag
from sandbox.inprocess import InProcessSandbox

NAMES = seeds.names("psro")
TWO_PLAYERS = ("anytime_double_oracle", "nash")
ANY_PLAYERS = tuple(name for name in NAMES if name not in TWO_PLAYERS)
SHAPES = ((3, 4), (5, 5), (1, 3), (2, 3, 4))


def module(source):
    found = ModuleType("program")
    exec(source, found.__dict__)
    return found


def opponents_contracted(payoffs, mixtures, player):
    """What each policy of a player gets, by plain sums over profiles."""
    values = np.zeros(payoffs[player].shape[player])
    for profile in np.ndindex(payoffs[player].shape):
        weight = np.prod([mixtures[q][k] for q, k in enumerate(profile) if q != player])
        values[profile[player]] += weight * payoffs[player][profile]
    return values


class Game:
    """What programs see of a game (`evaluators.psro.guest.Game`), over payoff tensors.

    `full` answers what best responses in the full game get, and what policies get against them; by default the
    meta-game is the full game.
    """

    def __init__(self, payoffs, full=None):
        self.num_players, self.iteration, self._payoffs = len(payoffs), 0, payoffs
        self._full = full or Closed(payoffs)

    def num_policies(self, player):
        return self._payoffs[0].shape[player]

    def deviation_payoffs(self, strategies, player=None):
        self._check(strategies)
        players = range(self.num_players) if player is None else [player]
        answers = [contracted(self._payoffs, strategies, p) for p in players]
        return answers if player is None else answers[0]

    def best_response_values(self, strategies):
        self._check(strategies)
        return self._full.best_values(strategies)

    def best_response_payoffs(self, strategies):
        self._check(strategies)
        return self._full.best_payoffs(strategies)

    def _check(self, strategies):
        """Weights are taken as they are, so programs must ask with distributions."""
        assert [len(x) for x in strategies] == list(self._payoffs[0].shape)
        assert all(x.min() >= 0.0 and abs(x.sum() - 1.0) < 1e-9 for x in strategies)


class Closed:
    """A full game without policies beyond the population's."""

    def __init__(self, payoffs):
        self.payoffs = payoffs

    def best_values(self, mixtures):
        return np.array([v.max() for v in self.against(mixtures)])

    def best_payoffs(self, mixtures):
        return self.against([np.eye(len(v))[v.argmax()] for v in self.against(mixtures)])

    def against(self, mixtures):
        return [contracted(self.payoffs, mixtures, p) for p in range(len(self.payoffs))]


def contracted(payoffs, mixtures, player):
    """As `opponents_contracted`, fast."""
    values = np.moveaxis(payoffs[player], player, 0)
    for q in reversed([q for q in range(len(mixtures)) if q != player]):
        values = values @ mixtures[q]
    return values


def test_contracted_is_the_plain_sum():
    payoffs, mixtures = random_game((2, 3, 4), seed=0), [np.arange(1, n + 1) / n for n in (2, 3, 4)]
    for p in range(3):
        np.testing.assert_allclose(
            contracted(payoffs, mixtures, p), opponents_contracted(payoffs, mixtures, p), rtol=1e-12
        )


def solver(name, *, stage="Train", **attributes):
    """A fresh solver of a seed, with some of its class attributes changed."""
    made = getattr(module(seeds.source("psro", name)), f"{stage}MetaStrategySolver")()
    for key, value in attributes.items():
        assert hasattr(made, key)
        setattr(made, key, value)
    return made


def solve(made, payoffs, full=None):
    """Its mixtures, validated and normalised as the loop does."""
    mixtures = made.get_meta_strategy(Game(payoffs, full), None, payoffs)
    assert [np.shape(weights) for weights in mixtures] == [(n,) for n in payoffs[0].shape]
    for weights in mixtures:
        assert np.isfinite(weights).all()
        assert weights.min() >= 0.0
        assert weights.sum() > 0.0
    return [weights / weights.sum() for weights in mixtures]


def nash_conv(payoffs, mixtures):
    return sum((v := contracted(payoffs, mixtures, p)).max() - mixtures[p] @ v for p in range(len(payoffs)))


def random_game(shape, seed, *, zero_sum=False, scale=1.0):
    rng = np.random.default_rng(seed)
    first = scale * rng.standard_normal(shape)
    return [first, -first] if zero_sum else [first, *(scale * rng.standard_normal(shape) for _ in shape[1:])]


def quick(name, stage):
    """A solver with fewer inner steps, the same in all else."""
    few = {
        "prd": {"steps": 50}, "regret_matching": {"steps": 50}, "regret_matching_plus": {"steps": 50},
        "regret_matching_plus_1000": {"steps": 50},
        "shor_psro": {"fewest": 50, "most": 60}, "best_response_line_search": {"stops": (10, 50)},
        "anytime_double_oracle": {"steps": 50}, "pm_psro": {"fewest": 50, "most": 60},
        "rrd": {"Train": {"fewest": 100, "most": 200}, "Eval": {"steps": 50}}[stage],
    }  # fmt: skip
    return solver(name, stage=stage, **few.get(name, {}))


def brief(name):
    """An eval-time solver with so few inner steps that rounding stays rounding."""
    few = {"prd": {"steps": 10}, "rrd": {"steps": 10}, "anytime_double_oracle": {"steps": 10},
        "regret_matching": {"steps": 10}, "regret_matching_plus": {"steps": 10},
        "regret_matching_plus_1000": {"steps": 10},
        "shor_psro": {"fewest": 10, "most": 10}, "pm_psro": {"fewest": 10, "most": 10},
    }  # fmt: skip
    return solver(name, stage="Eval", **few.get(name, {}))


def assert_close(found, expected, atol=1e-9):
    for mine, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(mine, other, rtol=0, atol=atol)


@pytest.mark.parametrize("scale", [1.0, 10.0])
@pytest.mark.parametrize("shape", SHAPES)
def test_replicator_dynamics_are_openspiels(shape, scale):
    """At a scale of 10 weights fall to the floor, so that the projection is more than a shift."""
    payoffs = random_game(shape, seed=1, scale=scale)
    theirs = projected_replicator_dynamics.projected_replicator_dynamics(
        payoffs, prd_iterations=300, prd_dt=1e-2, prd_gamma=1e-10
    )
    assert_close(solve(solver("prd", steps=300), payoffs), theirs)


@pytest.mark.parametrize("stage", ["Train", "Eval"])
@pytest.mark.parametrize("shape", [(5, 5), (2, 3, 4)])
def test_steps_of_a_hundredth_follow_those_of_a_thousandth(shape, stage):
    """OpenSpiel's default, over as much time; a seed's own number of steps covers the 100 units of that default."""
    payoffs = random_game(shape, seed=27)
    theirs = projected_replicator_dynamics.projected_replicator_dynamics(payoffs, prd_iterations=10_000)
    assert_close(solve(solver("prd", stage=stage, steps=1000), payoffs), theirs, atol=3e-3)
    assert 1e-2 * solver("prd", stage=stage).steps == pytest.approx(100.0)


def test_regret_matching_judges_with_openspiels_number_of_steps():
    default = inspect.signature(regret_matching.regret_matching).parameters["iterations"].default
    assert solver("regret_matching", stage="Eval").steps == default


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-2, 2), min_size=1, max_size=8), st.sampled_from([0.0, 1e-10, 0.05]))
def test_projection_is_the_nearest_point(weights, floor):
    """Optimality: all entries above the floor moved by the same amount, those at it by no less."""
    weights = np.array(weights)
    found = module(seeds.source("psro", "prd")).project(weights, floor)
    assert found.sum() == pytest.approx(1.0, abs=1e-12)
    assert found.min() >= floor
    moved = found - weights
    free = found > floor + 1e-12
    assert free.any() or len(weights) * floor > 1 - 1e-9
    assert np.ptp(moved[free]) < 1e-12
    assert (moved[~free] >= moved[free].max() - 1e-9).all()


@pytest.mark.parametrize("scale", [0.1, 1.0, 3.0, 100.0])
@pytest.mark.parametrize("shape", SHAPES)
def test_regularized_dynamics_are_openspiels_until_little_is_regretted(shape, scale):
    """At 0.1 nothing is left to regret from the first, at 100 the projection is more than the identity."""
    payoffs = random_game(shape, seed=24, zero_sum=len(shape) == 2, scale=scale)
    mixtures, totals = [np.full(n, 1 / n) for n in shape], [np.zeros(n) for n in shape]
    for step in range(1, 1001):
        mixtures = projected_replicator_dynamics._projected_replicator_dynamics_step(
            payoffs, mixtures, 1e-2, 0.0
        )
        totals = [total + x for total, x in zip(totals, mixtures, strict=True)]
        averages = [total / step for total in totals]
        if step in range(200, 1001, 100) and nash_conv(payoffs, averages) <= 0.35:
            break
    assert_close(solve(solver("rrd", fewest=200, most=1000), payoffs), averages)


@pytest.mark.parametrize("shape", [(3, 4), (30, 40)])
def test_regularized_dynamics_end_where_little_is_regretted(shape):
    payoffs = random_game(shape, seed=25, zero_sum=True)
    trained, judged = (solve(solver("rrd", stage=stage), payoffs) for stage in ("Train", "Eval"))
    assert 0.01 < nash_conv(payoffs, trained) <= 0.35
    assert nash_conv(payoffs, judged) < 0.001


def test_the_evaluation_of_rrd_is_that_of_regret_matching_plus():
    payoffs = random_game((4, 5), seed=26)
    assert_close(
        *(solve(solver(name, stage="Eval", steps=30), payoffs) for name in ("rrd", "regret_matching_plus"))
    )


@pytest.mark.parametrize("zero_sum", [True, False])
@pytest.mark.parametrize("shape", SHAPES)
def test_regret_matching_is_openspiels(shape, zero_sum):
    payoffs = random_game(shape, seed=2, zero_sum=zero_sum and len(shape) == 2)
    theirs = regret_matching.regret_matching(payoffs, iterations=300, gamma=1e-6)
    assert_close(solve(solver("regret_matching", steps=300), payoffs), theirs)


def rounded(shape, seed):
    """A general game with ties."""
    return [np.round(2 * payoff) / 2 for payoff in random_game(shape, seed)]


@pytest.mark.parametrize("dense", [True, False])
@pytest.mark.parametrize(
    "payoffs",
    [
        random_game((2, 2), 3, zero_sum=True), random_game((4, 5), 3, zero_sum=True), random_game((4, 5), 4),
        rounded((4, 5), 5), random_game((3, 2, 3), 6), rounded((2, 3, 2), 7), random_game((1, 3), 8),
    ],
)  # fmt: skip
def test_alpha_rank_is_openspiels(payoffs, dense):
    """Where several sets of profiles attract the walk, it leaves them with chances of the order of the noise: then
    rounding, on either side, comes out divided by the noise."""
    joint, noise = alpharank.sweep_pi_vs_epsilon(payoffs, return_epsilon=True)
    shape = payoffs[0].shape
    theirs = [joint.reshape(shape).sum(axis=tuple({*range(len(shape))} - {p})) for p in range(len(shape))]
    program = module(seeds.source("psro", "alpha_rank"))
    program.DENSE_PROFILES = 300 if dense else 2
    assert_close(program.alpha_rank(payoffs), theirs, atol=1e-9 + 1e-15 / noise)


def test_alpha_rank_is_the_same_with_and_without_the_sparse_solver():
    payoffs = random_game((15, 18), 9, zero_sum=True)
    program = module(seeds.source("psro", "alpha_rank"))
    dense = program.alpha_rank(payoffs)
    program.DENSE_PROFILES = 2
    assert_close(program.alpha_rank(payoffs), dense)


@pytest.mark.parametrize("payoffs", [[np.zeros((20, 20))] * 2, [np.zeros((9, 9, 9))] * 3])
def test_alpha_rank_of_many_equal_policies_is_uniform(payoffs):
    found = module(seeds.source("psro", "alpha_rank")).alpha_rank(payoffs)
    assert_close(found, [np.full(n, 1 / n) for n in payoffs[0].shape])


def test_alpha_rank_refuses_what_is_beyond_its_reach():
    made = solver("alpha_rank")
    with pytest.raises(ValueError, match=r"at most 12000 profiles; got 12100, from 110 x 110 policies"):
        made.get_meta_strategy(None, None, [np.zeros((110, 110))] * 2)
    with pytest.raises(ValueError, match="there are none for more than three players"):
        made.get_meta_strategy(None, None, None)


matrices = st.integers(1, 6).flatmap(
    lambda n: st.lists(
        st.lists(st.floats(-10, 10) | st.integers(-2, 2), min_size=n, max_size=n), min_size=1, max_size=6
    )
)


@settings(max_examples=60, deadline=None)
@given(matrices, st.sampled_from([1.0, 1e3, 1e-3]))
def test_nash_is_an_equilibrium(rows, scale):
    """NashConv of zero certifies mixtures and value both: it is the gap between the values of the two programs."""
    payoff = scale * np.array(rows, float)
    mixtures = solve(solver("nash"), [payoff, -payoff])
    assert nash_conv([payoff, -payoff], mixtures) <= 1e-9 * max(1.0, np.abs(payoff).max())


def test_nash_of_a_large_population():
    payoffs = random_game((100, 90), 10, zero_sum=True)
    assert nash_conv(payoffs, solve(solver("nash"), payoffs)) <= 1e-9


def test_nash_finds_a_known_equilibrium():
    payoff = np.array([[0, -1, 2], [1, 0, -1], [-2, 1, 0]])
    assert_close(solve(solver("nash"), [payoff, -payoff]), [[0.25, 0.5, 0.25]] * 2)


@pytest.mark.parametrize("stage", ["Train", "Eval"])
@pytest.mark.parametrize("name", TWO_PLAYERS)
def test_three_players_are_refused_by_name(name, stage):
    made = solver(name, stage=stage)
    with pytest.raises(ValueError, match=f"{name}: .* two-player zero-sum game; this one has 3 players"):
        solve(made, random_game((2, 2, 2), 0))


@pytest.mark.parametrize("stage", ["Train", "Eval"])
def test_nash_refuses_payoffs_that_do_not_sum_to_zero(stage):
    made = solver("nash", stage=stage)
    with pytest.raises(ValueError, match="two-player zero-sum game; in this one payoffs do not sum to zero"):
        solve(made, random_game((2, 2), 0))


@pytest.mark.parametrize("shape", [(5, 7), (30, 30)])
def test_regret_matching_plus_keeps_its_bound(shape):
    """Weighted regret of n policies with payoffs in a range D is at most 2 D sqrt(n / T) (Tammelin et al. 2015)."""
    payoffs = random_game(shape, 11, zero_sum=True)
    spread = np.ptp(payoffs[0])
    gaps = []
    for steps in (20, 200, 2000):
        gaps.append(nash_conv(payoffs, solve(solver("regret_matching_plus", steps=steps), payoffs)))
        assert gaps[-1] <= sum(2 * spread * np.sqrt(n / steps) for n in shape)
    assert gaps[0] > 5 * gaps[1] > 25 * gaps[2]


def test_regret_matching_plus_does_not_care_for_the_scale():
    one, other = (
        solve(solver("regret_matching_plus", steps=40), random_game((4, 5), 12, scale=s)) for s in (1, 1024)
    )
    assert_close(one, other, atol=1e-12)


def shor(payoffs, steps, mu, lam, tau, delta):
    """Last iterates and averages; plain Python."""
    x = [[1 / n] * n for n in payoffs[0].shape]
    R, c_prev, total = ([[0.0] * len(y) for y in x] for _ in range(3))
    for _ in range(steps):
        for p in range(len(x)):
            v = opponents_contracted(payoffs, x, p).tolist()
            n = len(v)
            c = [each - sum(v) / n for each in v]
            g = [(1 + mu) * c[k] - mu * c_prev[p][k] + delta * (1 - x[p][k]) for k in range(n)]
            largest = max(map(abs, g))
            g = [each / largest for each in g] if largest > 1e-8 else g
            c_prev[p] = c
            R[p] = [max(R[p][k] + g[k], 0.0) for k in range(n)]
            mass = sum(R[p])
            o = [r / mass for r in R[p]] if mass > 1e-12 else [1 / n] * n
            e = [exp((each - max(v)) / tau) for each in v]
            x[p] = [(1 - lam) * o[k] + lam * e[k] / sum(e) for k in range(n)]
            total[p] = [total[p][k] + x[p][k] for k in range(n)]
    return x, [[each / steps for each in row] for row in total]


@pytest.mark.parametrize("call", [1, 2, 40, 75, 100])
@pytest.mark.parametrize("shape", [(3, 4), (2, 3, 2)])
def test_shor_trains_by_its_equations(shape, call):
    """The listing counts a call before it asks how far the run is: the first has done 1/75 of the way."""
    payoffs = random_game(shape, 13)
    made = solver("shor_psro", fewest=12, most=12, calls=call - 1)
    done = min(1, call / 75)
    _, average = shor(payoffs, 12, 0.5, 0.3 - 0.25 * done, 0.5 - 0.49 * done, 0.05 - 0.049 * done)
    assert_close(solve(made, payoffs), average)
    assert made.calls == call


@pytest.mark.parametrize("shape", [(3, 4), (2, 3, 2)])
def test_shor_judges_by_its_equations(shape):
    payoffs = random_game(shape, 14)
    last, _ = shor(payoffs, 12, 0.2, 0.01, 0.001, 0.0)
    assert_close(solve(solver("shor_psro", stage="Eval", fewest=12, most=12), payoffs), last)


def bisected(weights):
    """The projection to distributions: what is left above a level, which is found by bisection."""
    low, high = min(weights) - 1.0, max(weights)
    for _ in range(100):
        level = (low + high) / 2
        low, high = (level, high) if sum(max(w - level, 0.0) for w in weights) > 1.0 else (low, level)
    return [max(w - level, 0.0) for w in weights]


@pytest.mark.parametrize("stage", ["Train", "Eval"])
@pytest.mark.parametrize("shape", [(3, 4), (2, 3, 2)])
def test_projection_matching_follows_its_equations(shape, stage):
    payoffs = random_game(shape, 23)
    x, G, total = [[1 / n] * n for n in shape], [[0.0] * n for n in shape], [[0.0] * n for n in shape]
    largest = [0.0 for _ in shape]
    for t in range(1, 13):
        for p, n in enumerate(shape):
            v = opponents_contracted(payoffs, x, p).tolist()
            c = [each - sum(v) / n for each in v]
            largest[p] = max(largest[p], *map(abs, c))
            G[p] = [G[p][k] + c[k] / largest[p] for k in range(n)]
            x[p] = bisected([each / t**0.5 for each in G[p]])
            total[p] = [total[p][k] + x[p][k] / 12 for k in range(n)]
    assert_close(solve(solver("pm_psro", stage=stage, fewest=12, most=12), payoffs), total)


@pytest.mark.parametrize("shape", [(5, 7), (30, 30)])
def test_projection_matching_keeps_its_bound(shape):
    """Regret of lazy projection with steps 1 / sqrt(t) is at most sqrt(T) (1/2 + n) for gains of at most one each."""
    payoffs = random_game(shape, 11, zero_sum=True)
    largest = max(np.abs(payoffs[0] - payoffs[0].mean(axis=p, keepdims=True)).max() for p in range(2))
    gaps = []
    for steps in (30, 300, 3000):
        made = solver("pm_psro", fewest=steps, most=steps, more_per_policy=0)
        gaps.append(nash_conv(payoffs, solve(made, payoffs)))
        assert gaps[-1] <= sum(largest * (0.5 + n) / np.sqrt(steps) for n in shape)
    assert gaps[0] > 2 * gaps[1] > 4 * gaps[2]


def test_the_reconstruction_is_known_by_a_line_of_its_docstring():
    assert seeds.reconstructions("psro") == ("pm_psro",)


class Idle(Game):
    """A game whose payoffs are zero; counts what it is asked."""

    asked = 0

    def deviation_payoffs(self, strategies, player=None):
        self.asked += 1
        return np.zeros(self.num_policies(player))


@pytest.mark.parametrize("name", ["shor_psro", "pm_psro"])
@pytest.mark.parametrize(
    ("stage", "policies", "steps"),
    [
        ("Train", 1, 1000), ("Train", 101, 3000), ("Train", 300, 5000),
        ("Eval", 1, 8000), ("Eval", 51, 10_500), ("Eval", 300, 15_000),
    ],
)  # fmt: skip
def test_shors_steps_grow_with_the_population(name, stage, policies, steps):
    game = Idle([np.zeros((policies, policies))] * 2)
    solver(name, stage=stage).get_meta_strategy(game, None, None)
    assert game.asked == 2 * steps


class MatrixGame:
    """A zero-sum matrix as the full game; populations are some of its rows and columns."""

    def __init__(self, size, seed):
        self.payoff = np.random.default_rng(seed).standard_normal((size, size))
        self.rows, self.columns, self.queries = [0], [0], 0

    def meta_game(self):
        payoff = self.payoff[np.ix_(self.rows, self.columns)]
        return [payoff, -payoff]

    def best_values(self, mixtures):
        self.queries += 1
        return np.array([v.max() for v in self.against(mixtures)])

    def best_payoffs(self, mixtures):
        self.queries += 1
        row, column = (int(v.argmax()) for v in self.against(mixtures))
        return [self.payoff[self.rows, column], -self.payoff[row, self.columns]]

    def against(self, mixtures):
        return self.payoff[:, self.columns] @ mixtures[1], -(mixtures[0] @ self.payoff[self.rows])

    def least_exploitable(self):
        """What the best mixture of each population gets against the whole of the other side, by linear programs."""
        first, second = self.payoff[self.rows], -self.payoff[:, self.columns].T
        return [maximin(each) for each in (first, second)]

    def respond(self, mixtures):
        best = [int(v.argmax()) for v in self.against(mixtures)]
        self.rows.append(best[0])
        self.columns.append(best[1])

    def exploitability(self, mixtures):
        return sum(v.max() for v in self.against(mixtures)) / 2


def test_the_line_search_never_gets_worse_and_keeps_its_budget():
    game = MatrixGame(40, seed=15)
    train, judge = quick("best_response_line_search", "Train"), quick("best_response_line_search", "Eval")
    found = []
    for _ in range(30):
        for made in (train, judge):
            game.queries = 0
            mixtures = solve(made, game.meta_game(), game)
            assert 0 < game.queries <= 64
            if made is train:
                game.respond(mixtures)
        found.append(game.exploitability(mixtures))
    assert (np.diff(found) <= 1e-12).all()
    assert found[-1] < 0.3 * found[0]


def test_the_line_search_is_less_exploitable_than_an_equilibrium_of_the_population():
    game = MatrixGame(40, seed=16)
    for _ in range(10):
        game.respond(solve(solver("uniform"), game.meta_game()))
    searched = solve(solver("best_response_line_search", stage="Eval"), game.meta_game(), game)
    equilibrium = solve(solver("nash"), game.meta_game())
    assert game.exploitability(searched) < 0.9 * game.exploitability(equilibrium)


def maximin(payoff):
    """The value of a matrix game for the player of the rows."""
    n, m = payoff.shape
    constraints = np.hstack([-payoff.T, np.ones((m, 1))])
    whole = np.append(np.ones(n), 0.0)[None]
    bounds = [(0, None)] * n + [(None, None)]
    solved = linprog(np.append(np.zeros(n), -1.0), constraints, np.zeros(m), whole, [1.0], bounds)
    assert solved.success
    return -solved.fun


def worst_cases(game, mixtures):
    first, second = game.payoff[game.rows].T @ mixtures[0], -game.payoff[:, game.columns] @ mixtures[1]
    return [first.min(), second.min()]


def test_anytime_double_oracle_closes_in_on_the_least_exploitable_mixtures():
    """Weighted regret of n policies with payoffs in a range D is at most 2 D sqrt(n / T) (Tammelin et al. 2015)."""
    game = MatrixGame(40, seed=16)
    for _ in range(10):
        game.respond(solve(solver("uniform"), game.meta_game()))
    best = game.least_exploitable()
    for steps in (10, 100, 998):
        mixtures = solve(solver("anytime_double_oracle", stage="Eval", steps=steps), game.meta_game(), game)
        gaps = np.subtract(best, worst_cases(game, mixtures))
        assert (gaps >= -1e-9).all()
        assert (gaps <= 2 * np.ptp(game.payoff) * np.sqrt(len(mixtures[0]) / steps)).all()
    assert gaps.max() < 0.005 * np.ptp(game.payoff)


def test_anytime_double_oracle_never_gets_worse_and_keeps_to_the_limit():
    game = MatrixGame(40, seed=15)
    train, judge = (solver("anytime_double_oracle", stage=stage) for stage in ("Train", "Eval"))
    found = []
    for _ in range(25):
        for made in (train, judge):
            game.queries = 0
            mixtures = solve(made, game.meta_game(), game)
            assert game.queries <= BEST_RESPONSE_CALLS
            if made is train:
                game.respond(mixtures)
        found.append(worst_cases(game, mixtures))
    assert (np.diff(found, axis=0) >= -1e-12).all()
    assert sum(found[-1]) > 0.2 * sum(found[0])


def test_anytime_double_oracle_trains_against_mixtures_with_new_best_responses():
    """Of several that are equally good the oracle gives one, and would give the same again."""
    game = MatrixGame(12, seed=17)
    equilibrium = maximin(game.payoff)
    for _ in range(10):
        game.respond(solve(solver("anytime_double_oracle"), game.meta_game(), game))
    low, high = game.least_exploitable()
    assert low == pytest.approx(equilibrium, abs=0.02)
    assert high == pytest.approx(-equilibrium, abs=0.02)


@settings(max_examples=30, deadline=None)
@given(st.floats(0, 1), st.floats(0.1, 10))
def test_golden_section_closes_in_on_the_minimum_of_a_convex_function(lowest, slope):
    program = module(seeds.source("psro", "best_response_line_search"))
    program.nash_conv = lambda game, profile: slope * abs(profile[0][1] - lowest)
    ends = [(program.nash_conv(None, p), p) for p in ([np.array([1.0, 0.0])], [np.array([0.0, 1.0])])]
    value, _ = program.search(None, *ends, 20)
    assert value <= slope * program.GOLDEN**18


@pytest.mark.parametrize("stage", ["Train", "Eval"])
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "payoffs",
    [
        [np.array([[0.5]]), np.array([[-0.5]])],
        random_game((1, 2), 17, zero_sum=True),
        random_game((2, 2), 18, zero_sum=True),
        [payoff[[0, 0, 1, 1]][:, [0, 1, 2, 0]] for payoff in random_game((2, 3), 19, zero_sum=True)],
        [np.zeros((4, 4))] * 2,
        random_game((4, 5), 20, zero_sum=True, scale=1e3),
    ],
    ids=["one policy", "two policies of one", "two", "duplicates", "zeros", "thousands"],
)
def test_returns_mixtures(name, stage, payoffs):
    solve(quick(name, stage), payoffs)


@pytest.mark.parametrize("stage", ["Train", "Eval"])
@pytest.mark.parametrize("name", ANY_PLAYERS)
@pytest.mark.parametrize(
    "payoffs",
    [[np.ones((1, 1, 1))] * 3, random_game((2, 1, 2), 21), [np.zeros((2, 3, 2))] * 3],
    ids=["one policy", "two", "zeros"],
)
def test_returns_mixtures_for_three_players(name, stage, payoffs):
    solve(quick(name, stage), payoffs)


@pytest.mark.parametrize("name", [n for n in ANY_PLAYERS if n != "alpha_rank"])
def test_needs_no_payoff_tensors(name):
    made = quick(name, "Train")
    weights = made.get_meta_strategy(Game(random_game((2, 3, 2), 22)), None, None)
    assert [len(w) for w in weights] == [2, 3, 2]


SYMMETRIC = [name for name in NAMES if name not in ("nash", "best_response_line_search")]
"""What does not choose among equals: nash takes any vertex, and a search among values that are close may turn."""


@settings(max_examples=20, deadline=None)
@given(st.data())
@pytest.mark.parametrize("name", SYMMETRIC)
def test_policies_are_treated_alike(name, data):
    """Renumbered policies have their weights renumbered, and equal ones have equal weights.

    After ten inner steps: sums in another order round differently, and regret dynamics amplify that without bound.
    """
    payoffs = random_game((3, 4), data.draw(st.integers(0, 10**6)), zero_sum=True)
    payoffs = [payoff[[0, 1, 2, 0]][:, [0, 1, 2, 3, 0]] for payoff in payoffs]
    orders = [data.draw(st.permutations([*range(n)])) for n in (4, 5)]
    shuffled = [payoff[np.ix_(*orders)] for payoff in payoffs]
    plain, other = (solve(brief(name), each) for each in (payoffs, shuffled))
    assert_close([x[order] for x, order in zip(plain, orders, strict=True)], other, atol=1e-7)
    assert [x[0] for x in plain] == pytest.approx([x[-1] for x in plain], abs=1e-7)


@pytest.mark.parametrize("name", NAMES)
def test_passes_the_domains_check(name):
    DOMAIN.check(seeds.source("psro", name))


@pytest.mark.parametrize("name", NAMES)
def test_names_its_source(name):
    docstring = ast.get_docstring(ast.parse(seeds.source("psro", name)))
    assert re.search(r"\b(19|20)\d\d\b", docstring)


def test_the_domain_names_only_seeds_that_exist():
    assert {DOMAIN.seed, *DOMAIN.baselines} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_plays_psro(name):
    """A few iterations in the domain's own loop. Kuhn's meta-games have ties and duplicates."""
    source = re.sub(r"\b(100_000|10_000|15_000|8000|5000|998)\b", "200", seeds.source("psro", name))
    plan = DOMAIN.plan(["kuhn2", "kuhn3"], tiers=("exact",), budget=4)
    evaluation = DOMAIN.evaluate(source, plan, InProcessSandbox())
    assert evaluation.results[0].curve[-1][1] < evaluation.results[0].uniform
    if name in TWO_PLAYERS:
        assert evaluation.outcome.tag is Tag.EXCEPTION
        assert "two-player zero-sum game; this one has 3 players" in evaluation.outcome.message
    else:
        assert evaluation.outcome.ok, evaluation.outcome.message
