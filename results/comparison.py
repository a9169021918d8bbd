"""The one meaning of better: which programs are ahead on a task, which are tied, and what that says in all.

Pure functions over `evaluators.records`. The command line, the report, the dashboard and the promotion of a campaign
all compare by them, so that no two views name different winners of the same results.

Two values on a task are *tied* when they differ by less than the metric's resolution or than the 95 % interval of
their difference, or when both are beyond the task's floor, where values cannot be told apart.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median, stdev, variance
from typing import NamedTuple

from evaluators.records import Metric, Score, Task, TaskResult

Z95 = 1.96
"""Half the width of a 95 % interval, in standard errors."""


class Value(NamedTuple):
    """What a program achieved on a task.

    Attributes:
        value: in the metric's unit.
        stderr: its standard error; of an exact value, what is known of its chaos, else 0.
        floor: values beyond it cannot be told apart; None where there is no such value.
    """

    value: float
    stderr: float = 0.0
    floor: float | None = None

    @classmethod
    def of(cls, result: TaskResult) -> Value:
        """Return the value of a result."""
        return cls(result.value, result.stderr, result.floor)

    def position(self, metric: Metric) -> float:
        """Return the value such that larger is better, in decades or units, and no better than the floor."""
        best = math.inf if self.floor is None else metric.oriented(self.floor)
        return min(metric.oriented(self.value), best)

    def spread(self, metric: Metric) -> float:
        """Return the standard error in decades or units; no value beyond the floor counts on a log scale.

        On a log scale it is by how many decades the error can move the value: as good as the relative error where that
        is small, where it is large no more than its order of magnitude. Otherwise a value that rounding took to 1e-16,
        with an error of 1e-11, would be tied with everything.
        """
        if metric.scale == "linear":
            return self.stderr / metric.unit
        decades = self.position(metric)
        return math.log10(1 + self.stderr / 10 ** (decades if metric.direction == "max" else -decades))


class Standing(NamedTuple):
    """The best program on a task, and those that are tied with it."""

    winner: str
    tied: tuple[str, ...]


def advantage(metric: Metric, one: Value, other: Value) -> float:
    """Return by how much one value is better than another, in decades or units; beyond the floor nothing counts."""
    floors = [value.floor for value in (one, other) if value.floor is not None]
    if floors:
        floor = floors[0] if len(floors) == 1 or not metric.better(floors[0], floors[1]) else floors[1]
        one, other = one._replace(floor=floor), other._replace(floor=floor)
    return one.position(metric) - other.position(metric)


def tied(metric: Metric, one: Value, other: Value) -> bool:
    """Return whether two values on a task cannot be told apart."""
    return tied_over(metric, [one], [other])


def tied_over(metric: Metric, ones: Sequence[Value], others: Sequence[Value]) -> bool:
    """Return whether the means of two programs over the same tasks, in the same order, cannot be told apart.

    The differences are paired: how much harder one task is than another does not count.
    """
    resolution = metric.resolution / (metric.unit if metric.scale == "linear" else 1.0)
    differences = [advantage(metric, one, other) for one, other in zip(ones, others, strict=True)]
    n = len(differences)
    within = math.hypot(*(value.spread(metric) for value in (*ones, *others))) / n
    between = stdev(differences) / math.sqrt(n) if n > 1 else 0.0
    return abs(fmean(differences)) <= max(resolution, Z95 * max(within, between))


def standing(metric: Metric, values: Mapping[str, Value]) -> Standing | None:
    """Return who is best on a task; None where fewer than two programs have a value."""
    return standing_over(metric, {name: [value] for name, value in values.items()})


def standing_over(metric: Metric, values: Mapping[str, Sequence[Value]]) -> Standing | None:
    """Return who is best on average over the same tasks; None where fewer than two programs have values."""
    if len(values) < 2:
        return None
    winner = max(values, key=lambda name: fmean(metric.oriented(one.value) for one in values[name]))
    others = (name for name in values if name != winner)
    return Standing(winner, tuple(name for name in others if tied_over(metric, values[name], values[winner])))


def mean(metric: Metric, values: Sequence[Value]) -> Value:
    """Return the mean of values, the geometric one on a log scale, with its standard error; one value as it is.

    The standard error is that of the values, or their spread where that is larger, as in a domain's scores.
    """
    if len(values) == 1:
        return values[0]
    log, n = metric.scale == "log", len(values)
    # Positions count units, and more of them is better.
    positions = [metric.oriented(one.value) for one in values]
    sign = -1 if metric.direction == "min" else 1
    middle = sign * fmean(positions)
    within = math.hypot(*(one.spread(metric) for one in values)) / n
    error = max(within, math.sqrt(variance(positions) / n))
    if log:
        return Value(10**middle, error * math.log(10) * 10**middle)
    return Value(middle * metric.unit, error * metric.unit)


def ranking(scores: Mapping[str, Score | None]) -> list[str]:
    """Return names, the best score first; those without one last, in their order: a failure is no score of 0."""
    known = {name: score.mean for name, score in scores.items() if score is not None}
    return [*sorted(known, key=lambda name: -known[name]), *(name for name in scores if name not in known)]


def rewards(gains: Sequence[float]) -> list[float]:
    """Return a reward from 0 to 1 for each gain, in the same order: g / (g + m) for g > 0, else 0.

    m is the median of the positive gains, so that a typical improvement is worth a half whatever the objective's
    unit, and one lucky jump does not make all others worthless. The choice among several models goes by it, and
    reports show it.

    Args:
        gains: child's objective minus that of its first parent; 0 for a child that was not scored.
    """
    positive = [gain for gain in gains if gain > 0]
    typical = median(positive) if positive else 1.0
    return [gain / (gain + typical) if gain > 0 else 0.0 for gain in gains]


def with_chaos(result: TaskResult, copies: Sequence[TaskResult]) -> Value:
    """Return an exact value with the standard deviation over it and copies of the task that differ by next to nothing.

    Integer payoffs make small games degenerate, so that rounding decides some of them: what such copies spread by is
    what chaos alone causes.
    """
    values = [result.value, *(copy.value for copy in copies)]
    return Value(result.value, stdev(values) if len(values) > 1 else 0.0, result.floor)


@dataclass(frozen=True)
class Pair:
    """A finalist against a baseline on the same held-out tasks; `mean` is the mean advantage in decades or units."""

    finalist: str
    baseline: str
    mean: float | None
    wins: int
    ties: int
    losses: int


def pair(
    metric: Metric, finalist: str, baseline: str, mine: Mapping[Task, Value], theirs: Mapping[Task, Value]
) -> Pair:
    """Return the comparison on every task that both programs finished."""
    both = [(mine[task], theirs[task]) for task in mine if task in theirs]
    decided = [0 if tied(metric, a, b) else math.copysign(1, advantage(metric, a, b)) for a, b in both]
    return Pair(
        finalist=finalist,
        baseline=baseline,
        mean=fmean(advantage(metric, a, b) for a, b in both) if both else None,
        wins=sum(sign > 0 for sign in decided),
        ties=sum(sign == 0 for sign in decided),
        losses=sum(sign < 0 for sign in decided),
    )
