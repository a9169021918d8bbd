"""Plans, and the nearest name."""

import pytest

from evaluators.contract import MeanGate, Plan, Stage, nearest
from evaluators.records import Task
from sandbox.base import Limits

A, B, C = (Task(name, name[0]) for name in ("a/1", "a/2", "b"))


def test_a_plan_keeps_its_order():
    plan = Plan((Stage("first", (A, C)), Stage("second", (B,), MeanGate(0.5))), Limits())
    assert plan.tasks == (A, C, B)
    assert plan.groups == ("a", "b")


def test_a_part_of_a_plan_keeps_stages_and_gates():
    plan = Plan((Stage("first", (A, C)), Stage("second", (B,), MeanGate(0.5))), Limits(cpu_s=3.0))
    assert plan.only([B]) == Plan((Stage("second", (B,), MeanGate(0.5)),), Limits(cpu_s=3.0))


@pytest.mark.parametrize(
    ("name", "hint"), [("sack", "Did you mean 'sacks'?"), ("zzz", "Known: sacks, roots.")]
)
def test_the_nearest_name(name, hint):
    assert nearest(name, ["sacks", "roots"]) == hint
