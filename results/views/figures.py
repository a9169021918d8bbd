"""The figures of a campaign, each with a name, a title and how to draw it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import partial

from evaluators.records import Metric, Score
from results import plots
from results.progress import island_bests
from results.text import plural, score
from results.views import words
from results.views.campaign import CampaignView
from results.views.document import Figure
from results.views.programs import Entry, curves, curves_by_cpu


def figures(view: CampaignView) -> dict[str, Figure]:
    """Return name -> figure, those for which there is something to draw."""
    if not view.trials:
        return {}
    record, best = view.campaign, view.best
    drawn = _progress(view)
    against = convergence(record.metric, view.contenders(), [best.label] if best else [])
    if against is not None:
        drawn.append(against)
    timed = curves_by_cpu(record.metric, view.contenders())
    if against is not None and any(len(curve.points) > 1 for curve in timed):
        title = f"{record.metric.label} against CPU seconds, {words.better(record.metric)}"
        draw = partial(
            plots.curves,
            timed,
            record.metric,
            highlight=[best.label] if best else [],
            against="CPU seconds",
        )
        drawn.append(Figure("curves-by-cpu", title, draw, against.width))
    if view.lineage:
        ordinals = ", ".join(str(step.ordinal) for step in view.lineage)
        title = f"All scored candidates, each joined to its first parent; the lineage of the best: {ordinals}"
        way = [step.ordinal for step in view.lineage]
        draw = partial(plots.ancestry, view.trials, way, objective=record.objective)
        drawn.append(Figure("ancestry", title, draw, 4))
    if view.held_out is not None and view.held_out.advantages:
        unseen, unit = view.held_out, words.ahead_unit(record.metric)
        tasks = plural(record.metric.task)
        title = f"How far {unseen.names[unseen.leader]} is ahead of baselines, on {tasks} of the search and held-out"
        drawn.append(Figure("advantages", title, partial(plots.advantages, unseen.advantages, unit=unit)))
    return {figure.name: figure for figure in drawn}


def convergence(metric: Metric, entries: Sequence[Entry], highlight: Collection[str]) -> Figure | None:
    """Return the curves of programs; None where no evaluation finished a task. Highlighted ones are named first."""
    drawn = curves(metric, sorted(entries, key=lambda entry: entry.label not in highlight))
    if not drawn:
        return None
    names = ", ".join(dict.fromkeys(curve.label for curve in drawn))
    title = f"{metric.label} against {metric.budget}, {words.better(metric)}: {names}"
    panels = len({curve.panel for curve in drawn})
    draw = partial(plots.curves, drawn, metric, highlight=list(highlight))
    return Figure("curves", title, draw, min(panels, plots.COLUMNS))


def _progress(view: CampaignView) -> list[Figure]:
    objective, baseline, trials = view.campaign.objective, view.baseline, view.trials
    levels = {baseline.label: baseline.score.mean} if baseline and baseline.score else {}
    known = [(one.told, one.score) for one in view.known_best]
    draw = partial(plots.best_so_far, trials, objective=objective, references=levels, known=known)
    last = known[-1][1] if known else Score(trials[-1].best or 0.0, trials[-1].best_stderr)
    title = f"{objective} of every candidate and the best as it was known then, at last {score(last.mean, last.stderr)}"
    drawn = [
        Figure("best-by-candidate", title, draw),
        Figure("best-by-cpu", f"{title}, by CPU time of evaluations", partial(draw, against="cpu")),
    ]
    if trials[-1].total_cost_usd > 0:
        cost = Figure("best-by-cost", f"{title}, by what models cost", partial(draw, against="cost"))
        drawn.append(cost)
    islands = island_bests(trials)
    if len(islands) > 1:
        draw_islands = partial(plots.islands, islands, objective=objective)
        drawn.append(Figure("islands", f"Best {objective} of each island", draw_islands))
    return drawn
