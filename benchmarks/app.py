"""The command line of the benchmarks. What measures is imported when its command runs, so that help is quick."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Protocol

import typer

from evolve.cli.app import Group
from evolve.cli.output import SCHEMA_VERSION, JsonOption, console, print_json, split

app = typer.Typer(
    cls=Group,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Measure speed beside what it is compared with, both in one run on one core.",
)


class Report(Protocol):
    """What a benchmark measured."""

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        ...

    def show(self) -> None:
        """Print it for a person."""
        ...


def _print(report: Report, *, as_json: bool) -> None:
    if as_json:
        print_json({"schema_version": SCHEMA_VERSION} | report.to_json())
    else:
        report.show()


@app.command()
def cfr(
    games: Annotated[
        str | None,
        typer.Option(
            "--games",
            help="Short names or OpenSpiel strings, separated by commas. [default: the four of the suite paper]",
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

    Example: python -m benchmarks cfr --games kuhn3,leduc2 --repeats 3
    """
    from benchmarks import cfr as bench

    chosen = list(split(games) or bench.TRAINING)
    chosen += [name for name in bench.BIG if big and name not in chosen]
    with console(stderr=True).status("compiling") as status:
        report = bench.measure(
            chosen,
            repeats=repeats,
            slice_s=slice_ms / 1e3,
            iterations=iterations,
            progress=lambda what: status.update(f"measuring: {what}"),
        )
    _print(report, as_json=as_json)


@app.command()
def river(
    spot: Annotated[str, typer.Option(help="A spot, as evolve river takes it.")] = "libratus3",
    repeats: Annotated[int, typer.Option(min=1, help="Interleaved repeats of every measurement.")] = 5,
    slice_ms: Annotated[float, typer.Option(min=0.0, help="How long a measurement lasts at least.")] = 200.0,
    as_json: JsonOption = False,
) -> None:
    """Compare traversals of a river subgame with a straightforward form, and with the compiled tree.

    Example: python -m benchmarks river --repeats 9
    """
    from benchmarks import river as bench

    _print(bench.measure(spot, repeats=repeats, slice_s=slice_ms / 1e3), as_json=as_json)


@app.command()
def psro(
    game: Annotated[str, typer.Option("--game", help="A short name or an OpenSpiel string.")] = "leduc2",
    iterations: Annotated[int, typer.Option(min=1, help="Iterations of the whole run.")] = 20,
    everything: Annotated[
        bool,
        typer.Option(
            "--all", help="Also SHOR-PSRO's CPU seconds on the four games of the suite paper (minutes)."
        ),
    ] = False,
    repeats: Annotated[int, typer.Option(min=1, help="Interleaved repeats; psro_v2 makes do with two.")] = 5,
    as_json: JsonOption = False,
) -> None:
    """Compare whole PSRO runs, exact payoffs and best responses, with OpenSpiel's psro_v2, both in one run on one core.

    Example: python -m benchmarks psro --game kuhn2 --repeats 2
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
    _print(report, as_json=as_json)


@app.command()
def games(
    games: Annotated[
        str | None,
        typer.Option("--games", help="Names, separated by commas. [default: all listed]", show_default=False),
    ] = None,
    programs: Annotated[
        str | None,
        typer.Option("--programs", help="Names of CFR seeds. [default: all]", show_default=False),
    ] = None,
    payoff_seeds: Annotated[
        int, typer.Option("--seeds", min=0, help="Generic copies of each game, from payoff seed 0 on.")
    ] = 3,
    results: Annotated[
        Path, typer.Option("--results", dir_okay=False, help="Where results are kept; a stopped run goes on.")
    ] = Path("games.json"),
    workers: Annotated[int, typer.Option(min=1, help="Evaluation processes.")] = 1,
    as_json: JsonOption = False,
) -> None:
    """Make the table of the literature in Markdown: CFR seeds on all games, with standard errors (an hour or more).

    Example: python -m benchmarks games --games kuhn2,leduc2 --programs dcfr,cfr_plus --seeds 2
    """
    from benchmarks import games as bench

    with console(stderr=True).status("starting") as status:
        report = bench.measure(
            split(games) or (),
            split(programs) or (),
            payoff_seeds=payoff_seeds,
            path=results,
            workers=workers,
            progress=lambda done, total: status.update(f"{done:,} of {total:,} runs"),
        )
    _print(report, as_json=as_json)


@app.command()
def engine(
    candidates: Annotated[
        int, typer.Option(min=100, help="Of the campaign that nothing but the engine slows down.")
    ] = 10_000,
    paced: Annotated[
        int, typer.Option(min=2, help="Of the campaign whose model and evaluations take a second each.")
    ] = 120,
    as_json: JsonOption = False,
) -> None:
    """Run two campaigns with a model on loopback: one that waits for others, one that waits for nothing (minutes).

    Example: python -m benchmarks engine --candidates 1000 --paced 60
    """
    from benchmarks import engine as bench

    # Seldom, because the campaigns' own process shows it, whose CPU is measured.
    with console(stderr=True).status("starting", refresh_per_second=1) as status:

        def show(which: str, told: int) -> None:
            if told % 20 == 0:
                status.update(f"{which} campaign: {told:,} candidates")

        report = bench.measure(candidates, paced_candidates=paced, progress=show)
    _print(report, as_json=as_json)


@app.command()
def sandbox(
    soak: Annotated[
        int | None,
        typer.Option(min=1, help="Instead run so many candidates, a tenth of them hostile, such as 10000."),
    ] = None,
    kind: Annotated[
        str, typer.Option("--sandbox", help="Sandbox to measure: process, docker or gvisor.")
    ] = "process",
    as_json: JsonOption = False,
) -> None:
    """Measure calls into the sandbox, sessions, starts and memory; or look for anything that candidates leave behind.

    Example: python -m benchmarks sandbox --soak 2000
    """
    from benchmarks import sandbox as bench
    from benchmarks import soak as soaking
    from evolve.doctor import sandbox_errors

    with sandbox_errors(), console(stderr=True).status("measuring") as status:
        report = (
            bench.measure(kind)
            if soak is None
            else soaking.soak(soak, kind, lambda done: status.update(f"{done:,} of {soak:,} candidates"))
        )
    _print(report, as_json=as_json)
    if isinstance(report, soaking.Report) and report.wrong:
        raise typer.Exit(1)


@app.command()
def ruler(
    measure: Annotated[
        Path | None,
        typer.Option(
            "--measure",
            dir_okay=False,
            help="First run what this file of values (.json.gz) lacks of the fixture: hours for all of it.",
        ),
    ] = None,
    programs: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="Programs as JSON instead of the fixture's."),
    ] = None,
    figure: Annotated[
        Path | None, typer.Option(help="Draw the comparison into this file (png, svg or pdf).")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Evaluation processes.")] = 1,
    as_json: JsonOption = False,
) -> None:
    """Compare definitions of the score by what they say of games that programs are not scored on.

    Example: python -m benchmarks ruler
    """
    from benchmarks import ruler as bench

    chosen, values = programs or bench.PROGRAMS, measure or bench.VALUES
    if measure is not None:
        with console(stderr=True).status("starting") as status:
            bench.measure(
                chosen,
                measure,
                workers=workers,
                progress=lambda done, total: status.update(f"{done:,} of {total:,} programs"),
            )
    with console(stderr=True).status("resampling"):
        fixture = bench.load(chosen, values)
        report = bench.judge(fixture)
    if figure is not None:
        bench.draw(fixture, report, figure)
    _print(report, as_json=as_json)


@app.command()
def path(as_json: JsonOption = False) -> None:
    """Trace one candidate of a small campaign, from the choice of its parents to its row in `results top`.

    Example: python -m benchmarks path --json
    """
    from benchmarks import path as bench

    with console(stderr=True).status("tracing a campaign"):
        report = bench.measure()
    _print(report, as_json=as_json)
