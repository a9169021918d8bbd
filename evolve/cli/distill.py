"""``evolve distill``: the smallest program that keeps the score."""

from __future__ import annotations

import re
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from evolve.cli.output import (
    INTERRUPTED,
    DbOption,
    JsonOption,
    console,
    database,
    fail,
    metric_json,
    print_json,
    program_json,
    split,
    typed,
    writing,
)
from evolve.cli.programs import BudgetOption, DomainOption, SuiteOption, TasksOption, WorkersOption
from evolve.cli.tables import difference, plain_table, score_text
from evolve.errors import ConfigError
from results.text import plural, visible

if TYPE_CHECKING:
    from evolve.distilling.search import Distilled, Step, Version
    from evolve.distilling.start import Choice, Distillation
    from evolve.programs import Program

STANDARD_OUTPUT = "-"
_SIDE = 40
"""Characters of either side of an arrow that a line shows."""

OutputOption = Annotated[
    str | None,
    typer.Option("--output", "-o", help="File to write, - for standard output. [default: NAME_distilled.py]"),
]
ToleranceOption = Annotated[
    float, typer.Option(min=0.0, help="How much the score may fall altogether, in its own unit.")
]


def distill(
    program: Annotated[
        str, typer.Argument(help="A Python file, a seed's name, or the id of a stored program.")
    ],
    output: OutputOption = None,
    tolerance: ToleranceOption = 0.05,
    evaluations: Annotated[int, typer.Option(min=2, help="How many at most.")] = 150,
    domain: DomainOption = None,
    tasks: TasksOption = None,
    suite: SuiteOption = "train",
    budget: BudgetOption = None,
    workers: WorkersOption = None,
    db: DbOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find the smallest program that keeps the score, by removing what it does not need. Stores nothing.

    Mechanisms, statements, parts of expressions and digits of constants go, as long as the score on the tasks of a
    search stays within the tolerance of the best on the way, which is the original's or better. Ctrl-C keeps what is
    done.

    Example: evolve distill vad_cfr --tasks kuhn3,leduc2 --budget 300 --output small.py
    """
    from evolve.distilling import start
    from evolve.programs import find_program

    chosen = find_program(program, domain=domain, db=database(db))
    path = _target(output, chosen, program)
    choice = start.Choice(
        tolerance=tolerance,
        evaluations=evaluations,
        tasks=split(tasks) or (),
        suite=suite,
        budget=budget,
        workers=workers,
    )
    with _progress(evaluations, quiet=as_json) as (on_step, on_evaluation):
        done = start.distill(chosen, choice, on_step=on_step, on_evaluation=on_evaluation)
    if done is None:
        raise fail(
            "distill: stopped before the program itself was evaluated; nothing was written.",
            f"Again: {typed(sys.argv[1:])}",
            INTERRUPTED,
        )
    if path is not None:
        with writing(path, command="distill", hint="--output - prints the program."):
            path.write_text(done.source, encoding="utf-8")
    if as_json:
        print_json(_everything(chosen, done, path))
    else:
        _print(chosen, done, path, choice)
    if done.stopped:
        kept = f"the smallest program so far is in {path}" if path else "this is the smallest program so far"
        raise fail(
            f"stopped after {done.search.evaluations} evaluations; {kept}.",
            f"The whole: {typed(sys.argv[1:])}",
            INTERRUPTED,
        )


def _target(output: str | None, program: Program, ref: str) -> Path | None:
    """Return the file to write, None for standard output; refuse before minutes of work what could not be written."""
    if output == STANDARD_OUTPUT:
        return None
    path = Path(output or re.sub(r"\W+", "_", program.name).strip("_") + "_distilled.py")
    if path.is_dir() or not path.parent.is_dir():
        raise ConfigError(f"--output: expected a file in a folder that exists; got {str(path)!r}.")
    if path.exists() and Path(ref).exists() and path.samefile(ref):
        raise ConfigError(
            f"--output: expected another file than the program's own; got {str(path)!r}.",
            "Name another one, or - for standard output.",
        )
    return path


@contextmanager
def _progress(
    evaluations: int, *, quiet: bool
) -> Iterator[tuple[Callable[[Step], None], Callable[[], None]]]:
    """Yield what to call at every step, which gets a line, and at every evaluation, which a terminal counts."""
    err = console(stderr=True)
    count = 0
    with (
        err.status(f"0/{evaluations} evaluations")
        if err.is_terminal and not quiet
        else nullcontext() as status
    ):

        def on_evaluation() -> None:
            nonlocal count
            count += 1
            if status is not None:
                status.update(f"{count}/{evaluations} evaluations")

        def on_step(step: Step) -> None:
            if not quiet:
                sizes = f"{step.before.size.nodes:>4} → {step.after.size.nodes:<4}"
                value = score_text(step.after.score)
                text = f"{step.evaluations:>4}/{evaluations} {sizes} {value}  without {_listed(step)}"
                err.print(visible(text), markup=False, soft_wrap=True)

        yield on_step, on_evaluation


def _listed(step: Step, separator: str = "; ") -> str:
    return separator.join(map(_short, step.removed))


def _short(what: str) -> str:
    """Return what went, on one line: both sides of an arrow, and where."""
    what, _, where = what.rpartition(" in ") if " in " in what else (what, "", "")
    sides = [_cut(side) for side in what.split(" → ")] if " → " in what else [_cut(what, 2 * _SIDE)]
    return " → ".join(sides) + (f" in {where}" if where else "")


def _cut(text: str, width: int = _SIDE) -> str:
    return textwrap.shorten(text, width, placeholder=" …") if " " in text[:width] else text[:width]


def _print(program: Program, done: Distillation, path: Path | None, choice: Choice) -> None:
    distilled = done.search
    # Standard output is the program's own where it goes there.
    out = console(stderr=path is None)
    if path is None:
        print(visible(done.source) if sys.stdout.isatty() else done.source, end="")
    out.print(f"{program.name} ({program.id[:10]}), {distilled.evaluations} evaluations\n", markup=False)
    out.print(_scores_table(program, distilled))
    if distilled.steps:
        out.print(_steps_table(distilled))
    else:
        out.print("Nothing could go.")
    if not distilled.complete and distilled.evaluations >= choice.evaluations:
        out.print(
            f"The budget of {choice.evaluations} evaluations is spent; a larger --evaluations looks further.",
            soft_wrap=True,
        )
    if path is not None:
        out.print(
            f"\nIt is in {path}. Score it again, or on other {plural(program.domain.metric.task)}:",
            markup=False,
        )
        out.print(f"  {_scoring(program, distilled, path, choice)}", markup=False, soft_wrap=True)


def _size(version: Version) -> tuple[int, int, int]:
    return (*version.size, len(version.source.splitlines()))


def _scores_table(program: Program, distilled: Distilled) -> Table:
    """Return sizes and scores before and after: the domain's objective, then what it is made of."""
    table = plain_table("", right=["before", "distilled", "change"])
    for name, before, after in zip(
        ("nodes ↓", "digits ↓", "lines ↓"), _size(distilled.original), _size(distilled.smallest), strict=True
    ):
        table.add_row(name, str(before), str(after), f"{after - before:+d}", end_section=name == "lines ↓")
    whole = program.domain.objective
    parts = [name for name in distilled.original.scores if name.startswith((f"{whole}_", f"{whole}/"))]
    for name in (whole, *parts):
        old, new = distilled.original.scores[name], distilled.smallest.scores[name]
        change = difference(new.mean - old.mean)
        label = escape(name if name == whole else name.removeprefix(whole)[1:])
        table.add_row(f"{label} ↑", score_text(old), score_text(new), change, end_section=name == whole)
    return table


def _steps_table(distilled: Distilled) -> Table:
    """Return what went, in order, with what it had brought: the tolerance is spent on those above zero."""
    table = plain_table(right=["nodes", "digits", "worth"])
    table.add_column("removed", overflow="fold")
    for step in distilled.steps:
        nodes = step.before.size.nodes - step.after.size.nodes
        digits = step.before.size.digits - step.after.size.digits
        worth = difference(step.worth)
        table.add_row(f"-{nodes}", f"{-digits:+d}", worth, escape(visible(_listed(step, "\n"))))
    return table


def _scoring(program: Program, distilled: Distilled, path: Path, choice: Choice) -> str:
    """Return the command that scores the distilled program as it was scored here."""
    tiers = dict.fromkeys(
        task.tier for task in program.domain.plan(choice.tasks or None, suite=choice.suite).tasks
    )
    tasks = ["--tasks", ",".join(choice.tasks)] if choice.tasks else ["--suite", choice.suite]
    budget = ["--budget", str(choice.budget)] if choice.budget else []
    origin = program.domain.origin
    domain = ["--domain", origin] if origin != program.domain.name else []
    return typed(["evaluate", str(path), *domain, *tasks, "--tier", ",".join(tiers), *budget])


def _everything(program: Program, done: Distillation, path: Path | None) -> dict[str, Any]:
    distilled = done.search
    return {
        "domain": program.domain.name,
        "program": program_json(program),
        "metric": metric_json(program.domain.metric),
        "objective": program.domain.objective,
        "before": _version_json(distilled.original),
        "distilled": _version_json(distilled.smallest),
        "removed": [
            {
                "what": list(step.removed),
                "nodes": step.after.size.nodes,
                "digits": step.after.size.digits,
                "score": step.after.score,
                "worth": step.worth,
                "evaluations": step.evaluations,
            }
            for step in distilled.steps
        ],
        "evaluations": distilled.evaluations,
        "complete": distilled.complete,
        "file": path,
        "source": done.source,
    }


def _version_json(version: Version) -> dict[str, Any]:
    return {
        "nodes": version.size.nodes,
        "digits": version.size.digits,
        "score": version.score,
        "scores": version.scores,
    }
