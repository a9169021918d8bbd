"""The strategies of a solved river spot as a page: a grid of the 169 kinds of hands for each public node."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from results.views.templating import environment, standalone

RANKS = "AKQJT98765432"


class Piece(NamedTuple):
    """A part of a cell: the class of an action, where it begins and how wide it is, of 1."""

    action: str
    begin: float
    width: float


class GridCell(NamedTuple):
    """A kind of hands in a grid: where, how often it is there (1 for the most frequent), what it does, and in words."""

    name: str
    row: int
    column: int
    height: float
    pieces: Sequence[Piece]
    title: str


def strategy_page(solved: Mapping[str, Any]) -> str:
    """Return the page of a solved spot, as one file that needs no other and no network.

    Args:
        solved: what ``evolve river --json`` prints.
    """
    nodes = [
        node | {"cells": cells(node), "classes": action_classes(node["actions"])} for node in solved["nodes"]
    ]
    template = environment().get_template("strategy.html")
    return template.render(solved=solved, nodes=nodes, ranks=RANKS, **standalone()._asdict())


def action_classes(actions: Sequence[str]) -> list[str]:
    """Return the style of each action: its name where it is passive, and bets by size."""
    passive = [action for action in actions if action in ("fold", "check", "call")]
    return [a if a in passive else f"bet{k}" for k, a in enumerate(actions, start=-len(passive))]


def cells(node: Mapping[str, Any]) -> list[GridCell]:
    """Return the cells of a node's grid, suited hands above the diagonal, those that the range has."""
    styles = action_classes(node["actions"])
    most = max((mix["weight"] / combos(name) for name, mix in node["kinds"].items()), default=0.0)
    out = []
    for name, mix in node["kinds"].items():
        high, low = sorted(RANKS.index(rank) for rank in name[:2])
        row, column = (low, high) if name.endswith("o") else (high, low)
        begin, pieces = 0.0, []
        for style, frequency in zip(styles, mix["frequencies"], strict=True):
            pieces.append(Piece(style, begin, frequency))
            begin += frequency
        words = ", ".join(
            f"{action} {frequency:.0%}"
            for action, frequency in zip(node["actions"], mix["frequencies"], strict=True)
            if round(100 * frequency)
        )
        height = mix["weight"] / combos(name) / most if most > 0 else 0.0
        out.append(
            GridCell(name, row, column, height, pieces, f"{name}: {words}; {mix['weight']:.2%} of hands")
        )
    return out


def combos(name: str) -> int:
    """Return how many hands a kind has before any card is seen."""
    return {2: 6, 3: 4 if name.endswith("s") else 12}[len(name)]
