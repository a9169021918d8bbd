"""``evolve bench psro``: whole PSRO runs beside OpenSpiel's psro_v2."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from evolve.cli.output import SCHEMA_VERSION, JsonOption, console, print_json

if TYPE_CHECKING:
    from benchmarks.psro import Costly, Report, Whole


def psro(
    game: Annotated[str, typer.Option("--game", help="A short name or an OpenSpiel string.")] = "leduc2",
    iterations: Annotated[int, typer.Option(min=1, help="Iterations of the whole run.")] = 20,
    everything: Annotated[
        bool,
        typer.Option("--all", help="Also SHOR-PSRO's CPU seconds on the four training games (minutes)."),
    ] = False,
    repeats: Annotated[int, typer.Option(min=1, help="Interleaved repeats; psro_v2 makes do with two.")] = 5,
    as_json: JsonOption = False,
) -> None:
    """Compare whole PSRO runs, exact payoffs and best responses, with OpenSpiel's psro_v2, both in one run on one core.

    Example: evolve bench psro --game kuhn2 --repeats 2
    """
    from benchmarks import psro as bench

    with console(stderr=True).status("compiling") as status:
        report = bench.measure(
            game,
            iterations=iterations,
            repeats=repeats,
            costly_games=bench.TRAINING if everything else (),
            progress=lambda what: status.update(f"measuring: {what}"),
        )
    if as_json:
        print_json({"schema_version": SCHEMA_VERSION} | bench.to_json(report))
    else:
        print_psro(report)


def print_psro(report: Report) -> None:
    """Everything that a PSRO benchmark measured, for a person."""
    out = console()
    machine = report.machine
    load = ", ".join(f"{value:.1f}" for value in machine["load"])
    out.print(f"{machine['cpu']}, core {machine['core']} of {machine['cores']}, load {load}")
    _print_whole(report.whole, f"OpenSpiel {report.openspiel}")
    if report.costly is not None:
        _print_costly(report.costly)


def _print_whole(whole: Whole, openspiel: str) -> None:
    from benchmarks import psro as bench
    from benchmarks.timing import Spread
    from evolve.cli.bench_tables import spread
    from evolve.cli.tables import plain_table

    out = console()
    out.print(
        f"{whole.iterations} PSRO iterations on {whole.game}: uniform solver, exact payoffs and responses.\n"
        f"{openspiel}; min–median–max of interleaved repeats:",
        markup=False,
    )
    target = f"≥ {whole.target:,.0f}" if whole.target else ""
    table = plain_table("", right=["seconds", "times faster", "target"])
    for side, measured in whole.measured.items():
        label = f"evolve, {side}" if side != bench.OPENSPIEL else side
        label += f" ({whole.isolation})" if side == bench.SANDBOXED else ""
        times = whole.speedup(side) if side != bench.OPENSPIEL else None
        seconds = spread(Spread(*(value / 1e3 for value in measured.ms)))
        table.add_row(label, seconds, *((spread(times), target) if times else ("", "")))
    out.print(table)
    if whole.skipped:
        out.print(f"{bench.OPENSPIEL}: {whole.skipped}", markup=False)


def _print_costly(costly: Costly) -> None:
    from benchmarks import psro as bench
    from evolve.cli.tables import plain_table

    out = console()
    out.print(
        f"{costly.program}, {costly.iterations} iterations, exact payoffs, {costly.isolation}:", markup=False
    )
    table = plain_table("game", right=["CPU s", "target"])
    for game, cpu_s in costly.cpu_s.items():
        table.add_row(game, f"{cpu_s:.1f}")
    table.add_row("together", f"{costly.total_cpu_s:.1f}", f"≤ {bench.COSTLY_TARGET_CPU_S:.0f}")
    out.print(table)
