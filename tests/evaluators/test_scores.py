"""Scores: means over families, and how far they can be trusted."""

import math
import random
from dataclasses import replace
from statistics import stdev

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluators.records import Metric, Task, TaskResult
from evaluators.scores import family_score, stderr_of

LINEAR = Metric("value", "value", "max", "linear", 0.01, unit=2.0)
LOG = Metric("error", "error", "min", "log", 0.01)


def result(value, family="a", name="", stderr=0.0, seed=None):
    return TaskResult(Task(name or f"{family}{value}", family, seed=seed), value, stderr=stderr)


def seeded(values, family="a", stderr=0.0):
    """Results on tasks of a family with seeds of their own."""
    return [
        result(value, family, f"{family}/{seed}", stderr, seed) for seed, value in enumerate(values, start=5)
    ]


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


@pytest.mark.parametrize(
    "kind", [seeded, lambda values: [result(v, name=str(k)) for k, v in enumerate(values)]]
)
@given(values=st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=6), errors=st.floats(0.0, 10.0))
def test_of_spread_and_own_errors_the_larger_counts(kind, values, errors):
    results = [replace(one, stderr=errors) for one in kind(values)]
    spread, own = stdev(values) / math.sqrt(len(values)), errors / math.sqrt(len(values))
    assert score(results).stderr == pytest.approx(max(spread, own) / LINEAR.unit, abs=1e-9)


# A standard error that no spread defines.


def test_one_task_with_a_seed_has_the_metrics_resolution_beside_families_with_several():
    wide, narrow = (0.0, 6.0, 3.0), (1.0, 2.0)
    results = [*seeded(wide, "a"), *seeded(narrow, "b"), *seeded([9.0], "c")]
    total = stdev(wide) ** 2 / 3 + stdev(narrow) ** 2 / 2 + LINEAR.resolution**2
    assert score(results).stderr == pytest.approx(math.sqrt(total) / 3 / LINEAR.unit)


@pytest.mark.parametrize("metric", [LINEAR, LOG])
@pytest.mark.parametrize("families", ["a", "abc"])
def test_where_every_family_has_one_task_with_a_seed_the_metrics_resolution_is_its_error(metric, families):
    results = [one for family in families for one in seeded([0.5], family)]
    error = metric.resolution / metric.unit / math.sqrt(len(families))
    assert score(results, metric).stderr == pytest.approx(error)


def test_one_task_that_brings_its_error_needs_no_other():
    results = [*seeded((0.0, 9.0), "a"), *seeded([1.0], "b", stderr=0.4)]
    assert score(results).stderr == pytest.approx(math.hypot(4.5, 0.4) / 2 / LINEAR.unit)


def test_one_exact_task_beside_tasks_with_seeds_has_none():
    results = [*seeded((0.0, 9.0), "a"), result(1.0, "b")]
    assert score(results).stderr == pytest.approx(4.5 / 2 / LINEAR.unit)


@st.composite
def evaluations(draw):
    """Results of up to four families, as most plans have them: with seeds or exact, with or without own errors."""
    results = []
    for family in draw(st.sets(st.sampled_from("abcd"), min_size=1)):
        values = draw(st.lists(st.floats(-100, 100), min_size=1, max_size=5))
        error = draw(st.sampled_from([0.0, 0.0, 0.5]))
        exact = draw(st.booleans())
        results += [result(values[0], family, family)] if exact else seeded(values, family, error)
    return results


@given(evaluations())
def test_as_written_down_again_from_the_words(results):
    """Mean of means; variances of means from the spread, own errors where larger, else the metric's resolution."""
    table = {}
    for one in results:
        table.setdefault(one.task.family, []).append(one)
    values = {family: np.array([one.value / LINEAR.unit for one in own]) for family, own in table.items()}
    variances = []
    for family, own in values.items():
        errors = np.array([one.stderr / LINEAR.unit for one in table[family]])
        of_errors = (errors**2).sum() / own.size**2
        if own.size > 1:
            variances.append(max(own.var(ddof=1) / own.size, of_errors))
        elif of_errors or table[family][0].task.seed is None:
            variances.append(of_errors)
        else:
            variances.append((LINEAR.resolution / LINEAR.unit) ** 2)
    found = score(results)
    assert found.mean == pytest.approx(np.mean([own.mean() for own in values.values()]), abs=1e-9)
    assert found.stderr == pytest.approx(np.sqrt(np.sum(variances)) / len(values), rel=1e-6, abs=1e-9)
    assert found.n == len(results)


def test_families_are_no_sample():
    far = [result(0.0, "a", stderr=0.2), result(100.0, "b", stderr=0.2)]
    assert score(far).stderr == pytest.approx(0.2 / math.sqrt(2) / LINEAR.unit)


def test_a_standard_error_on_a_log_scale_is_in_decades():
    assert stderr_of(result(0.01, stderr=0.001), LOG) == pytest.approx(0.1 / math.log(10))
    assert stderr_of(result(0.01), LOG) == 0.0
