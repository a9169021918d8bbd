"""Exploitability against iteration: what an algorithm does, game by game."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from results.plots import theme

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SMALLEST = 1e-16
"""Values are drawn from here up: exploitability may come out as 0 or -4e-16, which a log axis has no place for."""

COLUMNS = 4
_PANEL = (3.2, 2.7)
_SINGLE = (2.8, 2.4)
"""Inches of a panel; of one whose legend stands elsewhere."""


@dataclass(frozen=True)
class Curve:
    """One program on one game.

    Attributes:
        label: the program, as the legend names it.
        panel: the game, as its panel's title names it.
        points: (iteration, exploitability), iterations rising.
    """

    label: str
    panel: str
    points: Sequence[tuple[int, float]]


def exploitability(
    curves: Sequence[Curve],
    *,
    title: str = "",
    highlight: Sequence[str] = (),
    columns: int = COLUMNS,
    looks: Mapping[str, theme.Look] | None = None,
) -> Figure:
    """Exploitability against iteration, both axes logarithmic: a panel per game, a line per program.

    Panels and programs stand in the order in which they first appear; a program looks the same in all panels.

    Args:
        curves: what to draw, at least one.
        title: above all panels.
        highlight: labels drawn thick and on top, such as a discovered program's.
        columns: panels per row, at most.
        looks: of the programs, where a legend outside of the figure shows them; the figure has none then.
    """
    with theme.drawing():
        return _draw(
            curves, title, looks or theme.looks([c.label for c in curves], highlight), columns, not looks
        )


def _draw(
    curves: Sequence[Curve], title: str, looks: Mapping[str, theme.Look], columns: int, legend: bool
) -> Figure:
    panels = list(dict.fromkeys(curve.panel for curve in curves))
    down = math.ceil(len(panels) / columns)
    across = math.ceil(len(panels) / down)
    legend_rows = math.ceil(len(looks) / _legend_columns(across)) if legend else 0
    width, height = _PANEL if legend else _SINGLE
    size = (width * across, height * down + 0.25 * legend_rows + (0.3 if title else 0.0))
    figure = theme.blank(*size)
    axes = figure.subplots(down, across, squeeze=False)
    for place, axis in enumerate(axes.flat):
        if place >= len(panels):
            axis.set_axis_off()
            continue
        _panel(axis, panels[place], [c for c in curves if c.panel == panels[place]], looks)
        if place + across >= len(panels):
            axis.set_xlabel("iteration")
        if place % across == 0:
            axis.set_ylabel("exploitability")
    if legend:
        _legend(figure, list(axes.flat), looks, _legend_columns(across))
    if title:
        figure.suptitle(theme.label(title), fontsize="medium")
    return figure


def _legend(figure: Figure, axes: Sequence[Axes], looks: Mapping[str, theme.Look], columns: int) -> None:
    handles: dict[str, Any] = {}
    for axis in axes:
        lines, labels = axis.get_legend_handles_labels()
        handles |= {label: line for label, line in zip(labels, lines, strict=True) if label not in handles}
    names = [theme.label(label) for label in looks]
    shown = [(name, handles[name]) for name in names if name in handles]
    figure.legend(
        [line for _, line in shown], [name for name, _ in shown],
        loc="outside lower center", ncols=columns, frameon=False, fontsize="small",
    )  # fmt: skip


def _panel(axis: Axes, name: str, curves: Sequence[Curve], looks: Mapping[str, theme.Look]) -> None:
    theme.powers(axis, "x")
    theme.powers(axis, "y")
    for curve in curves:
        iterations = [max(k, 1) for k, _ in curve.points]
        values = [max(value, SMALLEST) for _, value in curve.points]
        axis.plot(iterations, values, label=theme.label(curve.label), **looks[curve.label].line())
    axis.set_title(theme.label(name))
    theme.dress(axis)


def _legend_columns(across: int) -> int:
    return max(2, 2 * across - 1)
