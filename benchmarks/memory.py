"""What an evaluation worker keeps in memory, and how long it takes to open a compiled game."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import NamedTuple

import seeds
from benchmarks.processes import status_mib
from benchmarks.timing import Spread, clock, spread
from evaluators.cfr.domain import DOMAIN
from evaluators.games import cache, suites
from evolve.evaluation.job import run_job
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
    opened = []
    for name, string in map(suites.resolve, games):
        large = cache.load(string).num_terminals > LARGE
        times = spread(1e3 * clock(cache.load, string) for _ in range(repeats))
        opened.append(Opening(name, times, MAX_OPEN_MS_LARGE if large else MAX_OPEN_MS))
    return opened


def workers(small: Sequence[str], large: Sequence[str]) -> list[WorkerMemory]:
    """Measure a fresh worker's memory after `small` games, and after `large` ones on top where there are any.

    Raises:
        RuntimeError: CFR+ did not end well.
    """
    measured = []
    with LocalExecutor(1) as executor:
        games: tuple[str, ...] = ()
        for more, limit in ((small, MAX_MIB), (large, MAX_MIB_LARGE)):
            if more:
                games += tuple(more)
                plan = DOMAIN.plan(more, budget=2)
                source = seeds.source("cfr", "cfr_plus")
                outcome = executor.submit(run_job, DOMAIN.name, source, plan).result().outcome
                if not outcome.ok:
                    raise RuntimeError(f"CFR+ ended as {outcome.tag}: {outcome.message}")
                pid = executor.submit(os.getpid).result()
                rss, anonymous = (status_mib(pid, field) for field in ("VmRSS", "RssAnon"))
                measured.append(WorkerMemory(games, rss, anonymous, limit))
    return measured
