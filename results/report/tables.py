"""Final values and curves of programs beside each other, from their stored evaluations."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from evaluators.records import TaskResult
from results.plots import SMALLEST, Curve
from results.records import StoredEvaluation
from results.report.model import Row

EXACT = "exact"
"""The variant of a game whose payoffs are the game's own."""

LEAST = 1e-9
"""Smaller exploitabilities count as this in comparisons: below it rounding decides, not the algorithm."""


def final_values(found: Mapping[str, StoredEvaluation]) -> list[Row]:
    """A row per game, then a row per game and kind of other payoffs, whose copies are taken together."""
    groups: dict[tuple[str, str, int], dict[str, list[TaskResult]]] = {}
    for label, evaluation in found.items():
        for curve in evaluation.curves:
            key = (
                curve.game,
                "" if curve.variant == EXACT else curve.variant.partition("-")[0],
                curve.iterations,
            )
            groups.setdefault(key, {}).setdefault(label, []).append(curve)
    rows = []
    for (game, variant, iterations), by_label in groups.items():
        copies = max(len(group) for group in by_label.values())
        values = {
            label: mean(curve.points[-1][1] for curve in group)
            for label, group in by_label.items()
            if len(group) == copies and all(curve.points for curve in group)
        }
        uniform = mean(curve.uniform for curve in next(iter(by_label.values())))
        rows.append(
            Row(game=game, variant=variant, copies=copies, iterations=iterations, uniform=uniform,
                values=values, winners=winners(values))
        )  # fmt: skip
    return sorted(rows, key=lambda row: row.variant != "")


def curves(found: Mapping[str, StoredEvaluation]) -> list[Curve]:
    """Of the games' own payoffs; of all instances where a plan has none with these."""
    exact = any(curve.variant == EXACT for one in found.values() for curve in one.curves)
    return [
        Curve(label, curve.game if exact else curve.instance, curve.points)
        for label, evaluation in found.items()
        for curve in evaluation.curves
        if curve.points and (curve.variant == EXACT or not exact)
    ]


def mean(values: Iterable[float]) -> float:
    """The geometric mean of exploitabilities, the value itself if there is one; from 1e-16 up."""
    known = list(values)
    if len(known) == 1:
        return max(known[0], SMALLEST)
    return math.exp(math.fsum(math.log(max(value, SMALLEST)) for value in known) / len(known))


def winners(values: Mapping[str, float]) -> tuple[str, ...]:
    """The labels with the smallest value; nobody wins alone."""
    counted = {label: max(value, LEAST) for label, value in values.items()}
    least = min(counted.values(), default=LEAST)
    return tuple(label for label, value in counted.items() if value == least) if len(values) > 1 else ()
