"""What isolation costs: a call, a session, a runner, and the memory of a candidate, on one core."""

from __future__ import annotations

import contextlib
import statistics
from typing import Any, NamedTuple

import numpy as np

from benchmarks.processes import below, private_mib
from benchmarks.timing import clock, pinned
from evolve.cli.output import console
from evolve.cli.tables import plain_table
from evolve.doctor import open_sandbox
from sandbox.base import Limits, Sandbox, Session
from sandbox.process import ProcessSandbox

SIZES = (33, 2_000, 50_000)
"""Floats there and back: a Kuhn player's, a Leduc player's, a large game's."""

ASKED = 200
"""Floats that a callback is asked with and gives back: mixtures of 50 policies of each of four players."""

GUEST = """
def start(program):
    def ask(scalars, arrays):
        given = arrays[0].copy()
        for _ in range(int(scalars[0])):
            callback("back", scalars, (given,))
        return ()

    return {"step": lambda scalars, arrays: (program.step(*arrays),), "ask": ask}
"""
PROGRAM = "def step(x):\n    return x\n"
_LIMITS = Limits(cpu_s=600.0, wall_s=600.0)


class Costs(NamedTuple):
    """Medians, in the units that the names say."""

    level: str
    core: int | None
    call_us: dict[int, float]
    """Floats -> a call that sends and returns that many."""
    callback_us: float
    """A question of the guest to this side and its answer, `ASKED` floats each, while it is in a call."""
    session_ms: float
    """Opening and closing a session."""
    start_ms: float
    """Starting a runner."""
    private_mib: float | None
    """Memory that a candidate does not share with its runner; None when this user may not know."""

    def to_json(self) -> dict[str, Any]:
        """Return the costs as plain data."""
        return self._asdict()

    def show(self) -> None:
        """Print the costs for a person."""
        table = plain_table("median", right=["takes"])
        for size, call_us in self.call_us.items():
            table.add_row(f"call with {size:,} floats there and back", f"{call_us:.1f} µs")
        table.add_row(f"callback with {ASKED} floats there and back", f"{self.callback_us:.1f} µs")
        table.add_row("session, opened and closed", f"{self.session_ms:.1f} ms")
        table.add_row("runner, started", f"{self.start_ms:.0f} ms")
        private = f"{self.private_mib:.1f} MiB" if self.private_mib is not None else "unknown"
        table.add_row("memory of a candidate alone", private)
        console().print(table)
        console().print(f"isolation {self.level}, all on core {self.core}")


def measure(kind: str, *, calls: int = 3000, sessions: int = 60, starts: int = 3) -> Costs:
    """Measure a kind of sandbox with a program that gives back what it gets.

    Raises:
        ConfigError: no such kind of sandbox.
        SandboxFault: it does not start.
    """
    with pinned() as core:
        start_s = [clock(lambda: open_sandbox(kind).close()) for _ in range(starts)]
        with open_sandbox(kind) as sandbox:
            session_s = [clock(lambda: _open(sandbox).close()) for _ in range(sessions)]
            return Costs(
                level=sandbox.level.label,
                core=core,
                call_us={size: _call_us(sandbox, size, calls) for size in SIZES},
                callback_us=_callback_us(sandbox, calls),
                session_ms=1e3 * statistics.median(session_s),
                start_ms=1e3 * statistics.median(start_s),
                private_mib=_private(sandbox),
            )


def _open(sandbox: Sandbox) -> Session:
    return sandbox.open(
        GUEST,
        PROGRAM,
        limits=_LIMITS,
        shared_bytes=2 * 8 * max(SIZES),
        callbacks={"back": lambda scalars, arrays: arrays},
    )


def _call_us(sandbox: Sandbox, size: int, calls: int) -> float:
    values = np.random.default_rng(0).random(size)
    with contextlib.closing(_open(sandbox)) as session:
        times = [clock(session.call, "step", (0.0, 1.0), (values,)) for _ in range(calls)]
    return 1e6 * statistics.median(times)


def _callback_us(sandbox: Sandbox, callbacks: int) -> float:
    """Measure a tenth of them in each call, whose own round trip counts little."""
    each = max(callbacks // 10, 1)
    values = np.random.default_rng(0).random(ASKED)
    with contextlib.closing(_open(sandbox)) as session:
        times = [clock(session.call, "ask", (each,), (values,)) for _ in range(10)]
    return 1e6 * statistics.median(times) / each


def _private(sandbox: Sandbox) -> float | None:
    """Return the private memory of a child that has answered a call."""
    if not isinstance(sandbox, ProcessSandbox):
        return None
    with contextlib.closing(_open(sandbox)) as session:
        session.call("step", (), (np.ones(SIZES[1]),))
        children = [private_mib(pid) for pid in below(sandbox.runner_pid) if not below(pid)]
    return children[0] if children else None
