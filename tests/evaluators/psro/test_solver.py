"""PSRO programs as solvers: a run goes through a file into OpenSpiel's policies, as exploitable as it was."""

import json

import numpy as np
import pytest
from open_spiel.python.algorithms.exploitability import nash_conv
from open_spiel.python.algorithms.policy_aggregator import PolicyAggregator

import evolve
import seeds
from evaluators.contract import GameError, InputError
from evaluators.games import stored_populations
from evaluators.psro.openspiel import ProgramFailed, PsroSolver
from sandbox.inprocess import InProcessSandbox

PLUS = seeds.source("psro", "regret_matching_plus")


def run(source, game, iterations, **options):
    solver = PsroSolver(source, game, iterations=iterations, **options)
    for _ in range(iterations):
        solver.evaluate_and_update_policy()
    return solver


@pytest.mark.parametrize(
    ("game", "iterations"),
    [
        ("kuhn2", 6),
        ("kuhn_poker(players=3)", 4),
        ("leduc2", 4),
        ("goofspiel(imp_info=True,num_cards=3,players=2,points_order=descending)", 3),
        ("random-2(types=3)", 5),
    ],
)
def test_openspiel_finds_the_same_exploitability_after_loading(game, iterations, tmp_path):
    path = tmp_path / "run.npz"
    with run(PLUS, game, iterations, sandbox=InProcessSandbox()) as solver:
        expected = solver.exploitability()
        stored_populations.save(path, solver.populations())
        assert solver.iteration == iterations
    stored = evolve.load_populations(path)
    policies = stored.tabular_policies()
    reference = policies[0][0].game
    players = reference.num_players()
    assert [len(own) for own in policies] == [iterations + 1] * players
    mixtures = [own.mixture.tolist() for own in stored.populations]
    mixed = PolicyAggregator(reference).aggregate(range(players), policies, mixtures)
    assert nash_conv(reference, mixed) / players == pytest.approx(expected, abs=1e-9)


def test_a_population_starts_with_the_uniform_policy_and_grows_by_best_responses(tmp_path):
    with run(PLUS, "kuhn2", 3) as solver:
        assert solver.isolation != "none"
        stored = solver.populations()
    for own in stored.populations:
        assert (own.policies[0] == 0.5).all()
        assert own.policies.shape == (4, 12)
        np.testing.assert_allclose(np.add.reduceat(own.policies, own.first[:-1], axis=1), 1.0)
        assert own.mixture.sum() == pytest.approx(1)


MOODY = """
import numpy as np


class TrainMetaStrategySolver:
    def get_meta_strategy(self, game, policy_sets, meta_games):
        return [np.full(len(own), 1.0 / len(own)) for own in policy_sets]


class EvalMetaStrategySolver:
    asked = 0

    def get_meta_strategy(self, game, policy_sets, meta_games):
        self.asked += 1
        return [np.eye(len(own))[self.asked % len(own)] for own in policy_sets]
"""


def test_what_is_saved_is_what_was_judged():
    with run(MOODY, "kuhn2", 3, sandbox=InProcessSandbox()) as solver:
        value = solver.exploitability()
        assert [own.mixture.argmax() for own in solver.populations().populations] == [1, 1]
        assert solver.exploitability() == value


def test_there_is_room_for_so_many_iterations():
    with pytest.raises(InputError, match="fewer than 1000 iterations; got 1000"):
        PsroSolver(PLUS, "kuhn2", iterations=1000)
    with run(PLUS, "kuhn2", 2, sandbox=InProcessSandbox()) as solver:
        with pytest.raises(InputError, match="at most 2 iterations"):
            solver.evaluate_and_update_policy()
        assert solver.exploitability() > 0


def test_what_cannot_run():
    with pytest.raises(GameError):
        PsroSolver(PLUS, "kuhm2")
    broken = MOODY.replace("1.0 / len(own)", "np.nan")
    with pytest.raises(ProgramFailed, match="expected finite weights"):
        run(broken, "kuhn2", 1, sandbox=InProcessSandbox())


def test_files_that_are_none(tmp_path):
    with pytest.raises(InputError, match=r"ends in \.npz"):
        stored_populations.check_name(tmp_path / "run.json")
    with pytest.raises(InputError, match="existing folder"):
        stored_populations.check_name(tmp_path / "none" / "run.npz")
    with pytest.raises(InputError, match="No such file"):
        stored_populations.load(tmp_path / "run.npz")
    (tmp_path / "text.npz").write_text("text")
    np.savez(tmp_path / "other.npz", x=np.zeros(3))
    np.savez(tmp_path / "pickle.npz", policies_0=np.array([{}], object))
    for name in ("text", "other", "pickle"):
        with pytest.raises(InputError, match="expected a saved PSRO run"):
            stored_populations.load(tmp_path / f"{name}.npz")


def test_a_file_of_another_game(tmp_path):
    with run(PLUS, "kuhn2", 1, sandbox=InProcessSandbox()) as solver:
        stored_populations.save(tmp_path / "run.npz", solver.populations())
    with np.load(tmp_path / "run.npz") as arrays:
        assert json.loads(str(arrays["about"])) == {}
        np.savez(tmp_path / "run.npz", **{**arrays, "game_string": np.array("leduc_poker(players=2)")})
    with pytest.raises(InputError, match="has no information state"):
        stored_populations.load(tmp_path / "run.npz").tabular_policies()
