"""The end of ``evolve run``: the best program beside every baseline, and where to go from here."""

from __future__ import annotations

import re
import shlex
import sys

from rich.markup import escape

from evaluators.registry import get_domain
from evolve.cli.output import console, open_results, print_line, typed
from evolve.cli.tables import (
    LEGEND,
    Entry,
    by_row,
    grouped,
    models_table,
    print_across,
    ranked,
    row_name,
    score_text,
    title,
)
from evolve.config import CampaignConfig
from evolve.database_url import DEFAULT_DB
from evolve.search.campaign import END_OF_CAMPAIGN
from evolve.search.events import Summary
from results.programs import program
from results.queries import RankedCandidate, baselines, held_out, top
from results.records import CampaignRecord, StoredEvaluation
from results.store import Store
from results.text import count, visible

DISCOVERED = "discovered"
"""What a table calls the best program of the campaign."""

_BASELINES_ACROSS = 5
"""Baselines, the best ones, that stand beside the discovered program in a table of eighty columns."""


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
        _print_comparison(store, record, best)
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


def _print_comparison(store: Store, record: CampaignRecord, best: RankedCandidate) -> None:
    metric, objective = record.metric, record.objective
    stored = next(
        one
        for campaign, one in program(store, best.program_id).evaluations
        if campaign == record.name and one.plan == record.plan
    )
    unseen = [one for one in held_out(store, record.name) if one.purpose == END_OF_CAMPAIGN]
    results = stored.evaluation.results
    tier = results[0].task.tier

    def entry(name: str, one: StoredEvaluation) -> Entry:
        seen = [result for result in one.evaluation.results if result.task.tier == tier]
        own = [other for other in unseen if other.program_id == one.program_id]
        values = grouped([*seen, *own], tier)
        return Entry(name, one.evaluation.scores.get(objective), values, name == DISCOVERED)

    compared = ranked([entry(baseline.name, one) for baseline, one in baselines(store, record.name)])
    beside = {one.name: one for one in reversed(compared[:_BASELINES_ACROSS])}
    discovered = entry(DISCOVERED, stored)
    tasks = [result.task for result in results if result.task.tier == tier]
    rows = list(dict.fromkeys(row_name(task, tier) for task in tasks))
    out = console()
    print_line(out, f"{title(metric, tasks)}, and the score that the search followed:")
    print_across(
        out,
        list(beside),
        lambda names: by_row(
            [*(beside[name] for name in names), discovered],
            rows,
            metric,
            objective=objective,
            unseen=[name for name in discovered.values if name not in rows],
        ),
    )
    print_line(out, f"{LEGEND}.")
    if others := compared[_BASELINES_ACROSS:]:
        listed = (f"{one.name} {score_text(one.score) if one.score else 'failed'}" for one in others)
        print_line(out, f"Baselines with a lower score: {', '.join(listed)}.")
    if new := [name for name in discovered.values if name not in rows]:
        runs = count(len(unseen), "evaluation")
        print_line(out, f"The search did not see {' and '.join(new)}; {runs} there, all recorded.")
