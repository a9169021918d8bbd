"""``evolve games`` and ``evolve doctor``: the games of domains that play games, and what this machine can do."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.markup import escape

from evolve.cli.output import SCHEMA_VERSION, DbOption, JsonOption, console, database, print_json, split
from evolve.cli.tables import plain_table
from results.text import visible


def games(
    names: Annotated[
        str | None, typer.Argument(help="Short names or OpenSpiel strings, separated by commas.")
    ] = None,
    suite: Annotated[
        str | None, typer.Option(help="Only this suite: train, test, extended or sealed.")
    ] = None,
    compile_: Annotated[
        bool, typer.Option("--compile", help="Compile those that are not in the cache yet.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """List games with their sizes; those that were never used have none yet, unless compiled now.

    Example: evolve games --suite train --compile
    """
    from evaluators.games import suites

    wanted = split(names) or list(suites.suite(suite) if suite else suites.GAMES)
    rows = [_game_row(name, compile_=compile_ or names is not None) for name in wanted]
    if as_json:
        print_json({"schema_version": SCHEMA_VERSION, "games": rows})
        return

    table = plain_table(
        "name", "suite", right=["players", "terminals", "infosets", "sequences", "compile s", "cached"]
    )
    for row in rows:
        sizes = [str(row[key] if row[key] is not None else "-") for key in ("players", "terminals")]
        each = [_per_player(row[key]) for key in ("infosets", "sequences")]
        took = "-" if row["compile_s"] is None else f"{row['compile_s']:.2f}"
        cached = "yes" if row["cached"] else "no"
        table.add_row(row["name"], row["suite"] or "-", *sizes, *each, took, cached)
    console().print(table)
    # Apart from the sizes, because some of the strings are longer than a line.
    strings = plain_table("name")
    strings.add_column("OpenSpiel string", overflow="fold")
    for row in rows:
        strings.add_row(row["name"], row["game_string"])
    console().print(strings)


def _per_player(counts: list[int] | None) -> str:
    """Return a number for each player, once where all have the same."""
    if not counts:
        return "-"
    return f"{counts[0]} ×{len(counts)}" if len(set(counts)) == 1 else " ".join(map(str, counts))


def _game_row(name: str, *, compile_: bool) -> dict[str, Any]:
    from evaluators.games import cache, suites

    resolved = suites.resolve(name)
    known = cache.entry(resolved.game_string).exists()
    form = cache.load(resolved.game_string) if known or compile_ else None
    return {
        "name": resolved.name,
        "game_string": resolved.game_string,
        "suite": next((s for s, members in suites.SUITES.items() if resolved.name in members), None),
        "players": form.num_players if form else None,
        "terminals": form.num_terminals if form else None,
        "infosets": [tree.num_infosets for tree in form.trees] if form else None,
        "sequences": list(form.num_sequences) if form else None,
        "compile_s": cache.compile_seconds(resolved.game_string),
        "cached": cache.entry(resolved.game_string).exists(),
    }


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
    from evolve.doctor import examine

    if attack:
        _attack(sandbox, as_json=as_json)
        return
    findings = examine(database(db), sandbox, model=model)
    if as_json:
        rows = [finding._asdict() for finding in findings]
        print_json({"schema_version": SCHEMA_VERSION, "ok": all(f.ok for f in findings), "checks": rows})
    else:
        table = plain_table("check", "")
        table.add_column("detail", overflow="fold")
        for finding in findings:
            table.add_row(
                finding.check,
                "[green]ok[/green]" if finding.ok else "[red]no[/red]",
                escape(visible(finding.detail)),
            )
        console().print(table)
    if not all(f.ok for f in findings):
        raise typer.Exit(1)


def _attack(kind: str, *, as_json: bool) -> None:
    """Print how every attack was expected to end and how it ended.

    Raises:
        typer.Exit: 1, after one ended otherwise.
    """
    from evolve.doctor import attack_sandbox

    with console(stderr=True).status("attacking the sandbox"):
        level, rows = attack_sandbox(kind)
    wrong = [row for row in rows if not row.ok]
    if as_json:
        listed = [row._asdict() for row in rows]
        print_json({"schema_version": SCHEMA_VERSION, "ok": not wrong, "isolation": level, "attacks": listed})
    else:
        table = plain_table("attack", "expected")
        table.add_column("ended as", overflow="fold")
        table.add_column("")
        for row in rows:
            mark = "[green]ok[/green]" if row.ok else "[red]no[/red]"
            table.add_row(row.name, row.expected, escape(row.came), mark)
        console().print(table)
        console().print(f"isolation {level}: {len(rows) - len(wrong)} of {len(rows)} as expected")
    if wrong:
        raise typer.Exit(1)
