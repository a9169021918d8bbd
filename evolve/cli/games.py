"""``evolve games``: games by family, with their tiers and sizes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Annotated, Any

import typer

from evolve.cli.output import SCHEMA_VERSION, JsonOption, console, print_json, split
from evolve.cli.tables import plain_table

if TYPE_CHECKING:
    from evaluators.games.suites import Resolved


def games(
    names: Annotated[
        str | None,
        typer.Argument(help="Short names or OpenSpiel strings, separated by commas: their details."),
    ] = None,
    family: Annotated[str | None, typer.Option(help="Only this family, such as leduc.")] = None,
    suite: Annotated[
        str | None,
        typer.Option(help="Only this suite: train, test, extended, validation, sealed or multiplayer."),
    ] = None,
    compile_: Annotated[
        bool, typer.Option("--compile", help="Compile those that are not in the cache yet.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """List games by family, or show some of them with everything that is known.

    Example: evolve games --suite sealed
    """
    from evaluators.games.suites import SUITES_VERSION

    named = split(names)
    rows = [_game(name, compile_=compile_) for name in named or _listed(family, suite)]
    if as_json:
        versions = {"schema_version": SCHEMA_VERSION, "suites_version": SUITES_VERSION}
        print_json(versions | {"games": rows})
    elif named:
        for row in rows:
            _print_details(row)
    else:
        _print_table(rows)


def _listed(family: str | None, suite: str | None) -> list[str]:
    """Return the games of a family and a suite, family by family.

    Raises:
        GameError: an unknown family or suite.
    """
    from evaluators.contract import GameError, nearest
    from evaluators.games import suites

    listed = list(suites.suite(suite)) if suite else [*suites.GAMES, *suites.DRAWN]
    families = list(dict.fromkeys(map(suites.family, [*suites.GAMES, *suites.DRAWN])))
    if family is not None and family not in families:
        raise GameError(f"family: expected a name; got {family!r}.", nearest(family, families))
    return [
        name
        for name in sorted(listed, key=lambda name: families.index(suites.family(name)))
        if family in (None, suites.family(name))
    ]


def _print_table(rows: Sequence[dict[str, Any]]) -> None:
    table = plain_table("name", "tier", right=["players", "terminals", "infosets", "pairs", "cached"])
    for family, members in groupby(rows, key=lambda row: row["family"]):
        table.add_row(f"[bold]{family}[/]")
        for row in members:
            counts = [_count(row[key]) for key in ("players", "terminals", "num_infosets", "num_pairs")]
            table.add_row(f" {row['name']}", row["tier"], *counts, "yes" if row["cached"] else "no")
    out = console()
    out.print(table)
    out.print("Infosets and (infoset, action) pairs of all players together. N: any seed from 0.")
    out.print("One game with its OpenSpiel string: evolve games NAME")


def _print_details(row: dict[str, Any]) -> None:
    estimated = " (estimated by random play)" if row["estimated"] else ""
    took = "" if row["compile_s"] is None else f", compiled in {row['compile_s']:.2f} s"
    table = plain_table("", "")
    table.show_header = False
    table.add_row("family", f"{row['family']}: {row['about']}" if row["about"] else row["family"])
    table.add_row("tier", _tier(row))
    table.add_row("suites", ", ".join(row["suites"]) or "none")
    table.add_row("players", _count(row["players"]))
    table.add_row("terminals", _count(row["terminals"]) + estimated)
    for what in ("infosets", "pairs"):
        table.add_row(what, _count(row[f"num_{what}"]) + _by_player(row[what]))
    table.add_row("cached", f"yes{took}" if row["cached"] else "no")
    out = console()
    out.print(row["name"], style="bold", markup=False, soft_wrap=True)
    out.print(table)
    if row["game_string"] != row["name"]:
        out.print(row["game_string"] + "\n", markup=False, soft_wrap=True)


def _tier(row: dict[str, Any]) -> str:
    if row["tier"] in (None, "train"):
        return row["tier"] or "none"
    return f"{row['tier']}; training has {'a' if row['sibling'] else 'no'} game of the family"


def _count(value: float | None) -> str:
    return "-" if value is None else f"{value:,}"


def _by_player(counts: list[int] | None) -> str:
    """Return the numbers of the players, once where all have the same."""
    if not counts:
        return ""
    same = len(set(counts)) == 1
    return f" ({counts[0]:,} each)" if same else f" ({', '.join(map(_count, counts))})"


def _game(name: str, *, compile_: bool) -> dict[str, Any]:
    """Return what is known of a game.

    Args:
        name: short name, OpenSpiel string, drawn name, or law of drawn games.
        compile_: compile it, if it is not in the cache yet.

    Raises:
        GameError: an unknown game, or one beyond the limit.
    """
    from evaluators.games import cache, suites

    if name in suites.DRAWN and suites.DRAWN[name].seeded:
        resolved = suites.Resolved(f"{name}-N", f"{name}-N")
    else:
        resolved = suites.resolve(name)
    family = suites.family(resolved.name)
    drawn = suites.law(resolved.name)
    listed = suites.member(resolved.name) or drawn
    return {
        "name": resolved.name,
        "family": family,
        "about": drawn.about if drawn else suites.about(family),
        "tier": listed.tier if listed else None,
        "sibling": suites.has_sibling(family),
        "suites": [key for key, members in suites.SUITES.items() if resolved.name in members],
        "game_string": resolved.game_string,
        **_sizes(resolved, compile_=compile_),
        "compile_s": cache.compile_seconds(resolved.game_string),
        "cached": cache.entry(resolved.game_string).exists(),
    }


def _sizes(resolved: Resolved, *, compile_: bool) -> dict[str, Any]:
    """Return the sizes of a compiled game; else those that are listed, without the players' own; else estimates."""
    from evaluators.games import cache, suites

    sizes = dict.fromkeys(("players", "terminals", "num_infosets", "num_pairs", "infosets", "pairs"))
    sizes |= {"estimated": False}
    drawn, listed = suites.law(resolved.name), suites.member(resolved.name)
    if drawn and resolved.name.endswith("-N"):
        return sizes
    if drawn or compile_ or cache.entry(resolved.game_string).exists():
        return sizes | _compiled(resolved.name)
    if listed:
        return sizes | {
            "players": listed.players,
            "terminals": listed.sizes.terminals,
            "num_infosets": listed.sizes.infosets,
            "num_pairs": listed.sizes.pairs,
        }
    return sizes | _estimated(resolved.game_string)


def _compiled(name: str) -> dict[str, Any]:
    from evaluators.games.loading import load

    game = load(name)
    return {
        "players": game.num_players,
        "terminals": game.size,
        "num_infosets": sum(game.num_infosets),
        "num_pairs": sum(game.num_pairs),
        "infosets": list(game.num_infosets),
        "pairs": list(game.num_pairs),
    }


def _estimated(game_string: str) -> dict[str, Any]:
    from evaluators.games.compile import load_turn_based, refuse_too_large

    game = load_turn_based(game_string)
    estimate = refuse_too_large(game, game_string)
    return {"players": game.num_players(), "terminals": estimate.rounded, "estimated": True}
