"""The evaluation service, the only way to run a program: programs in, evaluations out.

`open_service` starts the workers, and refuses where their sandbox is weaker than the programs demand. `open_sandbox`
does the same for the few that hold one program open in this process: solvers that are plugged into OpenSpiel.
"""

from __future__ import annotations

import asyncio
import signal
import threading
import traceback
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import replace
from typing import Any, TypeVar

from evaluators.contract import InputError, Plan
from evaluators.records import LIMIT_TAGS, Evaluation, Outcome, Provenance, Score, Tag
from evaluators.registry import get_domain
from evaluators.task_domain import TaskDomain
from evolve.errors import EngineFault, EvolveError, IsolationError
from evolve.evaluation.isolation import Probe, probe, require
from evolve.evaluation.job import IN_PROCESS, Work, run_job, warm_sandbox, warm_up
from evolve.evaluation.local import LocalExecutor
from sandbox.base import Sandbox, SandboxFault
from sandbox.inprocess import InProcessSandbox
from sandbox.process import make

T = TypeVar("T")

INFRASTRUCTURE_TRIES = 3

_NOTHING = Provenance("none")

_MAX_LOG = 16_000


def engine_error(error: BaseException) -> Evaluation:
    """Return the evaluation of a candidate on which the engine failed: no score, and the traceback in its log."""
    reason = f"{type(error).__name__}: {error}".splitlines()[0][:500]
    log = "".join(traceback.format_exception(error))[-_MAX_LOG:]
    return Evaluation(Outcome(Tag.ENGINE_ERROR, reason), log=log)


class EvaluationService:
    """Runs jobs on an executor. Limit outcomes are retried once, alone, at double limits; then they are facts.

    Args:
        domain: name or folder of the domain.
        executor: where jobs run.
        workers: how many jobs it is given at once; more would only wait inside it.
        demanded: kind of the workers' sandboxes, and limits over those of a plan.
        level: label of the level that the sandboxes achieve.
        work: what a worker does with a job; picklable.
    """

    def __init__(
        self,
        domain: str,
        executor: Executor,
        workers: int,
        *,
        demanded: Provenance = _NOTHING,
        level: str = "",
        work: Work = run_job,
    ) -> None:
        self._domain = domain
        self._work = work
        self._executor = executor
        self._workers = workers
        self._demanded = demanded
        self.level = level
        self._slots = asyncio.Semaphore(workers)
        self._one_alone = asyncio.Lock()

    async def evaluate(
        self, source: str, plan: Plan, against: Mapping[str, Score] | None = None
    ) -> Evaluation:
        """Return the evaluation of a program. An exception of ours is the outcome ``engine_error``.

        Raises:
            EngineFault: it failed for reasons of the machine, every time.
            EvolveError: the user's fault, which no other program would mend.
            InputError: likewise.
        """
        plan = limited(plan, self._demanded)
        async with self._slots:
            evaluation = await self._run(source, plan, against)
        if evaluation.outcome.tag in LIMIT_TAGS:
            async with self._alone():
                evaluation = await self._run(source, replace(plan, limits=plan.limits.doubled()), against)
        return evaluation

    async def _run(self, source: str, plan: Plan, against: Mapping[str, Score] | None) -> Evaluation:
        reason = ""
        for _ in range(INFRASTRUCTURE_TRIES):
            try:
                future = self._executor.submit(
                    self._work, self._domain, source, plan, against, self._demanded.sandbox
                )
                evaluation = await asyncio.wrap_future(future)
            except BrokenProcessPool as error:
                reason = f"an evaluation worker died: {error}"
            except SandboxFault as fault:
                reason = fault.message
            except (EvolveError, InputError):
                raise
            except Exception as error:  # noqa: BLE001 - a fault of ours is this program's outcome
                return engine_error(error)
            else:
                if evaluation.outcome.tag is not Tag.INFRASTRUCTURE:
                    return evaluation
                reason = evaluation.outcome.message
        raise EngineFault(f"an evaluation failed for reasons of the machine, every time: {reason}")

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        """Hold all slots, since a busy machine may be why a limit was hit."""
        async with self._one_alone, AsyncExitStack() as slots:
            for _ in range(self._workers):
                await slots.enter_async_context(self._slots)
            yield


class InlineExecutor(Executor):
    """Runs jobs in this process, one after the other: what needs no worker process, or cannot be pickled."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """See `concurrent.futures.Executor.submit`; the future is done."""
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - raised again by whoever awaits it
            future.set_exception(error)
        return future

    def kill(self) -> None:
        """Do nothing: no job is left running."""


@contextmanager
def open_service(
    domain: str,
    *,
    workers: int,
    demanded: Provenance,
    attack: bool = True,
    work: Work = run_job,
) -> Iterator[EvaluationService]:
    """Open the service for programs of a domain.

    Args:
        domain: name or folder of the domain.
        workers: evaluation processes; 0 evaluates in this process.
        demanded: what the programs demand of the sandbox (`evolve.evaluation.isolation.strictest`).
        attack: try the sandbox by attacking it before the first program runs, and warm the other workers meanwhile.
        work: what a worker does with a job; benchmarks have it take longer.

    Raises:
        IsolationError: there is no such sandbox here, or it is weaker than demanded.
    """
    modules, kind = get_domain(domain).sandbox_modules, demanded.sandbox
    executor: LocalExecutor | InlineExecutor = LocalExecutor(workers) if workers else InlineExecutor()
    with executor:
        try:
            if attack:
                for _ in range(workers - 1):
                    executor.submit(warm_up, domain, kind)
            observed = executor.submit(probe if attack else achieved, modules, kind).result()
        except SandboxFault as fault:
            executor.kill()
            raise _missing(demanded, fault) from fault
        if kind != IN_PROCESS:
            require(observed.level, demanded, reasons=observed.reasons)
        try:
            yield EvaluationService(
                domain, executor, max(workers, 1), demanded=demanded, level=observed.level.label, work=work
            )
        except BaseException:
            executor.kill()
            raise


def achieved(modules: tuple[str, ...], kind: str) -> Probe:
    """Return the level that this process's sandbox announces, without attacking it."""
    return Probe(warm_sandbox(modules, kind).level, {}, ())


def open_sandbox(modules: tuple[str, ...], demanded: Provenance) -> Sandbox:
    """Return a sandbox of one's own, for a program that somebody's code calls for as long as it likes.

    Raises:
        IsolationError: there is no such sandbox here, or it is weaker than demanded.
    """
    if demanded.sandbox == IN_PROCESS:
        return InProcessSandbox()
    try:
        sandbox = make(demanded.sandbox, modules)
    except SandboxFault as fault:
        raise _missing(demanded, fault) from fault
    try:
        require(sandbox.level, demanded)
    except IsolationError:
        sandbox.close()
        raise
    return sandbox


def _missing(demanded: Provenance, fault: SandboxFault) -> IsolationError:
    return IsolationError(
        f"sandbox: expected {demanded.sandbox} at level {demanded.minimum} or stronger, which the program or its"
        f" campaign demands; {fault.message}",
        "A new campaign needs nothing else with --sandbox process; what a campaign made runs as its campaign did.",
    )


def limited(plan: Plan, demanded: Provenance) -> Plan:
    """Return a plan with the limits that a campaign set over the domain's."""
    overrides: dict[str, Any] = dict(demanded.limits)
    return replace(plan, limits=replace(plan.limits, **overrides)) if overrides else plan


def evaluate_here(domain: TaskDomain, source: str, plan: Plan, demanded: Provenance) -> Evaluation:
    """Return the evaluation of one program, made in this process: no worker is started, nothing is pickled.

    Raises:
        IsolationError: there is no such sandbox here, or it is weaker than demanded.
    """
    with open_service(domain.origin, workers=0, demanded=demanded, attack=False) as service:
        return run_here(service.evaluate(source, plan))


@contextmanager
def handling_signals(handler: Callable[[], object]) -> Iterator[None]:
    """Have Ctrl-C (or SIGTERM) call `handler` in the running loop; in the main thread, which alone hears signals."""
    loop, main = asyncio.get_running_loop(), threading.current_thread() is threading.main_thread()
    signals = (signal.SIGINT, signal.SIGTERM) if main else ()
    for number in signals:
        loop.add_signal_handler(number, handler)
    try:
        yield
    finally:
        for number in signals:
            loop.remove_signal_handler(number)


def run_here(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end, also where this thread has an event loop already, as in a notebook."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()
