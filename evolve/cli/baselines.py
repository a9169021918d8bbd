"""``evolve baselines``: all seed programs of a domain beside each other, as a table and as a figure."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import reduce
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Annotated, Any

import typer

from evaluators.records import Outcome, Tag
from evolve.cli.output import (
    DbOption,
    JsonOption,
    console,
    database,
    evaluation_json,
    fail,
    metric_json,
    print_json,
    print_line,
    progress,
    split,
)
from evolve.cli.programs import BudgetOption, SuiteOption, TasksOption, TierOption, WorkersOption, print_look
from evolve.cli.tables import (
    LEGEND,
    Entry,
    by_program,
    grouped,
    milliseconds,
    print_across,
    program_ms,
    ranked,
    row_name,
    standing_in,
    title,
)
from evolve.errors import ConfigError
from results.comparison import Value, with_chaos
from results.costs import cpu_seconds
from results.text import MARKS, PLANNED, marks, visible

if TYPE_CHECKING:
    from rich.console import Console

    from evaluators.contract import Plan
    from evaluators.records import Metric, Task, TaskResult
    from evaluators.task_domain import TaskDomain
    from evolve.comparison import tables
    from evolve.programs import Program

CHAOS = "jitter"
"""Tier of copies of a task that differ by next to nothing; ``--ties`` asks how far they move an exact value."""


class By(StrEnum):
    """What is equal for all programs when their values are compared."""

    BUDGET = "budget"
    CPU = "cpu"


@dataclass(frozen=True)
class Row:
    """One program: what it did on the plan, and with ``--ties`` on copies that differ by next to nothing."""

    program: Program
    evaluated: tables.Row
    copies: tables.Row | None = None

    @property
    def label(self) -> str:
        """What tables call it, with its marks."""
        return self.program.name + marks(self.program.name, self.program.source)

    @property
    def failures(self) -> Mapping[str, Outcome]:
        """Group -> how the program ended there, where it did not finish."""
        again = self.copies.failures if self.copies else {}
        return {**again, **self.evaluated.failures}

    def values(self, tier: str) -> dict[str, list[Value]]:
        """Return the name of a column -> values on the tasks of a tier, with what is known of their chaos."""
        results = [r for r in self.evaluated.evaluation.results if r.task.tier == tier]
        values = grouped(results, tier)
        copies = self.copies.evaluation.results if self.copies else ()
        for result in results if copies else ():
            own = [copy for copy in copies if copy.task.group == result.task.group]
            values[row_name(result.task, tier)] = [with_chaos(result, own)]
        return values


def baselines(
    domain: Annotated[
        str, typer.Option(help="Whose baselines: a name, or a folder with a file domain.py.")
    ] = "cfr",
    tasks: TasksOption = None,
    suite: SuiteOption = "train",
    tier: TierOption = None,
    budget: BudgetOption = None,
    ties: Annotated[
        bool,
        typer.Option(
            "--ties",
            help="Also on copies of the tasks that differ by next to nothing: values that chaos decides.",
        ),
    ] = False,
    by: Annotated[
        By,
        typer.Option(
            help="Values after equal budgets, or after as much CPU time as the cheapest program took.",
        ),
    ] = By.BUDGET,
    figure: Annotated[
        Path | None, typer.Option(help="Draw values against the budget into this file (png, svg or pdf).")
    ] = None,
    workers: WorkersOption = None,
    db: DbOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare all seed programs of a domain on a suite, the strongest first; the best value of each task has a star.

    A program that refuses a task, by an exception or an invalid answer, still
    has its values on all others; why stands below the table ("failed" in JSON).
    Exit code 1 if one ends otherwise: at a limit, by a crash, by the machine.

    With --by cpu a program that needs ten times the arithmetic is read off at a tenth of its iterations; CPU time is
    the program's own and an equal share for the domain's work.

    Example: evolve baselines --suite train --budget 1000 --figure train.svg
    """
    from evaluators.registry import get_domain
    from evolve.comparison.looks import record_looks
    from evolve.comparison.tables import REFUSALS, at_equal_cpu
    from evolve.programs import find_program

    chosen = get_domain(domain)
    tiers = split(tier) or list(chosen.tiers[:1])
    if figure:
        _check_figure(figure)
    if ties:
        _check_ties(chosen, tiers, by)
    plans = [
        chosen.plan(split(tasks), suite=suite, tiers=wanted, budget=budget)
        for wanted in ([tiers, [CHAOS]] if ties else [tiers])
    ]
    programs = [find_program(name, domain=domain) for name in chosen.seed_names()]
    groups = record_looks(database(db), chosen, programs, plans, command="baselines")
    evaluated = _evaluate(chosen, programs, plans, workers or len(os.sched_getaffinity(0)), quiet=as_json)
    seconds: dict[Task, float] = {}
    if by is By.CPU:
        read, seconds = at_equal_cpu(
            chosen, {p.name: row for p, row in zip(programs, evaluated[0], strict=True)}
        )
        evaluated = [list(read.values())]
    rows = [Row(program, *own) for program, own in zip(programs, zip(*evaluated, strict=True), strict=True)]
    if figure:
        _draw(figure, rows, plans[0], chosen.metric)
    if as_json:
        choice = {
            "suite": None if tasks else suite,
            "suites_version": chosen.suites_version,
            "tiers": tiers,
            "by": by,
            "cpu_s": {task.name: used for task, used in seconds.items()},
        }
        print_json(choice | _everything(rows, chosen, tiers[0]))
    else:
        _print_table(rows, plans[0], seconds, chaos=ties)
    print_look(chosen, groups, database(db), stderr=as_json)
    if any(outcome.tag not in REFUSALS for row in rows for outcome in row.failures.values()):
        raise typer.Exit(1)


def _check_figure(path: Path) -> None:
    if path.suffix.lower() not in (".png", ".svg", ".pdf") or not path.absolute().parent.is_dir():
        raise ConfigError(
            f"--figure: expected a file ending in .png, .svg or .pdf in a folder that exists; got {str(path)!r}."
        )


def _check_ties(domain: TaskDomain, tiers: Sequence[str], by: By) -> None:
    if by is By.CPU:
        raise ConfigError("--ties: expected values after equal budgets; --by cpu asks for others.")
    if CHAOS not in domain.tiers:
        raise ConfigError(f"--ties: expected a domain with a tier {CHAOS!r}; {domain.name!r} has none.")
    if tiers[0] != "exact":
        raise ConfigError(
            f"--ties: expected the tier exact first, whose values are shown; got {tiers[0]}.",
            "Put it first in --tier.",
        )


def _evaluate(
    domain: TaskDomain, programs: Sequence[Program], plans: Sequence[Plan], workers: int, *, quiet: bool
) -> list[list[tables.Row]]:
    """Return, for every plan, the row of every program."""
    import asyncio

    from evolve.comparison.tables import by_group, evaluate_all
    from evolve.evaluation.isolation import strictest
    from evolve.evaluation.service import EvaluationService, open_service

    sources = [program.source for program in programs]
    total, done = len(sources) * sum(len(by_group(plan)) for plan in plans), 0

    async def all_plans(service: EvaluationService, count: Callable[[], None]) -> list[list[tables.Row]]:
        return await asyncio.gather(
            *(evaluate_all(service, domain, sources, plan, told=count) for plan in plans)
        )

    demanded = strictest(program.provenance for program in programs)
    with (
        open_service(domain.origin, workers=workers, demanded=demanded, attack=False) as service,
        progress(quiet=quiet) as shown,
    ):

        def count() -> None:
            nonlocal done
            done += 1
            shown(done, total)

        shown(done, total)
        return asyncio.run(all_plans(service, count))


def _draw(path: Path, rows: Sequence[Row], plan: Plan, metric: Metric) -> None:
    from results import plots

    runs = [(row.program.name, result) for row in rows for result in row.evaluated.evaluation.results]
    # Panels stand as they first appear, and the first program may have refused the first task.
    runs.sort(key=lambda run: plan.tasks.index(run[1].task))
    curves = [plots.Curve(name, r.task.name, r.curve, (r.stderr,), r.floor) for name, r in runs]
    if curves:
        plots.save(plots.curves(curves, metric), path)
        console(stderr=True).print(f"Figure: {path}")


def _everything(rows: Sequence[Row], domain: TaskDomain, tier: str) -> dict[str, Any]:
    """Return all programs, and for each task who is best and who is tied with it."""
    entries = [Entry(row.program.name, None, row.values(tier)) for row in rows]
    columns = dict.fromkeys(column for entry in entries for column in entry.values)
    standings = {column: standing_in(domain.metric, entries, column) for column in columns}
    return {
        "domain": domain.name,
        "metric": metric_json(domain.metric),
        "baselines": [_row_json(row, tier) for row in rows],
        "ties": {column: s._asdict() for column, s in standings.items() if s},
    }


def _row_json(row: Row, tier: str) -> dict[str, Any]:
    failed = [{"group": f, "outcome": outcome} for f, outcome in row.failures.items()]
    chaos = {name: values[0].stderr for name, values in row.values(tier).items()} if row.copies else None
    return evaluation_json(row.program, row.evaluated.evaluation) | {"failed": failed, "chaos": chaos}


def _print_table(rows: Sequence[Row], plan: Plan, seconds: Mapping[Task, float], *, chaos: bool) -> None:
    """Print programs beside each other, best first, with their values on the tasks of the plan's first tier."""
    domain = rows[0].program.domain
    tier = plan.tasks[0].tier
    shown = [task for task in plan.tasks if task.tier == tier]
    costs = _cpu_s(rows)
    entries = ranked([_entry(row, domain.objective, tier, costs[row.program.name]) for row in rows])
    out = console()
    at = " at equal CPU time: that of the cheapest program" if seconds else ""
    print_line(out, f"{title(domain.metric, shown)}{at}:")
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
    if any(row.program.name != row.label for row in rows):
        lines.append(f"{MARKS}.")
    if any(entry.cpu_s for entry in entries):
        lines.append(
            "CPU s: of all tasks, the program's own and an equal share for the domain's work, measured once."
        )
    if seconds:
        lines.append(
            f"Read off after {_read_off_at(shown, tier, seconds)}. Programs with {PLANNED} planned for more."
        )
    if any(entry.program_ms for entry in entries):
        lines.append(f"{milliseconds(domain.metric)}: CPU time of the program itself, in milliseconds.")
    for line in lines:
        print_line(out, line)
    _print_failures(out, rows, plan, domain.objective)


def _read_off_at(tasks: Sequence[Task], tier: str, seconds: Mapping[Task, float]) -> str:
    """Return each column with the CPU seconds that its values were read off at, a mean over its seeds."""
    by_column: dict[str, list[float]] = {}
    for task in tasks:
        if task in seconds:
            by_column.setdefault(row_name(task, tier), []).append(seconds[task])
    return ", ".join(f"{fmean(own):.2g} s ({name})" for name, own in by_column.items())


def _cpu_s(rows: Sequence[Row]) -> dict[str, float]:
    """Return the CPU seconds of each program on all tasks that it finished."""
    total = dict.fromkeys((row.program.name for row in rows), 0.0)
    by_task: dict[Task, dict[str, TaskResult]] = {}
    for row in rows:
        for result in row.evaluated.evaluation.results:
            by_task.setdefault(result.task, {})[row.program.name] = result
    for results in by_task.values():
        for name, seconds in cpu_seconds(results).items():
            total[name] += seconds
    return total


def _entry(row: Row, objective: str, tier: str, cpu_s: float) -> Entry:
    """Return a program's row; its own time is a mean over all tasks, as the score is."""
    evaluation = row.evaluated.evaluation
    own_ms = None if row.evaluated.failures else fmean(program_ms(result) for result in evaluation.results)
    return Entry(
        row.label,
        evaluation.scores.get(objective),
        row.values(tier),
        cpu_s=None if row.evaluated.failures else cpu_s,
        program_ms=own_ms,
    )


def _print_failures(out: Console, rows: Sequence[Row], plan: Plan, objective: str) -> None:
    """Print which program did not finish what, and why: below the table if it refused, else as an error."""
    from evolve.comparison.tables import REFUSALS

    if any(row.evaluated.failures for row in rows):
        print_line(
            out, f"-: not finished. {objective} is a mean over all tasks, and none over fewer of them."
        )
    for row in rows:
        reasons: dict[tuple[Tag, str], list[str]] = {}
        for group, outcome in row.failures.items():
            reasons.setdefault((outcome.tag, _reason(outcome, group, plan)), []).append(group)
        for (tag, reason), groups in reasons.items():
            what = f"{row.program.name} did not finish {', '.join(groups)}"
            if tag in REFUSALS:
                print_line(out, f"{what}: {reason}")
            else:
                fail(f"{what}: it ended as {tag.value}: {reason}")


def _reason(outcome: Outcome, group: str, plan: Plan) -> str:
    """Return the program's message, the same on every task, without the line of source that raised it."""
    names = (task.name for task in plan.tasks if task.group == group)
    text = reduce(lambda message, name: message.removeprefix(f"{name}: "), names, outcome.message)
    return visible(" ".join(text.partition(" (program.py, line")[0].split()))
