"""What isolation costs: a call, a session, a runner, and the memory of a candidate, on one core."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from benchmarks.processes import below, private_mib
from evolve.doctor import open_sandbox
from sandbox.base import Limits, Sandbox
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
    core: int
    call_us: dict[int, float]
    """Floats -> a call that sends and returns that many."""
    callback_us: float
    """A question of the guest's to this side and its answer, `ASKED` floats each, while it is in a call."""
    session_ms: float
    """Opening and closing a session."""
    start_ms: float
    """Starting a runner."""
    private_mib: float | None
    """Memory that a candidate does not share with its runner; None when this user may not know."""


def measure(kind: str, *, calls: int = 3000, sessions: int = 60, starts: int = 3) -> Costs:
    """Measure a kind of sandbox with a program that gives back what it gets.

    Raises:
        ConfigError: no such kind of sandbox.
        SandboxFault: it does not start.
    """
    with _one_core() as core:
        started = [_ms(lambda: open_sandbox(kind).close()) for _ in range(starts)]
        with open_sandbox(kind) as sandbox:
            call_us = {size: _call_us(sandbox, size, calls) for size in SIZES}
            return Costs(
                level=sandbox.level.label,
                core=core,
                call_us=call_us,
                callback_us=_callback_us(sandbox, calls),
                session_ms=statistics.median(_ms(lambda: _open(sandbox).close()) for _ in range(sessions)),
                start_ms=statistics.median(started),
                private_mib=_private(sandbox),
            )


@contextmanager
def _one_core() -> Iterator[int]:
    """Stay on one core, as workers do; what is started from here stays there too."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(cores)})
    try:
        yield max(cores)
    finally:
        os.sched_setaffinity(0, cores)


def _open(sandbox: Sandbox) -> Any:
    return sandbox.open(
        GUEST,
        PROGRAM,
        limits=_LIMITS,
        shared_bytes=2 * 8 * max(SIZES),
        callbacks={"back": lambda scalars, arrays: arrays},
    )


def _call_us(sandbox: Sandbox, size: int, calls: int) -> float:
    session = _open(sandbox)
    values = np.random.default_rng(0).random(size)
    times = []
    for _ in range(calls):
        began = time.perf_counter()
        session.call("step", (0.0, 1.0), (values,))
        times.append(time.perf_counter() - began)
    session.close()
    return 1e6 * statistics.median(times)


def _callback_us(sandbox: Sandbox, callbacks: int) -> float:
    """A tenth of them in each call, whose own round trip counts little."""
    session = _open(sandbox)
    each = max(callbacks // 10, 1)
    values = np.random.default_rng(0).random(ASKED)
    times = [_ms(lambda: session.call("ask", (each,), (values,))) for _ in range(10)]
    session.close()
    return 1e3 * statistics.median(times) / each


def _private(sandbox: Sandbox) -> float | None:
    """Private memory of a child that has answered a call."""
    if not isinstance(sandbox, ProcessSandbox):
        return None
    session = _open(sandbox)
    session.call("step", (), (np.ones(SIZES[1]),))
    found = [private_mib(pid) for pid in below(sandbox.runner_pid) if not below(pid)]
    session.close()
    return found[0] if found else None


def _ms(action: Callable[[], object]) -> float:
    began = time.perf_counter()
    action()
    return 1e3 * (time.perf_counter() - began)
