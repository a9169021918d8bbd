"""Gates and plans, and what a domain brings by itself."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluators.contract import MeanGate, Plan, SequentialGate, Stage, nearest
from evaluators.records import Score, Task
from sandbox.base import Limits

A, B, C = (Task(name, name[0]) for name in ("a1", "a2", "b"))


def test_a_plan_keeps_its_order():
    plan = Plan((Stage("first", (A, C)), Stage("second", (B,), MeanGate(0.5))), Limits())
    assert plan.tasks == (A, C, B)
    assert plan.families == ("a", "b")


def test_a_part_of_a_plan_keeps_stages_and_gates():
    plan = Plan((Stage("first", (A, C)), Stage("second", (B,), MeanGate(0.5))), Limits(cpu_s=3.0))
    assert plan.only([B]) == Plan((Stage("second", (B,), MeanGate(0.5)),), Limits(cpu_s=3.0))


def test_a_mean_gate_closes_after_the_stage_only():
    gate, parent = MeanGate(0.5), Score(2.0)
    assert gate.closes(Score(1.4), parent, finished=True)
    assert not gate.closes(Score(1.4), parent, finished=False)
    assert not gate.closes(Score(1.5), parent, finished=True)


def test_a_sequential_gate_closes_as_soon_as_there_is_no_doubt():
    gate, parent = SequentialGate(alpha=0.05, max_samples=16), Score(1.0, 0.1, 16)
    assert gate.closes(Score(0.0, 0.1, 2), parent, finished=False)
    assert not gate.closes(Score(0.8, 0.1, 2), parent, finished=False)
    assert not gate.closes(Score(2.0, 0.1, 2), parent, finished=True)


def test_a_sequential_gate_tests_between_two_and_so_many_tasks():
    gate, parent = SequentialGate(alpha=0.05, max_samples=4), Score(1.0, 0.01, 16)
    assert [gate.closes(Score(0.0, 0.01, n), parent, finished=False) for n in range(1, 6)] == [
        False,
        True,
        True,
        True,
        False,
    ]


def test_a_program_as_good_as_its_parent_passes_a_sequential_gate():
    """At level alpha in all: known standard errors, 500 candidates, Bonferroni keeps well below five in a hundred."""
    gate, stopped = SequentialGate(alpha=0.05, max_samples=8), 0
    rng = random.Random(0)
    parent = Score(rng.gauss(0.0, 8**-0.5), 8**-0.5, 8)
    for _ in range(500):
        values = [rng.gauss(parent.mean, 1.0) for _ in range(8)]
        means = [Score(sum(values[:n]) / n, n**-0.5, n) for n in range(2, 9)]
        stopped += any(gate.closes(mean, parent, finished=False) for mean in means)
    assert stopped <= 0.05 * 500


@given(st.floats(-5, 5), st.floats(0, 2), st.floats(-5, 5), st.floats(0, 2), st.integers(2, 16))
def test_a_sequential_gate_never_stops_what_is_no_worse(mean, stderr, other, error, n):
    if mean >= other:
        assert not SequentialGate().closes(Score(mean, stderr, n), Score(other, error), finished=True)


@pytest.mark.parametrize(
    ("name", "hint"), [("sack", "Did you mean 'sacks'?"), ("zzz", "Known: sacks, roots.")]
)
def test_the_nearest_name(name, hint):
    assert nearest(name, ["sacks", "roots"]) == hint
