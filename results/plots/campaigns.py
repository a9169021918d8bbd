"""Searches beside each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from results.plots import theme
from results.progress import Trial

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SIZE = (9.2, 3.6)


def campaigns(found: Mapping[str, Sequence[Trial]], *, objective: str) -> Figure:
    """The best so far of several searches, against candidates and against the CPU time of their evaluations.

    Args:
        found: campaign -> its trials, by ordinal.
        objective: names the vertical axis; larger is better.
    """
    with theme.drawing():
        figure = theme.blank(*_SIZE)
        by_candidate, by_cpu = figure.subplots(1, 2, sharey=True)
        looks = theme.looks(found)
        for name, trials in found.items():
            steps = _steps(trials)
            style = looks[name].line() | {"linewidth": 1.8, "label": theme.label(name)}
            best = [t.best or 0.0 for t in steps]
            by_candidate.step([t.ordinal for t in steps], best, where="post", **style)
            by_cpu.step([t.total_cpu_s for t in steps], best, where="post", **style)
        by_candidate.set_xlabel("candidate")
        by_cpu.set_xlabel("CPU seconds of evaluations")
        by_candidate.set_ylabel(theme.label(f"{objective}, best so far"))
        for axis in (by_candidate, by_cpu):
            theme.dress(axis)
        handles, labels = by_candidate.get_legend_handles_labels()
        if handles:
            figure.legend(
                handles,
                labels,
                loc="outside lower center",
                ncols=min(3, len(labels)),
                frameon=False,
                fontsize="small",
            )
        return figure


def _steps(trials: Sequence[Trial]) -> list[Trial]:
    """The candidates at which a line of the best so far turns, and the last one."""
    told = [t for t in trials if t.best is not None]
    return [t for place, t in enumerate(told) if place in (0, len(told) - 1) or t.gain > 0]
