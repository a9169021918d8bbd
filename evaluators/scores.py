"""Scores of several tasks: means over families of the means over their tasks, with standard errors."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from statistics import fmean, variance

from evaluators.records import Metric, Score, TaskResult


def stderr_of(result: TaskResult, metric: Metric) -> float:
    """Return the standard error of a result on the metric's scale: in decades where it is a log scale (delta rule)."""
    if metric.scale == "log":
        return result.stderr / (max(result.value, math.ulp(0.0)) * math.log(10)) if result.stderr else 0.0
    return result.stderr / metric.unit


def family_score(
    results: Iterable[TaskResult], metric: Metric, value: Callable[[TaskResult], float]
) -> Score:
    """Return the mean over families of the mean of `value` over their tasks.

    Tasks are the unit of the standard error: within a family their spread, or, where that is unknown or smaller, the
    standard errors that they bring. Families count alike, however many tasks they have, and are no sample.
    """
    families: dict[str, list[TaskResult]] = {}
    for result in results:
        families.setdefault(result.task.family, []).append(result)
    means, variances = [], []
    for members in families.values():
        values = [value(member) for member in members]
        within = sum(stderr_of(member, metric) ** 2 for member in members) / len(members) ** 2
        spread = variance(values) / len(values) if len(values) > 1 else 0.0
        means.append(fmean(values))
        variances.append(max(within, spread))
    return Score(
        fmean(means), math.sqrt(math.fsum(variances)) / len(families), sum(map(len, families.values()))
    )
