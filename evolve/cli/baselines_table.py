"""The table of ``evolve baselines``, and the notes below it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from statistics import fmean
from typing import TYPE_CHECKING

from evaluators.contract import Plan
from evaluators.records import Outcome, Tag
from evolve.cli.output import console, fail, print_line
from evolve.cli.tables import (
    LEGEND,
    Entry,
    by_program,
    milliseconds,
    print_across,
    program_ms,
    ranked,
    row_name,
    title,
)
from evolve.comparison.tables import REFUSALS
from results.text import visible

if TYPE_CHECKING:
    from rich.console import Console

    from evolve.cli.baselines import Row


def print_table(rows: Sequence[Row], plan: Plan, *, chaos: bool) -> None:
    """Print programs beside each other, best first, with their values on the tasks of the plan's first tier."""
    domain = rows[0].program.domain
    tier = plan.tasks[0].tier
    shown = [task for task in plan.tasks if task.tier == tier]
    entries = ranked([_entry(row, domain.objective, tier) for row in rows])
    out = console()
    print_line(out, f"{title(domain.metric, shown)}:")
    print_across(
        out,
        list(dict.fromkeys(row_name(task, tier) for task in shown)),
        lambda names: by_program(entries, names, domain.metric, objective=domain.objective),
    )
    lines = [f"{LEGEND}."]
    if chaos:
        lines.append(
            "±: standard deviation over copies that differ by next to nothing; what chaos alone causes."
        )
    if any(entry.program_ms for entry in entries):
        lines.append(f"{milliseconds(domain.metric)}: CPU time of the program itself, in milliseconds.")
    for line in lines:
        print_line(out, line)
    _print_failures(out, rows, plan, domain.objective)


def _entry(row: Row, objective: str, tier: str) -> Entry:
    """Return a program's row; the time is a mean over all tasks, as the score is."""
    evaluation = row.evaluated.evaluation
    own_ms = None if row.evaluated.failures else fmean(program_ms(result) for result in evaluation.results)
    return Entry(row.program.name, evaluation.scores.get(objective), row.values(tier), program_ms=own_ms)


def _print_failures(out: Console, rows: Sequence[Row], plan: Plan, objective: str) -> None:
    """Print which program did not finish what, and why: below the table if it refused, else as an error."""
    if any(row.evaluated.failures for row in rows):
        print_line(
            out, f"-: not finished. {objective} is a mean over all tasks, and none over fewer of them."
        )
    for row in rows:
        reasons: dict[tuple[Tag, str], list[str]] = {}
        for family, outcome in row.failures.items():
            reasons.setdefault((outcome.tag, _reason(outcome, family, plan)), []).append(family)
        for (tag, reason), families in reasons.items():
            what = f"{row.program.name} did not finish {', '.join(families)}"
            if tag in REFUSALS:
                print_line(out, f"{what}: {reason}")
            else:
                fail(f"{what}: it ended as {tag.value}: {reason}")


def _reason(outcome: Outcome, family: str, plan: Plan) -> str:
    """Return the program's message, the same on every task, without the line of source that raised it."""
    names = (task.name for task in plan.tasks if task.family == family)
    text = reduce(lambda message, name: message.removeprefix(f"{name}: "), names, outcome.message)
    return visible(" ".join(text.partition(" (program.py, line")[0].split()))
