"""``evolve bench engine``: candidates per second, and what one costs beside the model and its evaluation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from evolve.cli.output import SCHEMA_VERSION, JsonOption, console, print_json

if TYPE_CHECKING:
    from benchmarks.engine import Instant, Paced


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

    Example: evolve bench engine --candidates 1000 --paced 60
    """
    from benchmarks.engine import measure, to_json

    # Seldom, because the campaigns' own process shows it, whose CPU is measured.
    with console(stderr=True).status("starting", refresh_per_second=1) as status:

        def show(which: str, told: int) -> None:
            if told % 20 == 0:
                status.update(f"{which} campaign: {told:,} candidates")

        report = measure(candidates, paced_candidates=paced, progress=show)
    if as_json:
        print_json({"schema_version": SCHEMA_VERSION} | to_json(report))
        return
    _print_paced(report.paced)
    _print_instant(report.instant)
    console().print("load average before and after: " + ", ".join(f"{value:.1f}" for value in report.load))


def _print_paced(paced: Paced) -> None:
    from benchmarks.engine import TARGETS
    from evolve.cli.tables import plain_table

    out = console()
    out.print(
        f"{paced.candidates:,} candidates, model {paced.latency_s:g} s, evaluation {paced.evaluation_s:g} s in "
        f"{paced.slots} slots, all training games:"
    )
    table = plain_table("", right=["came", "of the ideal", "target"])
    table.add_row(
        "running", f"{paced.rate:.2f} candidates/s", f"{paced.share:.0%}", f"≥ {TARGETS['share']:.0%}"
    )
    table.add_row(
        "with start and end", f"{paced.candidates / paced.total_s:.2f} candidates/s", f"{paced.total_share:.0%}", ""
    )  # fmt: skip
    table.add_row("database", f"{paced.disk_kb:.1f} kB a candidate", "", f"≤ {TARGETS['disk_kb']:g}")
    out.print(table)


def _print_instant(instant: Instant) -> None:
    from benchmarks.engine import TARGETS
    from evolve.cli.tables import plain_table

    out = console()
    out.print(f"\n{instant.candidates:,} candidates, model at once, one call into a sandbox each:")
    table = plain_table("", right=["came", "target"])
    table.add_row("candidates/s", f"{instant.rate:.1f}", f"≥ {TARGETS['rate']:g}")
    table.add_row("CPU of a candidate", f"{instant.total_ms:.1f} ms", f"≤ {TARGETS['total_ms']:g}")
    for part, took in instant.cpu_ms.items():
        table.add_row(f"  {part}", f"{took:.1f} ms", "")
    table.add_row(
        "  in the last tenth / in the first",
        f"{instant.last_ms:.1f} / {instant.first_ms:.1f} = {instant.flat:.2f}",
        f"≤ {TARGETS['flat']:g}",
    )
    table.add_row("  starting Python, meanwhile", f"{instant.python_start_ms:.1f} ms", "")
    table.add_row("memory of the campaign", f"{instant.memory_kb:+.1f} kB a candidate", "")
    table.add_row("database", f"{instant.disk_kb:.1f} kB a candidate", f"≤ {TARGETS['disk_kb']:g}")
    out.print(table)
