"""``evolve bench``: the speed of this installation, always beside what it is compared with."""

from __future__ import annotations

from typing import Annotated

import typer

from evolve.cli import bench_engine, bench_psro, bench_sandbox
from evolve.cli.output import SCHEMA_VERSION, JsonOption, console, print_json, split

app = typer.Typer(
    no_args_is_help=True, help="Measure speed against other implementations, both in one run on one core."
)

app.command("engine")(bench_engine.engine)
app.command("psro")(bench_psro.psro)
app.command("sandbox")(bench_sandbox.sandbox)


@app.command()
def cfr(
    games: Annotated[
        str | None,
        typer.Option(
            "--games",
            help="Short names or OpenSpiel strings, separated by commas. [default: the four training games]",
            show_default=False,
        ),
    ] = None,
    big: Annotated[
        bool, typer.Option("--all", help="Also 6-sided Liar's Dice and 3-player Leduc (some minutes).")
    ] = False,
    repeats: Annotated[int, typer.Option(min=1, help="Interleaved repeats of every measurement.")] = 5,
    slice_ms: Annotated[float, typer.Option(min=0.0, help="How long a measurement lasts at least.")] = 50.0,
    iterations: Annotated[int, typer.Option(min=1, help="Iterations of the whole candidate.")] = 1000,
    as_json: JsonOption = False,
) -> None:
    """Compare CFR+ and exploitability with OpenSpiel (C++, Python) and LiteEFG; whole candidates, memory, floors.

    Example: evolve bench cfr --games kuhn3,leduc2 --repeats 3
    """
    from benchmarks import cfr as bench
    from evolve.cli.bench_tables import print_cfr

    chosen = list(split(games) or bench.TRAINING)
    chosen += [name for name in bench.BIG if big and name not in chosen]
    err = console(stderr=True)
    with err.status("compiling") as status:
        report = bench.measure(
            chosen,
            repeats=repeats,
            slice_s=slice_ms / 1e3,
            iterations=iterations,
            progress=lambda what: status.update(f"measuring: {what}"),
        )
    if as_json:
        print_json({"schema_version": SCHEMA_VERSION} | bench.to_json(report))
    else:
        print_cfr(report)
