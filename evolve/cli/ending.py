"""The end of ``evolve run``: the best program beside every baseline, and where to go from here."""

from __future__ import annotations

from rich.markup import escape

from evolve.cli.output import console
from evolve.cli.tables import Row, comparison
from evolve.config import CampaignConfig
from evolve.events import Summary
from results.programs import program
from results.queries import RankedCandidate, baselines, looks, top
from results.records import EvaluationRecord, PromotionRecord
from results.store import Store, open_store


def print_ending(summary: Summary, settings: CampaignConfig, where: str) -> None:
    """Print the tables and the commands to look further, from what the database holds."""
    out = console()
    outcomes = ", ".join(f"{count} {tag}" for tag, count in summary.outcomes.items())
    out.print(f"\nCampaign [bold]{escape(summary.campaign)}[/bold]: {summary.candidates} candidates ({outcomes}).")
    with open_store(where, create=False, read_only=True) as store:
        leaders = top(store, summary.campaign, n=1)
        if not leaders:
            out.print("No candidate has been scored yet. The same command continues.")
            return
        best = leaders[0]
        _print_comparison(store, summary.campaign, best)
        out.print(f"\nThe program: {best.program_id[:10]}, candidate {best.ordinal}. Last change: {escape(best.note)}")
    option = "" if where == "results/data/evolve.db" else f" --db {where}"
    if summary.status == "interrupted":
        out.print("Interrupted: the same command continues.")
    out.print(
        f"""
Look further:
  evolve results show {best.program_id[:10]}{option}
  evolve results top {summary.campaign}{option}
  evolve evaluate {best.program_id[:10]} --games kuhn4,liars_dice4{option}
Go on with a larger budget:
  evolve run --seed {settings.seed} --candidates {2 * settings.candidates}{option}""",
        highlight=False,
    )


def _print_comparison(store: Store, campaign: str, best: RankedCandidate) -> None:
    evaluation = next(e for c, e in program(store, best.program_id).evaluations if c == campaign)
    seen = looks(store, campaign)
    objective = _objective(store, campaign)
    rows = [_row(p.name, p.id, e, seen, objective) for p, e in baselines(store, campaign)]
    rows.sort(key=lambda row: row.score or 0.0)
    found = f"discovered {best.program_id[:10]}"
    rows.append(_row(found, best.program_id, evaluation, seen, objective, highlight=True))
    games = [c.game for c in evaluation.curves if c.variant == "exact"]
    iterations = evaluation.curves[0].iterations
    title = f"Exploitability after {iterations} iterations; {objective}: exact and generic payoffs"
    unseen = list(dict.fromkeys(look.game for look in seen if look.program_id == best.program_id))
    out = console()
    out.print(comparison(rows, games, title=title, objective=objective, unseen=unseen))
    if unseen:
        out.print(f"Looks at games of the test suite, each recorded: {len(seen)}.")


def _objective(store: Store, campaign: str) -> str:
    record = store.find_campaign(campaign)
    assert record is not None
    return record.objective


def _row(
    name: str,
    program_id: str,
    evaluation: EvaluationRecord,
    seen: list[PromotionRecord],
    objective: str,
    *,
    highlight: bool = False,
) -> Row:
    values = {c.game: c.points[-1][1] for c in evaluation.curves if c.variant == "exact"}
    values |= {
        look.game: look.exploitability
        for look in seen
        if look.program_id == program_id and look.exploitability is not None
    }
    return Row(name, evaluation.scores.get(objective), values, highlight=highlight)
