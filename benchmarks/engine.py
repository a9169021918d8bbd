"""The engine's own speed: campaigns with a model on loopback, whose evaluations take a second, or next to nothing.

Everything is as in ``evolve run``: the official client over HTTP, screening, the sandbox, the database, the prompts
with all earlier candidates. Only the server's answers cost nothing to think of; it is a process of its own that is
not counted.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from rich.table import Table

from benchmarks.answering import server
from benchmarks.processes import Cpu, DatabaseClock, campaign_cpu, python_start_ms, status_mib
from evaluators.records import Evaluation
from evolve.cli.output import console
from evolve.cli.tables import plain_table
from evolve.config import CampaignConfig, parse_config
from evolve.evaluation.job import Work, run_job
from evolve.search.events import Event, Told
from evolve.search.run import prepare, run

SLOTS = 2
LATENCY_S = EVALUATION_S = 1.0
CANDIDATES, PACED = 10_000, 120

TARGETS = {"share": 0.9, "rate": 60.0, "total_ms": 15.0, "flat": 1.25, "disk_kb": 10.0}
"""The least share of the ideal and candidates per second; the most CPU, growth of it, and disk for a candidate."""


class Mark(NamedTuple):
    """How a campaign stood when so many candidates were told."""

    told: int
    at_s: float
    cpu: Cpu
    rss_mib: float
    disk_bytes: int
    python_start_ms: float


class Paced(NamedTuple):
    """A campaign whose model and evaluations take their time, on all training games, against what is possible.

    Attributes:
        candidates: how many were proposed, beside the seed.
        latency_s: how long the model took.
        evaluation_s: how long an evaluation took.
        slots: evaluations at a time.
        rate: candidates per second once every slot was busy.
        total_s: the whole campaign, baselines and held-out games included.
        disk_kb: kB of the database for each candidate.
    """

    candidates: int
    latency_s: float
    evaluation_s: float
    slots: int
    rate: float
    total_s: float
    disk_kb: float

    @property
    def ideal(self) -> float:
        """Candidates per second if a slot never waited."""
        return self.slots / self.evaluation_s

    @property
    def share(self) -> float:
        """`rate` against the ideal."""
        return self.rate / self.ideal

    @property
    def total_share(self) -> float:
        """The same over the whole campaign, start and end included."""
        return self.candidates / self.total_s / self.ideal


class Instant(NamedTuple):
    """A campaign whose model answers at once and whose evaluations are trivial, each in a sandbox of its own.

    Attributes:
        candidates: how many were told.
        outcomes: tag -> how many of them.
        rate: candidates per second.
        cpu_ms: part of the engine -> milliseconds of CPU for each candidate.
        first_ms: all parts together, among the first tenth.
        last_ms: the same among the last tenth.
        memory_kb: by how much the campaign's process grew with each candidate.
        disk_kb: kB of the database for each candidate.
        python_start_ms: milliseconds of CPU that starting Python took meanwhile, to compare machines by.
    """

    candidates: int
    outcomes: dict[str, int]
    rate: float
    cpu_ms: dict[str, float]
    first_ms: float
    last_ms: float
    memory_kb: float
    disk_kb: float
    python_start_ms: float

    @property
    def total_ms(self) -> float:
        """CPU of all parts together."""
        return sum(self.cpu_ms.values())

    @property
    def flat(self) -> float:
        """CPU of a late candidate against that of an early one."""
        return self.last_ms / self.first_ms


class Report(NamedTuple):
    """Both, and the machine's load average before and after."""

    paced: Paced
    instant: Instant
    load: tuple[float, float]

    def to_json(self) -> dict[str, Any]:
        """Return the report as plain data, with the targets."""
        paced, instant = self.paced, self.instant
        shares = {"ideal": paced.ideal, "share": paced.share, "total_share": paced.total_share}
        return {
            "load": list(self.load),
            "paced": paced._asdict() | shares,
            "instant": instant._asdict() | {"total_ms": instant.total_ms, "flat": instant.flat},
            "targets": dict(TARGETS),
        }

    def show(self) -> None:
        """Print the report for a person."""
        out, paced, instant = console(), self.paced, self.instant
        out.print(
            f"{paced.candidates:,} candidates, model {paced.latency_s:g} s, evaluation {paced.evaluation_s:g} s in "
            f"{paced.slots} slots, all training games:"
        )
        out.print(_paced_table(paced))
        out.print(f"\n{instant.candidates:,} candidates, model at once, one call into a sandbox each:")
        out.print(_instant_table(instant))
        out.print("load average before and after: " + ", ".join(f"{value:.1f}" for value in self.load))


def _paced_table(paced: Paced) -> Table:
    table = plain_table("", right=["measured", "of the ideal", "target"])
    whole = f"{paced.candidates / paced.total_s:.2f} candidates/s"
    table.add_row(
        "running", f"{paced.rate:.2f} candidates/s", f"{paced.share:.0%}", f"≥ {TARGETS['share']:.0%}"
    )
    table.add_row("with start and end", whole, f"{paced.total_share:.0%}", "")
    table.add_row("database", f"{paced.disk_kb:.1f} kB a candidate", "", f"≤ {TARGETS['disk_kb']:g}")
    return table


def _instant_table(instant: Instant) -> Table:
    table = plain_table("", right=["measured", "target"])
    growth = f"{instant.last_ms:.1f} / {instant.first_ms:.1f} = {instant.flat:.2f}"
    table.add_row("candidates/s", f"{instant.rate:.1f}", f"≥ {TARGETS['rate']:g}")
    table.add_row("CPU of a candidate", f"{instant.total_ms:.1f} ms", f"≤ {TARGETS['total_ms']:g}")
    for part, took in instant.cpu_ms.items():
        table.add_row(f"  {part}", f"{took:.1f} ms", "")
    table.add_row("  in the last tenth / in the first", growth, f"≤ {TARGETS['flat']:g}")
    table.add_row("  starting Python, meanwhile", f"{instant.python_start_ms:.1f} ms", "")
    table.add_row("memory of the campaign", f"{instant.memory_kb:+.1f} kB a candidate", "")
    table.add_row("database", f"{instant.disk_kb:.1f} kB a candidate", f"≤ {TARGETS['disk_kb']:g}")
    return table


def measure(candidates: int, *, paced_candidates: int, progress: Callable[[str, int], None]) -> Report:
    """Run both campaigns.

    Args:
        candidates: of the instant one.
        paced_candidates: of the paced one.
        progress: called with the campaign that runs, and how many candidates it has told.
    """
    before = os.getloadavg()[0]
    paced = measure_paced(paced_candidates, progress=partial(progress, "paced"))
    instant = measure_instant(candidates, progress=partial(progress, "instant"))
    return Report(paced, instant, (before, os.getloadavg()[0]))


def measure_paced(
    candidates: int,
    *,
    latency_s: float = LATENCY_S,
    evaluation_s: float = EVALUATION_S,
    progress: Callable[[int], None] = lambda told: None,
) -> Paced:
    """Measure a campaign whose model and evaluations take so long."""
    with _Bench(latency_s, {"iterations": 100, "candidates": candidates + 1}, progress) as bench:
        # The first are proposed while nothing is evaluated; from then on an ideal engine never waits.
        full = 1 + min(bench.config.lookahead, candidates // 2)
        began = time.monotonic()
        first, last = bench.run([full, candidates + 1], partial(lasting, seconds=evaluation_s))
        total_s = time.monotonic() - began
        return Paced(
            candidates=candidates,
            latency_s=latency_s,
            evaluation_s=evaluation_s,
            slots=SLOTS,
            rate=(last.told - first.told) / (last.at_s - first.at_s),
            total_s=total_s,
            disk_kb=bench.disk_bytes / candidates / 1e3,
        )


def measure_instant(candidates: int, *, progress: Callable[[int], None] = lambda told: None) -> Instant:
    """Measure a campaign of at least a hundred candidates that nothing but the engine slows down."""
    options = {"games": ["kuhn2"], "tiers": ["exact"], "iterations": 5, "candidates": candidates}
    with _Bench(0.0, options, progress) as bench:
        tenth = candidates // 10
        marks = bench.run([tenth // 10, tenth, candidates - tenth, candidates], run_job)
        warm, early, late, end = marks
        count = end.told - warm.told
        return Instant(
            candidates=candidates,
            outcomes=bench.outcomes,
            rate=count / (end.at_s - warm.at_s),
            cpu_ms={part: 1e3 * s / count for part, s in end.cpu.since(warm.cpu)._asdict().items()},
            first_ms=_ms(warm, early),
            last_ms=_ms(late, end),
            memory_kb=1024 * (end.rss_mib - early.rss_mib) / (end.told - early.told),
            disk_kb=bench.disk_bytes / candidates / 1e3,
            python_start_ms=statistics.median(mark.python_start_ms for mark in marks),
        )


def _ms(start: Mark, end: Mark) -> float:
    """Return the CPU of a candidate between two marks."""
    return 1e3 * sum(end.cpu.since(start.cpu)) / (end.told - start.told)


def lasting(*job: Any, seconds: float) -> Evaluation:
    """Evaluate, and have it take so long in all."""
    began = time.monotonic()
    evaluation = run_job(*job)
    time.sleep(max(0.0, began + seconds - time.monotonic()))
    return evaluation


class _Bench:
    """A campaign with a model on loopback, in a directory that is gone afterwards."""

    def __init__(self, latency_s: float, options: dict[str, Any], progress: Callable[[int], None]) -> None:
        self._latency_s, self._options, self._progress = latency_s, options, progress
        self.outcomes: dict[str, int] = {}
        self._marks: list[Mark] = []
        self._wanted: set[int] = set()
        self._told = 0

    def __enter__(self) -> _Bench:
        self._directory = tempfile.TemporaryDirectory(prefix="evolve-bench-")
        self._db = Path(self._directory.name) / "bench.db"
        self._serving = server(self._latency_s)
        url, self._server_pid = self._serving.__enter__()
        llm = {"base_url": f"{url}/v1", "timeout_s": 60.0}
        common = {"operator": "llm", "model": "openai:loopback", "workers": SLOTS, "llm": llm}
        self.config: CampaignConfig = parse_config(common | self._options)
        prepare(self.config)  # Compiles games that no cache holds yet.
        return self

    def __exit__(self, *exc: object) -> None:
        self._serving.__exit__(None, None, None)
        self._directory.cleanup()

    def run(self, told: list[int], work: Work) -> list[Mark]:
        """Run the campaign, and return how it stood at these numbers of told candidates."""
        self._wanted = set(told)
        with DatabaseClock() as self._clock:
            summary = run(self.config, db=str(self._db), observer=self._observe, work=work)
        self.outcomes = dict(summary.outcomes)
        return self._marks

    @property
    def disk_bytes(self) -> int:
        """Size of the database and of what stands beside it."""
        return sum(file.stat().st_size for file in self._db.parent.glob(f"{self._db.name}*"))

    def _observe(self, event: Event) -> None:
        if isinstance(event, Told):
            self._told += 1
            self._progress(self._told)
            if self._told in self._wanted:
                self._marks.append(self._mark())

    def _mark(self) -> Mark:
        cpu = campaign_cpu(self._clock.seconds, without=self._server_pid)
        return Mark(
            self._told, time.monotonic(), cpu, status_mib(os.getpid()), self.disk_bytes, python_start_ms()
        )
