"""``evolve games`` and ``evolve doctor``: what there is to play on, and what this machine can do."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from evolve.cli.output import SCHEMA_VERSION, DbOption, JsonOption, console, database, print_json, split


def games(
    names: Annotated[
        str | None, typer.Argument(help="Short names or OpenSpiel strings, separated by commas.")
    ] = None,
    suite: Annotated[str | None, typer.Option(help="Only this suite: train, test or extended.")] = None,
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
    from evolve.cli.tables import plain_table

    table = plain_table("name", "suite", right=["players", "terminals", "infosets"])
    table.add_column("cached")
    table.add_column("OpenSpiel string", overflow="fold")
    for row in rows:
        infosets = " ".join(map(str, row["infosets"])) if row["infosets"] else "-"
        sizes = [str(row[key] if row[key] is not None else "-") for key in ("players", "terminals")]
        table.add_row(
            row["name"],
            row["suite"] or "-",
            *sizes,
            infosets,
            "yes" if row["cached"] else "no",
            row["game_string"],
        )
    console().print(table)


def _game_row(name: str, *, compile_: bool) -> dict[str, Any]:
    from evaluators.games import cache, suites

    resolved = suites.resolve(name)
    cached = cache.entry(resolved.game_string).exists()
    form = cache.load(resolved.game_string) if cached or compile_ else None
    return {
        "name": resolved.name,
        "game_string": resolved.game_string,
        "suite": next((s for s, members in suites.SUITES.items() if resolved.name in members), None),
        "players": form.num_players if form else None,
        "terminals": form.num_terminals if form else None,
        "infosets": [tree.num_infosets for tree in form.trees] if form else None,
        "cached": cached,
    }


def doctor(db: DbOption = None, as_json: JsonOption = False) -> None:
    """Check this machine: package versions, compiled kernels, the sandbox's level and what it holds, the database.

    Example: evolve doctor
    """
    from evolve.doctor import examine

    findings = examine(database(db))
    if as_json:
        rows = [{"check": f.check, "ok": f.ok, "came": f.came} for f in findings]
        print_json({"schema_version": SCHEMA_VERSION, "ok": all(f.ok for f in findings), "checks": rows})
    else:
        from rich.markup import escape

        from evolve.cli.tables import plain_table

        table = plain_table("check", "")
        table.add_column("what came", overflow="fold")
        for finding in findings:
            table.add_row(
                finding.check, "[green]ok[/green]" if finding.ok else "[red]no[/red]", escape(finding.came)
            )
        console().print(table)
    if not all(f.ok for f in findings):
        raise typer.Exit(1)
