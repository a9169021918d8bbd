"""``evolve bench sandbox``: what isolation costs, and whether it lasts."""

from __future__ import annotations

from typing import Annotated

import typer

from evolve.cli.output import SCHEMA_VERSION, JsonOption, console, print_json


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

    Example: evolve bench sandbox --soak 2000
    """
    if soak is not None:
        _soak(soak, kind, as_json=as_json)
        return
    from benchmarks.sandbox import ASKED, measure
    from evolve.doctor import sandbox_errors

    with sandbox_errors(), console(stderr=True).status("measuring"):
        costs = measure(kind)
    if as_json:
        print_json({"schema_version": SCHEMA_VERSION} | costs._asdict())
        return
    from evolve.cli.tables import plain_table

    table = plain_table("median", right=["takes"])
    for size, call_us in costs.call_us.items():
        table.add_row(f"call with {size:,} floats there and back", f"{call_us:.1f} µs")
    table.add_row(f"callback with {ASKED} floats there and back", f"{costs.callback_us:.1f} µs")
    table.add_row("session, opened and closed", f"{costs.session_ms:.1f} ms")
    table.add_row("runner, started", f"{costs.start_ms:.0f} ms")
    private = f"{costs.private_mib:.1f} MiB" if costs.private_mib is not None else "unknown"
    table.add_row("memory of a candidate alone", private)
    console().print(table)
    console().print(f"isolation {costs.level}, all on core {costs.core}")


def _soak(candidates: int, kind: str, *, as_json: bool) -> None:
    """Print what came of a soak.

    Raises:
        typer.Exit: 1, after something was wrong.
    """
    from benchmarks.soak import soak
    from evolve.doctor import sandbox_errors

    with sandbox_errors(), console(stderr=True).status("soaking") as status:
        report = soak(candidates, kind, lambda done: status.update(f"{done:,} of {candidates:,} candidates"))
    if as_json:
        print_json({"schema_version": SCHEMA_VERSION, "ok": not report.wrong} | report._asdict())
    else:
        for line in report.wrong:
            console().print(line, markup=False)
        console().print(
            f"{report.candidates:,} candidates, {report.hostile:,} hostile, in {report.seconds:.0f} s: "
            f"{len(report.wrong)} wrong; memory of a worker {report.growth_mib:+.1f} MiB"
        )
    if report.wrong:
        raise typer.Exit(1)
