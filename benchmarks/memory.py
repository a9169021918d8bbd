"""What an evaluation worker keeps in memory, and how long it takes to open a compiled game."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import seeds
from benchmarks.timing import Spread, spread
from evaluators.cfr.domain import DOMAIN
from evaluators.games import cache, suites
from evolve.evaluation.job import Job, run_job
from evolve.evaluation.local import LocalExecutor

MAX_MIB, MAX_MIB_LARGE = 250, 600
"""RSS that a worker may have with the training suite, and with 3-player Leduc as well."""
MAX_OPEN_MS, MAX_OPEN_MS_LARGE = 50, 200
"""Milliseconds that opening a compiled game may take; the second for games of more than `LARGE` terminals."""
LARGE = 500_000


class WorkerMemory(NamedTuple):
    """Resident memory of a worker, MiB, after it evaluated CFR+ on `games` (exact and generic payoffs).

    `anonymous_mib` is its own; the rest of `rss_mib` is libraries and compiled games, which workers share. The
    sandbox's runner and candidate are processes of their own and not counted.
    """

    games: tuple[str, ...]
    rss_mib: float
    anonymous_mib: float
    limit_mib: int


class Opening(NamedTuple):
    """Milliseconds to open a compiled game from the cache (files in the page cache), and the limit."""

    game: str
    ms: Spread
    limit_ms: int


def openings(games: Sequence[str], *, repeats: int) -> list[Opening]:
    """Time the opening of each game's cache entry, which exists afterwards in any case."""
    found = []
    for name, string in map(suites.resolve, games):
        form = cache.load(string)
        times = []
        for _ in range(repeats):
            start = time.perf_counter()
            cache.load(string)
            times.append(1e3 * (time.perf_counter() - start))
        limit = MAX_OPEN_MS_LARGE if form.num_terminals > LARGE else MAX_OPEN_MS
        found.append(Opening(name, spread(times), limit))
    return found


def workers(small: Sequence[str], large: Sequence[str]) -> list[WorkerMemory]:
    """A fresh worker's memory after `small` games, and after `large` ones on top where there are any."""
    found = []
    with LocalExecutor(1) as executor:
        games: tuple[str, ...] = ()
        for more, limit in ((small, MAX_MIB), (large, MAX_MIB_LARGE)):
            if more:
                games += tuple(more)
                plan = DOMAIN.plan(more, iterations=2)
                job = Job(DOMAIN.name, seeds.source("cfr", "cfr_plus"), plan)
                outcome = executor.submit(run_job, job).result().outcome
                if not outcome.ok:
                    raise RuntimeError(f"CFR+ ended as {outcome.tag}: {outcome.message}")
                rss, anonymous = executor.submit(resident_mib).result()
                found.append(WorkerMemory(games, rss, anonymous, limit))
    return found


def resident_mib() -> tuple[float, float]:
    """Resident memory of this process, all of it and the anonymous part, MiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    fields = dict(line.split(":", 1) for line in lines)
    return tuple(int(fields[key].split()[0]) / 1024 for key in ("VmRSS", "RssAnon"))  # type: ignore[return-value]
