"""Programs family by family, on a toy domain: what runs in which order, and how parts become a whole again."""

import asyncio
from concurrent.futures import Executor, Future

import pytest

from evaluators.contract import Plan, Stage
from evaluators.records import Cost, Evaluation, Outcome, Tag, Task
from evolve.comparison.tables import by_group, evaluate_all
from evolve.evaluation.service import EvaluationService
from sandbox.base import Limits
from sandbox.inprocess import InProcessSandbox


def plan_of(*stages):
    """A plan of stages, each given as tasks' names such as ``a`` or ``a/generic``."""
    return Plan(
        tuple(
            Stage(f"stage {n}", tuple(Task(name, name[0], name[2:] or "exact") for name in names))
            for n, names in enumerate(stages)
        ),
        Limits(),
    )


PLAN = plan_of(["a", "a/generic", "b"], ["c"])


class Failing(Executor):
    """Evaluates in a domain at once, except that families end as `fates` says; keeps the plans that it was given."""

    def __init__(self, domain, **fates):
        self.domain, self.fates, self.plans = domain, fates, []

    def submit(self, fn, domain, source, plan, against, sandbox):
        self.plans.append(plan)
        (family,) = plan.groups
        found = Future()
        if family in self.fates:
            outcome = Outcome(self.fates[family], f"{family}: no")
            found.set_result(Evaluation(outcome, cost=Cost(cpu_s=1.0), log="a log"))
        else:
            found.set_result(self.domain.evaluate(source, plan, InProcessSandbox()))
        return found


@pytest.fixture
def domain(toy):
    return toy.Domain()


def rows(domain, sources, executor):
    told = []
    service = EvaluationService("toy", executor, 1)
    found = asyncio.run(evaluate_all(service, domain, sources, PLAN, told=lambda: told.append(1)))
    assert len(told) == 3 * len(sources)
    return found


def test_a_plan_by_group_keeps_stages_and_order():
    assert by_group(PLAN) == {
        "a": plan_of(["a", "a/generic"]),
        "b": plan_of(["b"]),
        "c": Plan((PLAN.stages[1],), PLAN.limits),
    }


def test_the_last_families_run_first(toy, domain):
    executor = Failing(domain)
    rows(domain, [toy.program(1.0), toy.program(2.0)], executor)
    assert [plan.groups[0] for plan in executor.plans] == ["c", "c", "b", "b", "a", "a"]


def test_all_families_are_one_evaluation(toy, domain):
    source = toy.program(1.0)
    (found,) = rows(domain, [source], Failing(domain))
    whole = domain.evaluate(source, PLAN, InProcessSandbox())
    assert found.evaluation.values() == whole.values()
    assert (found.evaluation.outcome, found.evaluation.scores) == (whole.outcome, whole.scores)
    assert list(found.evaluation.values()) == list(PLAN.tasks)
    assert found.failures == {}


def test_a_family_that_fails_hides_no_other(toy, domain):
    (found,) = rows(domain, [toy.program(1.0)], Failing(domain, b=Tag.EXCEPTION))
    assert [r.task.name for r in found.evaluation.results] == ["a", "a/generic", "c"]
    assert found.evaluation.outcome == Outcome(Tag.EXCEPTION, "b: no")
    assert found.evaluation.scores == {}
    assert found.failures == {"b": Outcome(Tag.EXCEPTION, "b: no")}
    assert (found.evaluation.cost.cpu_s, found.evaluation.log) == (pytest.approx(1.0, abs=0.5), "a log")


@pytest.mark.parametrize(
    ("fates", "tag", "family"),
    [
        ({"a": Tag.INVALID, "c": Tag.EXCEPTION}, Tag.INVALID, "a"),
        ({"a": Tag.INVALID, "c": Tag.TIMEOUT}, Tag.TIMEOUT, "c"),
    ],
)
def test_the_gravest_outcome_is_the_whole_s(toy, domain, fates, tag, family):
    (found,) = rows(domain, [toy.program(1.0)], Failing(domain, **fates))
    assert found.evaluation.outcome == Outcome(tag, f"{family}: no")
    assert list(found.failures) == list(fates)
