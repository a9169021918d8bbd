"""Wall-clock measurements that survive a busy machine: one core, interleaved repeats, ratios within a repeat."""

from __future__ import annotations

import contextlib
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

Work = Callable[[int], object]
"""Does a number of units of work, such as iterations."""

Key = TypeVar("Key")


class Spread(NamedTuple):
    """Smallest, median and largest of the repeats."""

    min: float
    median: float
    max: float

    def __str__(self) -> str:
        """Return the three numbers with three digits each."""
        return "–".join(map(short, self))


class Measurement(NamedTuple):
    """`seconds` per unit, an entry per repeat, each measured over `units` units."""

    seconds: tuple[float, ...]
    units: int

    @property
    def ms(self) -> Spread:
        """Milliseconds per unit."""
        return spread(1e3 * s for s in self.seconds)


def short(value: float) -> str:
    """Return a number with three significant digits."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def spread(values: Iterable[float]) -> Spread:
    """Return the smallest, median and largest of at least one number."""
    ordered = sorted(values)
    return Spread(ordered[0], statistics.median(ordered), ordered[-1])


def ratio(theirs: Measurement, ours: Measurement) -> Spread:
    """Return how many times faster ours is, repeat by repeat: a slow moment slows both sides."""
    return spread(a / b for a, b in zip(theirs.seconds, ours.seconds, strict=False))


def clock(action: Callable[..., object], *arguments: Any) -> float:
    """Return the seconds that a call takes."""
    start = time.perf_counter()
    action(*arguments)
    return time.perf_counter() - start


def repeated(action: Callable[[], object]) -> Work:
    """Return the work of which one unit is one call."""

    def work(units: int) -> None:
        for _ in range(units):
            action()

    return work


def best_s(work: Work, units: int, repeats: int = 9) -> float:
    """Return the seconds of one unit in the fastest of several measurements."""
    return min(clock(work, units) for _ in range(repeats)) / units


def interleave(
    works: Mapping[Key, Work], *, repeats: int, slice_s: float, few: Sequence[Key] = (), most: int = 2
) -> dict[Key, Measurement]:
    """Time every work in turn, `repeats` times over.

    Each is run once to warm up, then with as many units as fill `slice_s`.

    Args:
        works: name -> work.
        repeats: rounds.
        slice_s: how long a measurement lasts at least; a work that takes longer for one unit does one.
        few: names of slow works, which only the first `most` rounds measure.
        most: see `few`.
    """
    units = {name: _units(work, slice_s) for name, work in works.items()}
    seconds: dict[Key, list[float]] = {name: [] for name in works}
    for k in range(repeats):
        for name, work in works.items():
            if k < most or name not in few:
                seconds[name].append(clock(work, units[name]) / units[name])
    return {name: Measurement(tuple(values), units[name]) for name, values in seconds.items()}


def _units(work: Work, slice_s: float) -> int:
    """Return how many units fill a slice; the runs that measure it warm caches and compiled code up."""
    took, units = clock(work, 1), 1
    if took >= slice_s:
        return 1
    while True:
        took = clock(work, units)
        if took >= slice_s / 4:
            return max(1, round(units * slice_s / max(took, 1e-9)))
        units *= 4


@contextlib.contextmanager
def pinned() -> Iterator[int | None]:
    """Keep this thread, and the processes that it starts, on one core; its number, None where none can be had."""
    if sys.platform != "linux":
        yield None
        return
    before = os.sched_getaffinity(0)
    core = max(before)
    os.sched_setaffinity(0, {core})
    try:
        yield core
    finally:
        os.sched_setaffinity(0, before)


def machine() -> dict[str, Any]:
    """Return what the measurements are from: processor, cores, load averages, Python."""
    model = ""
    if (cpuinfo := Path("/proc/cpuinfo")).exists():
        lines = [s for s in cpuinfo.read_text().splitlines() if s.startswith("model name")]
        model = lines[0].partition(":")[2].strip() if lines else ""
    return {
        "cpu": model or platform.processor(),
        "cores": os.cpu_count(),
        "load": list(os.getloadavg()),
        "python": platform.python_version(),
    }


def describe(machine: Mapping[str, Any]) -> str:
    """Return the line about the machine above a table."""
    load = ", ".join(f"{value:.1f}" for value in machine["load"])
    return f"{machine['cpu']}, core {machine['core']} of {machine['cores']}, load {load}"
