"""``evolve solve``: a program at work on one game."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from evolve.cli.output import (
    SCHEMA_VERSION,
    DbOption,
    JsonOption,
    console,
    database,
    number,
    print_json,
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
    OpenSpiel policy again.

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
    came = {"iterations": iterations, "exploitability": curve[-1][1]}
    identity = {"id": found.id, "name": found.name}
    if save is not None:
        policies.save(save, policies.StoredPolicy(string, kept, {"program": identity} | came))
    if as_json:
        head: dict[str, Any] = {"schema_version": SCHEMA_VERSION, "game": game, "game_string": string}
        saved = None if save is None else str(save)
        print_json(
            head | {"program": identity, "isolation": isolation} | came | {"curve": curve, "saved": saved}
        )
        return
    _print_curve(f"{found.name} ({found.id[:10]}) on {string}, isolation {isolation}", curve)
    if save is not None:
        console().print(f"The average policy is in {save}, {len(kept)} information states.", markup=False)


def _run(solver: CfrSolver, iterations: int, *, quiet: bool) -> Curve:
    from rich.progress import track

    from evaluators.cfr.loop import checkpoints

    err = console(stderr=True)
    measured, curve = frozenset(checkpoints(iterations)), []
    hidden = quiet or not err.is_terminal
    for k in track(range(1, iterations + 1), "iterations", console=err, disable=hidden, transient=True):
        solver.evaluate_and_update_policy()
        if k in measured:
            curve.append((k, solver.exploitability()))
    return curve


def _print_curve(title: str, curve: Curve) -> None:
    from evolve.cli.tables import plain_table

    out = console()
    out.print(f"{title}\n", markup=False)
    table = plain_table(right=["iteration", "exploitability"])
    for k, value in curve:
        table.add_row(str(k), number(value))
    out.print(table)
