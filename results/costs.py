"""What programs cost beside what they reach: values at equal CPU time, since rules differ tenfold in arithmetic.

A table of values after equal budgets (iterations, traversals) is what papers have. Here the same curves are read off
where programs have used as much CPU time as the cheapest one did for the whole budget. Each unit of a budget is taken
to cost the same, and between two checkpoints a curve to be straight in log(budget) and, on a log scale, log(value).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise
from statistics import median

from evaluators.records import SMALLEST, Metric, TaskResult


def cpu_seconds(results: Mapping[str, TaskResult]) -> dict[str, float]:
    """Return what each program took on one task: its own CPU time, and what the domain does for all of them.

    The domain's part is the median over programs. It is the same work for all, and what is done once, such as to
    compile a game, would fall on whichever program is the first.
    """
    shared = median(max(0.0, one.cost.cpu_s - one.cost.candidate_cpu_s) for one in results.values())
    return {name: one.cost.candidate_cpu_s + shared for name, one in results.items()}


def value_at(metric: Metric, result: TaskResult, budget: float) -> float | None:
    """Return the value of a curve at a budget; None before its first point, the last value after its last one."""
    curve = result.curve
    if budget >= curve[-1][0]:
        return curve[-1][1]
    for (left, before), (right, after) in pairwise(curve):
        if left <= budget <= right:
            share = math.log(budget / left) / math.log(right / left)
            if metric.scale == "linear":
                return before + share * (after - before)
            low, high = (math.log(max(value, SMALLEST)) for value in (before, after))
            return math.exp(low + share * (high - low))
    return None


def at_cpu(metric: Metric, results: Mapping[str, TaskResult]) -> tuple[dict[str, float], float]:
    """Return the value of each program on one task after as much CPU time as the cheapest of them took, and that time.

    Programs that measure nothing so early are left out.
    """
    seconds = cpu_seconds(results)
    least = min(seconds.values())
    shares = {name: least / one if one > 0 else 1.0 for name, one in seconds.items()}
    values = {name: value_at(metric, one, one.task.budget * shares[name]) for name, one in results.items()}
    return {name: value for name, value in values.items() if value is not None}, least
