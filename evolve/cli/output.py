"""What all commands share: where output goes, error lines, JSON, common options."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from evolve import database_url

if TYPE_CHECKING:
    from rich.console import Console

    from evaluators.records import Evaluation, Metric, Outcome, Score, TaskResult
    from evolve.programs import Program

SCHEMA_VERSION = 2
INTERRUPTED = 130
"""Exit code after Ctrl-C."""

DEFAULT_DB = database_url.DEFAULT_DB

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON on standard output, nothing else.")]
DbOption = Annotated[
    str | None,
    typer.Option(
        "--db",
        help=f"Results database: a file or a URL. [default: $EVOLVE_DB, or {DEFAULT_DB}]",
        show_default=False,
    ),
]


def database(option: str | None, configured: str = "") -> str:
    """Return where results are: the option, then $EVOLVE_DB, the configuration, the default under this directory."""
    return database_url.default_database(option, configured)


def console(*, stderr: bool = False) -> Console:
    """Return a rich console; plain text when the stream is no terminal."""
    from rich.console import Console

    return Console(stderr=stderr, highlight=False)


def print_line(out: Console, text: str) -> None:
    """Print plain text, which only a terminal breaks into lines."""
    out.print(text, markup=False, soft_wrap=not out.is_terminal)


def fail(message: str, hint: str = "") -> None:
    """Print one line on standard error: what was expected, what was given, what to do next; it may quote a program."""
    from results.text import visible

    text = " ".join(f"{message} {hint}".split())
    print(f"evolve: {visible(text)}", file=sys.stderr)


def typed(arguments: Sequence[str]) -> str:
    """Return a command as it can be typed here: with the path where ``evolve`` is not on it."""
    program = "evolve" if shutil.which("evolve") else os.path.relpath(sys.argv[0])
    return shlex.join([program, *arguments])


def print_json(value: Mapping[str, Any]) -> None:
    """Print one JSON object on one line of standard output."""
    print(json.dumps(value, allow_nan=False), flush=True)


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
        "program": {"id": program.id, "name": program.name},
        "metric": metric_json(program.domain.metric),
        "outcome": outcome_json(evaluation.outcome),
        "isolation": evaluation.isolation,
        "scores": scores_json(evaluation.scores),
        "tasks": [task_json(result) for result in evaluation.results],
    }


def metric_json(metric: Metric) -> dict[str, str]:
    """Return what JSON says of a metric."""
    return {name: getattr(metric, name) for name in ("name", "label", "direction", "scale")}


def outcome_json(outcome: Outcome | None) -> dict[str, str] | None:
    """Return an outcome as JSON has it, None for a candidate that is not decided."""
    return None if outcome is None else {"tag": outcome.tag.value, "message": outcome.message}


def scores_json(scores: Mapping[str, Score]) -> dict[str, dict[str, float]]:
    """Return scores as JSON has them, by name."""
    return {name: dict(vars(score)) for name, score in scores.items()}


def task_json(result: TaskResult) -> dict[str, Any]:
    """Return what JSON says of a program on one task; curves are lists of [budget, value]."""
    return dict(vars(result.task)) | {
        "value": result.value,
        "stderr": result.stderr,
        "samples": result.samples,
        "reference": [list(point) for point in result.reference],
        "curve": [list(point) for point in result.curve],
        "cost": dict(vars(result.cost)),
    }
