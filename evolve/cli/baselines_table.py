"""The table of ``evolve baselines``, and what is to be said below it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from math import inf
from statistics import fmean
from typing import TYPE_CHECKING

from evaluators.contract import Plan
from evaluators.records import Outcome, Tag
from evolve.cli.output import console, exact_values, fail
from evolve.cli.tables import MS_MEANS, Entry, by_program, by_score, print_across, with_ties
from evolve.comparison.tables import REFUSALS
from results.text import visible

if TYPE_CHECKING:
    from rich.console import Console

    from evolve.cli.baselines import Row


def print_table(rows: Sequence[Row], plan: Plan) -> None:
    """Print programs beside each other, best first: exploitability of exact payoffs, else scores."""
    objective = rows[0].program.domain.default_objective
    rows = sorted(rows, key=lambda row: -row.played.evaluation.objectives.get(objective, -inf))
    exact = list(dict.fromkeys(i.game for i in plan.instances if i.variant == "exact"))
    out = console()
    what = "Exploitability (NashConv / N)" if exact else f"Mean {objective} over payoff variants"
    out.print(f"{what} after {plan.instances[0].iterations} iterations:")
    if not exact:
        games = list(dict.fromkeys(i.game for i in plan.instances))
        scores = [(row.program.name, _scores(row, objective)) for row in rows]
        print_across(out, [objective, *games], lambda names: by_score(scores, names))
    elif any(row.spans for row in rows):
        entries = _entries(rows, objective)
        print_across(out, exact, lambda games: with_ties(entries, games, objective=objective))
        out.print(
            "★ smallest value; = tied with it: their intervals overlap, or both are beyond six decades."
        )
        out.print("± or …: how far payoffs jittered by 1e-9 (3 seeds) move the value.")
    else:
        entries = _entries(rows, objective)
        print_across(out, exact, lambda games: by_program(entries, games, objective=objective))
        out.print(MS_MEANS)
    _print_failures(out, rows, plan, objective)


def _scores(row: Row, objective: str) -> dict[str, float]:
    """The score, if it has one, and that on each game that was played."""
    whole = row.played.evaluation.objectives
    return {name: whole[name] for name in (objective,) if name in whole} | dict(row.played.scores)


def _entries(rows: Sequence[Row], objective: str) -> list[Entry]:
    return [
        Entry(
            row.program.name,
            row.played.evaluation.objectives.get(objective),
            exact_values(row.played.evaluation),
            spans=row.spans,
            program_ms=_program_ms(row),
        )
        for row in rows
    ]


def _program_ms(row: Row) -> float | None:
    """A mean over all games, as the score is."""
    if row.played.failures:
        return None
    return fmean(1e3 * r.candidate_cpu_s / r.instance.iterations for r in row.played.evaluation.results)


def _print_failures(out: Console, rows: Sequence[Row], plan: Plan, objective: str) -> None:
    """Say which program did not play which games, and why: below the table if it refused, else as an error."""
    if any(row.played.failures for row in rows):
        _say(
            out, f"-: not played. {objective} is a mean over all games; over fewer it would be no comparison."
        )
    for row in rows:
        reasons: dict[tuple[Tag, str], list[str]] = {}
        for game, outcome in row.failures.items():
            reasons.setdefault((outcome.tag, _reason(outcome, game, plan)), []).append(game)
        for (tag, reason), games in reasons.items():
            what = f"{row.program.name} did not play {', '.join(games)}"
            if tag in REFUSALS:
                _say(out, f"{what}: {reason}")
            else:
                fail(f"{what}: it ended as {tag.value}: {reason}")


def _reason(outcome: Outcome, game: str, plan: Plan) -> str:
    """What the program said, the same on every game, without the line of source that it said it in."""
    names = (i.name for i in plan.instances if i.game == game)
    text = reduce(lambda said, name: said.removeprefix(f"{name}: "), names, outcome.message)
    return visible(" ".join(text.partition(" (program.py, line")[0].split()))


def _say(out: Console, line: str) -> None:
    out.print(line, markup=False, soft_wrap=not out.is_terminal)
