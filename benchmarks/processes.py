"""Processes as the kernel reports them: who is below whom, who lives, and what each uses of memory and CPU."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Self

from sqlalchemy import Connection

from results.database import HeldConnection


def below(pid: int) -> set[int]:
    """Return all processes below `pid`."""
    pids: set[int] = set()
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(OSError):
                for child in map(int, (task / "children").read_text(encoding="ascii").split()):
                    pids |= {child} | below(child)
    return pids


def alive(pid: int) -> bool:
    """Return whether `pid` runs; one that has ended and waits to be collected does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def private_mib(pid: int) -> float | None:
    """Return the memory that only `pid` uses; None when this user may not know."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()[1:]
    except OSError:
        return None
    rows = dict(line.split(":", 1) for line in lines)
    return sum(int(rows[name].split()[0]) for name in ("Private_Dirty", "Private_Clean")) / 1024


def status_mib(pid: int, field: str = "VmRSS") -> float:
    """Return a field of what the kernel says of the memory of `pid`, resident memory by default; 0 when it is gone."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
            if line.startswith(f"{field}:"):
                return int(line.split()[1]) / 1024
    return 0.0


@contextlib.contextmanager
def directory_as(variable: str) -> Iterator[Path]:
    """Have an environment variable name a directory of its own; both are as before afterwards."""
    before = os.environ.get(variable)
    with tempfile.TemporaryDirectory(prefix="evolve-bench-") as directory:
        os.environ[variable] = directory
        try:
            yield Path(directory)
        finally:
            del os.environ[variable]
            if before is not None:
                os.environ[variable] = before


class Cpu(NamedTuple):
    """Seconds of CPU that the parts of an engine used."""

    campaign: float
    """The campaign's process, without the database."""
    database: float
    """In the campaign's process, in transactions that write."""
    workers: float
    sandbox: float
    """Runners and candidates, those that ended included."""

    def since(self, before: Cpu) -> Cpu:
        """Return what was used in between."""
        return Cpu(*(now - then for now, then in zip(self, before, strict=True)))


def campaign_cpu(database_s: float, *, without: int) -> Cpu:
    """Return what this process, its evaluation workers and their sandboxes have used.

    Args:
        database_s: how much of this process's CPU the database took.
        without: a child of this process that is none of them.
    """
    workers = [p.pid for p in multiprocessing.active_children() if p.pid is not None and p.pid != without]
    own, sandbox = 0.0, 0.0
    for pid in workers:
        used, ended = _cpu_s(pid)
        own, sandbox = own + used, sandbox + ended + sum(sum(_cpu_s(child)) for child in below(pid))
    return Cpu(time.process_time() - database_s, database_s, own, sandbox)


def _cpu_s(pid: int) -> tuple[float, float]:
    """Return the CPU of a process itself, and of its children that ended and were collected."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return 0.0, 0.0
    ticks = os.sysconf("SC_CLK_TCK")
    user, system, ended_user, ended_system = (int(field) / ticks for field in fields[11:15])
    return user + system, ended_user + ended_system


def python_start_ms() -> float:
    """Return the milliseconds of CPU that starting Python takes now, by which measurements on other days compare."""
    pid = os.posix_spawn(sys.executable, [sys.executable, "-c", "pass"], os.environ)
    usage = os.wait4(pid, 0)[2]
    return 1e3 * (usage.ru_utime + usage.ru_stime)


class DatabaseClock:
    """Counts this thread's CPU in transactions that write, as a context manager."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._transaction = HeldConnection.transaction

    def __enter__(self) -> Self:
        """Start counting. By no event of SQLAlchemy's: an engine that has any is slower at all that it runs."""

        @contextlib.contextmanager
        def timed(held: HeldConnection) -> Iterator[Connection]:
            began = time.thread_time()
            try:
                with self._transaction(held) as connection:
                    yield connection
            finally:
                self.seconds += time.thread_time() - began

        HeldConnection.transaction = timed  # type: ignore[assignment, method-assign]
        return self

    def __exit__(self, *exc: object) -> None:
        """Stop."""
        HeldConnection.transaction = self._transaction  # type: ignore[method-assign]
