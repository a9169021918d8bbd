"""The CFR benchmark: iterations and exploitability of all engines, whole candidates, memory, on one core in one run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from benchmarks import candidates, floors, memory
from benchmarks.engines import EXPLOITABILITY, ITERATION, OURS, TRAVERSAL, Engine, engines
from benchmarks.timing import Measurement, Spread, Work, interleave, machine, pinned, ratio
from evaluators.games import suites
from evaluators.games.game import Game, load

TRAINING = suites.SUITES["train"]
TARGETS = {
    ("OpenSpiel C++", ITERATION, TRAVERSAL): 300.0,
    ("LiteEFG", ITERATION, TRAVERSAL): 150.0,
    ("OpenSpiel Python", EXPLOITABILITY, EXPLOITABILITY): 1000.0,
}
"""(engine, its measure, our measure) -> times faster that we want to be on the training games together."""

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


@dataclass(frozen=True)
class GameBench:
    """One game: what was measured, by (engine, measure), and what was left out, with the reason."""

    game: str
    terminals: int
    sequences: tuple[int, ...]
    measured: Mapping[tuple[str, str], Measurement]
    skipped: Mapping[tuple[str, str], str]
    floor: floors.Floor

    def speedup(self, engine: str, measure: str, ours: str) -> Spread | None:
        """How many times faster our measure `ours` is than an engine's `measure`, if that was measured."""
        theirs = self.measured.get((engine, measure))
        return ratio(theirs, self.measured[OURS, ours]) if theirs else None

    def speedups(self) -> list[Speedup]:
        """Against every other engine; its iteration counts against our traversal and against our iteration."""
        others = dict.fromkeys(engine for engine, _ in self.measured if engine != OURS)
        found = []
        for engine in others:
            for theirs, ours in PAIRS:
                times = self.speedup(engine, theirs, ours)
                found += [Speedup(engine, theirs, ours, times)] if times else []
        return found

    @property
    def over_floor(self) -> float:
        """Our fastest traversal / its floor."""
        return self.measured[OURS, TRAVERSAL].ms.min / self.floor.ms


@dataclass(frozen=True)
class Report:
    """All of it. `engines` maps a name to its version, None where it is not installed."""

    machine: Mapping[str, Any]
    engines: Mapping[str, str | None]
    games: tuple[GameBench, ...]
    candidate: candidates.CandidateBench | None
    openings: tuple[memory.Opening, ...]
    workers: tuple[memory.WorkerMemory, ...]


def measure(
    games: Sequence[str], *, repeats: int, slice_s: float, iterations: int, progress: Callable[[str], None]
) -> Report:
    """Measure everything on the core that this thread is pinned to meanwhile.

    Args:
        games: short names or OpenSpiel strings.
        repeats: interleaved repeats of every measurement (slow engines make do with two).
        slice_s: how long a measurement lasts at least.
        iterations: of the whole candidate.
        progress: is told what is being measured.
    """
    names = [suites.resolve(game).name for game in games]
    small, big = [n for n in names if n not in BIG], [n for n in names if n in BIG]
    with pinned() as core:
        found = engines()
        progress("memory")
        openings = memory.openings(names, repeats=repeats)
        workers = memory.workers(small, big)
        call_s = floors.call_seconds()
        benches = []
        for name in names:
            progress(name)
            benches.append(_game(load(name), found, call_s, repeats=repeats, slice_s=slice_s))
        progress("whole candidates")
        whole = candidates.measure(small, iterations=iterations, repeats=repeats) if small else None
        about = machine() | {"core": core}
    return Report(
        about, {e.name: e.version for e in found}, tuple(benches), whole, tuple(openings), tuple(workers)
    )


def _game(game: Game, found: Sequence[Engine], call_s: float, *, repeats: int, slice_s: float) -> GameBench:
    works: dict[str, Work] = {}
    keys: dict[str, tuple[str, str]] = {}
    skipped: dict[tuple[str, str], str] = {}
    slow: list[str] = []
    for engine in found:
        left_out = dict(engine.skips(game))
        if engine.version is None:
            left_out = dict.fromkeys((ITERATION, EXPLOITABILITY), NOT_INSTALLED)
        skipped |= {(engine.name, m): reason for m, reason in left_out.items()}
        if {ITERATION, EXPLOITABILITY} <= left_out.keys():
            continue
        for m, work in engine.prepare(game).items():
            if m not in left_out:
                name = f"{engine.name} {m}"
                works[name], keys[name] = work, (engine.name, m)
                slow += [name] if engine.slow else []
    measured = interleave(works, repeats=repeats, slice_s=slice_s, few=slow)
    return GameBench(
        game=game.name,
        terminals=game.form.num_terminals,
        sequences=game.form.num_sequences,
        measured={keys[name]: value for name, value in measured.items()},
        skipped=skipped,
        floor=floors.floor(game, call_s),
    )


def together(benches: Sequence[GameBench]) -> list[Speedup]:
    """Speedups on the sum of all games but the big ones, for engines that were measured on each of them."""
    small = [bench for bench in benches if bench.game not in BIG]
    everywhere = [
        e
        for e in _in_order(small)
        if all((e, m) in b.measured for b in small for m in (ITERATION, EXPLOITABILITY))
    ]
    found = []
    for engine in everywhere:
        for theirs, ours in PAIRS:
            sums = [_sum(b.measured[key] for b in small) for key in ((engine, theirs), (OURS, ours))]
            found.append(Speedup(engine, theirs, ours, ratio(*sums)))
    return found


def _in_order(benches: Sequence[GameBench]) -> list[str]:
    return list(dict.fromkeys(e for bench in benches for e, _ in bench.measured if e != OURS))


def _sum(parts: Iterable[Measurement]) -> Measurement:
    """One unit of each part, repeat by repeat."""
    return Measurement(tuple(map(sum, zip(*(part.seconds for part in parts), strict=False))), 1)


def to_json(report: Report) -> dict[str, Any]:
    """The report as plain data; a spread is [min, median, max]."""
    return {
        "machine": dict(report.machine),
        "engines": [{"name": n, "installed": v is not None, "version": v} for n, v in report.engines.items()],
        "games": [_game_json(bench) for bench in report.games],
        "together": [_speedup_json(found) for found in together(report.games)],
        "candidate": _candidate_json(report.candidate) if report.candidate else None,
        "openings": [{"game": o.game, "ms": list(o.ms), "limit_ms": o.limit_ms} for o in report.openings],
        "workers": [w._asdict() | {"games": list(w.games)} for w in report.workers],
    }


def _game_json(bench: GameBench) -> dict[str, Any]:
    rows = [
        {"engine": engine, "measure": m, "ms": list(value.ms), "units": value.units, "repeats": len(value.seconds)}
        for (engine, m), value in bench.measured.items()
    ]  # fmt: skip
    return {
        "game": bench.game,
        "terminals": bench.terminals,
        "sequences": list(bench.sequences),
        "measured": rows,
        "skipped": [{"engine": e, "measure": m, "reason": r} for (e, m), r in bench.skipped.items()],
        "speedups": [_speedup_json(found) for found in bench.speedups()],
        "floor": bench.floor._asdict() | {"ms": bench.floor.ms, "traversal_over_floor": bench.over_floor},
    }


def _speedup_json(found: Speedup) -> dict[str, Any]:
    return found._asdict() | {"times": list(found.times), "target": TARGETS.get(found[:3])}


def _candidate_json(bench: candidates.CandidateBench) -> dict[str, Any]:
    return {
        "games": list(bench.games),
        "iterations": bench.iterations,
        "isolation": bench.isolation,
        "seconds": {
            side: list(Spread(*(v / 1e3 for v in value.ms))) for side, value in bench.measured.items()
        },
        "openspiel_iterations_measured": bench.openspiel_iterations,
        "speedups": [
            {"side": side, "times": list(bench.speedup(side)), "target": target}
            for side, target in candidates.TARGETS.items()
        ],
    }
