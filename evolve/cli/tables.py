"""Tables of programs beside each other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil

from rich import box
from rich.console import Console
from rich.table import Table

from evolve.cli.output import number, smallest
from evolve.comparison.ties import Span, standings


@dataclass(frozen=True)
class Entry:
    """One program: what it is called, its score, exploitability per game; `highlight` for the one to look at."""

    name: str
    score: float | None
    values: Mapping[str, float]
    highlight: bool = False
    spans: Mapping[str, Span] = field(default_factory=dict)
    """Game -> interval, for `with_ties`."""
    program_ms: float | None = None
    """Milliseconds of CPU per iteration that were the program's own, mean over games, for `by_program`."""


def by_program(entries: Sequence[Entry], games: Sequence[str], *, objective: str) -> Table:
    """A row per program: its score, exploitability per game, its own CPU time; the best score and values in bold."""
    table = plain_table("program", right=[f"{objective} ↑", *(f"{game} ↓" for game in games), MS])
    costs = ["-" if e.program_ms is None else f"{e.program_ms:.3g}" for e in entries]
    columns = [_scores(entries), *(_values(entries, game) for game in games), costs]
    for entry, *cells in zip(entries, *columns, strict=True):
        table.add_row(entry.name, *cells, style="green" if entry.highlight else "")
    return table


def with_ties(entries: Sequence[Entry], games: Sequence[str], *, objective: str) -> Table:
    """A row per program: its score, then per game its value with the jitter interval, winners and ties marked."""
    table = plain_table("program", right=[f"{objective} ↑"])
    for game in games:
        table.add_column(f"{game} ↓", no_wrap=True)
    found = standings({entry.name: entry.spans for entry in entries})
    for entry, score in zip(entries, _scores(entries), strict=True):
        cells = []
        for game in games:
            mark = " "
            if game in found and game in entry.spans:
                mark = (
                    "★"
                    if entry.name == found[game].winner
                    else "="
                    if entry.name in found[game].tied
                    else " "
                )
            cell = f"{mark} {span(entry.spans[game])}" if game in entry.spans else "  -"
            cells.append(_strong(cell, mark != " "))
        table.add_row(entry.name, score, *cells)
    return table


def span(value: Span) -> str:
    """An exploitability with how far jitter moves it: in percent, or the whole interval where that is beyond 50%."""
    far = max(value.high - value.value, value.value - value.low) / value.value
    if far < 0.0005:
        return f"{number(value.value)} ±0%"
    if far < 0.5:
        return f"{number(value.value)} ±{100 * far:.2g}%"
    return f"{number(value.value)} {value.low:.0e}…{value.high:.0e}"


def by_score(rows: Sequence[tuple[str, Mapping[str, float]]], names: Sequence[str]) -> Table:
    """A row per program with its scores, larger is better; the best of each column in bold."""
    table = plain_table("program", right=[f"{name} ↑" for name in names])
    tops = {name: max((values[name] for _, values in rows if name in values), default=None) for name in names}
    for program, values in rows:
        cells = [
            _strong(f"{values[name]:.3f}", values[name] == tops[name]) if name in values else "-"
            for name in names
        ]
        table.add_row(program, *cells)
    return table


MS, MS_MEANS = "ms/it.", "ms/it.: CPU time of the program itself per iteration, in milliseconds"
"""Head of a column, and the line that explains it."""

_NAMES = 56
"""Letters of all programs' names beyond which these are broken at underscores, for a table of eighty columns."""


def by_game(
    entries: Sequence[Entry], games: Sequence[str], *, objective: str, unseen: Sequence[str] = ()
) -> Table:
    """A column per program, which fits a narrow terminal; the best of each row in bold.

    Args:
        entries: the programs, in order.
        games: rows, after the score's.
        objective: name of the score.
        unseen: rows below a line, of games that the search did not see.
    """
    long = sum(len(entry.name) for entry in entries) > _NAMES
    table = plain_table("", right=[e.name.replace("_", "_\n") if long else e.name for e in entries])
    for column, entry in zip(table.columns[1:], entries, strict=True):
        column.style = "green" if entry.highlight else ""
    table.add_row(f"{objective} ↑", *_scores(entries), end_section=True)
    for place, game in enumerate(games, start=1):
        table.add_row(f"{game} ↓", *_values(entries, game), end_section=place == len(games))
    for game in unseen:
        table.add_row(f"{game} ↓", *_values(entries, game))
    return table


def plain_table(*left: str, right: Sequence[str] = ()) -> Table:
    """An empty table in the style of all commands: left-aligned columns, then right-aligned ones.

    Where a terminal is too narrow, words fold on the left and numbers on the right stay whole.
    """
    table = Table(box=box.SIMPLE_HEAD, header_style="bold", padding=(0, 0, 0, 1), pad_edge=False)
    for name in left:
        table.add_column(name, overflow="fold")
    for name in right:
        table.add_column(name, justify="right", no_wrap=True)
    return table


_WIDE = 1000
"""Columns that no table needs."""


def print_whole(out: Console, table: Table) -> None:
    """Print a table as wide as it needs where nobody's terminal limits it."""
    if not out.is_terminal:
        out.width = max(out.width, _width(out, table))
    out.print(table)


def print_across(out: Console, names: Sequence[str], table: Callable[[Sequence[str]], Table]) -> None:
    """Print the table over `names`, as several with fewer of them each where a terminal is too narrow for one."""
    if not out.is_terminal:
        print_whole(out, table(names))
        return
    while names:
        fitting = (n for n in range(len(names), 1, -1) if _width(out, table(names[:n])) <= out.width)
        parts = ceil(len(names) / next(fitting, 1))
        count = ceil(len(names) / parts)
        out.print(table(names[:count]))
        names = names[count:]


def _width(out: Console, table: Table) -> int:
    return out.measure(table, options=out.options.update(width=_WIDE)).maximum


def _scores(entries: Sequence[Entry]) -> list[str]:
    top = max((e.score for e in entries if e.score is not None), default=None)
    return ["-" if e.score is None else _strong(f"{e.score:.3f}", e.score == top) for e in entries]


def _values(entries: Sequence[Entry], game: str) -> list[str]:
    values = [entry.values.get(game) for entry in entries]
    best = smallest(values)
    return [_strong(number(value), value is not None and value == best) for value in values]


def _strong(text: str, strong: bool) -> str:
    return f"[bold]{text}[/bold]" if strong else text
