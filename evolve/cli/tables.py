"""Tables of programs beside each other, in the words of a domain's metric."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import ceil

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from evaluators.records import Metric, Score, Task, TaskResult
from results.comparison import Comparison, Standing, Value, mean, ranking, standing_over
from results.records import HeldOutEvaluation, ModelShare
from results.text import NONE, arrow, count, estimate, measured, plural, score, signed

_ASCII = str.maketrans({"\N{MINUS SIGN}": "-", NONE: "-"})
"""Numbers of a terminal go into other programs, which want plain signs."""

LEGEND = "★ best, = tied with the best"


@dataclass(frozen=True)
class Entry:
    """One program of a table.

    Attributes:
        name: what it is called.
        score: None where it failed.
        values: name of a row or column -> its values there: one, or one for each seed.
        highlight: it is the one to look at.
        cpu_s: CPU seconds on all tasks; None where it failed.
        program_ms: milliseconds of CPU per unit of the budget that were the program's own, mean over tasks.
    """

    name: str
    score: Score | None
    values: Mapping[str, Sequence[Value]]
    highlight: bool = False
    cpu_s: float | None = None
    program_ms: float | None = None


def score_text(value: Score | float | None) -> str:
    """Return a score with its standard error, if it has one, or a dash."""
    mean, stderr = (value.mean, value.stderr) if isinstance(value, Score) else (value, 0.0)
    return score(mean, stderr).translate(_ASCII)


def difference(value: float | None) -> str:
    """Return a difference of scores with its sign, or a dash."""
    return signed(value).translate(_ASCII)


def lead(one: Comparison) -> str:
    """Return a mean advantage with its sign and standard error, or a dash."""
    return estimate(one.mean, one.stderr, sign=True).translate(_ASCII)


def estimate_text(value: Score | None) -> str:
    """Return a mean with its standard error, to the first digit of the error, or a dash."""
    return estimate(*(value.mean, value.stderr) if value else (None,)).translate(_ASCII)


def number(metric: Metric, value: float | None, stderr: float = 0.0) -> str:
    """Return a value of the metric with its standard error, unless that is 0, or a dash."""
    return measured(metric, value, stderr).translate(_ASCII)


def title(metric: Metric, tasks: Iterable[Task] = ()) -> str:
    """Return the metric's label with a capital, and the budgets of the tasks whose values stand below it."""
    budgets = sorted({task.budget for task in tasks})
    few = f"{budgets[0]:,} to " if len(budgets) > 1 else ""
    after = f" after {few}{count(budgets[-1], metric.budget)}" if budgets and budgets != [1] else ""
    return metric.label[:1].upper() + metric.label[1:] + after


def row_name(task: Task, tier: str) -> str:
    """Return what a table calls a task, the first tier of which is `tier`: one name for all seeds of a group.

    OpenSpiel strings are cut to their kind.
    """
    group = task.group.partition("(")[0]
    if task.seed is None:
        return task.name.replace(task.group, group, 1)
    return group if task.tier == tier else f"{group}/{task.tier}"


def grouped(results: Iterable[TaskResult | HeldOutEvaluation], tier: str) -> dict[str, list[Value]]:
    """Return the name of a row -> values, of the tasks that were finished: one, or one for each seed."""
    rows: dict[str, list[Value]] = {}
    for one in results:
        if one.value is not None:
            rows.setdefault(row_name(one.task, tier), []).append(Value(one.value, one.stderr, one.floor))
    return rows


def standing_in(metric: Metric, entries: Sequence[Entry], name: str) -> Standing | None:
    """Return who is best in a row or column, of the programs that finished all of its tasks."""
    return standing_over(metric, _complete(entries, name))


def ranked(entries: Sequence[Entry]) -> list[Entry]:
    """Return programs by their scores, best first, and last those that failed."""
    by_name = {entry.name: entry for entry in entries}
    return [by_name[name] for name in ranking({entry.name: entry.score for entry in entries})]


def by_program(entries: Sequence[Entry], names: Sequence[str], metric: Metric, *, objective: str) -> Table:
    """Return a table with a row per program: its score, its value in each column of `names`, its CPU time."""
    timed = any(entry.program_ms for entry in entries)
    costed = any(entry.cpu_s for entry in entries)
    heads = [f"{objective} ↑", *(f"{name} {arrow(metric)}" for name in names)]
    table = plain_table("program", right=[*heads, *["CPU s"] * costed, *[milliseconds(metric)] * timed])
    columns = [_scores(entries), *(_values(entries, name, metric) for name in names)]
    if costed:
        columns.append(["-" if e.cpu_s is None else f"{e.cpu_s:.2f}" for e in entries])
    if timed:
        columns.append(["-" if e.program_ms is None else f"{e.program_ms:.3g}" for e in entries])
    for entry, *cells in zip(entries, *columns, strict=True):
        table.add_row(escape(entry.name), *cells, style="green" if entry.highlight else "")
    return table


def tasks_table(metric: Metric, results: Sequence[TaskResult]) -> Table:
    """Return a table with a row per task of one program; columns that no result has a number for are left out."""
    figures = list(dict.fromkeys(name for result in results for name in result.extra))
    columns: dict[str, Callable[[TaskResult], str]] = {
        plural(metric.budget): lambda r: f"{r.task.budget:,}" if r.task.budget > 1 else "",
        f"{metric.name} {arrow(metric)}": lambda r: number(metric, r.value, r.stderr),
        "reference": lambda r: number(metric, r.reference[-1][1]) if r.reference else "",
        "uniform": lambda r: number(metric, r.uniform) if r.uniform is not None else "",
        **{name: partial(_figure, name) for name in figures},
        "oracle calls": lambda r: f"{r.cost.oracle_calls:,}" if r.cost.oracle_calls else "",
        "CPU s": lambda r: f"{r.cost.cpu_s:.2f}",
        milliseconds(metric): lambda r: f"{program_ms(r):.3g}" if program_ms(r) else "",
    }
    cells = {name: [cell(result) for result in results] for name, cell in columns.items()}
    shown = [name for name, column in cells.items() if any(column)]
    table = plain_table(metric.task, right=shown)
    for position, result in enumerate(results):
        table.add_row(escape(result.task.name), *(cells[name][position] for name in shown))
    return table


def models_table(shares: Sequence[ModelShare]) -> Table:
    """Return a table with a column per model: their names are long, and they are few."""
    table = plain_table("model", right=[share.model for share in shares])
    columns = [_share_cells(share) for share in shares]
    for label in columns[0] if columns else ():
        table.add_row(label, *(cells[label] for cells in columns))
    return table


def _share_cells(share: ModelShare) -> dict[str, str]:
    valid = f" ({100 * share.valid / share.candidates:.0f} %)" if share.candidates else ""
    each = share.usd_per_improvement
    return {
        "calls": str(share.calls) + (f" ({share.unanswered} unanswered)" if share.unanswered else ""),
        "candidates": str(share.candidates),
        "valid": f"{share.valid}{valid}",
        "better than the parent": str(share.improved),
        "best so far": str(share.records),
        "mean reward": f"{share.reward:.2f}",
        "tokens in, out": f"{share.input_tokens}, {share.output_tokens}",
        "cost": f"${share.cost_usd:.4f}",
        "cost per improvement": "-" if each is None else f"${each:.4f}",
    }


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


def _scores(entries: Sequence[Entry]) -> list[str]:
    top = max((e.score.mean for e in entries if e.score is not None), default=None)
    return [_strong(score_text(e.score), e.score is not None and e.score.mean == top) for e in entries]


def _complete(entries: Sequence[Entry], name: str) -> dict[str, Sequence[Value]]:
    own = {entry.name: entry.values[name] for entry in entries if name in entry.values}
    whole = max(map(len, own.values()), default=0)
    return {key: values for key, values in own.items() if len(values) == whole}


def _values(entries: Sequence[Entry], name: str, metric: Metric) -> list[str]:
    """Return the cells of a row or column, with a star at the best value and a sign at those tied with it."""
    best = standing_in(metric, entries, name)
    marks = {best.winner: "★"} | dict.fromkeys(best.tied, "=") if best else {}
    cells = dict.fromkeys((entry.name for entry in entries), "-")
    for key, values in _complete(entries, name).items():
        middle, mark = mean(metric, values), marks.get(key, "")
        cells[key] = _strong(mark + number(metric, middle.value, middle.stderr), bool(mark))
    return list(cells.values())


def _strong(text: str, strong: bool) -> str:
    return f"[bold]{text}[/bold]" if strong else text
