"""Tables of programs beside each other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import ceil

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from evaluators.records import Metric, Score, TaskResult
from evolve.cli.words import arrow, number, score
from results.comparison import Value, ranking, standing


@dataclass(frozen=True)
class Entry:
    """One program of a table.

    Attributes:
        name: what it is called.
        score: None where it failed.
        values: name of a row or column -> value.
        highlight: it is the one to look at.
        program_ms: milliseconds of CPU per unit of the budget that were the program's own, mean over tasks.
    """

    name: str
    score: Score | None
    values: Mapping[str, Value]
    highlight: bool = False
    program_ms: float | None = None


def ranked(entries: Sequence[Entry]) -> list[Entry]:
    """Return programs by their scores, best first, and last those that failed."""
    by_name = {entry.name: entry for entry in entries}
    return [by_name[name] for name in ranking({entry.name: entry.score for entry in entries})]


def by_program(entries: Sequence[Entry], names: Sequence[str], metric: Metric, *, objective: str) -> Table:
    """Return a table with a row per program: its score, its value in each column of `names`, its own CPU time."""
    timed = any(entry.program_ms for entry in entries)
    heads = [f"{objective} ↑", *(f"{name} {arrow(metric)}" for name in names)]
    table = plain_table("program", right=[*heads, *([milliseconds(metric)] if timed else [])])
    columns = [_scores(entries, metric), *(_values(entries, name, metric) for name in names)]
    if timed:
        columns.append(["-" if e.program_ms is None else f"{e.program_ms:.3g}" for e in entries])
    for entry, *cells in zip(entries, *columns, strict=True):
        table.add_row(escape(entry.name), *cells, style="green" if entry.highlight else "")
    return table


_NAMES = 56
"""Letters of all programs' names beyond which these are broken at underscores, for a table of eighty columns."""


def by_row(
    entries: Sequence[Entry],
    rows: Sequence[str],
    metric: Metric,
    *,
    objective: str,
    unseen: Sequence[str] = (),
) -> Table:
    """Return a table with a column per program, which fits a narrow terminal.

    Args:
        entries: the programs, in order.
        rows: names of rows, after the score's.
        metric: what the values are of.
        objective: name of the score.
        unseen: rows below a line, of tasks that the search did not see.
    """
    long = sum(len(entry.name) for entry in entries) > _NAMES
    table = plain_table("", right=[e.name.replace("_", "_\n") if long else e.name for e in entries])
    for column, entry in zip(table.columns[1:], entries, strict=True):
        column.style = "green" if entry.highlight else ""
    table.add_row(escape(f"{objective} ↑"), *map(_folded, _scores(entries, metric)), end_section=True)
    for name in (*rows, *unseen):
        cells = map(_folded, _values(entries, name, metric))
        table.add_row(escape(f"{name} {arrow(metric)}"), *cells, end_section=name == rows[-1])
    return table


def tasks_table(metric: Metric, results: Sequence[TaskResult]) -> Table:
    """Return a table with a row per task of one program; columns that no result has a number for are left out."""
    figures = list(dict.fromkeys(name for result in results for name in result.extra))
    columns: dict[str, Callable[[TaskResult], str]] = {
        f"{metric.budget}s": lambda r: str(r.task.budget) if r.task.budget > 1 else "",
        f"{metric.name} {arrow(metric)}": lambda r: number(metric, r.value, r.stderr),
        "reference": lambda r: number(metric, r.reference[-1][1]) if r.reference else "",
        "uniform": lambda r: number(metric, r.uniform) if r.uniform is not None else "",
        **{name: partial(_figure, name) for name in figures},
        "CPU s": lambda r: f"{r.cost.cpu_s:.2f}",
        milliseconds(metric): lambda r: f"{program_ms(r):.3g}" if program_ms(r) else "",
    }
    cells = {name: [cell(result) for result in results] for name, cell in columns.items()}
    shown = [name for name, column in cells.items() if any(column)]
    table = plain_table(metric.task, right=shown)
    for position, result in enumerate(results):
        table.add_row(escape(result.task.name), *(cells[name][position] for name in shown))
    return table


def program_ms(result: TaskResult) -> float:
    """Return the milliseconds of CPU per unit of the task's budget that were the program's own."""
    return 1e3 * result.cost.candidate_cpu_s / result.task.budget


def _figure(name: str, result: TaskResult) -> str:
    return f"{result.extra[name]:.4g}" if name in result.extra else ""


def milliseconds(metric: Metric) -> str:
    """Return the head of a column with the CPU time of the program itself per unit of a task's budget."""
    return f"ms/{metric.budget}"


def plain_table(*left: str, right: Sequence[str] = ()) -> Table:
    """Return an empty table in the style of all commands: left-aligned columns, then right-aligned ones.

    Where a terminal is too narrow, words fold on the left and numbers on the right stay whole.
    """
    table = Table(box=box.SIMPLE_HEAD, header_style="bold", padding=(0, 0, 0, 1), pad_edge=False)
    for name in left:
        table.add_column(escape(name), overflow="fold")
    for name in right:
        table.add_column(escape(name), justify="right", no_wrap=True)
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
    if not out.is_terminal or len(names) < 2:
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


def _scores(entries: Sequence[Entry], metric: Metric) -> list[str]:
    top = max((e.score.mean for e in entries if e.score is not None), default=None)
    return [_strong(score(metric, e.score), e.score is not None and e.score.mean == top) for e in entries]


def _values(entries: Sequence[Entry], name: str, metric: Metric) -> list[str]:
    """Return the cells of a row or column, with a star at the best value and a sign at those tied with it."""
    best = standing(metric, {e.name: e.values[name] for e in entries if name in e.values})
    marks = {best.winner: "★"} | dict.fromkeys(best.tied, "=") if best else {}
    cells = []
    for entry in entries:
        value, mark = entry.values.get(name), marks.get(entry.name, "")
        cells.append(_strong(mark + number(metric, value.value, value.stderr), bool(mark)) if value else "-")
    return cells


def _folded(cell: str) -> str:
    """Return a cell with the standard error below the number: programs side by side leave little room."""
    return cell.replace(" ±", "\n±")


def _strong(text: str, strong: bool) -> str:
    return f"[bold]{text}[/bold]" if strong else text
