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

    Tasks are the unit of the standard error: within a family their spread, or, where that is smaller, the standard
    errors that they bring. Families count alike, however many tasks they have, and are no sample: the error is that of
    other seeds, not of other families. One task with a seed says nothing of its family's spread: its error is taken to
    be the metric's resolution.
    """
    families: dict[str, list[TaskResult]] = {}
    for result in results:
        families.setdefault(result.task.family, []).append(result)
    values = [[value(member) for member in members] for members in families.values()]
    variances = []
    for members, own in zip(families.values(), values, strict=True):
        within = sum(stderr_of(member, metric) ** 2 for member in members) / len(members) ** 2
        alone = (
            (metric.resolution / metric.unit) ** 2 if members[0].task.seed is not None and not within else 0.0
        )
        variances.append(max(within, variance(own) / len(own) if len(own) > 1 else alone))
    return Score(
        fmean(map(fmean, values)),
        math.sqrt(math.fsum(variances)) / len(families),
        sum(map(len, families.values())),
    )
