"""All figures, of the command line, the report and the viewer: plain records in, a figure out.

Needs matplotlib (``pip install 'evolve-marl[plot]'``); nothing here opens a window or keeps global state.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SMALLEST = 1e-16
"""Values are drawn from here up: exploitability may come out as 0 or -4e-16, which a log axis has no place for."""

COLUMNS = 4
_PANEL = (3.2, 2.7)
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito's, which colour-blind readers tell apart; after seven the line style changes."""
_DASHES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1, 1.2)))


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
    curves: Sequence[Curve], *, title: str = "", highlight: Sequence[str] = (), columns: int = COLUMNS
) -> Figure:
    """Exploitability against iteration, both axes logarithmic: a panel per game, a line per program.

    Panels and programs stand in the order in which they first appear; a program looks the same in all panels.

    Args:
        curves: what to draw, at least one.
        title: above all panels.
        highlight: labels drawn thick and on top, such as a discovered program's.
        columns: panels per row, at most.
    """
    from matplotlib.figure import Figure

    panels = list(dict.fromkeys(curve.panel for curve in curves))
    styles = _styles(list(dict.fromkeys(curve.label for curve in curves)), highlight)
    down = math.ceil(len(panels) / columns)
    across = math.ceil(len(panels) / down)
    legend_rows = math.ceil(len(styles) / _legend_columns(across))
    size = (_PANEL[0] * across, _PANEL[1] * down + 0.25 * legend_rows + (0.3 if title else 0.0))
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(down, across, squeeze=False)
    for place, axis in enumerate(axes.flat):
        if place >= len(panels):
            axis.set_axis_off()
            continue
        _panel(axis, panels[place], [c for c in curves if c.panel == panels[place]], styles)
        if place + across >= len(panels):
            axis.set_xlabel("iteration")
        if place % across == 0:
            axis.set_ylabel("exploitability")
    handles: dict[str, Any] = {}
    for axis in axes.flat:
        lines, labels = axis.get_legend_handles_labels()
        handles |= {label: line for label, line in zip(labels, lines, strict=True) if label not in handles}
    figure.legend(
        [handles[label] for label in styles], list(styles),
        loc="outside lower center", ncols=_legend_columns(across), frameon=False, fontsize="small",
    )  # fmt: skip
    if title:
        figure.suptitle(title, fontsize="medium")
    return figure


def save(figure: Figure, path: Path | str) -> None:
    """Write a figure; the ending says in which format (png, svg, pdf).

    Raises:
        ValueError: an ending that matplotlib has no writer for.
        OSError: the file cannot be written.
    """
    import matplotlib

    # Without dates and random names in it, the same numbers give the same bytes.
    metadata = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(Path(path).suffix.lower()[1:])
    with matplotlib.rc_context({"svg.hashsalt": "evolve"}):
        figure.savefig(path, dpi=150, metadata=metadata)


def _panel(axis: Axes, name: str, curves: Sequence[Curve], styles: Mapping[str, Mapping[str, Any]]) -> None:
    axis.set_xscale("log")
    axis.set_yscale("log")
    for curve in curves:
        iterations = [k for k, _ in curve.points]
        values = [max(value, SMALLEST) for _, value in curve.points]
        axis.plot(iterations, values, label=curve.label, **styles[curve.label])
    axis.set_title(name, fontsize="medium")
    axis.grid(visible=True, which="major", alpha=0.25, linewidth=0.6)
    axis.tick_params(labelsize="small", which="both")
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)


def _styles(labels: Sequence[str], highlight: Sequence[str]) -> dict[str, dict[str, Any]]:
    """A look for each program, by its place in the order."""
    found = {}
    for place, label in enumerate(labels):
        bold = label in highlight
        found[label] = {
            "color": _COLOURS[place % len(_COLOURS)],
            "linestyle": _DASHES[place // len(_COLOURS) % len(_DASHES)],
            "linewidth": 2.4 if bold else 1.2,
            "zorder": 3 if bold else 2,
        }
    return found


def _legend_columns(across: int) -> int:
    return max(2, 2 * across - 1)
