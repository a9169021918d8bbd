"""Values at equal CPU time, against numbers worked out by hand."""

import pytest

from evaluators.records import Cost, Metric, Task, TaskResult
from results.costs import at_cpu, cpu_seconds, value_at

LOSS = Metric("loss", "loss", "min", "log", 0.1)
SUM = Metric("sum", "sum", "max", "linear", 0.1)


def result(curve, own=1.0, whole=2.0):
    curve = tuple(curve)
    return TaskResult(
        Task("a", "a", budget=curve[-1][0]), curve[-1][1], curve=curve, cost=Cost(whole, 3.0, own)
    )


POWER = result([(1, 1.0), (10, 0.1), (100, 0.01), (1000, 0.001)])


@pytest.mark.parametrize("budget", [1, 3, 10, 42, 700, 1000])
def test_a_power_law_is_read_off_exactly(budget):
    assert value_at(LOSS, POWER, budget) == pytest.approx(1 / budget)


def test_before_the_first_point_there_is_no_value_and_after_the_last_that_one():
    assert value_at(LOSS, POWER, 0.5) is None
    assert value_at(LOSS, POWER, 2000) == 0.001


def test_on_a_linear_scale_values_are_straight_in_the_logarithm_of_the_budget():
    assert value_at(SUM, result([(10, 1.0), (1000, 3.0)]), 100) == pytest.approx(2.0)


def test_values_below_nothing_are_read_off_as_the_smallest():
    assert value_at(LOSS, result([(1, 1e-16), (100, -4e-16)]), 10) == pytest.approx(1e-16)


def test_one_off_costs_of_the_first_program_count_for_none():
    compiling = result([(1, 1.0)], own=1.0, whole=31.0)
    others = {"b": result([(1, 1.0)], own=4.0, whole=6.0), "c": result([(1, 1.0)], own=0.5, whole=2.0)}
    assert cpu_seconds({"a": compiling} | others) == {"a": 3.0, "b": 6.0, "c": 2.5}


def test_the_budget_of_all_is_what_the_cheapest_took():
    # The second needs ten times the arithmetic: at equal time it is where the first was after a tenth.
    cheap, dear = (
        result(POWER.curve, own=0.5, whole=1.0),
        result([(k, v / 5) for k, v in POWER.curve], 9.5, 10.0),
    )
    values, seconds = at_cpu(LOSS, {"cheap": cheap, "dear": dear})
    assert seconds == pytest.approx(1.0)
    assert values == pytest.approx({"cheap": 0.001, "dear": 0.002})


def test_what_measures_nothing_so_early_is_left_out():
    cheap, dear = result(POWER.curve, own=0.5, whole=1.0), result([(1000, 0.5)], own=9.5, whole=10.0)
    assert set(at_cpu(LOSS, {"cheap": cheap, "dear": dear})[0]) == {"cheap"}


def test_where_nothing_was_measured_all_are_as_dear():
    free = result(POWER.curve, own=0.0, whole=0.0)
    assert at_cpu(LOSS, {"a": free, "b": free}) == ({"a": 0.001, "b": 0.001}, 0.0)
