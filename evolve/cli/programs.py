"""``evolve evaluate`` and ``evolve baselines``: programs on games, nothing stored."""

from __future__ import annotations

from concurrent.futures import Executor
from typing import TYPE_CHECKING, Annotated

import typer

from evolve.cli.output import (
    SCHEMA_VERSION,
    DbOption,
    JsonOption,
    console,
    database,
    evaluation_json,
    exact_values,
    fail,
    number,
    print_json,
    split,
)

if TYPE_CHECKING:
    from evaluators.base import Evaluation, Plan
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
SuiteOption = Annotated[str, typer.Option("--suite", help="Named set of games: train, test or extended.")]
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
    from evolve.errors import ConfigError
    from evolve.executors.job import make_sandbox
    from evolve.programs import find_program

    found = find_program(program, domain=domain, db=database(db))
    if in_process and found.stored and not unsafe_in_process:
        raise ConfigError(
            f"--in-process: expected a file or a seed; {program!r} is a stored program.",
            "It runs in the sandbox; --unsafe-in-process runs it in this very process.",
        )
    plan = found.domain.plan(split(games), suite=suite, tiers=split(tier), iterations=iterations)
    unprotected = in_process or unsafe_in_process
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

    from evolve.cli.tables import plain_table

    out = console()
    out.print(f"{escape(program.name)} ({program.id[:10]}), isolation {evaluation.isolation}\n")
    table = plain_table("game", right=["iterations", "exploitability", "uniform policy", "CPU s"])
    for r in evaluation.results:
        table.add_row(
            escape(r.instance.name),
            str(r.instance.iterations),
            number(r.exploitability),
            number(r.uniform),
            f"{r.cpu_s:.2f}",
        )
    out.print(table)
    if evaluation.log:
        out.print(f"It printed: {escape(evaluation.log)}")
    if evaluation.outcome.ok:
        score = evaluation.objectives[program.domain.default_objective]
        out.print(f"{program.domain.default_objective}: {score:.3f} (larger is better)")
    else:
        fail(f"the program ended as {evaluation.outcome.tag.value}: {evaluation.outcome.message}")


def baselines(
    domain: Annotated[str, typer.Option("--domain", help="Whose baselines.")] = "cfr",
    games: GamesOption = None,
    suite: SuiteOption = "train",
    tier: TierOption = "exact",
    iterations: IterationsOption = None,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, help="Processes. [default: one per core]")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """The table of all seed and baseline programs of a domain on a suite, the smallest value of each game in bold.

    Example: evolve baselines --suite train --iterations 1000
    """
    import os

    import seeds
    from evaluators.base import get_domain
    from evolve.executors.local import LocalExecutor
    from evolve.programs import find_program

    chosen = get_domain(domain)
    plan = chosen.plan(split(games), suite=suite, tiers=split(tier), iterations=iterations)
    programs = [find_program(name, domain=domain) for name in seeds.names(domain)]
    with LocalExecutor(workers or len(os.sched_getaffinity(0))) as executor:
        evaluations = _evaluate_all(executor, programs, plan, quiet=as_json)
    if as_json:
        print_json(
            {
                "schema_version": SCHEMA_VERSION,
                "domain": domain,
                "suite": None if games else suite,
                "tiers": split(tier),
                "baselines": [evaluation_json(p, e) for p, e in zip(programs, evaluations, strict=True)],
            }
        )
    else:
        _print_baselines(programs, evaluations, plan)
    if any(not e.outcome.ok for e in evaluations):
        raise typer.Exit(1)


def _evaluate_all(
    executor: Executor, programs: list[Program], plan: Plan, *, quiet: bool
) -> list[Evaluation]:
    from rich.progress import track

    from evolve.executors.job import Job, run_job

    futures = [executor.submit(run_job, Job(p.domain.name, p.source, plan)) for p in programs]
    err = console(stderr=True)
    shown = track(futures, "baselines", console=err, disable=quiet or not err.is_terminal, transient=True)
    return [future.result() for future in shown]


def _print_baselines(programs: list[Program], evaluations: list[Evaluation], plan: Plan) -> None:
    from evolve.cli.tables import Entry, by_program

    objective = programs[0].domain.default_objective
    entries = [
        Entry(p.name, e.objectives.get(objective), exact_values(e))
        for p, e in zip(programs, evaluations, strict=True)
    ]
    entries.sort(key=lambda entry: -(entry.score or 0.0))
    games = dict.fromkeys(i.game for i in plan.instances if i.variant == "exact")
    iterations = plan.instances[0].iterations
    out = console()
    out.print(f"Exploitability (NashConv / N) after {iterations} iterations:\n")
    out.print(by_program(entries, list(games), objective=objective))
    for program, evaluation in zip(programs, evaluations, strict=True):
        if not evaluation.outcome.ok:
            fail(f"{program.name} ended as {evaluation.outcome.tag.value}: {evaluation.outcome.message}")
