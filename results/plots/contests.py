"""A program against baselines, on tasks of the search and on those that it never saw."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from results.plots import theme

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Advantage(NamedTuple):
    """How far a program is ahead of a baseline: mean of `results.comparison.advantage` over tasks.

    Attributes:
        name: the baseline.
        search: on the tasks of the search; None when there are none in common.
        held_out: on tasks that it never saw.
    """

    name: str
    search: float | None
    held_out: float | None

    @property
    def gap(self) -> float | None:
        """By how much it is less ahead on held-out tasks."""
        return None if self.search is None or self.held_out is None else self.search - self.held_out


def advantages(rows: Sequence[Advantage], *, unit: str) -> Figure:
    """Draw two dots per baseline, search and held-out, joined; `unit` is what the axis says of the differences."""
    with theme.drawing():
        figure = theme.blank(4.6, 1.3 + 0.34 * max(1, len(rows)))
        axis = figure.subplots()
        for place, row in enumerate(rows):
            both = [value for value in (row.search, row.held_out) if value is not None]
            axis.plot(both, [place] * len(both), color=theme.INK, linewidth=1.2, alpha=0.6, zorder=1)
        marks = (("search", theme.colours(["search"])["search"], "o"), ("held_out", theme.STRONG, "D"))
        for name, colour, marker in marks:
            known = [(getattr(row, name), k) for k, row in enumerate(rows) if getattr(row, name) is not None]
            axis.scatter(
                [value for value, _ in known], [place for _, place in known],
                color=colour, marker=marker, s=34, label=name.replace("_", "-"), zorder=2,
            )  # fmt: skip
        axis.axvline(0.0, color=theme.INK, linewidth=1.0)
        axis.set_yticks(range(len(rows)), [theme.label(row.name) for row in rows])
        axis.set_ylim(max(1, len(rows)) - 0.5, -0.5)
        axis.set_xlabel(theme.label(f"ahead of the baseline, {unit}"))
        theme.dress(axis, grid="x")
        theme.legend(figure)
        return figure
