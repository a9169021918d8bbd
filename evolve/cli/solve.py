"""``evolve solve``: a program at work on one game."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

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
    from evaluators.psro.openspiel import PsroSolver
    from evolve.programs import Program

Curve = Sequence[tuple[int, float]]

ProgramOption = Annotated[
    str, typer.Option("--program", "-p", help="A Python file, a seed's name, or the id of a stored program.")
]


def solve(
    game: Annotated[str, typer.Argument(help="A short name, or an OpenSpiel string of perfect recall.")],
    program: ProgramOption,
    budget: Annotated[
        int | None,
        typer.Option(
            "--budget",
            "--iterations",
            "-n",
            min=1,
            help="Iterations of the solver. [default: 1000, of PSRO 100]",
            show_default=False,
        ),
    ] = None,
    save: Annotated[
        Path | None,
        typer.Option(
            "--save",
            help="Write the average policy to this .json or .npz file; of PSRO, populations and mixtures to this .npz.",
        ),
    ] = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            "--checkpoint",
            help="Keep the solver itself in this .npz file, and continue from it if it is there.",
        ),
    ] = None,
    in_process: InProcessOption = False,
    unsafe_in_process: UnsafeOption = False,
    db: DbOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run a program as a solver on any OpenSpiel game, and keep the policy that it finds.

    The saved policy maps information state strings to actions to probabilities; `evolve.load_policy` makes it an
    OpenSpiel policy again, and `evolve.load_populations` what a PSRO program leads to. Ctrl-C ends the run after the
    iteration that is under way, and keeps what was done. With --checkpoint the same command continues, bit for bit as
    if it had never stopped, up to --iterations in all.

    Example: evolve solve "kuhn_poker(players=4)" --program pdcfr_plus --iterations 500 --save policy.json
    """
    from evolve.programs import find_program

    chosen = find_program(program, db=database(db))
    sandbox = {"in_process": in_process, "unsafe_in_process": unsafe_in_process}
    work = _psro if chosen.domain.psro_solver else _cfr
    iterations, solved = work(chosen, game, budget, _Files(save, checkpoint), quiet=as_json, **sandbox)
    done = solved.curve[-1][0]
    _show(chosen, game, solved, save, as_json=as_json)
    if done < iterations:
        files = [str(path) for path in (save, checkpoint) if path is not None]
        kept = f"what was done is in {' and '.join(files)}" if files else "nothing was kept: --save FILE does"
        whole = "The whole" if checkpoint is None else "To continue"
        fail(f"stopped after {done} of {iterations} iterations; {kept}.", f"{whole}: {typed(sys.argv[1:])}")
        raise typer.Exit(INTERRUPTED)


class _Files(NamedTuple):
    """Where the result goes, and the solver itself."""

    save: Path | None
    checkpoint: Path | None


class _Solved(NamedTuple):
    """A solver's result; `saved` says what is in the file."""

    game_string: str
    isolation: str
    curve: Curve
    saved: str


def _cfr(
    chosen: Program, game: str, budget: int | None, files: _Files, *, quiet: bool, **sandbox: bool
) -> tuple[int, _Solved]:
    """Run a CFR program; return the iterations that were asked for, and the result."""
    from evaluators.cfr import checkpoints
    from evaluators.cfr.domain import DOMAIN
    from evaluators.games import policies

    if files.save is not None:
        policies.check_name(files.save)
    if files.checkpoint is not None:
        checkpoints.check_name(files.checkpoint)
    iterations, line = budget or DOMAIN.iterations, ""
    with chosen.cfr_solver(game, **sandbox) as solver:
        if files.checkpoint is not None and files.checkpoint.exists():
            solver.restore(files.checkpoint)
        keep = partial(solver.save, files.checkpoint) if files.checkpoint is not None else None
        curve = _run(solver, iterations, DOMAIN.checkpoints(iterations), keep, quiet=quiet)
        if files.save is not None:
            table = solver.average_policy_table()
            policies.save(files.save, policies.StoredPolicy(solver.game_string, table, _about(chosen, curve)))
            line = f"The average policy is in {files.save}, {len(table)} information states."
        return iterations, _Solved(solver.game_string, solver.isolation, curve, line)


def _psro(
    chosen: Program, game: str, budget: int | None, files: _Files, *, quiet: bool, **sandbox: bool
) -> tuple[int, _Solved]:
    """Run a PSRO program; return the iterations that were asked for, and the result."""
    from evaluators.contract import InputError
    from evaluators.games import stored_populations
    from evaluators.psro.domain import DOMAIN

    if files.save is not None:
        stored_populations.check_name(files.save)
    if files.checkpoint is not None:
        raise InputError("--checkpoint: expected a CFR program; solvers of PSRO programs cannot be saved.")
    iterations, line = budget or DOMAIN.iterations, ""
    with chosen.psro_solver(game, iterations=iterations, **sandbox) as solver:
        curve = _run(solver, iterations, DOMAIN.checkpoints(iterations), None, quiet=quiet)
        if files.save is not None:
            populations = replace(solver.populations(), about=_about(chosen, curve))
            stored_populations.save(files.save, populations)
            sizes = " and ".join(str(len(own.mixture)) for own in populations.populations)
            line = f"Populations of {sizes} policies and their mixtures are in {files.save}."
        return iterations, _Solved(solver.game_string, solver.isolation, curve, line)


def _show(chosen: Program, game: str, solved: _Solved, save: Path | None, *, as_json: bool) -> None:
    """Print a solver's result."""
    if as_json:
        done, value = solved.curve[-1]
        where = {"game": game, "game_string": solved.game_string, "metric": metric_json(chosen.domain.metric)}
        ended = {"isolation": solved.isolation, "budget": done, "value": value, "curve": solved.curve}
        saved = {"saved": None if save is None else str(save)}
        print_json({"schema_version": SCHEMA_VERSION} | where | _about(chosen) | ended | saved)
        return
    title = f"{chosen.name} ({chosen.id[:10]}) on {solved.game_string}, isolation {solved.isolation}"
    _print_curve(title, chosen.domain.metric, solved.curve)
    if solved.saved:
        console().print(solved.saved, markup=False, soft_wrap=True)


def _about(chosen: Program, curve: Curve = ()) -> dict[str, Any]:
    """Return what a file says of its origin: program and run, or without a curve the program only."""
    measured = {"iterations": curve[-1][0], "exploitability": curve[-1][1]} if curve else {}
    return {"program": {"id": chosen.id, "name": chosen.name}} | measured


def _run(
    solver: CfrSolver | PsroSolver,
    iterations: int,
    marks: Sequence[int],
    keep: Callable[[], None] | None,
    *,
    quiet: bool,
) -> Curve:
    """Return the exploitability at the marks and at the end, which Ctrl-C brings on; `keep` is called at the same."""
    from rich.progress import track

    err = console(stderr=True)
    measured = frozenset(marks)
    curve: list[tuple[int, float]] = []
    hidden = quiet or not err.is_terminal
    left = range(solver.iteration + 1, iterations + 1)
    with stopping() as stopped:
        for k in track(left, "iterations", console=err, disable=hidden, transient=True):
            solver.evaluate_and_update_policy()
            ends = stopped()
            if k in measured or ends:
                curve.append((k, solver.exploitability()))
                if keep is not None:
                    keep()
            if ends:
                break
    return curve or [(solver.iteration, solver.exploitability())]


@contextmanager
def stopping() -> Iterator[Callable[[], bool]]:
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
