"""``evolve solve``: a program at work on one game."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evaluators.records import Metric
from evolve.cli.output import (
    INTERRUPTED,
    SCHEMA_VERSION,
    DbOption,
    JsonOption,
    console,
    database,
    fail,
    metric_json,
    print_json,
    typed,
)
from evolve.cli.programs import InProcessOption, UnsafeOption
from evolve.cli.tables import number, plain_table

if TYPE_CHECKING:
    from evaluators.cfr.openspiel import CfrSolver

Curve = list[tuple[int, float]]

ProgramOption = Annotated[
    str, typer.Option("--program", "-p", help="A Python file, a seed's name, or the id of a stored program.")
]


def solve(
    game: Annotated[str, typer.Argument(help="A short name, or an OpenSpiel string of perfect recall.")],
    program: ProgramOption,
    budget: Annotated[
        int, typer.Option("--budget", "--iterations", "-n", min=1, help="Iterations of the solver.")
    ] = 1000,
    save: Annotated[
        Path | None, typer.Option("--save", help="Write the average policy to this .json or .npz file.")
    ] = None,
    in_process: InProcessOption = False,
    unsafe_in_process: UnsafeOption = False,
    db: DbOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run a program as a solver on any OpenSpiel game, and keep the policy that it finds.

    The saved policy maps information state strings to actions to probabilities; `evolve.load_policy` makes it an
    OpenSpiel policy again. Ctrl-C ends the run after the iteration that is under way, and keeps what was done.

    Example: evolve solve "kuhn_poker(players=4)" --program pdcfr_plus --iterations 500 --save policy.json
    """
    from evaluators.games import policies
    from evolve.programs import find_program

    if save is not None:
        policies.check_name(save)
    chosen = find_program(program, db=database(db))
    with chosen.cfr_solver(game, in_process=in_process, unsafe_in_process=unsafe_in_process) as solver:
        curve = _run(solver, budget, quiet=as_json)
        string, isolation = solver.game_string, solver.isolation
        table = solver.average_policy_table() if save is not None else {}
    done, value = curve[-1]
    about = {"program": {"id": chosen.id, "name": chosen.name}}
    if save is not None:
        measured = {"iterations": done, "exploitability": value}
        policies.save(save, policies.StoredPolicy(string, table, about | measured))
    if as_json:
        where = {"game": game, "game_string": string, "metric": metric_json(chosen.domain.metric)}
        ended = {"isolation": isolation, "budget": done, "value": value, "curve": curve}
        saved = {"saved": None if save is None else str(save)}
        print_json({"schema_version": SCHEMA_VERSION} | where | about | ended | saved)
    else:
        title = f"{chosen.name} ({chosen.id[:10]}) on {string}, isolation {isolation}"
        _print_curve(title, chosen.domain.metric, curve)
        if save is not None:
            line = f"The average policy is in {save}, {len(table)} information states."
            console().print(line, markup=False, soft_wrap=True)
    if done < budget:
        kept = "the average policy so far is in {}" if save else "no policy was kept: --save FILE keeps it"
        fail(
            f"stopped after {done} of {budget} iterations; {kept.format(save)}.",
            f"The whole: {typed(sys.argv[1:])}",
        )
        raise typer.Exit(INTERRUPTED)


def _run(solver: CfrSolver, iterations: int, *, quiet: bool) -> Curve:
    """Return the exploitability at the checkpoints and at the end, which Ctrl-C brings on."""
    from rich.progress import track

    from evaluators.cfr.domain import DOMAIN

    err = console(stderr=True)
    measured, curve = frozenset(DOMAIN.checkpoints(iterations)), []
    hidden = quiet or not err.is_terminal
    with _stopping() as stopped:
        for k in track(range(1, iterations + 1), "iterations", console=err, disable=hidden, transient=True):
            solver.evaluate_and_update_policy()
            ends = stopped()
            if k in measured or ends:
                curve.append((k, solver.exploitability()))
            if ends:
                break
    return curve


@contextmanager
def _stopping() -> Iterator[Callable[[], bool]]:
    """Yield whether Ctrl-C (or SIGTERM) was pressed within the block; the second time, it does what it always does."""
    import signal

    pressed = False
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def restore() -> None:
        for name, handler in before.items():
            signal.signal(name, handler)

    def on_signal(name: int, frame: object) -> None:
        nonlocal pressed
        pressed = True
        restore()

    for name in before:
        signal.signal(name, on_signal)
    try:
        yield lambda: pressed
    finally:
        restore()


def _print_curve(title: str, metric: Metric, curve: Curve) -> None:
    out = console()
    out.print(f"{title}\n", markup=False)
    table = plain_table(right=[metric.budget, metric.name])
    for k, value in curve:
        table.add_row(str(k), number(metric, value))
    out.print(table)
