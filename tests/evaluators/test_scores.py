"""Scores over tasks: families count alike, standard errors are those of the tasks, whatever the metric."""

import math
from dataclasses import replace
from statistics import fmean, variance

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluators.records import Metric, Task, TaskResult
from evaluators.scores import family_score, stderr_of

LINEAR = Metric("gain", "gain", "max", "linear", resolution=0.01, unit=2.0)
LOG = Metric("loss", "loss", "min", "log", resolution=0.1)

values = st.floats(1e-3, 1e3)


def result(value, *, family="a", seed=0, stderr=0.0):
    return TaskResult(Task(f"{family}/{seed}", family, seed=seed), value, stderr=stderr)


def score(results, metric=LINEAR):
    return family_score(results, metric, lambda r: metric.oriented(r.value))


def test_families_count_alike_however_many_tasks_they_have():
    results = [result(2.0), *(result(6.0, family="b", seed=n) for n in range(5))]
    assert (score(results).mean, score(results).n) == (2.0, 6)


@given(st.lists(st.tuples(st.sampled_from("abc"), values, st.floats(0, 5)), min_size=1, max_size=12))
def test_the_order_of_the_results_does_not_count(drawn):
    results = [result(v, family=f, seed=n, stderr=e) for n, (f, v, e) in enumerate(drawn)]
    there, back = score(results), score(results[::-1])
    assert (there.mean, there.stderr, there.n) == pytest.approx((back.mean, back.stderr, back.n))
    assert all(map(math.isfinite, (there.mean, there.stderr)))
    assert there.stderr >= 0


def test_an_exact_task_has_no_standard_error():
    assert score([result(2.0), result(6.0, family="b")]).stderr == 0.0


def test_the_spread_of_a_family_s_tasks_is_its_standard_error():
    drawn = [1.0, 2.0, 4.0]
    expected = math.sqrt(variance([v / 2 for v in drawn]) / 3)
    assert score([result(v, seed=n) for n, v in enumerate(drawn)]).stderr == pytest.approx(expected)


def test_what_tasks_bring_counts_where_they_agree_by_chance():
    assert score([result(2.0, seed=n, stderr=0.5) for n in range(4)]).stderr == pytest.approx(0.25 / 2)


def test_families_are_no_sample():
    """Their means differ because tasks do: the error of the mean over them is that of each, added up."""
    results = [result(2.0, stderr=0.6), result(200.0, family="b", stderr=0.8)]
    assert score(results).stderr == pytest.approx(math.hypot(0.3, 0.4) / 2)


@given(values, st.floats(1e-6, 0.01))
def test_on_a_log_scale_errors_are_decades(value, relative):
    one = result(value, stderr=relative * value)
    assert stderr_of(one, LOG) == pytest.approx(relative / math.log(10))
    wider = math.log10(value + one.stderr) - math.log10(value)
    assert stderr_of(one, LOG) == pytest.approx(wider, rel=0.01)


@given(st.lists(values, min_size=1, max_size=6), st.floats(0.1, 10.0))
def test_the_unit_divides_mean_and_error(drawn, unit):
    results = [result(v, seed=n, stderr=0.5) for n, v in enumerate(drawn)]
    plain, scaled = (score(results, replace(LINEAR, unit=u)) for u in (1.0, unit))
    assert scaled.mean == pytest.approx(plain.mean / unit)
    assert scaled.stderr == pytest.approx(plain.stderr / unit)


def test_smaller_is_better_where_the_metric_says_so():
    assert score([result(0.01)], LOG).mean == pytest.approx(2.0)
    assert score([result(0.01)], replace(LOG, direction="max")).mean == pytest.approx(-2.0)
    assert score([result(3.0), result(5.0, seed=1)], replace(LINEAR, direction="min")).mean == -fmean(
        [1.5, 2.5]
    )
