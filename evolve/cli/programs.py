"""``evolve evaluate``: one program on games, nothing stored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from evolve.cli.output import (
    DbOption,
    JsonOption,
    console,
    database,
    evaluation_json,
    fail,
    number,
    print_json,
    split,
)

if TYPE_CHECKING:
    from evaluators.records import Evaluation
    from evolve.programs import Program

DomainOption = Annotated[
    str | None,
    typer.Option(
        "--domain", help="The program's domain. [default: seen from its classes]", show_default=False
    ),
]
GamesOption = Annotated[
    str | None, typer.Option("--games", help="Short names or OpenSpiel strings, separated by commas.")
]
SuiteOption = Annotated[
    str, typer.Option("--suite", help="Named set of games: train, test, extended or sealed.")
]
TierOption = Annotated[
    str, typer.Option("--tier", help="Payoff tiers, separated by commas: exact, generic, jitter, scale.")
]
IterationsOption = Annotated[
    int | None,
    typer.Option(
        "--iterations", min=1, help="Iterations of each run. [default: the domain's]", show_default=False
    ),
]


def evaluate(
    program: Annotated[
        str, typer.Argument(help="A Python file, a seed's name, or the id of a stored program.")
    ],
    domain: DomainOption = None,
    games: GamesOption = None,
    suite: SuiteOption = "train",
    tier: TierOption = "exact",
    iterations: IterationsOption = None,
    in_process: Annotated[
        bool, typer.Option("--in-process", help="Without the sandbox. For files of your own only.")
    ] = False,
    unsafe_in_process: Annotated[
        bool,
        typer.Option(
            "--unsafe-in-process", help="The same for a stored program, which a model may have written."
        ),
    ] = False,
    db: DbOption = None,
    as_json: JsonOption = False,
) -> None:
    """Score one program on games. Stores nothing.

    Example: evolve evaluate cfr_plus --games leduc2,kuhn3 --iterations 100
    """
    from evolve.evaluation.job import make_sandbox
    from evolve.programs import find_program

    found = find_program(program, domain=domain, db=database(db))
    unprotected = found.unprotected(in_process=in_process, unsafe_in_process=unsafe_in_process)
    plan = found.domain.plan(split(games), suite=suite, tiers=split(tier), iterations=iterations)
    with make_sandbox(found.domain.sandbox_modules, in_process=unprotected) as sandbox:
        evaluation = found.domain.evaluate(found.source, plan, sandbox)
    if as_json:
        print_json(evaluation_json(found, evaluation))
    else:
        _print_evaluation(found, evaluation)
    if not evaluation.outcome.ok:
        raise typer.Exit(1)


def _print_evaluation(program: Program, evaluation: Evaluation) -> None:
    from rich.markup import escape

    from evolve.cli.tables import MS, MS_MEANS, plain_table
    from results.text import visible

    out = console()
    out.print(f"{escape(program.name)} ({program.id[:10]}), isolation {evaluation.isolation}")
    table = plain_table("game", right=["iterations", "exploitability", "uniform policy", "CPU s", MS])
    for r in evaluation.results:
        table.add_row(
            escape(r.instance.name),
            str(r.instance.iterations),
            number(r.exploitability),
            number(r.uniform),
            f"{r.cpu_s:.2f}",
            f"{1e3 * r.candidate_cpu_s / r.instance.iterations:.3g}",
        )
    out.print(table)
    out.print(MS_MEANS)
    if evaluation.log:
        out.print(f"It printed: {escape(visible(evaluation.log))}")
    if evaluation.outcome.ok:
        score = evaluation.objectives[program.domain.default_objective]
        out.print(f"{program.domain.default_objective}: {score:.3f} (larger is better)")
    else:
        fail(f"the program ended as {evaluation.outcome.tag.value}: {evaluation.outcome.message}")
