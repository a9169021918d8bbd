"""The one meaning of better: antisymmetric, with symmetric ties, floors and both directions."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluators.records import Metric, Score, Task, TaskResult
from results.comparison import (
    Z95,
    Value,
    advantage,
    pair,
    ranking,
    standing,
    standing_over,
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


@given(metrics, st.lists(st.tuples(numbers, numbers), min_size=1, max_size=9))
def test_a_pair_turned_round_has_the_wins_of_the_other(metric, both):
    tasks = [Task(f"t{n}", "t") for n in range(len(both))]
    mine = {task: Value(a) for task, (a, _) in zip(tasks, both, strict=True)}
    theirs = {task: Value(b) for task, (_, b) in zip(tasks, both, strict=True)}
    one, other = pair(metric, "m", "t", mine, theirs), pair(metric, "t", "m", theirs, mine)
    assert (one.wins, one.ties, one.losses) == (other.losses, other.ties, other.wins)
    assert one.wins + one.ties + one.losses == len(both)
    assert one.mean == pytest.approx(-other.mean)


def test_a_pair_counts_tasks_that_both_finished():
    a, b, c = (Task(name, name) for name in "abc")
    found = pair(LOSS, "m", "t", {a: Value(0.1), b: Value(0.2)}, {b: Value(0.4), c: Value(0.1)})
    assert (found.wins, found.ties, found.losses) == (1, 0, 0)
    nothing = pair(LOSS, "m", "t", {a: Value(0.1)}, {})
    assert (nothing.mean, nothing.wins, nothing.ties, nothing.losses) == (None, 0, 0, 0)


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
