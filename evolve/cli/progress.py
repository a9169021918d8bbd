"""How far a command with many runs is, on standard error."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from evolve.cli.output import console


@contextmanager
def progress(*, quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """Yield a function to call with how many runs are done, and of how many.

    It shows a bar on a terminal, a line at every tenth elsewhere, and nothing if `quiet`.
    """
    err = console(stderr=True)
    if quiet:
        yield lambda done, total: None
    elif err.is_terminal:
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        columns = (MofNCompleteColumn(), TimeElapsedColumn(), "elapsed,", TimeRemainingColumn(), "left")
        with Progress("runs", BarColumn(bar_width=30), *columns, console=err, transient=True) as bar:
            task = bar.add_task("runs", total=None)
            yield lambda done, total: bar.update(task, completed=done, total=total)
    else:

        def line(done: int, total: int) -> None:
            if done * 10 // total > (done - 1) * 10 // total:
                err.print(f"{done}/{total} runs")

        yield line
