"""The one meaning of better: antisymmetric, with symmetric ties, floors and both directions."""

import math
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from evaluators.records import Metric, Score, Task, TaskResult
from results.comparison import (
    Z95,
    Value,
    advantage,
    compare,
    holm,
    ranking,
    standing,
    standing_over,
    summarized,
    tied,
    tied_over,
    with_chaos,
)

LOSS = Metric("loss", "loss", "min", "log", resolution=0.1)
RADII = Metric("radii", "sum of radii", "max", "linear", resolution=0.001, unit=0.5)

metrics = st.builds(
    Metric,
    name=st.just("m"),
    label=st.just("m"),
    direction=st.sampled_from(["min", "max"]),
    scale=st.sampled_from(["linear", "log"]),
    resolution=st.floats(1e-6, 1.0),
    unit=st.floats(1e-3, 1e3),
)
numbers = st.floats(1e-12, 1e6)
values = st.builds(Value, numbers, st.just(0.0) | st.floats(1e-9, 10.0), st.none() | numbers)


@given(metrics, values, values)
def test_what_one_gains_the_other_loses(metric, one, other):
    assert advantage(metric, one, other) == -advantage(metric, other, one)
    assert math.isfinite(advantage(metric, one, other))


@given(metrics, values, values)
def test_ties_are_symmetric(metric, one, other):
    assert tied(metric, one, other) == tied(metric, other, one)
    assert tied(metric, one, one)


@given(metrics, values, values)
def test_who_is_not_tied_is_better_or_worse_by_the_metric_s_direction(metric, one, other):
    if not tied(metric, one, other):
        assert (advantage(metric, one, other) > 0) == metric.better(one.value, other.value)


@given(metrics, values, values)
def test_turning_a_metric_round_turns_the_advantage(metric, one, other):
    one, other = one._replace(floor=None), other._replace(floor=None)
    turned = replace(metric, direction="max" if metric.direction == "min" else "min")
    assert advantage(turned, one, other) == -advantage(metric, one, other)
    assert tied(turned, one, other) == tied(metric, one, other)


@given(metrics, numbers, numbers, numbers)
def test_beyond_the_floor_all_are_equal(metric, a, b, floor):
    ones = [Value(x, 0.0, floor) for x in (a, b)]
    if all(metric.better(x, floor) for x in (a, b)):
        assert tied(metric, *ones)
        assert advantage(metric, *ones) == 0


@given(metrics, values, values, st.floats(1.0, 100.0))
def test_doubt_makes_ties_and_never_unmakes_them(metric, one, other, factor):
    if tied(metric, one, other):
        wider = [v._replace(stderr=v.stderr * factor) for v in (one, other)]
        assert tied(metric, *wider)


@pytest.mark.parametrize(
    ("metric", "one", "other", "together"),
    [
        (LOSS, Value(1e-3), Value(1.2e-3), True),  # 0.079 decades
        (LOSS, Value(1e-3), Value(1.3e-3), False),  # 0.114 decades
        (LOSS, Value(-4e-16), Value(0.0), True),  # rounding below zero is clipped
        (LOSS, Value(1e-9, 0.0, 1e-6), Value(9e-7, 0.0, 1e-6), True),
        (LOSS, Value(1e-9, 0.0, 1e-6), Value(9e-7), True),  # the floor is the task's, whoever brings it
        (RADII, Value(2.6350), Value(2.6358), True),
        (RADII, Value(2.6350), Value(2.6361), False),
        (RADII, Value(2.60, 0.02), Value(2.65, 0.02), True),  # 0.05 is less than 1.96 * 0.028
        (RADII, Value(2.60, 0.01), Value(2.65, 0.01), False),
    ],
)
def test_known_ties(metric, one, other, together):
    assert tied(metric, one, other) is together


def test_the_interval_is_that_of_the_difference():
    one, limit = Value(1.0, 0.3), Z95 * 0.5
    assert tied(RADII, one, Value(1.0 + limit - 1e-6, 0.4))
    assert not tied(RADII, one, Value(1.0 + limit + 1e-6, 0.4))


def test_a_standing_names_the_best_and_who_is_tied_with_it():
    found = standing(LOSS, {"near": Value(1.1e-3), "best": Value(1e-3), "far": Value(1e-2)})
    assert found == ("best", ("near",))
    found = standing(RADII, {"low": Value(2.0), "best": Value(2.6), "near": Value(2.5995)})
    assert found == ("best", ("near",))
    assert standing(LOSS, {"alone": Value(1.0)}) is None


def test_an_error_beyond_the_floor_ties_a_value_with_nothing_above_it():
    # Programs on 3-player Kuhn, of which rounding took the first one to 1e-16; its copies spread by 5e-11.
    winner, close, far = (
        Value(1.3e-16, 4.9e-11, 7e-7),
        Value(6.1e-7, 1.8e-11, 7e-7),
        Value(1.3e-3, 1e-4, 7e-7),
    )
    assert tied(LOSS, winner, close)
    assert not tied(LOSS, winner, far)


def test_an_error_larger_than_its_value_counts_by_its_order_of_magnitude():
    # Programs on Leduc poker: the first one's copies spread by six times its value.
    winner, close, far = (
        Value(3.2e-6, 1.8e-5, 2.4e-6),
        Value(3.3e-5, 1.2e-6, 2.4e-6),
        Value(2.4e-4, 1.5e-6, 2.4e-6),
    )
    assert tied(LOSS, winner, close)
    assert not tied(LOSS, winner, far)


def test_chaos_is_what_copies_of_a_task_spread_by():
    def result(value):
        return TaskResult(Task("a", "a"), value, floor=1e-6)

    alone = with_chaos(result(3e-3), [])
    assert alone == Value(3e-3, 0.0, 1e-6)
    chaotic = with_chaos(result(3e-3), [result(2e-3), result(4e-3)])
    assert chaotic == (3e-3, pytest.approx(1e-3), 1e-6)
    # What lies within the spread of a chaotic game is no difference between programs.
    assert tied(LOSS, chaotic, Value(4.5e-3, 0.0, 1e-6))
    assert not tied(LOSS, alone, Value(4.5e-3, 0.0, 1e-6))


@given(st.dictionaries(st.text(min_size=1), st.none() | st.floats(-1e6, 1e6).map(Score), max_size=8))
def test_a_failure_never_ranks_before_a_score(scores):
    names = ranking(scores)
    assert sorted(names) == sorted(scores)
    known = [scores[name] for name in names if scores[name] is not None]
    assert known == sorted(known, key=lambda score: -score.mean)
    assert all(scores[name] is None for name in names[len(known) :])


def test_a_failed_baseline_is_not_the_best_where_scores_are_negative():
    assert ranking({"failed": None, "bad": Score(-3.0), "good": Score(-1.0)}) == ["good", "bad", "failed"]


def test_over_several_tasks_differences_are_paired():
    # One task is ten times as hard as the other for everybody; the first program is better on both, by as much.
    hard, easy = [Value(0.5), Value(0.05)], [Value(1.0), Value(0.1)]
    assert not tied_over(LOSS, hard, easy)
    assert standing_over(LOSS, {"easy": easy, "hard": hard}) == ("hard", ())
    # Better on one and worse on the other: the mean says nothing.
    assert tied_over(LOSS, [Value(0.5), Value(0.1)], [Value(1.0), Value(0.07)])


def test_over_one_task_standings_are_those_of_the_task():
    values = {"a": Value(2.5, 0.01), "b": Value(2.49, 0.02), "c": Value(2.0)}
    assert (
        standing_over(RADII, {k: [v] for k, v in values.items()}) == standing(RADII, values) == ("a", ("b",))
    )


def test_the_standard_error_of_a_mean_shrinks_with_the_tasks():
    one, other = Value(2.0, 0.1), Value(2.2, 0.1)
    assert tied_over(RADII, [one], [other])
    assert not tied_over(RADII, [one] * 9, [other] * 9)


# Over tasks.


def instances(values, *, budget=300, seed=0):
    """Values of a program on tasks, family -> a value for each instance."""
    return {
        Task(f"{family}/{k}", family, "generic", budget, seed + k): value
        if isinstance(value, Value)
        else Value(value)
        for family, own in values.items()
        for k, value in enumerate(own)
    }


def ahead_by(decades):
    """Values that are so many decades ahead of those of `level`, by family."""
    return instances({family: [10**-one for one in own] for family, own in decades.items()})


def level(decades):
    return instances({family: [1.0] * len(own) for family, own in decades.items()})


def against(decades, **others):
    """A program that is so much ahead of "other", and of further ones."""
    values = {"mine": ahead_by(decades), "other": level(decades), **others}
    return {one.other: one for one in compare(LOSS, "mine", values)}


FAMILIES = {"poker": [0.5, 0.3, 0.4], "dice": [0.9], "bids": [0.2, 0.25]}


def test_a_mean_over_families_of_means_over_instances_with_student_s_interval():
    found = against(FAMILIES)["other"]
    means = [0.4, 0.9, 0.225]
    assert found.mean == pytest.approx(np.mean(means))
    assert found.stderr == pytest.approx(stats.sem(means))
    interval = stats.t.interval(0.95, 2, np.mean(means), stats.sem(means))
    assert (found.low, found.high) == pytest.approx(interval)
    assert found.p == pytest.approx(stats.ttest_1samp(means, 0).pvalue)
    assert (found.wins, found.ties, found.losses, found.families) == (6, 0, 0, 3)
    assert found.verdict == "level"  # Three families, one of them far ahead, prove little.


def resampled(decades, rng, resamples=10_000):
    """The standard error by resampling families, each with all of its instances."""
    means = np.array([np.mean(np.clip(own, -1, 1)) for own in decades.values()])
    chosen = rng.integers(0, len(means), (resamples, len(means)))
    factor = math.sqrt(len(means) / (len(means) - 1))  # of an unbiased variance
    return means[chosen].mean(axis=1).std() * factor


@pytest.mark.parametrize("number", [3, 6, 12])
def test_the_standard_error_is_that_of_a_bootstrap_over_families(number):
    rng = np.random.default_rng(number)
    decades = {f"f{k}": list(rng.normal(0.2, 0.4, 1 + k % 4)) for k in range(number)}
    found = against(decades)["other"]
    assert found.stderr == pytest.approx(resampled(decades, rng), rel=0.03)


def shares(number, per_family, between, within, truth=0.0, runs=400):
    """Share of comparisons whose interval excludes the truth, and of those whose p is below 0.05, both sides."""
    rng = np.random.default_rng(number)
    outside = small = 0
    for _ in range(runs):
        means = truth + rng.normal(0, between, (number, 1)) + rng.normal(0, within, (number, per_family))
        found = against({f"f{k}": list(own) for k, own in enumerate(means)})["other"]
        outside += not found.low <= truth <= found.high
        small += found.p < 0.05
    return outside / runs, small / runs


@pytest.mark.parametrize(("number", "per_family"), [*product([3, 6, 12], [1, 3])])
def test_intervals_cover_the_truth_and_programs_that_are_equal_are_rarely_told_apart(number, per_family):
    """Known truth, normal differences below the clip: 5 % each way of 400 are 20 with a standard deviation of 4.4."""
    outside, _ = shares(number, per_family, 0.15, 0.1, truth=0.2)
    _, small = shares(number, per_family, 0.15, 0.1)
    assert 0.02 <= outside <= 0.085
    assert 0.02 <= small <= 0.085


def test_among_twenty_equal_programs_hardly_one_is_ever_told_apart():
    """Holm's correction: in at most 5 % of comparisons with twenty equals is any of them called ahead or behind."""
    rng = np.random.default_rng(20)
    wrong, runs = 0, 100
    for _ in range(runs):
        values = {f"p{k}": ahead_by({f"f{j}": [rng.normal(0, 0.2)] for j in range(8)}) for k in range(21)}
        wrong += any(one.verdict != "level" for one in compare(LOSS, "p0", values))
    assert wrong / runs <= 0.1


def test_holm_s_adjustment_is_scipy_s_bonferroni_stepped_down():
    assert holm({"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.005}) == pytest.approx(
        {"d": 0.02, "a": 0.03, "c": 0.06, "b": 0.06}
    )
    assert holm({"a": 0.9, "b": 0.8}) == {"b": 1.0, "a": 1.0}
    assert holm({}) == {}


def test_budgets_of_an_instance_are_one_observation_and_a_decade_is_the_most():
    tasks = [Task(name, name, "exact", k) for name in ("a", "b") for k in (300, 1000)]
    mine = dict(zip(tasks, map(Value, (1e-1, 1e-9, 1e-2, 1e-2)), strict=True))
    found = compare(LOSS, "m", {"m": mine, "o": dict.fromkeys(tasks, Value(10**-0.5))})[0]
    assert found.mean == pytest.approx(((0.5 + 1.0) / 2 + 1.0) / 2)
    assert (found.wins, found.ties, found.losses, found.families) == (2, 0, 0, 2)


def test_an_instance_beyond_the_floor_counts_nothing_and_keeps_its_weight():
    values = [{"a": [Value(x, 0.0, 1e-6)], "b": [0.01 * x / 1e-9]} for x in (1e-9, 1e-8)]
    mine, theirs = map(instances, values)
    (found,) = compare(LOSS, "m", {"m": mine, "o": theirs})
    assert found.mean == pytest.approx(0.5)
    assert (found.wins, found.ties, found.losses, found.beyond_floor) == (1, 1, 0, 1)


def test_one_family_has_its_instances_for_a_sample():
    advantages = [0.3, 0.5, 0.6, 0.4, 0.45]
    found = against({"only": advantages})["other"]
    assert found.p == pytest.approx(stats.ttest_1samp(advantages, 0).pvalue)
    assert found.verdict == "ahead"


@pytest.mark.parametrize(
    ("seed", "stderr", "verdict", "interval"),
    [
        (None, 0.0, "ahead", False),
        (3, 0.0, "level", False),
        (3, 0.01, "ahead", True),
        (3, 0.2, "level", True),
    ],
)
def test_a_single_task_decides_if_it_is_exact_or_its_error_is_known(seed, stderr, verdict, interval):
    task = Task("a", "a", "exact", seed=seed)
    values = {"m": {task: Value(2.9, stderr)}, "o": {task: Value(2.6, stderr)}}
    (found,) = compare(RADII, "m", values)
    assert (found.verdict, found.low is not None) == (verdict, interval)
    assert found.mean == pytest.approx(0.6)


def test_errors_of_the_values_count_where_the_spread_hides_them():
    tasks = instances({"a": [2.0] * 4}).keys()
    values = {"m": dict.fromkeys(tasks, Value(2.1, 0.4)), "o": dict.fromkeys(tasks, Value(2.0, 0.3))}
    (found,) = compare(RADII, "m", values)
    assert found.stderr == pytest.approx(1.0 / 2)  # the unit is 0.5, of four tasks
    assert (found.verdict, found.ties) == ("level", 4)


def test_a_difference_within_the_resolution_is_no_lead_however_sure():
    found = against({f"f{k}": [0.05 + 0.001 * k] for k in range(9)})["other"]
    assert found.p < 1e-6
    assert (found.verdict, found.ties) == ("level", 9)


def test_what_one_is_ahead_the_other_is_behind():
    decades = {f"f{k}": [0.5 + 0.02 * k, 0.4] for k in range(7)}
    values = {"mine": ahead_by(decades), "other": level(decades)}
    (one,), (other,) = compare(LOSS, "mine", values), compare(LOSS, "other", values)
    assert (one.verdict, other.verdict) == ("ahead", "behind")
    assert (one.mean, one.low, one.p) == pytest.approx((-other.mean, -other.high, other.p))
    assert (one.wins, one.losses) == (other.losses, other.wins) == (14, 0)


def test_a_program_that_is_not_counted_has_numbers_and_no_verdict():
    decades = {f"f{k}": [0.5 + 0.02 * k] for k in range(7)}
    values = {"mine": ahead_by(decades), "other": level(decades), "ours": level(decades)}
    found = {one.other: one for one in compare(LOSS, "mine", values, uncounted={"ours"})}
    assert (found["ours"].mean, found["ours"].verdict, found["ours"].p) == (found["other"].mean, None, None)
    assert found["other"].p == pytest.approx(against(decades)["other"].p)
    assert summarized(list(found.values()), {"other": "cfr", "ours": "rebuilt"}) == "ahead of 1 of 1"


def test_only_tasks_that_both_finished_count_and_the_others_are_numbered():
    mine, theirs = instances({"a": [0.1, 0.1], "b": [0.1]}), instances({"a": [1.0], "c": [1.0]})
    found = compare(LOSS, "m", {"m": mine, "o": theirs, "failed": {}})
    assert [(one.other, one.unpaired, one.verdict) for one in found] == [
        ("o", 3, "level"),
        ("failed", 3, None),
    ]
    assert (found[1].mean, found[1].wins, found[1].p) == (None, 0, None)


def test_the_strongest_stands_first_and_the_words_name_who_is_not_behind():
    decades = {f"f{k}": [0.5 + 0.02 * k] for k in range(7)}
    shift = lambda by: ahead_by({f: [x + by for x in own] for f, own in decades.items()})  # noqa: E731
    values = {"mine": shift(0.0), "weak": shift(-0.6), "strong": shift(0.4), "twin": shift(0.01)}
    found = compare(LOSS, "mine", values)
    assert [one.other for one in found] == ["strong", "twin", "weak"]
    names = {name: name for name in values}
    assert summarized(found, names) == "ahead of 1 of 3, level with 1 (twin), behind 1 (strong)"
    assert summarized(found, names, most=0) == "ahead of 1 of 3, level with 1, behind 1"
    assert summarized([], names) == "compared with nothing"
