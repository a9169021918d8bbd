"""What all commands share: where output goes, error lines, JSON, common options."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from evolve import database_url
from evolve.errors import ConfigError

if TYPE_CHECKING:
    from rich.console import Console

    from evaluators.records import Evaluation, Metric, TaskResult
    from evolve.programs import Program
    from results.store import Store

SCHEMA_VERSION = 2
INTERRUPTED = 130
"""Exit code after Ctrl-C."""

DEFAULT_DB = database_url.DEFAULT_DB

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON on standard output, nothing else.")]
DbOption = Annotated[
    str | None,
    typer.Option("--db", help=f"Results database: a file or a URL. [default: $EVOLVE_DB, or {DEFAULT_DB}]"),
]


database = database_url.default_database


def open_results(db: str | None) -> Store:
    """Return the results database, to be read only."""
    from results.store import open_store

    return open_store(database(db), create=False, read_only=True)


def console(*, stderr: bool = False) -> Console:
    """Return a rich console; plain text when the stream is no terminal."""
    from rich.console import Console

    return Console(stderr=stderr, highlight=False)


def print_line(out: Console, text: str) -> None:
    """Print plain text, which only a terminal breaks into lines."""
    out.print(text, markup=False, soft_wrap=not out.is_terminal)


def print_log(evaluation: Evaluation, *, stderr: bool = False) -> None:
    """Print what a program printed, if it did; of a fault of the engine, the traceback."""
    from evaluators.records import Tag
    from results.text import visible

    if evaluation.log:
        head = "The engine failed:" if evaluation.outcome.tag is Tag.ENGINE_ERROR else "It printed:"
        console(stderr=stderr).print(f"{head} {visible(evaluation.log)}", markup=False, soft_wrap=True)


def fail(message: str, hint: str = "", code: int = 1) -> typer.Exit:
    """Print one line on standard error, and return the exit to raise where the command ends by it.

    The line says what was expected, what was given, what to do next; it may quote a program.
    """
    from results.text import visible

    text = " ".join(f"{message} {hint}".split())
    print(f"evolve: {visible(text)}", file=sys.stderr)
    return typer.Exit(code)


@contextmanager
def progress(*, quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """Yield a function to call with how many runs are done, and of how many.

    It shows a bar on a terminal, a line at every tenth elsewhere, and nothing if `quiet`.
    """
    err = console(stderr=True)
    if quiet:
        yield lambda done, total: None
    elif err.is_terminal:
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        columns = (MofNCompleteColumn(), TimeElapsedColumn(), "elapsed,", TimeRemainingColumn(), "left")
        with Progress("runs", BarColumn(bar_width=30), *columns, console=err, transient=True) as bar:
            task = bar.add_task("runs", total=None)
            yield lambda done, total: bar.update(task, completed=done, total=total)
    else:

        def line(done: int, total: int) -> None:
            if done * 10 // total > (done - 1) * 10 // total:
                err.print(f"{done}/{total} runs")

        yield line


def typed(arguments: Sequence[str]) -> str:
    """Return a command as it can be typed here: with the path where ``evolve`` is not on it."""
    program = "evolve" if shutil.which("evolve") else os.path.relpath(sys.argv[0])
    return shlex.join([program, *arguments])


def json_line(value: Mapping[str, Any]) -> str:
    """Return one JSON object on one line, the version of the schema first."""
    return json.dumps({"schema_version": SCHEMA_VERSION} | dict(value), allow_nan=False, default=_plain)


def _plain(record: Any) -> Any:
    """Return a time as ISO 8601, a path as text, and any record of ours by its fields."""
    if isinstance(record, datetime):
        return record.isoformat()
    return str(record) if isinstance(record, Path) else vars(record)


def print_json(value: Mapping[str, Any]) -> None:
    """Print one JSON object on one line of standard output."""
    print(json_line(value), flush=True)


@contextmanager
def writing(path: Path, *, command: str, hint: str = "") -> Iterator[None]:
    """Refuse in one line what cannot be written.

    Raises:
        ConfigError: the block's OSError.
    """
    try:
        yield
    except OSError as error:
        raise ConfigError(f"{command}: {path} cannot be written: {error.strerror}.", hint) from error


def split(value: str | None) -> list[str] | None:
    """Return the parts of a comma-separated option; commas inside parentheses belong to a task's parameters."""
    if value is None:
        return None
    parts, depth = [""], 0
    for char in value:
        depth += (char == "(") - (char == ")")
        if char == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += char
    return [part.strip() for part in parts if part.strip()]


def evaluation_json(program: Program, evaluation: Evaluation) -> dict[str, Any]:
    """Return what JSON says of one program's evaluation."""
    return {
        "program": program_json(program),
        "metric": metric_json(program.domain.metric),
        "outcome": evaluation.outcome,
        "isolation": evaluation.isolation,
        "scores": evaluation.scores,
        "tasks": [task_json(result) for result in evaluation.results],
    }


def program_json(program: Program) -> dict[str, str]:
    """Return what JSON calls a program."""
    return {"id": program.id, "name": program.name}


def metric_json(metric: Metric) -> dict[str, str]:
    """Return what JSON says of a metric."""
    return {name: getattr(metric, name) for name in ("name", "label", "direction", "scale")}


def task_json(result: TaskResult) -> dict[str, Any]:
    """Return what JSON says of a program on one task; curves are lists of [budget, value]."""
    return vars(result.task) | {
        "value": result.value,
        "stderr": result.stderr,
        "samples": result.samples,
        "reference": result.reference,
        "curve": result.curve,
        "cost": result.cost,
    }
