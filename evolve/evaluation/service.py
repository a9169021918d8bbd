"""The evaluation service: programs in, evaluations out, with the retries that the outcomes ask for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import Executor
from concurrent.futures.process import BrokenProcessPool
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

from evaluators.base import LIMIT_TAGS, Evaluation, Outcome, Plan, Tag
from evolve.errors import EngineFault
from evolve.evaluation.job import Job, run_job

INFRASTRUCTURE_TRIES = 3


class EvaluationService:
    """Runs jobs on an executor. Limit outcomes are retried once, alone, at double limits; then they are facts.

    Args:
        domain: name of the domain.
        executor: where jobs run.
        workers: how many jobs it is given at once; more would only wait inside it.
        sandbox: kind of the workers' sandboxes, see `sandbox.kinds`.
        work: what a worker does with a job; picklable.
    """

    def __init__(
        self,
        domain: str,
        executor: Executor,
        workers: int,
        *,
        sandbox: str = "process",
        work: Callable[[Job], Evaluation] = run_job,
    ) -> None:
        self._domain = domain
        self._work = work
        self._executor = executor
        self._workers = workers
        self._sandbox = sandbox
        self._places = asyncio.Semaphore(workers)
        self._one_alone = asyncio.Lock()

    async def evaluate(
        self, source: str, plan: Plan, floors: Mapping[str, float] | None = None
    ) -> Evaluation:
        """The evaluation of a program.

        An outcome of ``infrastructure`` comes back only when it came every time.
        """
        job = Job(self._domain, source, plan, floors, self._sandbox)
        async with self._places:
            evaluation = await self._run(job)
        if evaluation.outcome.tag in LIMIT_TAGS:
            async with self._alone():
                evaluation = await self._run(replace(job, plan=replace(plan, limits=plan.limits.doubled())))
        return evaluation

    async def _run(self, job: Job) -> Evaluation:
        for _ in range(INFRASTRUCTURE_TRIES):
            try:
                evaluation = await asyncio.wrap_future(self._executor.submit(self._work, job))
            except BrokenProcessPool as error:
                evaluation = _lost(str(error))
            if evaluation.outcome.tag is not Tag.INFRASTRUCTURE:
                break
        return evaluation

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        """All places to run in, since a busy machine may have been what hit the limit."""
        async with self._one_alone, AsyncExitStack() as places:
            for _ in range(self._workers):
                await places.enter_async_context(self._places)
            yield


def working(evaluation: Evaluation) -> Evaluation:
    """The evaluation itself, as long as the machine can evaluate.

    Raises:
        EngineFault: it failed for reasons of the machine.
    """
    if evaluation.outcome.tag is Tag.INFRASTRUCTURE:
        raise EngineFault(
            f"an evaluation failed for reasons of the machine, every time: {evaluation.outcome.message}"
        )
    return evaluation


def _lost(message: str) -> Evaluation:
    outcome = Outcome(Tag.INFRASTRUCTURE, f"an evaluation worker died: {message}")
    return Evaluation(outcome=outcome, results=(), objectives={}, isolation="", cpu_s=0.0, wall_s=0.0)
