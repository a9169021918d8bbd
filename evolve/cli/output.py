"""What all commands share: where output goes, error lines, number formats, common options."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from evolve import database_url as places

if TYPE_CHECKING:
    from rich.console import Console

    from evaluators.records import Evaluation
    from evolve.programs import Program

SCHEMA_VERSION = 1
INTERRUPTED = 130
"""Exit code after Ctrl-C."""

DEFAULT_DB = places.DEFAULT_DB

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
    """Where results are: the option, then $EVOLVE_DB, then the configuration, then the default under this directory."""
    return places.default_database(option, configured)


def console(*, stderr: bool = False) -> Console:
    """A rich console; plain text when the stream is no terminal."""
    from rich.console import Console

    return Console(stderr=stderr, highlight=False)


def fail(message: str, hint: str = "") -> None:
    """One line on standard error: what was expected, what came, what to do next; it may quote a program."""
    from results.text import visible

    text = " ".join(f"{message} {hint}".split())
    print(f"evolve: {visible(text)}", file=sys.stderr)


def typed(arguments: Sequence[str]) -> str:
    """A command as it can be typed here: with the path where ``evolve`` is not on it."""
    program = "evolve" if shutil.which("evolve") else os.path.relpath(sys.argv[0])
    return shlex.join([program, *arguments])


def print_json(value: Mapping[str, Any]) -> None:
    """One JSON object on one line of standard output."""
    print(json.dumps(value, allow_nan=False), flush=True)


def split(value: str | None) -> list[str] | None:
    """The parts of a comma-separated option; commas inside parentheses belong to a game's parameters."""
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
    """The object that ``evaluate --json`` prints."""
    return {
        "schema_version": SCHEMA_VERSION,
        "domain": program.domain.name,
        "program": {"id": program.id, "name": program.name},
        "outcome": evaluation.outcome.tag.value,
        "message": evaluation.outcome.message,
        "isolation": evaluation.isolation,
        "objectives": dict(evaluation.objectives),
        "games": [_game_json(result) for result in evaluation.results],
        "cpu_s": evaluation.cpu_s,
        "wall_s": evaluation.wall_s,
        "log": evaluation.log,
    }


def _game_json(result: InstanceResult) -> dict[str, Any]:
    return {
        "name": result.instance.name,
        "game_string": result.game_string,
        "variant": result.instance.variant,
        "iterations": result.instance.iterations,
        "exploitability": result.exploitability,
        "curve": [list(point) for point in result.curve],
        "uniform": result.uniform,
        "cpu_s": result.cpu_s,
        "candidate_cpu_s": result.candidate_cpu_s,
        "wall_s": result.wall_s,
    }


def number(value: float | None) -> str:
    """An exploitability with three significant digits, or a dash."""
    return "-" if value is None else f"{value:.2e}"


def exact_values(evaluation: Evaluation) -> dict[str, float]:
    """Game -> exploitability at the end, exact payoffs only."""
    return {r.instance.game: r.exploitability for r in evaluation.results if r.instance.variant == "exact"}


def smallest(values: Iterable[float | None]) -> float | None:
    """The smallest number that is there."""
    return min((v for v in values if v is not None), default=None)
