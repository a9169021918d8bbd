"""Distil a program: plan, workers and sandbox around the search, and what Ctrl-C leaves."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from evaluators.records import Evaluation
from evolve.distilling.documentation import corrected
from evolve.distilling.search import Budget, Distilled, Distiller, Step
from evolve.evaluation.local import LocalExecutor
from evolve.evaluation.service import EvaluationService, working
from evolve.operators.base import Context
from evolve.programs import Program

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@dataclass(frozen=True)
class Choice:
    """What is measured and for how long; None and empty stand for the domain's default.

    Attributes:
        tolerance: how much the domain's objective may fall.
        evaluations: at most, the program's own included.
        games: instead of the suite.
        suite: named set of games.
        iterations: of each run.
        workers: evaluation processes; one per core by default.
    """

    tolerance: float = 0.05
    evaluations: int = 150
    games: Sequence[str] = ()
    suite: str = "train"
    iterations: int | None = None
    workers: int | None = None


@dataclass(frozen=True)
class Distillation:
    """The outcome: `source` is the smallest program, worded truly; `stopped` by Ctrl-C (or SIGTERM) before the end."""

    found: Distilled
    source: str
    stopped: bool


def distill(
    program: Program,
    choice: Choice,
    *,
    on_step: Callable[[Step], None],
    on_evaluation: Callable[[], None] = lambda: None,
) -> Distillation | None:
    """The smallest program found that keeps the score on the domain's search tiers; None when stopped before any.

    Args:
        program: what to make smaller.
        choice: what is measured and for how long.
        on_step: is told what went.
        on_evaluation: is called after every evaluation.

    Raises:
        EvolveError: a program that does not run, or a machine that cannot evaluate.
        InputError: an unknown game or suite.
    """
    domain = program.domain
    plan = domain.plan(choice.games or None, suite=choice.suite, iterations=choice.iterations)
    workers = choice.workers or len(os.sched_getaffinity(0))
    with LocalExecutor(workers) as executor:
        service = EvaluationService(domain.name, executor, workers)

        async def measure(source: str, floors: Mapping[str, float]) -> Evaluation:
            evaluation = working(await service.evaluate(source, plan, floors))
            on_evaluation()
            return evaluation

        distiller = Distiller(
            domain,
            measure,
            budget=Budget(choice.tolerance, choice.evaluations),
            on_step=on_step,
            margins={s.name: max(s.margin, choice.tolerance) for s in plan.stages if s.margin is not None},
        )
        try:
            ended = asyncio.run(_to_the_end(distiller, program.source))
        except BaseException:
            executor.kill()
            raise
        if not ended:
            executor.kill()
    if distiller.state is None:
        return None
    context = Context(domain.components, domain.mechanisms, domain.name)
    source = corrected(distiller.state.smallest.source, program.source, context)
    return Distillation(distiller.state, source, stopped=not ended)


async def _to_the_end(distiller: Distiller, source: str) -> bool:
    """Run; False when Ctrl-C (or SIGTERM) ended it."""
    loop = asyncio.get_running_loop()
    search = asyncio.ensure_future(distiller.run(source))
    # Only the main thread hears signals.
    heard = _SIGNALS if threading.current_thread() is threading.main_thread() else ()
    for number in heard:
        loop.add_signal_handler(number, search.cancel)
    try:
        await search
    except asyncio.CancelledError:
        return False
    finally:
        for number in heard:
            loop.remove_signal_handler(number)
    return True
