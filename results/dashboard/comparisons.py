"""Programs and campaigns beside each other, as a reader chose them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from evaluators.records import Metric
from results import comparison, plots
from results.dashboard.cache import Seen
from results.dashboard.candidates import CandidateView
from results.errors import UnknownNameError
from results.queries import CampaignSummary
from results.text import duration, measured, score, signed, usd
from results.views import words
from results.views.document import Cell, Figure, Rows, Table, num
from results.views.figures import convergence
from results.views.programs import Entry, columns
from results.views.sections import campaign_path, candidate_path, program_path


def two_programs(one: CandidateView, other: CandidateView) -> tuple[Table, Figure | None]:
    """Return two programs side by side, score and tasks, and their curves.

    Raises:
        UnknownNameError: their campaigns do not measure the same.
    """
    views = (one, other)
    metrics = {view.campaign.metric for view in views if view.campaign}
    if len(metrics) > 1:
        names = " and ".join(sorted(metric.label for metric in metrics))
        raise UnknownNameError(f"These programs cannot be compared: they are measured by {names}.")
    pairs = [(view, view.entry(view.program)) for view in views]
    rows = [_labelled(view, entry, "ab"[k]) for k, (view, entry) in enumerate(pairs) if entry is not None]
    head = [Cell(v.program.name or v.program.id[:10], program_path(v.program.id)) for v in views if v.program]
    if len(rows) < 2 or not metrics:
        return Table(["", *head], []), None
    metric = metrics.pop()
    scores = [
        num(score(row.score.mean, row.score.stderr) if row.score else row.evaluation.outcome.tag.value)
        for row in rows
    ]
    lines: Rows = [["score ↑", *scores, num("")], *_lines(metric, rows)]
    caption = f"{metric.label} ({words.better(metric)}); ahead: {words.ahead_unit(metric)}, = tied"
    named = [replace(row, label=cell.text) for row, cell in zip(rows, head, strict=True)]
    if named[0].label == named[1].label:
        named = [
            replace(row, label=f"{row.label} in {view.campaign.name}")
            for row, view in zip(named, views, strict=True)
            if view.campaign
        ]
    return Table(["", *head, "first ahead"], lines, caption), convergence(metric, named, [named[0].label])


def _labelled(view: CandidateView, entry: Entry, side: str) -> Entry:
    """Return an entry under an id of its own: the same program may stand on both sides, for two campaigns."""
    return replace(entry, program_id=side)


def _lines(metric: Metric, rows: list[Entry]) -> Rows:
    lines: Rows = []
    for column in columns(metric, rows):
        known = [column.values.get(row.program_id) for row in rows]
        first, second = known
        ahead = ""
        if first is not None and second is not None:
            level = column.standing is not None and bool(column.standing.tied)
            ahead = "= " * level + signed(comparison.advantage(metric, first, second))
        values = [num(measured(metric, v.value, v.stderr) if v else measured(metric, None)) for v in known]
        lines.append([f"{column.name} {words.arrow(metric)}", *values, num(ahead)])
    return lines


def campaign_table(chosen: Mapping[CampaignSummary, Seen]) -> Table:
    """Return campaigns side by side: their best candidates, counts and costs."""
    head = [
        "campaign", "status", "objective", "best ↑", "at candidate", "candidates", "valid", "improvements", "CPU",
        "cost",
    ]  # fmt: skip
    rows: Rows = []
    for summary, (view, _) in chosen.items():
        best = view.lineage[-1].ordinal if view.lineage else None
        rows.append(
            [
                Cell(summary.name, campaign_path(summary.name)),
                Cell(summary.status, style=f"status {summary.status}"),
                summary.objective,
                num(score(summary.best)),
                num("", "") if best is None else num(best, href=candidate_path(summary.name, best)),
                *map(num, (len(view.trials), view.valid, len(view.improvements))),
                num(duration(view.cpu_s)),
                num(usd(view.cost_usd)),
            ]
        )
    return Table(head, rows)


def campaign_figure(chosen: Mapping[CampaignSummary, Seen]) -> Figure:
    """Return the best so far of several campaigns."""
    drawn = {summary.name: seen.view.trials for summary, seen in chosen.items()}
    objective = " or ".join(dict.fromkeys(summary.objective for summary in chosen))
    draw = partial(plots.campaigns, drawn, objective=objective)
    return Figure("campaigns", f"{', '.join(drawn)}: best so far", draw, 4)
