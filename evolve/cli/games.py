"""``evolve games``: the games of domains that play games, with their sizes."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from evolve.cli.output import SCHEMA_VERSION, JsonOption, console, print_json, split
from evolve.cli.tables import plain_table


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
