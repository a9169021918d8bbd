"""``evolve doctor``: what this machine can do.

It works also where another distribution's packages are imported in the place of ours, so that these are imported late.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated

import typer
from rich.text import Text

from evolve.cli.output import DbOption, JsonOption, console, database, print_json
from evolve.doctor import attack_sandbox, examine


def doctor(
    attack: Annotated[
        bool,
        typer.Option(
            "--attack", help="Instead, try every attack of the suite on the sandbox (half a minute)."
        ),
    ] = False,
    sandbox: Annotated[str, typer.Option(help="Sandbox to look at: process, docker or gvisor.")] = "process",
    model: Annotated[
        str | None, typer.Option(help="Model to ask for one word: openai:NAME or gemini:NAME.")
    ] = None,
    db: DbOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check this machine: versions, compiled kernels, the sandbox's level and what it holds, database, models.

    Example: evolve doctor --attack
    """
    if attack:
        _attack(sandbox, as_json=as_json)
        return
    findings = examine(database(db), sandbox, model=model)
    if as_json:
        rows = [finding._asdict() for finding in findings]
        print_json({"ok": all(f.ok for f in findings), "checks": rows})
    elif len(findings) == 1:  # Tables are made by packages that cannot be imported.
        print(f"{findings[0].check}: no: {findings[0].detail}")
    else:
        _print_table(("check", "", "detail"), [(f.check, _mark(f.ok), f.detail) for f in findings])
    if not all(f.ok for f in findings):
        raise typer.Exit(1)


def _attack(kind: str, *, as_json: bool) -> None:
    """Print how every attack was expected to end and how it ended.

    Raises:
        typer.Exit: 1, after one ended otherwise.
    """
    with console(stderr=True).status("attacking the sandbox"):
        level, rows = attack_sandbox(kind)
    wrong = [row for row in rows if not row.ok]
    if as_json:
        listed = [row._asdict() for row in rows]
        print_json({"ok": not wrong, "isolation": level, "attacks": listed})
    else:
        heads = ("attack", "expected", "ended as", "")
        _print_table(heads, [(row.name, row.expected, row.actual, _mark(row.ok)) for row in rows])
        console().print(f"isolation {level}: {len(rows) - len(wrong)} of {len(rows)} as expected")
    if wrong:
        raise typer.Exit(1)


def _mark(ok: bool) -> Text:
    return Text("ok", "green") if ok else Text("no", "red")


def _print_table(heads: Sequence[str], rows: Iterable[Sequence[str | Text]]) -> None:
    from evolve.cli.tables import plain_table
    from results.text import visible

    table = plain_table(*heads)
    for row in rows:
        table.add_row(*(cell if isinstance(cell, Text) else Text(visible(cell)) for cell in row))
    console().print(table)
