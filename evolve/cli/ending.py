"""The end of ``evolve run``: the best program beside every baseline, and where to go from here."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence

from rich.markup import escape

from evolve.cli.models import models_table
from evolve.cli.output import console, typed
from evolve.cli.tables import Entry, by_game
from evolve.config import CampaignConfig
from evolve.database_url import DEFAULT_DB
from evolve.search.events import Summary
from results.programs import program
from results.queries import RankedCandidate, baselines, looks, top
from results.records import EvaluationRecord, PromotionRecord
from results.store import Store, open_store
from results.text import visible


def print_ending(summary: Summary, settings: CampaignConfig, where: str) -> None:
    """Print the tables and the commands to look further, from what the database holds."""
    out = console()
    outcomes = ", ".join(f"{count} {tag}" for tag, count in summary.outcomes.items())
    out.print(
        f"\nCampaign [bold]{escape(summary.campaign)}[/bold]: {summary.candidates} candidates ({outcomes})."
    )
    with open_store(where, create=False, read_only=True) as store:
        leaders = top(store, summary.campaign, n=1)
        if not leaders:
            out.print("No candidate has been scored yet. The same command continues.")
            return
        best = leaders[0]
        _print_comparison(store, summary.campaign, best)
        change = escape(visible(best.note))
        out.print(f"\nThe program: {best.program_id[:10]}, candidate {best.ordinal}. Last change: {change}")
    if summary.models:
        out.print(models_table(summary.models))
    if summary.status == "interrupted":
        out.print("Interrupted: the same command continues.")
    out.print(_next_commands(summary.campaign, best.program_id[:10], settings, where), soft_wrap=True)


def _next_commands(campaign: str, program_id: str, settings: CampaignConfig, where: str) -> str:
    """Commands to look further."""
    evolve = typed([])
    option = "" if where == DEFAULT_DB else f" --db {shlex.quote(where)}"
    again = without_option(sys.argv[1:], "--candidates")
    return f"""
Look further:
  {evolve} report {campaign}{option}
  {evolve} results show {program_id}{option}
  {evolve} results top {campaign}{option}
  {evolve} results lineage {program_id}{option}
  {evolve} evaluate {program_id} --games kuhn4,liars_dice4{option}
Use it, and compare it on the sealed test games:
  {evolve} results export {program_id} --output discovered.py{option}
  {evolve} promote {campaign}{option}
Go on with a larger budget:
  {evolve} {shlex.join(again)} --candidates {2 * settings.candidates}"""


BASELINES_ACROSS = 5
"""Baselines, the best ones, that stand beside the discovered program in a table of eighty columns."""


def without_option(arguments: Sequence[str], name: str) -> list[str]:
    """Command-line arguments without an option and its value, in either spelling."""
    kept: list[str] = []
    skip = False
    for argument in arguments:
        if skip or argument.startswith(f"{name}="):
            skip = False
        elif argument == name:
            skip = True
        else:
            kept.append(argument)
    return kept


def _print_comparison(store: Store, campaign: str, best: RankedCandidate) -> None:
    evaluation = next(e for c, e in program(store, best.program_id).evaluations if c == campaign)
    seen = looks(store, campaign)
    objective = _objective(store, campaign)
    entries = [_entry(p.name, p.id, e, seen, objective) for p, e in baselines(store, campaign)]
    entries.sort(key=lambda entry: entry.score or 0.0)
    below, entries = entries[:-BASELINES_ACROSS], entries[-BASELINES_ACROSS:]
    entries.append(_entry("discovered", best.program_id, evaluation, seen, objective, highlight=True))
    games = [c.game for c in evaluation.curves if c.variant == "exact"]
    iterations = evaluation.curves[0].iterations
    unseen = list(dict.fromkeys(look.game for look in seen if look.program_id == best.program_id))
    out = console()
    out.print(
        f"Exploitability (NashConv / N) after {iterations} iterations, and the score that the search followed:"
    )
    out.print(by_game(entries, games, objective=objective, unseen=unseen))
    if below:
        scores = [f"{e.name} {'failed' if e.score is None else format(e.score, '.3f')}" for e in below]
        out.print(f"Baselines with a lower score: {', '.join(scores)}.")
    if unseen:
        out.print(
            f"The search did not see {' and '.join(unseen)}; looks at such games, all recorded: {len(seen)}."
        )


def _objective(store: Store, campaign: str) -> str:
    record = store.find_campaign(campaign)
    assert record is not None
    return record.objective


def _entry(
    name: str,
    program_id: str,
    evaluation: EvaluationRecord,
    seen: list[PromotionRecord],
    objective: str,
    *,
    highlight: bool = False,
) -> Entry:
    values = {c.game: c.points[-1][1] for c in evaluation.curves if c.variant == "exact"}
    values |= {
        look.game: look.exploitability
        for look in seen
        if look.program_id == program_id and look.exploitability is not None
    }
    return Entry(name, evaluation.scores.get(objective), values, highlight=highlight)
