"""A program against baselines, on the games that it was trained on and on those that the search never saw."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from results.plots import theme

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Advantage(NamedTuple):
    """How far a program is ahead of a baseline: mean of log10(baseline's exploitability / its own), over games.

    Attributes:
        name: the baseline.
        training: on the games of the search; None when there are none in common.
        sealed: on games that it never saw.
    """

    name: str
    training: float | None
    sealed: float | None


def advantage(found: Sequence[Advantage]) -> Figure:
    """Two dots per baseline, training and sealed, joined: the distance is the training-test gap."""
    with theme.drawing():
        figure = theme.blank(4.6, 1.3 + 0.34 * max(1, len(found)))
        axis = figure.subplots()
        seen = theme.colours(["training"])["training"]
        for place, row in enumerate(found):
            both = [value for value in (row.training, row.sealed) if value is not None]
            axis.plot(both, [place] * len(both), color=theme.INK, linewidth=1.2, alpha=0.6, zorder=1)
        for label, colour, marker in (("training", seen, "o"), ("sealed", theme.strong(), "D")):
            values = [(getattr(row, label), place) for place, row in enumerate(found)]
            known = [(value, place) for value, place in values if value is not None]
            axis.scatter(
                [value for value, _ in known], [place for _, place in known],
                color=colour, marker=marker, s=34, label=f"{label} games", zorder=2,
            )  # fmt: skip
        axis.axvline(0.0, color=theme.INK, linewidth=1.0)
        axis.set_yticks(range(len(found)), [theme.label(row.name) for row in found])
        axis.set_ylim(max(1, len(found)) - 0.5, -0.5)
        axis.set_xlabel("orders of magnitude less exploitable than the baseline")
        theme.dress(axis, grid="x")
        figure.legend(loc="outside upper center", ncols=2, frameon=False, fontsize="small")
        return figure
