"""Programs game by game, on a toy domain: what runs in which order, and how parts become a whole again."""

import asyncio
from concurrent.futures import Executor, Future

import pytest

from evaluators.contract import Plan, Stage
from evaluators.records import Evaluation, Outcome, Tag
from evolve.comparison.tables import by_game, evaluate_all
from evolve.evaluation.service import EvaluationService
from sandbox.base import Limits


def plan_of(*stages):
    """A plan of stages, each given as instances' names such as ``a`` or ``a/generic-0``."""
    return Plan(
        tuple(
            Stage(f"stage {n}", tuple(Instance(name, name[0], name[2:] or "exact", 1) for name in names))
            for n, names in enumerate(stages)
        ),
        Limits(),
    )


PLAN = plan_of(["a", "a/generic-0", "b"], ["c"])


class Failing(Executor):
    """Evaluates in a domain at once, except that games end as `fates` says; keeps the plans that it was given."""

    def __init__(self, domain, **fates):
        self.domain, self.fates, self.plans = domain, fates, []

    def submit(self, fn, job):
        self.plans.append(job.plan)
        (game,) = {i.game for i in job.plan.instances}
        found = Future()
        if game in self.fates:
            outcome = Outcome(self.fates[game], f"{game}: no")
            found.set_result(Evaluation(outcome, (), {}, "none", 1.0, 1.0, "a log"))
        else:
            found.set_result(self.domain.evaluate(job.source, job.plan, None))
        return found


@pytest.fixture
def domain(toy):
    return toy.Domain()


def played(domain, sources, executor):
    told = []
    service = EvaluationService("toy", executor, 1)
    found = asyncio.run(evaluate_all(service, domain, sources, PLAN, told=lambda: told.append(1)))
    assert len(told) == 3 * len(sources)
    return found


def test_a_plan_by_game_keeps_stages_and_order():
    assert by_game(PLAN) == {
        "a": plan_of(["a", "a/generic-0"]),
        "b": plan_of(["b"]),
        "c": Plan((PLAN.stages[1],), PLAN.limits),
    }


def test_the_last_games_run_first(toy, domain):
    executor = Failing(domain)
    played(domain, [toy.program(1.0), toy.program(2.0)], executor)
    assert [plan.instances[0].game for plan in executor.plans] == ["c", "c", "b", "b", "a", "a"]


def test_all_games_are_one_evaluation(toy, domain):
    source = toy.program(1.0)
    (found,) = played(domain, [source], Failing(domain))
    assert found.evaluation == domain.evaluate(source, PLAN, None)
    assert found.failures == {}
    assert list(found.scores) == ["a", "b", "c"]


def test_a_game_that_fails_hides_no_other(toy, domain):
    (found,) = played(domain, [toy.program(1.0)], Failing(domain, b=Tag.EXCEPTION))
    assert [r.instance.name for r in found.evaluation.results] == ["a", "a/generic-0", "c"]
    assert found.evaluation.outcome == Outcome(Tag.EXCEPTION, "b: no")
    assert found.evaluation.objectives == {}
    assert found.failures == {"b": Outcome(Tag.EXCEPTION, "b: no")}
    assert list(found.scores) == ["a", "c"]
    assert (found.evaluation.cpu_s, found.evaluation.log) == (1.0, "a log")


@pytest.mark.parametrize(
    ("fates", "tag", "game"),
    [
        ({"a": Tag.INVALID, "c": Tag.EXCEPTION}, Tag.INVALID, "a"),
        ({"a": Tag.INVALID, "c": Tag.TIMEOUT}, Tag.TIMEOUT, "c"),
    ],
)
def test_the_gravest_outcome_is_the_whole_s(toy, domain, fates, tag, game):
    (found,) = played(domain, [toy.program(1.0)], Failing(domain, **fates))
    assert found.evaluation.outcome == Outcome(tag, f"{game}: no")
    assert list(found.failures) == list(fates)
