"""The end of ``evolve run``: the discovered program beside every seed, and where to go from here."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Collection, Sequence

from rich.markup import escape
from rich.table import Table

from evaluators.records import Metric, Score, TaskResult
from evaluators.registry import get_domain
from evaluators.scores import family_score
from evolve.cli.output import console, open_results, print_line, typed
from evolve.cli.tables import (
    estimate_text,
    models_table,
    plain_table,
    print_whole,
    score_text,
)
from evolve.comparison.leaderboard import Leaderboard, ranges
from evolve.config import CampaignConfig
from evolve.database_url import DEFAULT_DB
from evolve.search.campaign import END_OF_CAMPAIGN
from evolve.search.events import Summary
from results.comparison import ranking
from results.programs import program
from results.queries import RankedCandidate, baselines, held_out, programs, top
from results.records import CampaignRecord, HeldOutEvaluation
from results.store import Store
from results.text import MARKS, PLANNED, RECONSTRUCTED, count, marks, plural, visible

DISCOVERED = "discovered"
"""What a table calls the best program of the campaign."""


def print_ending(summary: Summary, settings: CampaignConfig, where: str) -> None:
    """Print the tables and the commands to look further, from what the database holds."""
    out = console()
    outcomes = ", ".join(f"{count} {tag}" for tag, count in summary.outcomes.items())
    out.print(
        f"\nCampaign [bold]{escape(summary.campaign)}[/bold]: {summary.candidates} candidates ({outcomes})."
    )
    with open_results(where) as store:
        record, leaders = store.find_campaign(summary.campaign), top(store, summary.campaign, n=1)
        if record is None or not leaders:
            out.print("No candidate has been scored yet. The same command continues.")
            return
        best = leaders[0]
        _print_comparison(store, record, best, get_domain(settings.domain).reference)
        change = f"Last change: {visible(best.note)}" if best.ordinal else "Nothing better than the seed yet."
        print_line(out, f"\nThe program: {best.program_id[:10]}, candidate {best.ordinal}. {change}")
    if summary.models:
        out.print(models_table(summary.models))
    if summary.status == "interrupted":
        out.print("Interrupted: the same command continues.")
    commands = _next_commands(summary.campaign, best.program_id[:10], settings, where)
    out.print(commands, markup=False, soft_wrap=True)


def _next_commands(campaign: str, program_id: str, settings: CampaignConfig, where: str) -> str:
    """Return commands to look further, of those that the domain is fit for."""
    evolve, domain = typed([]), get_domain(settings.domain)
    option = "" if where == DEFAULT_DB else f" --db {shlex.quote(where)}"
    look = [f"{name} {ref}" for name, ref in (
        ("report", campaign), ("results show", program_id), ("results top", campaign),
        ("results lineage", program_id),
    )]  # fmt: skip
    use = [f"results export {program_id} --output discovered.py"] if domain.exporter else []
    if "test" in domain.suites:
        use.append(f"evaluate {program_id} --suite test")
    if "test" in domain.suites or domain.draw(0):
        use.append(f"promote {campaign}")
    blocks = {"Look further:": look, "Use it, and compare it on what the search has not seen:": use}
    lines = [
        "\n".join([head, *(f"  {evolve} {command}{option}" for command in commands)])
        for head, commands in blocks.items()
        if commands
    ]
    again = re.sub(r"\s*--candidates[ =]\S+", "", shlex.join(sys.argv[1:]))
    lines.append(f"Go on with a larger budget:\n  {evolve} {again} --candidates {2 * settings.candidates}")
    return "\n" + "\n".join(lines)


def _print_comparison(store: Store, record: CampaignRecord, best: RankedCandidate, reference: str) -> None:
    """Print the discovered program beside every seed, on tasks that were drawn after the search."""
    stored = next(
        one.evaluation
        for campaign, one in program(store, best.program_id).evaluations
        if campaign == record.name and one.plan == record.plan
    )
    groups = {result.task.group for result in stored.results}
    runs = [one for one in held_out(store, record.name) if one.purpose == END_OF_CAMPAIGN]
    known = programs(store, {one.program_id for one in runs})
    names = {key: one.name + marks(one.name, one.source) for key, one in known.items() if one.name}
    names.setdefault(best.program_id, DISCOVERED)
    board = Leaderboard.of(record.metric, best.program_id, names, runs, groups)
    out, own = console(), best.scores[record.objective]
    if board.discovered is None or not board.instances or len(board.rows) < 2:
        _print_searched(store, record, own)
        return
    over = f", over {reference}" if reference else ""
    tasks = plural(record.metric.task)
    print_line(
        out,
        f"{record.objective}{over} in {record.metric.label}, on {tasks} that the search did not see"
        " (larger is better):",
    )
    print_whole(out, _table(board))
    for line in _lines(
        record, board, own, _fresh_score(record.metric, best.program_id, runs, groups), len(runs)
    ):
        print_line(out, line)


def _table(board: Leaderboard) -> Table:
    """Return a row for each program, the strongest first; no wider than eighty columns."""
    own = board.discovered.name if board.discovered else DISCOVERED
    heads = {"fresh": "families searched on ↑", "sealed": "sealed families ↑"}
    shown = [part for part in heads if any(getattr(row, part) for row in board.rows)]
    table = plain_table("program", right=[*(heads[part] for part in shown), f"{own} is"])
    for row in board.rows:
        cells = [estimate_text(getattr(row, part)) for part in shown]
        side = "" if row.comparison is None else row.comparison.verdict or "(not counted)"
        table.add_row(escape(row.name), *cells, side, style="" if row.comparison else "green")
    return table


def _fresh_score(
    metric: Metric, program_id: str, runs: Sequence[HeldOutEvaluation], groups: Collection[str]
) -> Score | None:
    """Return the program's score as the search makes it, on the fresh block; None where there is none."""
    own = [one for one in runs if one.program_id == program_id and one.task.group in groups]
    results = [TaskResult(one.task, one.score) for one in own if one.score is not None]
    return family_score(results, metric, lambda one: one.value) if results else None


def _lines(
    record: CampaignRecord, board: Leaderboard, own: Score, fresh: Score | None, runs: int
) -> list[str]:
    """Return what the table says in words, and what belongs to it."""
    task, name = record.metric.task, board.discovered.name if board.discovered else DISCOVERED
    subject = "the discovered program" if name == DISCOVERED else name
    lines = [
        f"On {count(board.instances, task)} of {count(board.families, 'family')}, {subject} is {board.words}. "
        "(Paired differences; 95 % intervals over families, corrected for the number of programs.)"
    ]
    if any(mark in row.name for row in board.rows for mark in (PLANNED, RECONSTRUCTED)):
        lines.append(f"{MARKS}.")
    searched = f"Its score on the {plural(task)} that the search followed: {estimate_text(own)}"
    lines.append(
        f"{searched}; on fresh ones of the same kind: {estimate_text(fresh)}." if fresh else f"{searched}."
    )
    for name, failed in board.failures.items():
        lines.append(f"{name} did not finish {', '.join(failed)}.")
    seeds = f"Seeds of these {plural(task)}: {ranges(board.seeds)}. " if board.seeds else ""
    lines.append(f"{seeds}{count(runs, 'held-out evaluation')}, all recorded.")
    return lines


def _print_searched(store: Store, record: CampaignRecord, own: Score) -> None:
    """Print the scores on the search's own tasks, where a domain has no others."""
    scores = {one.name: e.evaluation.scores.get(record.objective) for one, e in baselines(store, record.name)}
    scores[DISCOVERED] = own
    table = plain_table("program", right=[f"{record.objective} ↑"])
    for name in ranking(scores):
        table.add_row(escape(name), score_text(scores[name]), style="green" if name == DISCOVERED else "")
    out, tasks = console(), plural(record.metric.task)
    print_line(out, f"{record.objective} on the {tasks} that the search followed, and on no others:")
    print_whole(out, table)
