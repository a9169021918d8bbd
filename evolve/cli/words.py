"""Numbers and headings of all tables, in the words of a campaign's or a domain's metric."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from statistics import fmean, variance
from typing import TYPE_CHECKING

from evaluators.records import Metric, Score, Task, TaskResult
from results.comparison import Value

if TYPE_CHECKING:
    from results.records import HeldOutEvaluation

_DECIMALS = range(2, 7)
_TWO_DIGITS = 3
"""Standard errors whose first digit is below it have two digits: ± 0.1 may be half as much or more again."""
_ROUNDING = 1e-12
"""Smaller scores are what rounding leaves of 0."""
_LEGEND = "★ best; = tied with it: closer than {}, or than their standard errors can tell."


def number(metric: Metric, value: float | None, stderr: float = 0.0) -> str:
    """Return a value of the metric with its standard error, unless that is 0; a dash for None."""
    if value is None:
        return "-"
    if metric.scale == "log":
        return f"{value:.2e}" + (f" ± {stderr:.0e}" if stderr else "")
    if not stderr:
        return f"{value:.{_significant(metric, value)}g}"
    decimals = max(0, -math.floor(math.log10(stderr / _TWO_DIGITS)))
    return f"{value:.{decimals}f} ± {stderr:.{decimals}f}"


def score(metric: Metric, value: Score | float | None) -> str:
    """Return a score with as many decimals as the metric resolves, and its standard error, unless that is 0."""
    if value is None:
        return "-"
    mean, stderr = (value, 0.0) if isinstance(value, int | float) else (value.mean, value.stderr)
    decimals = _decimals(metric)
    if stderr:
        return f"{mean:.{decimals}f} ± {stderr:.{decimals}f}"
    hidden = _ROUNDING < abs(mean) < 10 ** (1 - decimals)
    return f"{mean:.2e}" if hidden else f"{mean:.{decimals}f}"


def difference(metric: Metric, value: float | None, *, sign: str = "+") -> str:
    """Return a difference of scores."""
    return "-" if value is None else f"{value:{sign}.{_decimals(metric)}f}"


def arrow(metric: Metric) -> str:
    """Return which way is better, for the heading of a column of values."""
    return "↓" if metric.direction == "min" else "↑"


def title(metric: Metric, tasks: Iterable[Task] = ()) -> str:
    """Return the metric's label with a capital, and the budgets of the tasks whose values stand below it."""
    budgets = sorted({task.budget for task in tasks})
    after = f" after {_range(budgets, metric.budget)}" if budgets and budgets != [1] else ""
    return metric.label[:1].upper() + metric.label[1:] + after


def legend(metric: Metric) -> str:
    """Return what the marks of a table mean."""
    factor = f"a factor of {10**metric.resolution:.3g}"
    return _LEGEND.format(factor if metric.scale == "log" else f"{metric.resolution:g}")


def plural(count: int, noun: str) -> str:
    """Return a number and what is counted."""
    return f"{count} {noun}" + ("" if count == 1 else "s")


def row_name(task: Task, tier: str) -> str:
    """Return what a table calls a task, the first tier of which is `tier`: one name for all seeds of a family.

    OpenSpiel strings are cut to their kind.
    """
    family = task.family.partition("(")[0]
    if task.seed is None:
        return task.name.replace(task.family, family, 1)
    return family if task.tier == tier else f"{family}/{task.tier}"


def by_row(results: Iterable[TaskResult | HeldOutEvaluation], tier: str) -> dict[str, Value]:
    """Return the name of a row -> value, of the tasks that were finished; of all seeds of a family, the mean."""
    rows: dict[str, list[Value]] = {}
    for one in results:
        if one.value is not None:
            rows.setdefault(row_name(one.task, tier), []).append(Value(one.value, one.stderr, one.floor))
    return {name: _mean(values) for name, values in rows.items()}


def _mean(values: Sequence[Value]) -> Value:
    """Return the mean over seeds; its standard error is their spread, or what they bring where that is larger."""
    if len(values) == 1:
        return values[0]
    numbers = [value.value for value in values]
    within = math.fsum(value.stderr**2 for value in values) / len(values) ** 2
    floors = [value.floor for value in values if value.floor is not None]
    stderr = math.sqrt(max(within, variance(numbers) / len(values)))
    return Value(fmean(numbers), stderr, fmean(floors) if floors else None)


def _range(budgets: Sequence[int], noun: str) -> str:
    few = f"{budgets[0]} to " if len(budgets) > 1 else ""
    return few + plural(budgets[-1], noun)


def _decimals(metric: Metric) -> int:
    resolution = metric.resolution / (metric.unit if metric.scale == "linear" else 1.0)
    wanted = 2 - math.floor(math.log10(resolution)) if resolution > 0 else _DECIMALS[-1]
    return min(max(wanted, _DECIMALS[0]), _DECIMALS[-1])


def _significant(metric: Metric, value: float) -> int:
    """Return how many digits a value needs to show what the metric resolves, four at least."""
    if not value or metric.resolution <= 0:
        return 6
    return min(max(4, math.floor(math.log10(abs(value))) - math.floor(math.log10(metric.resolution)) + 1), 9)
