"""Which figures a report has: each with a name, a title and how to draw it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from results import plots
from results.progress import island_bests, outcome_counts
from results.report.model import DISCOVERED, Report

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing


class Figure(NamedTuple):
    """A figure of a report. `section` says where it stands; `title` tells those who cannot see it what it shows."""

    name: str
    section: str
    title: str
    draw: Callable[[], Drawing]


def figures(report: Report) -> list[Figure]:
    """The figures for which there is something to draw, in the report's order."""
    if not report.trials:
        return []
    return [*_curves(report), *_progress(report), *_origins(report), *_lineage(report), *_sealed(report)]


def _curves(report: Report) -> list[Figure]:
    looks = plots.looks([c.label for c in report.contenders], [DISCOVERED])
    panels = list(dict.fromkeys(curve.panel for curve in report.curves))
    found = []
    for place, panel in enumerate(panels):
        own = [curve for curve in report.curves if curve.panel == panel]
        # The discovered program is drawn last, over the others.
        own.sort(key=lambda curve: looks[curve.label].strong)
        draw = partial(plots.exploitability, own, looks=looks)
        title = f"Exploitability against iteration on {panel}; the table of final values has its ends"
        found.append(Figure(f"curves-{place}", "curves", title, draw))
    return found


def _progress(report: Report) -> list[Figure]:
    objective, baseline = report.campaign.objective, report.baseline
    levels = {baseline.label: baseline.score} if baseline and baseline.score is not None else {}
    draw = partial(plots.best_so_far, report.trials, objective=objective, references=levels)
    last = report.trials[-1].best
    title = (
        f"{objective} of every candidate and the best so far, which ends at {last:.3f}" if last else objective
    )
    found = [
        Figure("progress", "progress", title, draw),
        Figure("progress-cpu", "progress", title, partial(draw, against="cpu")),
    ]
    if report.trials[-1].total_cost_usd > 0:
        found.append(Figure("progress-cost", "progress", title, partial(draw, against="cost")))
    islands = island_bests(report.trials)
    if len(islands) > 1:
        draw = partial(plots.islands, islands, objective=objective)
        found.append(Figure("islands", "progress", f"Best {objective} of each island", draw))
    return found


def _origins(report: Report) -> list[Figure]:
    found = []
    for name, shares in (("operators", report.operators), ("models", report.models)):
        if shares:
            title = f"Shares of proposals, valid programs and improvements among {name}"
            found.append(Figure(name, "origins", title, partial(plots.shares, shares)))
    draw = partial(plots.outcomes, outcome_counts(report.trials))
    return [*found, Figure("outcomes", "outcomes", "How candidates ended", draw)]


def _lineage(report: Report) -> list[Figure]:
    if not report.changes:
        return []
    ordinals = ", ".join(str(change.step.ordinal) for change in report.changes)
    draw = partial(plots.ancestry, report.trials, objective=report.campaign.objective)
    title = f"All candidates, each joined to its first parent; the way to the best goes through {ordinals}"
    return [Figure("lineage", "lineage", title, draw)]


def _sealed(report: Report) -> list[Figure]:
    if report.sealed is None or not report.sealed.advantages:
        return []
    draw = partial(plots.advantage, report.sealed.advantages)
    title = f"How far {report.sealed.leader} is ahead of each baseline, on training games and on sealed ones"
    return [Figure("advantage", "sealed", title, draw)]
