"""Scores: means over families, and how far they can be trusted."""

import math
import random
from statistics import stdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluators.records import Metric, Task, TaskResult
from evaluators.scores import family_score, stderr_of

LINEAR = Metric("value", "value", "max", "linear", 0.01, unit=2.0)
LOG = Metric("error", "error", "min", "log", 0.01)


def result(value, family="a", name="", stderr=0.0):
    return TaskResult(Task(name or f"{family}{value}", family), value, stderr=stderr)


def score(results, metric=LINEAR):
    return family_score(results, metric, lambda one: metric.oriented(one.value))


def test_families_count_alike_however_many_tasks_they_have():
    results = [result(v, "a") for v in (1.0, 2.0, 3.0)] + [result(10.0, "b")]
    assert score(results).mean == pytest.approx((2.0 + 10.0) / 2 / LINEAR.unit)
    assert score(results).n == 4


@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(-1e6, 1e6)), min_size=1), st.randoms())
def test_the_order_does_not_count(pairs, shuffler):
    results = [result(value, family, str(number)) for number, (family, value) in enumerate(pairs)]
    before = score(results)
    shuffler.shuffle(results)
    after = score(results)
    assert after.n == before.n
    assert after.mean == pytest.approx(before.mean, rel=1e-9, abs=1e-6)
    assert after.stderr == pytest.approx(before.stderr, rel=1e-9, abs=1e-3)


def test_one_exact_task_has_no_standard_error():
    assert score([result(3.0), result(4.0, "b")]).stderr == 0.0


def test_the_spread_of_a_family_is_its_standard_error():
    values = [random.Random(0).gauss(0.0, 1.0) for _ in range(50)]
    found = score([result(value, name=str(k)) for k, value in enumerate(values)])
    assert found.stderr == pytest.approx(stdev(values) / math.sqrt(50) / LINEAR.unit)


def test_where_tasks_agree_by_chance_their_own_errors_count():
    found = score([result(1.0, name=str(k), stderr=0.3) for k in range(9)])
    assert found.stderr == pytest.approx(0.3 / 3 / LINEAR.unit)


def test_families_are_no_sample():
    far = [result(0.0, "a", stderr=0.2), result(100.0, "b", stderr=0.2)]
    assert score(far).stderr == pytest.approx(0.2 / math.sqrt(2) / LINEAR.unit)


def test_a_standard_error_on_a_log_scale_is_in_decades():
    assert stderr_of(result(0.01, stderr=0.001), LOG) == pytest.approx(0.1 / math.log(10))
    assert stderr_of(result(0.01), LOG) == 0.0
