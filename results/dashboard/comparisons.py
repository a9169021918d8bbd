"""Programs and campaigns beside each other, as a reader chose them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from evaluators.records import Metric
from results import comparison, plots
from results.dashboard.cache import Seen
from results.dashboard.candidates import CandidateView
from results.errors import UnknownNameError
from results.lineage import Step
from results.queries import CampaignSummary
from results.text import duration, score, signed, usd
from results.views import words
from results.views.document import Cell, Figure, Table, num
from results.views.figures import convergence
from results.views.programs import Column, columns
from results.views.sections import campaign_path, candidate_path, program_path, program_table


def two_programs(one: CandidateView, other: CandidateView) -> tuple[Table | None, Figure | None]:
    """Return two programs side by side, score and tasks, and their curves; None where one has no results.

    Raises:
        UnknownNameError: their campaigns do not measure the same.
    """
    metrics = {view.campaign.metric for view in (one, other) if view.campaign}
    if len(metrics) > 1:
        names = " and ".join(sorted(metric.label for metric in metrics))
        raise UnknownNameError(f"These programs cannot be compared: they are measured by {names}.")
    known = {
        side: entry
        for side, view in (("first", one), ("second", other))
        if (entry := view.entry(view.program)) is not None
    }
    if len(known) < 2:
        return None, None
    (metric,) = metrics
    # The same program may stand on both sides, as two campaigns have it: sides are the ids here.
    rows = [replace(entry, program_id=side, label=f"{side}: {entry.label}") for side, entry in known.items()]
    tasks = columns(metric, rows)
    table = program_table(metric, "score", rows, tasks, {})
    linked = [
        [Cell(row.label, program_path(entry.program_id)), *cells[1:]]
        for row, entry, cells in zip(rows, known.values(), table.rows, strict=False)
    ]
    ahead = [num(signed(_ahead(metric, column))) for column in tasks]
    unit = Cell(f"first ahead, {words.ahead_unit(metric)}")
    by_task = replace(table, rows=[*linked, [unit, "", num(""), *ahead, num("")]]).transposed()
    return by_task, convergence(metric, rows, [rows[0].label])


def _ahead(metric: Metric, column: Column) -> float | None:
    both = [column.values[side] for side in ("first", "second") if side in column.values]
    return comparison.advantage(metric, *both) if len(both) == 2 else None


def campaign_table(chosen: Mapping[CampaignSummary, Seen]) -> Table:
    """Return campaigns side by side: their best candidates, counts and costs."""
    views = {summary: view for summary, (view, _) in chosen.items()}
    return Table.of(
        chosen,
        {
            "campaign": lambda c: Cell(c.name, campaign_path(c.name)),
            "status": lambda c: Cell(c.status, style=f"status {c.status}"),
            "objective": lambda c: c.objective,
            "best ↑": lambda c: num(score(c.best)),
            "at candidate": lambda c: _last(c.name, views[c].lineage),
            "candidates": lambda c: num(len(views[c].trials)),
            "valid": lambda c: num(views[c].valid),
            "improvements": lambda c: num(len(views[c].improvements)),
            "CPU": lambda c: num(duration(views[c].cpu_s)),
            "cost": lambda c: num(usd(views[c].cost_usd)),
        },
    )


def _last(campaign: str, lineage: Sequence[Step]) -> Cell:
    """Return the number of the best candidate, nothing where there is none."""
    return (
        num(lineage[-1].ordinal, href=candidate_path(campaign, lineage[-1].ordinal)) if lineage else num("")
    )


def campaign_figure(chosen: Mapping[CampaignSummary, Seen]) -> Figure:
    """Return the best so far of several campaigns."""
    drawn = {summary.name: seen.view.trials for summary, seen in chosen.items()}
    objective = " or ".join(dict.fromkeys(summary.objective for summary in chosen))
    draw = partial(plots.campaigns, drawn, objective=objective)
    return Figure("campaigns", f"{', '.join(drawn)}: best so far", draw, 4)
