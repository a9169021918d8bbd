"""``evolve river``: a river spot solved, as a poker player describes it."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from evolve.cli.output import (
    INTERRUPTED,
    DbOption,
    JsonOption,
    console,
    database,
    fail,
    print_json,
    program_json,
    typed,
    writing,
)
from evolve.cli.solve import Curve, ProgramOption, stopping
from evolve.cli.tables import plain_table

if TYPE_CHECKING:
    from evaluators.cfr.openspiel import CfrSolver
    from evaluators.games.river.game import RiverGame
    from evaluators.games.river.strategy import NodeStrategy

PROGRAM = "dcfr_plus"
_LOOKS = 40
"""Times that exploitability is measured; each costs about as much as an iteration."""
_SELDOM = 0.0005
"""How often play gets at least to a node that the table of all nodes lists."""
_STRATEGY_WIDTH = 36


def river(
    context: typer.Context,
    name: Annotated[
        str | None,
        typer.Argument(help="A spot by name: libratus3, libratus4 or river-<seed>; else describe yours."),
    ] = None,
    board: Annotated[str, typer.Option(help='Five cards, such as "Ks 7d 2c 9h 4s".')] = "",
    pot: Annotated[float, typer.Option(help="Chips in the middle.")] = 10.0,
    stack: Annotated[float, typer.Option(help="Chips that each player has left.")] = 100.0,
    range0: Annotated[
        str, typer.Option(help='Hands of the player who acts first, such as "22+,A2s+,KTo+:0.5".')
    ] = "",
    range1: Annotated[str, typer.Option(help="Hands of the other player.")] = "",
    bets: Annotated[str, typer.Option(help="Sizes of bets in pots; a is all-in.")] = "0.5,1,a",
    raises: Annotated[str, typer.Option(help="Sizes of raises in pots after the call.")] = "1,a",
    max_bets: Annotated[int, typer.Option(min=0, help="Most bets and raises in all.")] = 3,
    program: ProgramOption = PROGRAM,
    budget: Annotated[
        int, typer.Option("--budget", "--iterations", "-n", min=1, help="Most iterations.")
    ] = 1000,
    until: Annotated[
        float, typer.Option(min=0.0, help="Stop when less than this percentage of the pot can be gained.")
    ] = 0.1,
    node: Annotated[
        str | None,
        typer.Option(help='Show every kind of hand at this node, such as "check, bet 0.5" or "start".'),
    ] = None,
    page: Annotated[
        Path | None, typer.Option(help="Write the strategies as grids to this HTML file.")
    ] = None,
    db: DbOption = None,
    as_json: JsonOption = False,
) -> None:
    """Solve a river spot of heads-up no-limit hold'em, exactly, with any update rule.

    Exploitability is the mean of what both players' best responses gain, in percent of the pot. Ctrl-C ends the run
    after the iteration that is under way, and shows what was reached. The same spot as a game for other commands:
    evolve evaluate PROGRAM --games "river(board=...,pot=...,stack=...,range0=...,range1=...)".

    Example: evolve river --board "Ks 7d 2c 9h 4s" --pot 10 --stack 40 --range0 "22+,AT+,KQ" --range1 "22+,A2s+,KTs+"
    """
    from evaluators.games.river.game import RiverGame
    from evaluators.games.river.strategy import strategies
    from evolve.programs import find_program

    described = {"board": board, "pot": pot, "stack": stack, "range0": range0, "range1": range1}
    described |= {"bets": bets, "raises": raises, "max_bets": max_bets}
    sources = {key: context.get_parameter_source(key) for key in described}
    given = [key for key, source in sources.items() if source is not None and source.name == "COMMANDLINE"]
    if name is not None and given:
        option = given[0].replace("_", "-")
        message = f"spot: expected a name or a description; got {name!r} and --{option}."
        raise fail(message, "Leave one of them out.", 2)
    game = name or "river(" + ",".join(f"{key}={value}" for key, value in described.items()) + ")"
    chosen = find_program(program, domain="cfr", db=database(db))
    if page is not None:
        _check_writable(page)
    with chosen.cfr_solver(game) as solver:
        played = solver.played
        if not isinstance(played, RiverGame):
            message = f"spot: expected libratus3, libratus4 or river-<seed>; got {name!r}."
            raise fail(message, "evolve solve plays other games.", 2)
        # A node that is not there is seen before time is spent.
        wanted = None if node is None else _decision(played, node)
        curve = _run(solver, budget, until / 100.0, quiet=as_json)
        nodes = strategies(played, solver.average_policies())
        isolation = solver.isolation
    done, value = curve[-1]
    solved: dict[str, Any] = {
        "spot": {"name": name or "", **played.spot.to_json()},
        "program": program_json(chosen),
        "isolation": isolation,
        "iterations": done,
        "interrupted": done < budget and value >= until / 100.0,
        "exploitability": {"pots": value, "percent": 100.0 * value},
        "curve": curve,
        "nodes": [strategy.to_json() for strategy in nodes],
    }
    if page is not None:
        from results.views.strategy import strategy_page

        with writing(page, command="river"):
            page.write_text(strategy_page(solved), encoding="utf-8")
    if as_json:
        print_json(solved)
    else:
        _print(solved, nodes, wanted, page)
    if solved["interrupted"]:
        raise fail(
            f"stopped after {done} of {budget} iterations.", f"The whole: {typed(sys.argv[1:])}", INTERRUPTED
        )


def _check_writable(page: Path) -> None:
    """Refuse a page that cannot be written before time is spent; leave no file where there was none."""
    there = page.exists()
    with writing(page, command="river"), page.open("a"):
        pass
    if not there:
        page.unlink()


def _print(
    solved: Mapping[str, Any], nodes: Sequence[NodeStrategy], wanted: str | None, page: Path | None
) -> None:
    """Print what was reached, and all nodes or the hands at one."""
    out, gain = console(), solved["exploitability"]["percent"]
    spot = solved["spot"]["name"] or solved["spot"]["board"]
    out.print(f"{solved['program']['name']} on {spot}, isolation {solved['isolation']}", markup=False)
    out.print(f"After {solved['iterations']:,} iterations best responses gain {gain:.3g} % of the pot.\n")
    shown = [strategy for strategy in nodes if strategy.path == wanted]
    out.print(_kinds_table(shown[0]) if shown else _nodes_table(nodes))
    if page is not None:
        out.print(f"Grids of all nodes: {page}", markup=False, soft_wrap=True)


def _run(solver: CfrSolver, iterations: int, enough: float, *, quiet: bool) -> Curve:
    """Iterate until little enough can be gained; return the exploitability on the way."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    err, curve = console(stderr=True), []
    texts = map(TextColumn, ("{task.completed}/{task.total}", "{task.fields[gain]}"))
    hidden = quiet or not err.is_terminal
    bars = Progress(BarColumn(30), *texts, TimeElapsedColumn(), console=err, disable=hidden, transient=True)
    with stopping() as stopped, bars as bar:
        task = bar.add_task("iterations", total=iterations, gain="")
        for k in range(1, iterations + 1):
            solver.evaluate_and_update_policy()
            ends = k == iterations or stopped()
            if ends or k % max(1, iterations // _LOOKS) == 0:
                curve.append((k, solver.exploitability()))
                bar.update(task, completed=k, gain=f"{100.0 * curve[-1][1]:.3g} % of the pot")
                ends = ends or curve[-1][1] < enough
            if ends:
                break
    return curve


def _decision(game: RiverGame, path: str) -> str:
    """Return the path of the node that a user names.

    Raises:
        typer.Exit: nobody acts there, after a line that says so.
    """
    wanted = ", ".join(part.strip() for part in path.split(","))
    if wanted not in {game.bets.path(node) for nodes in game.decisions for node in nodes.tolist()}:
        raise fail(
            f"--node: expected a node where somebody acts; got {path!r}.",
            "Without --node, all are listed.",
            2,
        )
    return wanted


def _nodes_table(nodes: Sequence[NodeStrategy]) -> Any:
    """Return a table with a row per node that play gets to: who acts, how often, and what all hands do together."""
    reached = [strategy for strategy in nodes if strategy.probability >= _SELDOM]
    table = plain_table("after", "player", "strategy", right=["reached"])
    for strategy in reached:
        shares = zip(strategy.actions, strategy.whole.frequencies, strict=True)
        mixed = _lines([f"{action} {100.0 * frequency:.0f}%" for action, frequency in shares])
        table.add_row(strategy.path, str(strategy.player), mixed, f"{100.0 * strategy.probability:.1f}%")
    if len(reached) < len(nodes):
        table.caption = (
            f"{len(nodes) - len(reached)} nodes that are reached in less than {_SELDOM:.2%} are left out."
        )
        table.caption_justify = "left"
    return table


def _lines(words: Sequence[str]) -> str:
    """Return words beside each other, in lines that leave the other columns room; none of them is broken."""
    lines = [""]
    for word in words:
        longer = f"{lines[-1]}  {word}".strip()
        if len(longer) > _STRATEGY_WIDTH and lines[-1]:
            lines.append(word)
        else:
            lines[-1] = longer
    return "\n".join(lines)


def _kinds_table(strategy: NodeStrategy) -> Any:
    """Return a table with a row per kind of hands at one node."""
    table = plain_table("hands", right=["share", *strategy.actions])
    for name, mix in sorted(strategy.kinds.items(), key=lambda item: -item[1].weight):
        table.add_row(name, f"{100.0 * mix.weight:.2f}%", *(f"{100.0 * f:.0f}%" for f in mix.frequencies))
    return table
