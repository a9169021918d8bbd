"""Programs as meta-strategy methods of OpenSpiel's PSROSolver."""

import gc

import numpy as np
import pyspiel
import pytest
from open_spiel.python.algorithms.best_response import BestResponsePolicy
from open_spiel.python.algorithms.expected_game_score import policy_value
from open_spiel.python.algorithms.policy_aggregator import PolicyAggregator

import seeds
from evaluators.contract import GameError, ProgramError
from evaluators.psro.openspiel import MetaStrategyMethod, ProgramFailed
from sandbox.inprocess import InProcessSandbox

UNIFORM = seeds.source("psro", "uniform")

ASKS = """
import numpy as np

class TrainMetaStrategySolver:
    def get_meta_strategy(self, game, policy_sets, meta_games):
        x = [np.full(game.num_policies(p), 1.0 / game.num_policies(p)) for p in range(game.num_players)]
        STATEMENT
        return x

class EvalMetaStrategySolver:
    def get_meta_strategy(self, game, policy_sets, meta_games):
        return [np.eye(game.num_policies(p))[-1] for p in range(game.num_players)]
"""


class Solver:
    """As much of a PSROSolver as a method sees: policies and their payoffs."""

    def __init__(self, game, sizes, seed=0):
        self.game, rng = game, np.random.default_rng(seed)
        self.tensors = [rng.normal(size=(9,) * len(sizes)) for _ in sizes]
        self.policies = [[pyspiel_policy(game, seed + k) for k in range(9)] for _ in sizes]
        self.sizes = sizes

    def get_meta_game(self):
        return [tensor[tuple(map(slice, self.sizes))].copy() for tensor in self.tensors]

    def get_policies(self):
        return [own[:n] for own, n in zip(self.policies, self.sizes, strict=True)]


def pyspiel_policy(game, seed):
    from open_spiel.python.policy import TabularPolicy

    found = TabularPolicy(game)
    weights = (
        np.random.default_rng(seed).random(found.action_probability_array.shape) * found.legal_actions_mask
    )
    found.action_probability_array[:] = weights / weights.sum(axis=1, keepdims=True)
    return found


def method(source, *args, **options):
    return MetaStrategyMethod(source, *args, sandbox=InProcessSandbox(), **options)


def test_marginals_and_the_joint_distribution():
    solver = Solver(pyspiel.load_game("kuhn_poker"), (2, 3))
    with method(UNIFORM) as uniform:
        marginals, joint = uniform(solver=solver, return_joint=True)
        assert [m.tolist() for m in marginals] == [[0.5] * 2, pytest.approx([1 / 3] * 3)]
        assert joint == pytest.approx(np.full(6, 1 / 6))
        assert [m.tolist() for m in uniform(solver)] == [m.tolist() for m in marginals]


@pytest.mark.parametrize("players", [2, 3, 4])
def test_payoffs_are_the_solvers_own(players):
    statement = "x = [v - v.min() + 1.0 for v in game.deviation_payoffs(x)]"
    game = pyspiel.load_game(f"kuhn_poker(players={players})")
    solver = Solver(game, (1,) * players)
    with method(ASKS.replace("STATEMENT", statement)) as asks:
        for sizes in [(1,) * players, (2,) * players, (4, *(3,) * (players - 1))]:
            solver.sizes = sizes
            found = asks(solver)
            for p, tensor in enumerate(solver.get_meta_game()):
                v = tensor.mean(axis=tuple(q for q in range(players) if q != p))
                expected = v - v.min() + 1.0
                assert found[p] == pytest.approx(expected / expected.sum(), abs=1e-12)


def test_the_other_solver_answers_when_asked_for():
    with method(ASKS.replace("STATEMENT", ""), "eval") as last:
        assert [m.tolist() for m in last(Solver(pyspiel.load_game("kuhn_poker"), (2, 3)))] == [
            [0, 1],
            [0, 0, 1],
        ]


def test_a_method_that_is_asked_late_knows_the_iteration():
    statement = "assert [r.iteration for r in policy_sets[0]] == [0, 1, 2, 3] and game.iteration == 3"
    with method(ASKS.replace("STATEMENT", statement)) as late:
        late(Solver(pyspiel.load_game("kuhn_poker"), (4, 4)))


class TestBestResponses:
    STATEMENT = "b = game.best_response_values(x); x = [np.append(w[:-1], b[p] + 2) for p, w in enumerate(x)]"

    def test_their_values_are_exact(self):
        game = pyspiel.load_game("kuhn_poker")
        solver = Solver(game, (1, 1))
        solver.sizes = (2, 2)
        with method(ASKS.replace("STATEMENT", self.STATEMENT)) as asks:
            found = asks(solver)
        for p, response in enumerate(best_responses(game, solver.get_policies())):
            value = response.value(game.new_initial_state())
            assert found[p][1] / found[p][0] == pytest.approx((value + 2) / 0.5, abs=1e-9)

    @pytest.mark.parametrize("players", [2, 3])
    def test_payoffs_against_them_are_exact(self, players):
        game = pyspiel.load_game(f"kuhn_poker(players={players})")
        solver = Solver(game, (3,) * players)
        with method(ASKS.replace("STATEMENT", "x = [v + 10 for v in game.best_response_payoffs(x)]")) as asks:
            found = asks(solver)
        own = solver.get_policies()
        responses = best_responses(game, own)
        for p, policies in enumerate(own):
            payoffs = []
            for policy in policies:
                profile = [policy if q == p else response for q, response in enumerate(responses)]
                payoffs.append(policy_value(game.new_initial_state(), profile)[p])
            shifted = np.array(payoffs) + 10
            assert found[p] == pytest.approx(shifted / shifted.sum(), abs=1e-12)

    def test_what_policies_play_is_known_then(self):
        statement = "assert policy_sets[0][0].support == 12 and policy_sets[0][0].pure is False"
        with method(ASKS.replace("STATEMENT", statement)) as asks:
            asks(Solver(pyspiel.load_game("kuhn_poker"), (1, 1)))

    def test_simultaneous_moves_are_refused(self):
        game = pyspiel.load_game("goofspiel(imp_info=True,num_cards=3,points_order=descending)")
        solver = Solver(pyspiel.load_game("kuhn_poker"), (1, 1))
        solver.policies = [[pyspiel_policy_of(game)]] * 2
        with (
            method(ASKS.replace("STATEMENT", self.STATEMENT)) as asks,
            pytest.raises(GameError, match="expected a game of turns"),
        ):
            asks(solver)


def best_responses(game, policies):
    """OpenSpiel's, to the uniform mixtures of populations."""
    players = range(game.num_players())
    weights = [np.full(len(own), 1.0 / len(own)) for own in policies]
    mixed = PolicyAggregator(game).aggregate(players, policies, weights)
    return [BestResponsePolicy(game, p, mixed) for p in players]


def pyspiel_policy_of(game):
    from open_spiel.python.policy import UniformRandomPolicy

    return UniformRandomPolicy(game)


class TestFailures:
    def test_no_program(self):
        with pytest.raises(ProgramError):
            method("x = 1")

    @pytest.mark.parametrize(
        ("statement", "message"),
        [
            ("1 / 0", "ended as exception: iteration 0, train: ZeroDivisionError"),
            ("x[0] *= np.nan", "iteration 0, train, player 0: expected finite weights"),
        ],
    )
    def test_a_program_that_fails_closes_the_method(self, statement, message):
        solver = Solver(pyspiel.load_game("kuhn_poker"), (1, 1))
        asks = method(ASKS.replace("STATEMENT", statement))
        with pytest.raises(ProgramFailed, match=message):
            asks(solver)
        with pytest.raises(RuntimeError, match="closed"):
            asks(solver)

    def test_another_solver(self):
        game = pyspiel.load_game("kuhn_poker")
        first, second = Solver(game, (1, 1)), Solver(game, (1, 1))
        with method(UNIFORM) as uniform:
            uniform(first)
            with pytest.raises(RuntimeError, match="the same solver"):
                uniform(second)


def test_a_run_of_psro_v2_in_the_sandbox():
    from open_spiel.python.algorithms.psro_v2 import best_response_oracle, psro_v2

    game = pyspiel.load_game("kuhn_poker")
    oracle = best_response_oracle.BestResponseOracle(game=game)
    with MetaStrategyMethod(seeds.source("psro", "nash")) as nash:
        solver = psro_v2.PSROSolver(
            game, oracle, 5, meta_strategy_method=nash, training_strategy_selector="probabilistic",
            sample_from_marginals=True,
        )  # fmt: skip
        for _ in range(3):
            solver.iteration()
        marginals = solver.get_meta_strategies()
        assert [len(m) for m in marginals] == [4, 4]
        assert [m.sum() for m in marginals] == pytest.approx([1.0, 1.0])
        assert nash.isolation != "none"
    del solver
    gc.collect()
