"""The CFR benchmark: iterations and exploitability of all engines, whole candidates, memory, on one core in one run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from rich.markup import escape
from rich.table import Table

import seeds
from benchmarks import floors, memory, whole
from benchmarks.engines import EXPLOITABILITY, ITERATION, OURS, TRAVERSAL, Engine, engines
from benchmarks.timing import (
    Measurement,
    Spread,
    Work,
    describe,
    interleave,
    machine,
    pinned,
    ratio,
    repeated,
    short,
)
from evaluators.cfr.domain import DOMAIN
from evaluators.games import suites
from evaluators.games.compile import load_turn_based
from evaluators.games.compiled import CompiledGame
from evaluators.games.loading import load_tree
from evolve.cli.output import console
from evolve.cli.tables import plain_table
from sandbox.process import ProcessSandbox

TRAINING = suites.SUITES["paper"]
TARGETS = {
    ("OpenSpiel C++", ITERATION, TRAVERSAL): 300.0,
    ("LiteEFG", ITERATION, TRAVERSAL): 150.0,
    ("OpenSpiel Python", EXPLOITABILITY, EXPLOITABILITY): 1000.0,
}
"""(engine, its measure, our measure) -> times faster that we want to be on the games of the suite paper together."""

OPENSPIEL = "OpenSpiel Python"
CANDIDATE_TARGETS = {whole.IN_PROCESS: 1200.0, whole.SANDBOXED: 800.0}
"""Times faster than OpenSpiel's Python solver that a whole candidate is to be."""

BIG = ("liars_dice6", "leduc3")
"""Games that are measured when asked for; whole candidates and the small worker leave them out."""

NOT_INSTALLED = "not installed"

PAIRS = ((ITERATION, TRAVERSAL), (ITERATION, ITERATION), (EXPLOITABILITY, EXPLOITABILITY))
"""What is compared: a measure of theirs, and one of ours."""


class Speedup(NamedTuple):
    """How many times faster our measure `ours` is than an engine's measure `theirs`."""

    engine: str
    theirs: str
    ours: str
    times: Spread

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data, with the target where there is one."""
        return self._asdict() | {"times": list(self.times), "target": TARGETS.get(self[:3])}


@dataclass(frozen=True)
class GameBench:
    """One game: what was measured, by (engine, measure), and what was left out, with the reason."""

    game: str
    terminals: int
    sequences: tuple[int, ...]
    measured: Mapping[tuple[str, str], Measurement]
    skipped: Mapping[tuple[str, str], str]
    floor: floors.Floor

    def speedups(self) -> list[Speedup]:
        """Compare with every other engine; its iteration counts against our traversal and against our iteration."""
        others = dict.fromkeys(engine for engine, _ in self.measured if engine != OURS)
        return [
            Speedup(engine, theirs, ours, ratio(self.measured[engine, theirs], self.measured[OURS, ours]))
            for engine in others
            for theirs, ours in PAIRS
            if (engine, theirs) in self.measured
        ]

    @property
    def over_floor(self) -> float:
        """Our fastest traversal / its floor."""
        return self.measured[OURS, TRAVERSAL].ms.min / self.floor.ms

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data; a spread is [min, median, max]."""
        rows = [
            {"engine": engine, "measure": m, "ms": list(v.ms), "units": v.units, "repeats": len(v.seconds)}
            for (engine, m), v in self.measured.items()
        ]
        return {
            "game": self.game,
            "terminals": self.terminals,
            "sequences": list(self.sequences),
            "measured": rows,
            "skipped": [{"engine": e, "measure": m, "reason": r} for (e, m), r in self.skipped.items()],
            "speedups": [speedup.to_json() for speedup in self.speedups()],
            "floor": self.floor._asdict() | {"ms": self.floor.ms, "traversal_over_floor": self.over_floor},
        }


@dataclass(frozen=True)
class Report:
    """All of it. `engines` maps a name to its version, None where it is not installed."""

    machine: Mapping[str, Any]
    engines: Mapping[str, str | None]
    games: tuple[GameBench, ...]
    candidate: whole.Whole | None
    openings: tuple[memory.Opening, ...]
    workers: tuple[memory.WorkerMemory, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the report as plain data; a spread is [min, median, max]."""
        return {
            "machine": dict(self.machine),
            "engines": [
                {"name": n, "installed": v is not None, "version": v} for n, v in self.engines.items()
            ],
            "games": [bench.to_json() for bench in self.games],
            "together": [speedup.to_json() for speedup in together(self.games)],
            "candidate": _candidate_json(self.candidate) if self.candidate else None,
            "openings": [opening._asdict() | {"ms": list(opening.ms)} for opening in self.openings],
            "workers": [worker._asdict() | {"games": list(worker.games)} for worker in self.workers],
        }

    def show(self) -> None:
        """Print the report for a person."""
        out = console()
        out.print(describe(self.machine))
        for name, version in self.engines.items():
            out.print(f"  {name}: {version or escape('not installed; evolve-marl[bench] has it')}")
        out.print("\nMilliseconds, min–median–max of interleaved repeats:")
        out.print(_times(self.games))
        for line in _left_out(self.games):
            out.print(line)
        out.print("Times faster, within a repeat (our traversal alone stands against their whole iteration):")
        out.print(_speedups(self.games))
        if self.candidate is not None:
            games, iterations = ", ".join(map(escape, self.candidate.games)), self.candidate.iterations
            out.print(
                f"A whole candidate: CFR+, {iterations} iterations, exact payoffs, with checkpoints; {games}.\n"
                f"{OPENSPIEL}: 1 iteration per repeat measured, times {iterations}, no scoring."
            )
            out.print(self.candidate.table())
        out.print(
            "\nA traversal's floor: bytes / measured bandwidth of that working set, and the kernel calls:"
        )
        out.print(_floors(self.games))
        out.print("Opening compiled games, and resident memory of a worker (exact and generic payoffs):")
        out.print(_memory(self))


def measure(
    games: Sequence[str], *, repeats: int, slice_s: float, iterations: int, progress: Callable[[str], None]
) -> Report:
    """Measure everything on the core that this thread is pinned to meanwhile.

    Args:
        games: short names or OpenSpiel strings.
        repeats: interleaved repeats of every measurement (slow engines make do with two).
        slice_s: how long a measurement lasts at least.
        iterations: of the whole candidate.
        progress: called with what is being measured.
    """
    names = [suites.resolve(game).name for game in games]
    small, big = [n for n in names if n not in BIG], [n for n in names if n in BIG]
    with pinned() as core:
        compared = engines()
        progress("memory")
        openings = memory.openings(names, repeats=repeats)
        workers = memory.workers(small, big)
        call_s = floors.call_seconds()
        benches = []
        for name in names:
            progress(name)
            benches.append(_game(load_tree(name), compared, call_s, repeats=repeats, slice_s=slice_s))
        progress("whole candidates")
        candidate = _candidate(small, iterations=iterations, repeats=repeats) if small else None
        about = machine() | {"core": core}
    versions = {engine.name: engine.version for engine in compared}
    return Report(about, versions, tuple(benches), candidate, tuple(openings), tuple(workers))


def _game(
    game: CompiledGame, compared: Sequence[Engine], call_s: float, *, repeats: int, slice_s: float
) -> GameBench:
    works: dict[tuple[str, str], Work] = {}
    skipped: dict[tuple[str, str], str] = {}
    for engine in compared:
        left_out = dict(engine.skips(game))
        if engine.version is None:
            left_out = dict.fromkeys((ITERATION, EXPLOITABILITY), NOT_INSTALLED)
        skipped |= {(engine.name, m): reason for m, reason in left_out.items()}
        if not {ITERATION, EXPLOITABILITY} <= left_out.keys():
            prepared = engine.prepare(game).items()
            works |= {(engine.name, m): work for m, work in prepared if m not in left_out}
    slow = {engine.name for engine in compared if engine.slow}
    return GameBench(
        game=game.name,
        terminals=game.form.num_terminals,
        sequences=game.form.num_sequences,
        measured=interleave(works, repeats=repeats, slice_s=slice_s, few=[k for k in works if k[0] in slow]),
        skipped=skipped,
        floor=floors.floor(game, call_s),
    )


def _candidate(games: Sequence[str], *, iterations: int, repeats: int) -> whole.Whole:
    """Compare CFR+ as a campaign evaluates it with OpenSpiel's Python solver, extrapolated from one iteration."""
    from open_spiel.python.algorithms import cfr

    solvers = [cfr.CFRPlusSolver(load_turn_based(load_tree(game).game_string)) for game in games]

    def iterate() -> None:
        for solver in solvers:
            solver.evaluate_and_update_policy()

    with ProcessSandbox(modules=DOMAIN.sandbox_modules) as sandbox:
        isolation = sandbox.level.label
        measured = whole.measure(
            DOMAIN,
            seeds.source("cfr", "cfr_plus"),
            games,
            iterations=iterations,
            sandbox=sandbox,
            repeats=repeats,
            peer={OPENSPIEL: repeated(iterate)},
        )
    one, units = measured[OPENSPIEL]
    measured[OPENSPIEL] = Measurement(tuple(seconds * iterations for seconds in one), units)
    return whole.Whole(tuple(games), iterations, isolation, OPENSPIEL, measured, CANDIDATE_TARGETS)


def together(benches: Sequence[GameBench]) -> list[Speedup]:
    """Compare on the sum of all games but the big ones, with engines that were measured on each of them."""
    small = [bench for bench in benches if bench.game not in BIG]
    others = dict.fromkeys(engine for bench in small for engine, _ in bench.measured if engine != OURS)
    return [
        Speedup(engine, theirs, ours, ratio(_sum(small, engine, theirs), _sum(small, OURS, ours)))
        for engine in others
        if all((engine, m) in bench.measured for bench in small for m in (ITERATION, EXPLOITABILITY))
        for theirs, ours in PAIRS
    ]


def _sum(benches: Sequence[GameBench], engine: str, measure: str) -> Measurement:
    """Add up one unit on each game, repeat by repeat."""
    parts = (bench.measured[engine, measure].seconds for bench in benches)
    return Measurement(tuple(map(sum, zip(*parts, strict=False))), 1)


def _candidate_json(candidate: whole.Whole) -> dict[str, Any]:
    return {
        "games": list(candidate.games),
        **candidate.to_json(),
        "seconds": {side: list(candidate.seconds(side)) for side in candidate.measured},
        "openspiel_iterations_measured": candidate.measured[OPENSPIEL].units,
    }


def _times(benches: Sequence[GameBench]) -> Table:
    table = plain_table("game", "engine", right=["iteration", "exploitability"])
    for bench in benches:
        alone = bench.measured[OURS, TRAVERSAL].ms
        table.add_row(bench.game, f"{OURS}, traversal", str(alone), "")
        rows = dict.fromkeys(e for e, _ in (*bench.measured, *bench.skipped))
        for engine in rows:
            cells = [_cell(bench, engine, measure) for measure in (ITERATION, EXPLOITABILITY)]
            table.add_row("", engine, *cells, end_section=engine == [*rows][-1])
    return table


def _cell(bench: GameBench, engine: str, measure: str) -> str:
    measured = bench.measured.get((engine, measure))
    return str(measured.ms) if measured else "-"


def _left_out(benches: Sequence[GameBench]) -> list[str]:
    """Return why there is a dash, for engines that are installed."""
    reasons = (
        (f"{engine}, {bench.game}", why) for bench in benches for (engine, _), why in bench.skipped.items()
    )
    return [f"  {where}: {why}" for where, why in dict(reasons).items() if why != NOT_INSTALLED]


def _speedups(benches: Sequence[GameBench]) -> Table:
    heads = ["traversal alone", "iteration", "exploitability"]
    table = plain_table("game", "against", right=heads)
    groups = [(bench.game, bench.speedups()) for bench in benches]
    if len(benches) > 1:
        groups.append(("together", together(benches)))
    for name, speedups in groups:
        engines = dict.fromkeys(s.engine for s in speedups)
        for engine in engines:
            cells = [_times_cell(speedups, engine, *pair) for pair in PAIRS]
            first, last = engine == next(iter(engines)), engine == [*engines][-1]
            table.add_row(name if first else "", engine, *cells, end_section=last)
    for (engine, theirs, ours), target in TARGETS.items():
        cells = [f"≥ {target:,.0f}" if (theirs, ours) == pair else "" for pair in PAIRS]
        table.add_row("[dim]target[/dim]", f"[dim]{engine}[/dim]", *(f"[dim]{c}[/dim]" for c in cells))
    return table


def _times_cell(speedups: Sequence[Speedup], engine: str, theirs: str, ours: str) -> str:
    times = [str(s.times) for s in speedups if s[:3] == (engine, theirs, ours)]
    return times[0] if times else "-"


def _floors(benches: Sequence[GameBench]) -> Table:
    table = plain_table(
        "game", right=["KB touched", "GB/s", "memory ms", "calls ms", "floor ms", "traversal ms", "× floor"]
    )
    for bench in benches:
        floor = bench.floor
        values = (floor.memory_ms, floor.calls_ms, floor.ms, bench.measured[OURS, TRAVERSAL].ms.min)
        table.add_row(
            bench.game,
            f"{floor.bytes / 1e3:,.0f}",
            f"{floor.gb_per_s:.0f}",
            *(short(value) for value in values),
            f"{bench.over_floor:.1f}",
        )
    return table


def _memory(report: Report) -> Table:
    table = plain_table("", right=["measured", "limit"])
    for opening in report.openings:
        table.add_row(f"open {opening.game}", f"{opening.ms} ms", f"{opening.limit_ms} ms")
    for worker in report.workers:
        games = f"worker with {worker.games[0]} … {worker.games[-1]} ({len(worker.games)} games)"
        measured = f"{worker.rss_mib:.0f} MiB ({worker.anonymous_mib:.0f} its own)"
        table.add_row(games, measured, f"{worker.limit_mib} MiB")
    return table
