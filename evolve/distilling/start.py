"""Distil a program: plan, workers and sandbox around the search, and what Ctrl-C leaves."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evaluators.records import Evaluation, Score
from evolve.distilling.documentation import corrected
from evolve.distilling.search import Distilled, Distiller, Step
from evolve.evaluation.service import handling_signals, open_service
from evolve.programs import Program


@dataclass(frozen=True)
class Choice:
    """What is measured and for how long; None and empty stand for the domain's default.

    Attributes:
        tolerance: how much the domain's objective may fall.
        evaluations: at most, the program's own included.
        tasks: names instead of the suite.
        suite: named set of tasks.
        budget: of each task.
        workers: evaluation processes; one per core by default.
    """

    tolerance: float = 0.05
    evaluations: int = 150
    tasks: Sequence[str] = ()
    suite: str = "train"
    budget: int | None = None
    workers: int | None = None


@dataclass(frozen=True)
class Distillation:
    """The outcome: `source` is the smallest program; `stopped` says that Ctrl-C (or SIGTERM) ended the search."""

    search: Distilled
    source: str
    stopped: bool


def distill(
    program: Program,
    choice: Choice,
    *,
    on_step: Callable[[Step], None],
    on_evaluation: Callable[[], None] = lambda: None,
) -> Distillation | None:
    """Return the smallest program that keeps the score on the domain's search tiers; None when stopped before any.

    Args:
        program: what to make smaller.
        choice: what is measured and for how long.
        on_step: is called with every step.
        on_evaluation: is called after every evaluation.

    Raises:
        EvolveError: a program that does not run, or a machine that cannot evaluate.
        InputError: an unknown task or suite.
    """
    domain, stopped = program.domain, False
    plan = domain.plan(choice.tasks or None, suite=choice.suite, budget=choice.budget)
    workers = choice.workers or len(os.sched_getaffinity(0))

    async def measure(source: str, against: Mapping[str, Score] | None) -> Evaluation:
        evaluation = await service.evaluate(source, plan, against)
        on_evaluation()
        return evaluation

    distiller = Distiller(
        domain, measure, tolerance=choice.tolerance, evaluations=choice.evaluations, on_step=on_step
    )
    try:
        with open_service(
            domain.origin, workers=workers, demanded=program.demanded(), attack=program.stored
        ) as service:
            asyncio.run(_until_signal(distiller.run(program.source)))
    except asyncio.CancelledError:
        stopped = True
    if distiller.state is None:
        return None
    source = corrected(distiller.state.smallest.source, program.source, distiller.context)
    return Distillation(distiller.state, source, stopped)


async def _until_signal(search: Coroutine[Any, Any, Distilled]) -> None:
    """Run a search, which Ctrl-C (or SIGTERM) cancels."""
    task = asyncio.current_task()
    assert task is not None
    with handling_signals(task.cancel):
        await search
