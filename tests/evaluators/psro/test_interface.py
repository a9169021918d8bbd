"""What the static check says of programs."""

import pytest

import seeds
from evaluators.contract import GameError, ProgramError
from evaluators.psro.domain import DOMAIN

METHOD = "    def get_meta_strategy(self, game, policy_sets, meta_games): ...\n"
TRAIN, EVAL = (f"class {which}MetaStrategySolver:\n{METHOD}" for which in ("Train", "Eval"))


@pytest.mark.parametrize("name", seeds.names("psro"))
def test_every_seed_is_a_program(name):
    DOMAIN.check(seeds.source("psro", name))


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("class Train:", "it does not parse"),
        (TRAIN, "expected a class EvalMetaStrategySolver; it has TrainMetaStrategySolver"),
        (TRAIN + EVAL.replace("get_meta_strategy", "solve"), "expected a method EvalMetaStrategySolver"),
        (
            TRAIN + EVAL.replace("game, policy_sets", "policy_sets, game"),
            "expected EvalMetaStrategySolver.get",
        ),
        ("import pyspiel\n" + TRAIN + EVAL, "it imports pyspiel"),
        ("from open_spiel.python import policy\n" + TRAIN + EVAL, "it imports open_spiel"),
    ],
)
def test_what_is_missing_is_named(source, message):
    with pytest.raises(ProgramError, match=message):
        DOMAIN.check(source)


def test_river_subgames_are_refused_before_anything_runs():
    with pytest.raises(GameError, match="compiled to a tree; got 'river60-1'"):
        DOMAIN.select(("kuhn2", "river60-1"))


def test_what_a_program_wants():
    assert not DOMAIN.prepare(TRAIN + EVAL).wants_meta_games
    assert DOMAIN.prepare((TRAIN + EVAL).replace("...", "return meta_games")).wants_meta_games
    assert DOMAIN.prepare((TRAIN + EVAL).replace("...", "return locals()")).wants_meta_games
    assert not DOMAIN.prepare(TRAIN + EVAL).wants_deviation_payoffs
    assert DOMAIN.prepare(
        (TRAIN + EVAL).replace("...", "return game.deviation_payoffs")
    ).wants_deviation_payoffs
    assert not DOMAIN.prepare(TRAIN + EVAL).wants_game
    for wanted in ("policy_sets[0][0].support", "game.best_response_values", "game.best_response_payoffs"):
        assert DOMAIN.prepare((TRAIN + EVAL).replace("...", f"return {wanted}")).wants_game


# As the paper's programs are written: payoff tensors alone, `num_players` called as a method.
PAPERS = """
import numpy as np

class Solver:
    def get_meta_strategy(self, game, policy_sets, meta_games):
        players, sizes = game.num_players(), [len(policies) for policies in policy_sets]
        mixtures = [np.ones(n) / n for n in sizes]
        for _ in range(20):
            for p in range(players):
                payoffs = np.moveaxis(meta_games[p], p, 0)
                for q in reversed([q for q in range(players) if q != p]):
                    payoffs = payoffs @ mixtures[q]
                mixtures[p] = 0.9 * mixtures[p] + 0.1 * (payoffs == payoffs.max()) / (payoffs == payoffs.max()).sum()
        return mixtures

class TrainMetaStrategySolver(Solver):
    def get_meta_strategy(self, game, policy_sets, meta_games):
        return super().get_meta_strategy(game, policy_sets, meta_games)

class EvalMetaStrategySolver(Solver):
    def get_meta_strategy(self, game, policy_sets, meta_games):
        return super().get_meta_strategy(game, policy_sets, meta_games)
"""


def test_a_program_that_reads_meta_games_alone_runs_as_it_is():
    from sandbox.inprocess import InProcessSandbox

    DOMAIN.check(PAPERS)
    plan = DOMAIN.plan(["kuhn2", "kuhn3"], tiers=("exact",), budget=10)
    found = DOMAIN.evaluate(PAPERS, plan, InProcessSandbox())
    assert found.outcome.ok, found.outcome.message
    assert all(r.value < r.uniform for r in found.results)
