"""Programs beside each other: a metric against budget, task by task, and how far one is ahead of baselines."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from evaluators.records import SMALLEST, Metric
from results.comparison import Comparison
from results.plots import theme

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = 4
_PANEL = (3.2, 2.7)
"""Inches of a panel."""


@dataclass(frozen=True)
class Curve:
    """One program on one task, or on a family of tasks.

    Attributes:
        label: the program, as the legend names it.
        panel: the task, as its panel's title names it.
        points: (budget, value), or (CPU seconds, value), rising.
        stderrs: standard errors of the values, of as many as are known, the last value's last.
        floor: values beyond it cannot be told apart; None where there is no such value.
    """

    label: str
    panel: str
    points: Sequence[tuple[float, float]]
    stderrs: Sequence[float] = ()
    floor: float | None = None


def curves(
    drawn: Sequence[Curve],
    metric: Metric,
    *,
    title: str = "",
    highlight: Sequence[str] = (),
    columns: int = COLUMNS,
    against: str = "",
) -> Figure:
    """Draw a metric against budget: a panel per task, a line per program, standard errors as bands.

    Axes are logarithmic for a metric on a log scale. Panels and programs stand in the order in which they first
    appear; a program has one style in all panels. Where no program has more than one point, programs stand side by
    side.

    Args:
        drawn: what to draw, at least one.
        metric: of the values.
        title: above all panels.
        highlight: labels drawn thick and on top, such as a discovered program's.
        columns: panels per row, at most.
        against: what the horizontal axis counts in place of the budget.
    """
    styles = theme.styles([curve.label for curve in drawn], highlight)
    panels = list(dict.fromkeys(curve.panel for curve in drawn))
    down = math.ceil(len(panels) / columns)
    across = math.ceil(len(panels) / down)
    legend_columns = max(2, 2 * across - 1)
    legend_height = 0.25 * math.ceil(len(styles) / legend_columns)
    with theme.drawing():
        height = _PANEL[1] * down + legend_height + (0.3 if title else 0.0)
        figure, grid = theme.blank(_PANEL[0] * across, height, down, across, squeeze=False)
        for place, (panel, axis) in enumerate(zip(panels, grid.flat, strict=False)):
            own = [curve for curve in drawn if curve.panel == panel]
            _panel(axis, panel, own, metric, styles)
            if place + across >= len(panels) and any(len(curve.points) > 1 for curve in own):
                axis.set_xlabel(theme.label(against or metric.budget))
            if place % across == 0:
                axis.set_ylabel(theme.label(metric.name))
        for axis in grid.flat[len(panels) :]:
            axis.set_axis_off()
        theme.legend(figure, columns=legend_columns, where="outside lower center")
        if title:
            figure.suptitle(theme.label(title), fontsize="medium")
        return figure


def _panel(
    axis: Axes, name: str, own: Sequence[Curve], metric: Metric, styles: Mapping[str, theme.Style]
) -> None:
    lines = any(len(curve.points) > 1 for curve in own)
    log = metric.scale == "log"
    for which in ("x", "y") if lines else ("y",):
        if log:
            theme.powers(axis, which)
    for place, curve in enumerate(own):
        at = [(budget or 1) if lines else place for budget, _ in curve.points]
        values = [max(value, SMALLEST) if log else value for _, value in curve.points]
        style = styles[curve.label].line() | {"label": theme.label(curve.label)}
        if lines:
            axis.plot(at, values, **style)
        errors = curve.stderrs if any(curve.stderrs) else [0.0] * (not lines)
        if errors:
            known = slice(-len(errors), None)
            bars = style if not lines else style | {"linestyle": "", "label": "_"}
            axis.errorbar(at[known], values[known], yerr=errors, capsize=2, marker="o", markersize=3, **bars)
    limits = axis.get_ylim()
    for floor in {curve.floor for curve in own if curve.floor is not None}:
        axis.axhline(floor, color=theme.INK, linewidth=0.8, linestyle=(0, (1, 3)), zorder=1)
    axis.set_ylim(limits)  # A floor that is far away does not matter.
    if not lines:
        axis.set_xticks([])
        axis.margins(x=0.1)
    axis.set_title(theme.label(name))
    theme.dress(axis)


class Advantage(NamedTuple):
    """How far a program is ahead of another one.

    Attributes:
        name: the other one.
        search: on the tasks of the search; None when it was not run there.
        held_out: on tasks that the search never saw.
    """

    name: str
    search: Comparison | None
    held_out: Comparison | None


def advantages(rows: Sequence[Advantage], *, unit: str) -> Figure:
    """Draw two dots per program, search and held-out, with standard errors; `unit`: what differences are counted in."""
    with theme.drawing():
        figure, axis = theme.blank(4.6, 1.3 + 0.34 * max(1, len(rows)))
        marks = (("search", theme.colours(["search"])["search"], "o"), ("held_out", theme.STRONG, "D"))
        for shift, (name, colour, marker) in zip((-0.14, 0.14), marks, strict=True):
            known = [(getattr(row, name), k + shift) for k, row in enumerate(rows)]
            known = [(one, place) for one, place in known if one is not None and one.mean is not None]
            axis.errorbar(
                [one.mean for one, _ in known], [place for _, place in known],
                xerr=[one.stderr or 0.0 for one, _ in known],
                color=colour, marker=marker, markersize=5, linestyle="", capsize=2, label=name.replace("_", "-"),
            )  # fmt: skip
        axis.axvline(0.0, color=theme.INK, linewidth=1.0)
        axis.set_yticks(range(len(rows)), [theme.label(row.name) for row in rows])
        axis.set_ylim(max(1, len(rows)) - 0.5, -0.5)
        theme.dress(axis, grid="x", x=f"ahead of the other program, {unit}")
        theme.legend(figure)
        return figure
