"""Thousands of candidates in a row, a tenth of them hostile: every verdict right, and nothing left behind."""

from __future__ import annotations

import contextlib
import gc
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.processes import alive, below, directory_as, status_mib
from benchmarks.sandbox import GUEST
from evolve.cli.output import console
from evolve.evaluation.job import warm_sandbox
from evolve.evaluation.local import LocalExecutor
from sandbox.attacks import ATTACKS, Attack
from sandbox.base import Limits, Sandbox, SandboxFault, Verdict
from sandbox.selfcheck import Planted, attempt, may_try, planted

HOSTILE_EVERY = 10
WORKERS = 2
FLAT_MIB = 16.0
"""How much more memory a worker may hold after its last share than after its first."""

_SHARE = 100
_SLOW = {"closed channel"}
_HONEST = "def step(x):\n    return x * {factor}\n"


class Share(NamedTuple):
    """How a worker stands after some candidates."""

    pid: int
    wrong: tuple[str, ...]
    rss_mib: float
    descriptors: int
    mappings: int
    """Shared memory of sessions that is still mapped."""
    below: frozenset[int]
    """Processes below the worker: its runner."""


class Report(NamedTuple):
    """The result of a soak, which is as it should be when `wrong` is empty."""

    candidates: int
    hostile: int
    seconds: float
    growth_mib: float
    wrong: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the report as plain data."""
        return {"ok": not self.wrong} | self._asdict()

    def show(self) -> None:
        """Print the report for a person."""
        for line in self.wrong:
            console().print(line, markup=False)
        console().print(
            f"{self.candidates:,} candidates, {self.hostile:,} hostile, in {self.seconds:.0f} s: "
            f"{len(self.wrong)} wrong; memory of a worker {self.growth_mib:+.1f} MiB"
        )


def soak(candidates: int, kind: str = "process", progress: Callable[[int], None] | None = None) -> Report:
    """Run so many candidates on two workers and look for anything that is left of them.

    Args:
        candidates: how many.
        kind: of sandbox, see `sandbox.process.make`.
        progress: called with how many are done.
    """
    began = time.monotonic()
    starts = range(0, candidates, _SHARE)
    with directory_as("TMPDIR") as directory, LocalExecutor(WORKERS) as executor:
        waiting = [executor.submit(run_share, kind, s, min(_SHARE, candidates - s)) for s in starts]
        shares = []
        for future, start in zip(waiting, starts, strict=True):
            shares.append(future.result())
            if progress:
                progress(min(start + _SHARE, candidates))
        executor.shutdown()
        files = sorted(directory.iterdir())
    wrong = [line for share in shares for line in share.wrong]
    growth = _growth(shares)
    if growth > FLAT_MIB:
        wrong.append(f"a worker holds {growth:.1f} MiB more after its last share than after its first")
    wrong += _changes(shares)
    wrong += [f"process {pid} is left" for pid in _left({pid for share in shares for pid in share.below})]
    wrong += [f"file {path} is left" for path in files]
    if kind != "process" and (containers := _containers()):
        wrong.append(f"{containers} containers are left")
    hostile = len(range(0, candidates, HOSTILE_EVERY))
    return Report(candidates, hostile, time.monotonic() - began, growth, tuple(wrong))


def run_share(kind: str, start: int, count: int) -> Share:
    """Run candidates `start` to `start + count` in this worker's sandbox."""
    sandbox = warm_sandbox(("numpy",), kind)
    hostile = [a for a in ATTACKS if a.expected != Verdict.TIMEOUT and a.name not in _SLOW]
    hostile = [a for a in hostile if may_try(a, sandbox.level)]
    wrong = []
    with planted() as plants:
        for number in range(start, start + count):
            try:
                if number % HOSTILE_EVERY:
                    wrong += _honest(sandbox, number)
                else:
                    wrong += _hostile(sandbox, hostile[number // HOSTILE_EVERY % len(hostile)], plants)
            except SandboxFault as fault:
                wrong.append(f"candidate {number}: {fault}")
        wrong += [f"{name}: {hits} hits" for name, hits in plants.reached().items() if hits]
    gc.collect()
    return Share(
        os.getpid(),
        tuple(wrong),
        status_mib(os.getpid()),
        len(list(Path("/proc/self/fd").iterdir())),
        Path("/proc/self/maps").read_text(encoding="utf-8").count("memfd:session"),
        frozenset(below(os.getpid())),
    )


def _honest(sandbox: Sandbox, number: int) -> list[str]:
    """A program that works, called with arrays of changing shapes."""
    session = sandbox.open(
        GUEST, _HONEST.format(factor=number), limits=Limits(cpu_s=5.0), shared_bytes=1 << 16
    )
    wrong = []
    for size in (1, 33, 2000):
        (result,) = session.call("step", (), (np.ones(size),))
        if result.tolist() != [float(number)] * size:
            wrong.append(f"candidate {number}: expected {number} times ones, got {result[:3]}")
    session.close()
    return wrong


def _hostile(sandbox: Sandbox, attack: Attack, plants: Planted) -> list[str]:
    result = attempt(sandbox, attack, plants)
    if result.ok:
        return []
    return [f"{result.attack.name}: expected {result.attack.expected}, got {result.actual}: {result.detail}"]


def _growth(shares: list[Share]) -> float:
    """Return the most that a worker's memory grew from its first share to its last."""
    first = {share.pid: share.rss_mib for share in reversed(shares)}
    return max(rss - first[pid] for pid, rss in {share.pid: share.rss_mib for share in shares}.items())


def _changes(shares: list[Share]) -> list[str]:
    """Return the descriptors, mappings and processes that a worker had after its last share and not after its first."""
    first = {share.pid: share for share in reversed(shares)}
    last = {share.pid: share for share in shares}
    changes = []
    for pid, end in last.items():
        for what, before, after in (
            ("descriptors", first[pid].descriptors, end.descriptors),
            ("session mappings", 0, end.mappings),
            ("processes", len(first[pid].below), len(end.below)),
        ):
            if after > before:
                changes.append(f"worker {pid} has {after} {what}, after its first share it had {before}")
    return changes


def _left(pids: set[int], patience_s: float = 5.0) -> list[int]:
    deadline = time.monotonic() + patience_s
    while (left := sorted(filter(alive, pids))) and time.monotonic() < deadline:
        time.sleep(0.02)
    return left


def _containers() -> int:
    from sandbox.docker import connect, sweep

    time.sleep(1.0)  # A daemon takes a moment to remove what has ended.
    with contextlib.closing(connect()) as client:
        return sweep(client)
