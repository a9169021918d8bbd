"""Tables of programs beside each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.table import Table

from evolve.cli.output import number, smallest


@dataclass(frozen=True)
class Row:
    """One program: what it is called, its score, exploitability per game; `highlight` for the one to look at."""

    name: str
    score: float | None
    values: Mapping[str, float]
    highlight: bool = False
    note: str = ""


def comparison(
    rows: Sequence[Row], games: Sequence[str], *, title: str, objective: str, unseen: Sequence[str] = ()
) -> Table:
    """Programs beside each other: score, then exploitability per game, the smallest of each column in bold.

    Args:
        rows: the programs, in order.
        games: columns.
        title: stands above.
        objective: name of the score; empty leaves its column out.
        unseen: further columns, marked as games that the search did not see.
    """
    table = Table(title=title, title_justify="left", title_style="bold", header_style="bold")
    table.add_column("program")
    if objective:
        table.add_column(f"{objective} ↑", justify="right")
    for game in games:
        table.add_column(f"{game} ↓", justify="right")
    for game in unseen:
        table.add_column(f"{game} ↓\n(not seen)", justify="right")
    columns = [*games, *unseen]
    best = {game: smallest(row.values.get(game) for row in rows) for game in columns}
    top = max((row.score for row in rows if row.score is not None), default=None)
    for row in rows:
        cells = [row.name]
        if objective:
            cells.append(_emphasised("-" if row.score is None else f"{row.score:.3f}", row.score == top))
        for game in columns:
            value = row.values.get(game)
            cells.append(_emphasised(number(value), value is not None and value == best[game]))
        table.add_row(*cells, style="green" if row.highlight else "")
    return table


def _emphasised(text: str, strong: bool) -> str:
    return f"[bold]{text}[/bold]" if strong else text
