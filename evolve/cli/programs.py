"""``evolve evaluate``: one program on tasks; stored is only that it was run on held-out ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from evaluators.records import Evaluation
from evolve.cli.output import (
    DbOption,
    JsonOption,
    console,
    database,
    evaluation_json,
    fail,
    print_json,
    print_line,
    print_log,
    split,
)
from evolve.cli.tables import score_text, tasks_table, title
from results.text import plural

if TYPE_CHECKING:
    from evaluators.task_domain import TaskDomain
    from evolve.programs import Program

DomainOption = Annotated[
    str | None,
    typer.Option(
        "--domain", help="The program's domain, a name or a folder. [default: seen from its classes]"
    ),
]
TasksOption = Annotated[
    str | None,
    typer.Option(
        "--tasks", "--games", help="Names of tasks (or families) instead of a suite, separated by commas."
    ),
]
SuiteOption = Annotated[str, typer.Option("--suite", help="Named set of tasks, such as train or test.")]
TierOption = Annotated[
    str | None,
    typer.Option(
        "--tier",
        help="Kinds of tasks, separated by commas; for games exact, generic, jitter, scale. [default: the first]",
    ),
]
BudgetOption = Annotated[
    int | None,
    typer.Option(
        "--budget", "--iterations", min=1, help="Of each task, such as iterations. [default: the domain's]"
    ),
]
WorkersOption = Annotated[
    int | None, typer.Option("--workers", min=1, help="Processes. [default: one per core]")
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


def evaluate(
    program: Annotated[
        str, typer.Argument(help="A Python file, a seed's name, or the id of a stored program.")
    ],
    domain: DomainOption = None,
    tasks: TasksOption = None,
    suite: SuiteOption = "train",
    tier: TierOption = None,
    budget: BudgetOption = None,
    in_process: InProcessOption = False,
    unsafe_in_process: UnsafeOption = False,
    db: DbOption = None,
    as_json: JsonOption = False,
) -> None:
    """Score one program on tasks. Stores nothing, but that it was run on held-out tasks, if it was.

    A stored program runs in the kind of sandbox that its campaign demanded, or not at all.

    Example: evolve evaluate cfr_plus --tasks leduc2,kuhn3 --budget 100
    """
    from evolve.comparison.looks import record_looks
    from evolve.evaluation.service import evaluate_here
    from evolve.programs import find_program

    chosen = find_program(program, domain=domain, db=database(db))
    demanded = chosen.demanded(in_process=in_process, unsafe_in_process=unsafe_in_process)
    tiers = split(tier) or chosen.domain.tiers[:1]
    plan = chosen.domain.plan(split(tasks), suite=suite, tiers=tiers, budget=budget)
    groups = record_looks(database(db), chosen.domain, [chosen], [plan], command="evaluate")
    evaluation = evaluate_here(chosen.domain, chosen.source, plan, demanded)
    if as_json:
        print_json({"domain": chosen.domain.name} | evaluation_json(chosen, evaluation))
    else:
        _print_evaluation(chosen, evaluation)
    print_look(chosen.domain, groups, database(db), stderr=as_json)
    print_log(evaluation, stderr=as_json)
    if not evaluation.outcome.ok:
        raise fail(f"the program ended as {evaluation.outcome.tag.value}: {evaluation.outcome.message}")


def print_look(domain: TaskDomain, groups: Sequence[str], db: str, *, stderr: bool) -> None:
    """Print that a look at held-out tasks was recorded, if it was one."""
    if groups:
        what = f"{plural(domain.metric.task)} {', '.join(groups)}"
        print_line(console(stderr=stderr), f"Held-out {what}: recorded in {db} that they were looked at.")


def _print_evaluation(program: Program, evaluation: Evaluation) -> None:
    out, metric = console(), program.domain.metric
    out.print(f"{program.name} ({program.id[:10]}), isolation {evaluation.isolation}", markup=False)
    if evaluation.results:
        out.print(f"{title(metric)}:", markup=False)
        out.print(tasks_table(metric, evaluation.results))
    if evaluation.outcome.ok:
        objective = program.domain.objective
        out.print(f"{objective}: {score_text(evaluation.scores[objective])} (larger is better)", markup=False)
