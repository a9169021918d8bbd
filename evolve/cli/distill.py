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

from evolve.cli.output import (
    INTERRUPTED,
    SCHEMA_VERSION,
    DbOption,
    JsonOption,
    console,
    database,
    fail,
    print_json,
    split,
    typed,
)
from evolve.cli.programs import DomainOption, GamesOption, IterationsOption, SuiteOption
from evolve.cli.promote import WorkersOption

if TYPE_CHECKING:
    from evolve.distilling.search import Distilled, Step, Version
    from evolve.distilling.start import Choice, Distillation
    from evolve.programs import Program

STANDARD_OUTPUT = "-"
_SIDE = 40
"""Characters of either side of an arrow that a line shows."""

OutputOption = Annotated[
    str | None,
    typer.Option(
        "--output",
        "-o",
        help="File to write, - for standard output. [default: NAME_distilled.py]",
        show_default=False,
    ),
]
ToleranceOption = Annotated[
    float,
    typer.Option("--tolerance", min=0.0, help="How much the score may fall altogether, in its own unit."),
]
EvaluationsOption = Annotated[int, typer.Option("--evaluations", min=2, help="How many at most.")]


def distill(
    program: Annotated[
        str, typer.Argument(help="A Python file, a seed's name, or the id of a stored program.")
    ],
    output: OutputOption = None,
    tolerance: ToleranceOption = 0.05,
    evaluations: EvaluationsOption = 150,
    domain: DomainOption = None,
    games: GamesOption = None,
    suite: SuiteOption = "train",
    iterations: IterationsOption = None,
    workers: WorkersOption = None,
    db: DbOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find the smallest program that keeps the score, by removing what it does not need. Stores nothing.

    Mechanisms, statements, parts of expressions and digits of constants go, as long as the score on exact and
    perturbed games stays within the tolerance of the best on the way, which is the original's or better. Ctrl-C
    keeps what is done.

    Example: evolve distill vad_cfr --games kuhn3,leduc2 --iterations 300 --output small.py
    """
    from evolve.distilling import start
    from evolve.programs import find_program

    found = find_program(program, domain=domain, db=database(db))
    path = _target(output, found, program)
    choice = start.Choice(
        tolerance=tolerance,
        evaluations=evaluations,
        games=split(games) or (),
        suite=suite,
        iterations=iterations,
        workers=workers,
    )
    with _progress(evaluations, quiet=as_json) as (on_step, on_evaluation):
        done = start.distill(found, choice, on_step=on_step, on_evaluation=on_evaluation)
    if done is None:
        fail(
            "distill: stopped before the program itself was evaluated; nothing was written.",
            f"Again: {typed(sys.argv[1:])}",
        )
        raise typer.Exit(INTERRUPTED)
    if path is not None:
        _write(path, done.source)
    if as_json:
        print_json(_everything(found, done, path))
    else:
        _print(found, done, path, choice)
    if done.stopped:
        where = f"the smallest program so far is in {path}" if path else "this is the smallest program so far"
        fail(
            f"stopped after {done.found.evaluations} evaluations; {where}.",
            f"The whole: {typed(sys.argv[1:])}",
        )
        raise typer.Exit(INTERRUPTED)


def _target(output: str | None, program: Program, ref: str) -> Path | None:
    """The file to write, None for standard output; what could not be written is said before minutes of work."""
    from evolve.errors import ConfigError

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


def _write(path: Path, source: str) -> None:
    from evolve.errors import ConfigError

    try:
        path.write_text(source, encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"distill: {path} cannot be written: {error.strerror}.", "--output - prints the program."
        ) from error


@contextmanager
def _progress(
    evaluations: int, *, quiet: bool
) -> Iterator[tuple[Callable[[Step], None], Callable[[], None]]]:
    """What is told of every step and every evaluation: a line for each step, on a terminal a count below them."""
    from results.text import visible

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
                place = f"{step.evaluations:>4}/{evaluations}"
                text = f"{place} {sizes} {step.after.score:.3f}  without {_listed(step)}"
                err.print(visible(text), markup=False, soft_wrap=True)

        yield on_step, on_evaluation


def _listed(step: Step, separator: str = "; ") -> str:
    return separator.join(map(_short, step.removed))


def _short(what: str) -> str:
    """What went, on one line: both sides of an arrow, and where."""
    what, _, where = what.rpartition(" in ") if " in " in what else (what, "", "")
    sides = [_cut(side) for side in what.split(" → ")] if " → " in what else [_cut(what, 2 * _SIDE)]
    return " → ".join(sides) + (f" in {where}" if where else "")


def _cut(text: str, width: int = _SIDE) -> str:
    return textwrap.shorten(text, width, placeholder=" …") if " " in text[:width] else text[:width]


def _print(program: Program, done: Distillation, path: Path | None, choice: Choice) -> None:
    from results.text import visible

    found = done.found
    # Standard output is the program's own where it goes there.
    out = console(stderr=path is None)
    if path is None:
        print(visible(done.source) if sys.stdout.isatty() else done.source, end="")
    out.print(f"{program.name} ({program.id[:10]}), {found.evaluations} evaluations\n", markup=False)
    _print_scores(program, found, path)
    if found.steps:
        _print_steps(found, path)
    _print_end(found, path, choice, program.domain.objective)


def _size(version: Version) -> tuple[int, int, int]:
    return (*version.size, len(version.source.splitlines()))


def _score_names(program: Program, found: Distilled) -> list[str]:
    """The domain's objective, then what it is made of: per tier and per game."""
    whole = program.domain.objective
    names = found.original.objectives
    return [
        whole,
        *(n for n in names if n.startswith(f"{whole}_")),
        *(n for n in names if n.startswith(f"{whole}/")),
    ]


def _print_scores(program: Program, found: Distilled, path: Path | None) -> None:
    from rich.markup import escape

    from evolve.cli.tables import plain_table

    table = plain_table("", right=["before", "distilled", "change"])
    for name, before, after in zip(
        ("nodes ↓", "digits ↓", "lines ↓"), _size(found.original), _size(found.smallest), strict=True
    ):
        table.add_row(name, str(before), str(after), f"{after - before:+d}", end_section=name == "lines ↓")
    whole = program.domain.objective
    for place, name in enumerate(_score_names(program, found)):
        old, new = found.original.objectives[name], found.smallest.objectives[name]
        label = escape(name.removeprefix(f"{whole}_").removeprefix(f"{whole}/"))
        table.add_row(f"{label} ↑", f"{old:.3f}", f"{new:.3f}", f"{new - old:+.3f}", end_section=place == 0)
    console(stderr=path is None).print(table)


def _print_steps(found: Distilled, path: Path | None) -> None:
    """What went, in order, with what it had brought: the tolerance is spent on those above zero."""
    from rich.markup import escape

    from evolve.cli.tables import plain_table
    from results.text import visible

    table = plain_table(right=["nodes", "digits", "worth"])
    table.add_column("removed", overflow="fold")
    for step in found.steps:
        nodes = step.before.size.nodes - step.after.size.nodes
        digits = step.before.size.digits - step.after.size.digits
        table.add_row(
            f"-{nodes}", f"{-digits:+d}", f"{step.worth:+.3f}", escape(visible(_listed(step, "\n")))
        )
    console(stderr=path is None).print(table)


def _print_end(found: Distilled, path: Path | None, choice: Choice, objective: str) -> None:
    out = console(stderr=path is None)
    if not found.steps:
        out.print("Nothing could go.")
    if not found.complete and found.evaluations >= choice.evaluations:
        out.print(
            f"The budget of {choice.evaluations} evaluations is spent; a larger --evaluations looks further.",
            soft_wrap=True,
        )
    if path is not None:
        games = ["--games", ",".join(choice.games)] if choice.games else ["--suite", choice.suite]
        iterations = ["--iterations", str(choice.iterations)] if choice.iterations else []
        measured = [n for n in found.original.objectives if n.startswith(f"{objective}_")]
        tiers = ["--tier", ",".join(n.removeprefix(f"{objective}_") for n in measured)] if measured else []
        command = typed(["evaluate", str(path), *games, *tiers, *iterations])
        out.print(f"\nIt is in {path}. Score it again, or on other games with --games:", markup=False)
        out.print(f"  {command}", markup=False, soft_wrap=True)


def _everything(program: Program, done: Distillation, path: Path | None) -> dict[str, Any]:
    found = done.found
    return {
        "schema_version": SCHEMA_VERSION,
        "domain": program.domain.name,
        "program": {"id": program.id, "name": program.name},
        "objective": program.domain.objective,
        "before": _version_json(found.original),
        "distilled": _version_json(found.smallest),
        "removed": [
            {
                "what": list(step.removed),
                "nodes": step.after.size.nodes,
                "digits": step.after.size.digits,
                "score": step.after.score,
                "worth": step.worth,
                "evaluations": step.evaluations,
            }
            for step in found.steps
        ],
        "evaluations": found.evaluations,
        "complete": found.complete,
        "file": None if path is None else str(path),
        "source": done.source,
    }


def _version_json(version: Version) -> dict[str, Any]:
    return {
        "nodes": version.size.nodes,
        "digits": version.size.digits,
        "score": version.score,
        "objectives": dict(version.objectives),
    }
