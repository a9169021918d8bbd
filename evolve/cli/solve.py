"""``evolve solve``: a program at work on one game."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from evolve.cli.output import (
    INTERRUPTED,
    SCHEMA_VERSION,
    DbOption,
    JsonOption,
    console,
    database,
    fail,
    number,
    print_json,
    typed,
)

if TYPE_CHECKING:
    from evaluators.cfr.openspiel import CfrSolver

Curve = list[tuple[int, float]]

ProgramOption = Annotated[
    str, typer.Option("--program", "-p", help="A Python file, a seed's name, or the id of a stored program.")
]
InProcessOption = Annotated[
    bool, typer.Option("--in-process", help="Without the sandbox. For files of your own only.")
]
UnsafeOption = Annotated[
    bool,
    typer.Option(
        "--unsafe-in-process", help="The same for a stored program, which a model may have written."
    ),
]


def solve(
    game: Annotated[str, typer.Argument(help="A short name, or an OpenSpiel string of perfect recall.")],
    program: ProgramOption,
    iterations: Annotated[int, typer.Option("--iterations", "-n", min=1, help="How many.")] = 1000,
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
    found = find_program(program, db=database(db))
    with found.cfr_solver(game, in_process=in_process, unsafe_in_process=unsafe_in_process) as solver:
        curve = _run(solver, iterations, quiet=as_json)
        string, isolation = str(solver.game), solver.isolation
        kept = solver.average_policy_table() if save is not None else {}
    done, reached = curve[-1]
    came = {"iterations": done, "exploitability": reached}
    identity = {"id": found.id, "name": found.name}
    if save is not None:
        policies.save(save, policies.StoredPolicy(string, kept, {"program": identity} | came))
    if as_json:
        head: dict[str, Any] = {"schema_version": SCHEMA_VERSION, "game": game, "game_string": string}
        saved = None if save is None else str(save)
        print_json(
            head | {"program": identity, "isolation": isolation} | came | {"curve": curve, "saved": saved}
        )
    else:
        _print_curve(f"{found.name} ({found.id[:10]}) on {string}, isolation {isolation}", curve)
        if save is not None:
            line = f"The average policy is in {save}, {len(kept)} information states."
            console().print(line, markup=False, soft_wrap=True)
    if done < iterations:
        where = (
            f"the average policy so far is in {save}" if save else "no policy was kept: --save FILE keeps it"
        )
        fail(
            f"stopped after {done} of {iterations} iterations; {where}.", f"The whole: {typed(sys.argv[1:])}"
        )
        raise typer.Exit(INTERRUPTED)


def _run(solver: CfrSolver, iterations: int, *, quiet: bool) -> Curve:
    """Exploitability at the checkpoints and at the end, which Ctrl-C brings on after the iteration under way."""
    from rich.progress import track

    from evaluators.cfr.loop import checkpoints

    err = console(stderr=True)
    measured, curve = frozenset(checkpoints(iterations)), []
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
    """Says whether Ctrl-C (or SIGTERM) was pressed within the block; the second time, it does what it always does."""
    import signal

    heard = False
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def restore() -> None:
        for name, handler in before.items():
            signal.signal(name, handler)

    def on_signal(name: int, frame: object) -> None:
        nonlocal heard
        heard = True
        restore()

    for name in before:
        signal.signal(name, on_signal)
    try:
        yield lambda: heard
    finally:
        restore()


def _print_curve(title: str, curve: Curve) -> None:
    from evolve.cli.tables import plain_table

    out = console()
    out.print(f"{title}\n", markup=False)
    table = plain_table(right=["iteration", "exploitability"])
    for k, value in curve:
        table.add_row(str(k), number(value))
    out.print(table)
