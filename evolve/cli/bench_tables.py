"""Tables of ``evolve bench``."""

from __future__ import annotations

from collections.abc import Sequence

from rich.markup import escape

from benchmarks import candidates
from benchmarks.cfr import NOT_INSTALLED, PAIRS, TARGETS, GameBench, Report, Speedup, together
from benchmarks.engines import EXPLOITABILITY, ITERATION, OURS, TRAVERSAL
from benchmarks.timing import Spread
from evolve.cli.output import console
from evolve.cli.tables import plain_table


def print_cfr(report: Report) -> None:
    """Everything that a CFR benchmark measured, for a person."""
    out = console()
    machine = report.machine
    load = ", ".join(f"{value:.1f}" for value in machine["load"])
    out.print(f"{machine['cpu']}, core {machine['core']} of {machine['cores']}, load {load}")
    for name, version in report.engines.items():
        out.print(f"  {name}: {version or escape('not installed; evolve-marl[bench] has it')}")
    out.print("\nMilliseconds, min–median–max of interleaved repeats:")
    out.print(_times(report.games))
    for line in _left_out(report.games):
        out.print(line)
    out.print("Times faster, within a repeat (our traversal alone stands against their whole iteration):")
    out.print(_speedups(report.games))
    _print_candidate(report.candidate)
    out.print("\nA traversal's floor: bytes / measured bandwidth of that working set, and the kernel calls:")
    out.print(_floors(report.games))
    out.print("Opening compiled games, and resident memory of a worker (exact and generic payoffs):")
    out.print(_opening(report))


def _times(benches: Sequence[GameBench]) -> object:
    table = plain_table("game", "engine", right=["iteration", "exploitability"])
    for bench in benches:
        alone = bench.measured[OURS, TRAVERSAL].ms
        table.add_row(bench.game, f"{OURS}, traversal", spread(alone), "")
        rows = dict.fromkeys(e for e, _ in (*bench.measured, *bench.skipped))
        for engine in rows:
            cells = [_cell(bench, engine, measure) for measure in (ITERATION, EXPLOITABILITY)]
            table.add_row("", engine, *cells, end_section=engine == [*rows][-1])
    return table


def _cell(bench: GameBench, engine: str, measure: str) -> str:
    found = bench.measured.get((engine, measure))
    return spread(found.ms) if found else "-"


def _left_out(benches: Sequence[GameBench]) -> list[str]:
    """Why there is a dash, for engines that are installed."""
    reasons = (
        (f"{engine}, {bench.game}", why) for bench in benches for (engine, _), why in bench.skipped.items()
    )
    return [f"  {where}: {why}" for where, why in dict(reasons).items() if why != NOT_INSTALLED]


def _speedups(benches: Sequence[GameBench]) -> object:
    heads = ["traversal alone", "iteration", "exploitability"]
    table = plain_table("game", "against", right=heads)
    groups = [(bench.game, bench.speedups()) for bench in benches]
    if len(benches) > 1:
        groups.append(("together", together(benches)))
    for name, found in groups:
        engines = dict.fromkeys(s.engine for s in found)
        for engine in engines:
            cells = [_times_cell(found, engine, *pair) for pair in PAIRS]
            first, last = engine == next(iter(engines)), engine == [*engines][-1]
            table.add_row(name if first else "", engine, *cells, end_section=last)
    for (engine, theirs, ours), target in TARGETS.items():
        cells = [f"≥ {target:,.0f}" if (theirs, ours) == pair else "" for pair in PAIRS]
        table.add_row("[dim]target[/dim]", f"[dim]{engine}[/dim]", *(f"[dim]{c}[/dim]" for c in cells))
    return table


def _times_cell(found: Sequence[Speedup], engine: str, theirs: str, ours: str) -> str:
    times = [s.times for s in found if (s.engine, s.theirs, s.ours) == (engine, theirs, ours)]
    return spread(times[0]) if times else "-"


def _print_candidate(bench: candidates.CandidateBench | None) -> None:
    if bench is None:
        return
    out = console()
    games = ", ".join(map(escape, bench.games))
    out.print(
        f"A whole candidate: CFR+, {bench.iterations} iterations, exact payoffs, with checkpoints; {games}.\n"
        f"OpenSpiel Python: {bench.openspiel_iterations} iteration per repeat measured, "
        f"times {bench.iterations}, no scoring."
    )
    table = plain_table("", right=["seconds", "times faster", "target"])
    for side, measured in bench.measured.items():
        target = candidates.TARGETS.get(side)
        label = f"{side} ({bench.isolation})" if side == candidates.SANDBOXED else side
        seconds = spread(Spread(*(value / 1e3 for value in measured.ms)))
        faster = spread(bench.speedup(side)) if target else ""
        table.add_row(label, seconds, faster, f"≥ {target:,.0f}" if target else "")
    out.print(table)


def _floors(benches: Sequence[GameBench]) -> object:
    table = plain_table(
        "game", right=["KB touched", "GB/s", "memory ms", "calls ms", "floor ms", "traversal ms", "× floor"]
    )
    for bench in benches:
        found = bench.floor
        values = (found.memory_ms, found.calls_ms, found.ms, bench.measured[OURS, TRAVERSAL].ms.min)
        table.add_row(
            bench.game,
            f"{found.bytes / 1e3:,.0f}",
            f"{found.gb_per_s:.0f}",
            *(short(value) for value in values),
            f"{bench.over_floor:.1f}",
        )
    return table


def _opening(report: Report) -> object:
    table = plain_table("", right=["came", "limit"])
    for opening in report.openings:
        table.add_row(f"open {opening.game}", f"{spread(opening.ms)} ms", f"{opening.limit_ms} ms")
    for worker in report.workers:
        games = f"worker with {worker.games[0]} … {worker.games[-1]} ({len(worker.games)} games)"
        came = f"{worker.rss_mib:.0f} MiB ({worker.anonymous_mib:.0f} its own)"
        table.add_row(games, came, f"{worker.limit_mib} MiB")
    return table


def spread(value: Spread) -> str:
    """Smallest, median and largest with three digits."""
    return "–".join(short(v) for v in value)


def short(value: float) -> str:
    """A number with three significant digits."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
