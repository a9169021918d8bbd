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
from typing import Any, NamedTuple

Work = Callable[[int], object]
"""Does a number of units of work, such as iterations."""


class Spread(NamedTuple):
    """Smallest, median and largest of the repeats."""

    min: float
    median: float
    max: float


class Measurement(NamedTuple):
    """`seconds` per unit, an entry per repeat, each measured over `units` units."""

    seconds: tuple[float, ...]
    units: int

    @property
    def ms(self) -> Spread:
        """Milliseconds per unit."""
        return spread(1e3 * s for s in self.seconds)


def spread(values: Iterable[float]) -> Spread:
    """Smallest, median and largest of at least one number."""
    found = sorted(values)
    return Spread(found[0], statistics.median(found), found[-1])


def ratio(theirs: Measurement, ours: Measurement) -> Spread:
    """How many times faster ours is, repeat by repeat (as many as both have): a slow moment slows both sides."""
    return spread(a / b for a, b in zip(theirs.seconds, ours.seconds, strict=False))


def interleave(
    works: Mapping[str, Work], *, repeats: int, slice_s: float, few: Sequence[str] = (), most: int = 2
) -> dict[str, Measurement]:
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
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for k in range(repeats):
        for name, work in works.items():
            if name in few and k >= most:
                continue
            seconds[name].append(_timed(work, units[name]) / units[name])
    return {name: Measurement(tuple(values), units[name]) for name, values in seconds.items()}


def _units(work: Work, slice_s: float) -> int:
    """How many units fill a slice; the runs that find it out warm caches and compiled code up."""
    took, units = _timed(work, 1), 1
    if took >= slice_s:
        return 1
    while True:
        took = _timed(work, units)
        if took >= slice_s / 4:
            return max(1, round(units * slice_s / max(took, 1e-9)))
        units *= 4


def _timed(work: Work, units: int) -> float:
    start = time.perf_counter()
    work(units)
    return time.perf_counter() - start


@contextlib.contextmanager
def pinned() -> Iterator[int | None]:
    """This thread, and the processes that it starts, on one core; its number, or None where none can be had."""
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
    """What the measurements are from: processor, cores, load averages, Python."""
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
