"""The evaluation service: which outcomes are tried again, how often and beside whom, and whose fault is whose."""

import asyncio
import threading
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import NamedTuple

import pytest

from evaluators.contract import InputError, Plan
from evaluators.records import LIMIT_TAGS, Evaluation, Outcome, Provenance, Score, Tag
from evolve.errors import EngineFault, EvolveError
from evolve.evaluation.service import INFRASTRUCTURE_TRIES, EvaluationService, InlineExecutor
from sandbox.base import Limits, SandboxFault, Verdict

PLAN = Plan((), Limits(cpu_s=1.0, wall_s=5.0, call_wall_s=2.0, memory_mib=64))
AGAINST = {"stage": Score(1.0)}


def evaluation(tag):
    return Evaluation(Outcome(tag, str(tag)))


class Job(NamedTuple):
    domain: str
    source: str
    plan: Plan
    against: dict
    sandbox: str


class Scripted(Executor):
    """Answers with the given outcomes in turn (an exception is raised by the future), then with ok."""

    def __init__(self, *answers):
        self.answers, self.jobs = list(answers), []

    def submit(self, fn, domain, source, plan, against, sandbox):
        self.jobs.append(Job(domain, source, plan, against, sandbox))
        future = Future()
        answer = self.answers.pop(0) if self.answers else Tag.OK
        if isinstance(answer, Exception):
            future.set_exception(answer)
        else:
            future.set_result(evaluation(answer))
        return future


def evaluate(executor, workers=2):
    service = EvaluationService("toy", executor, workers)
    return asyncio.run(service.evaluate("source", PLAN, AGAINST)).outcome.tag


def test_hands_over_the_job():
    executor = Scripted()
    assert evaluate(executor) is Tag.OK
    (job,) = executor.jobs
    assert (job.domain, job.source, job.plan, job.against) == ("toy", "source", PLAN, AGAINST)


@pytest.mark.parametrize("tag", sorted(LIMIT_TAGS))
def test_a_limit_is_tried_once_more_at_doubled_limits(tag):
    executor = Scripted(tag)
    assert evaluate(executor) is Tag.OK
    assert [job.plan.limits for job in executor.jobs] == [PLAN.limits, PLAN.limits.doubled()]


@pytest.mark.parametrize("tag", sorted(LIMIT_TAGS))
def test_a_limit_hit_twice_is_a_fact(tag):
    executor = Scripted(tag, tag)
    assert evaluate(executor) is tag
    assert len(executor.jobs) == 2


@pytest.mark.parametrize("tag", sorted(set(Tag) - LIMIT_TAGS - {Tag.INFRASTRUCTURE}))
def test_any_other_outcome_is_a_fact_at_once(tag):
    executor = Scripted(tag)
    assert evaluate(executor) is tag
    assert len(executor.jobs) == 1


def test_infrastructure_is_tried_again_as_it_was():
    executor = Scripted(Tag.INFRASTRUCTURE, Tag.INFRASTRUCTURE)
    assert evaluate(executor) is Tag.OK
    assert len(set(map(repr, executor.jobs))) == 1


def test_infrastructure_that_stays_is_the_machines_fault():
    executor = Scripted(*[Tag.INFRASTRUCTURE] * 9)
    with pytest.raises(EngineFault, match="for reasons of the machine, every time"):
        evaluate(executor)
    assert len(executor.jobs) == INFRASTRUCTURE_TRIES


def test_a_lost_worker_is_infrastructure():
    executor = Scripted(BrokenProcessPool("gone"), Tag.EXCEPTION)
    assert evaluate(executor) is Tag.EXCEPTION


def test_workers_lost_every_time_are_told_with_the_reason():
    executor = Scripted(*[BrokenProcessPool("gone")] * 9)
    with pytest.raises(EngineFault, match="an evaluation worker died: gone"):
        evaluate(executor)


def test_a_worker_lost_during_the_retry_keeps_the_doubled_limits():
    executor = Scripted(Tag.TIMEOUT, BrokenProcessPool("gone"))
    assert evaluate(executor) is Tag.OK
    assert [job.plan.limits.cpu_s for job in executor.jobs] == [1.0, 2.0, 2.0]


def test_a_fault_of_ours_is_an_outcome_with_the_traceback_and_is_not_tried_again():
    executor = Scripted(ZeroDivisionError("ours"))
    service = EvaluationService("toy", executor, 1)
    found = asyncio.run(service.evaluate("source", PLAN))
    assert (found.outcome.tag, found.outcome.message) == (Tag.ENGINE_ERROR, "ZeroDivisionError: ours")
    assert found.log.startswith("Traceback")
    assert "ZeroDivisionError: ours" in found.log
    assert len(executor.jobs) == 1


def test_a_sandbox_that_does_not_start_is_infrastructure():
    executor = Scripted(*[SandboxFault(Verdict.SANDBOX_ERROR, "no runner")] * 9)
    with pytest.raises(EngineFault, match="no runner"):
        evaluate(executor)


@pytest.mark.parametrize("error", [EvolveError("theirs"), InputError("theirs")])
def test_a_fault_of_the_user_is_an_exception(error):
    with pytest.raises(type(error), match="theirs"):
        evaluate(Scripted(error))


def test_what_is_demanded_sets_kind_of_sandbox_and_limits():
    executor = Scripted(Tag.MEMORY)
    demanded = Provenance("docker", "docker", {"memory_mib": 32, "wall_s": 3.0})
    service = EvaluationService("toy", executor, 1, demanded=demanded)
    assert asyncio.run(service.evaluate("source", PLAN)).outcome.ok
    assert [job.sandbox for job in executor.jobs] == ["docker", "docker"]
    assert executor.jobs[0].plan.limits == Limits(cpu_s=1.0, wall_s=3.0, call_wall_s=2.0, memory_mib=32)
    # Those of the second try are doubled, as of any limit.
    assert executor.jobs[1].plan.limits == executor.jobs[0].plan.limits.doubled()


def test_an_executor_in_this_process_keeps_the_exception_for_who_asks():
    with InlineExecutor() as executor:
        assert executor.submit(divmod, 7, 2).result() == (3, 1)
        with pytest.raises(ZeroDivisionError):
            executor.submit(divmod, 1, 0).result()


class Watching(ThreadPoolExecutor):
    """Notes how many jobs run beside each other; sources name the outcomes of their first run."""

    def __init__(self):
        super().__init__(8)
        self.beside, self.running, self.lock = [], 0, threading.Lock()

    def submit(self, fn, domain, source, plan, against, sandbox):
        def run():
            with self.lock:
                self.running += 1
                doubled = plan.limits != PLAN.limits
                self.beside.append((doubled, self.running))
            threading.Event().wait(0.005)
            with self.lock:
                self.running -= 1
            return evaluation(Tag.OK if doubled else Tag(source))

        return super().submit(run)


def evaluate_all(sources, workers):
    with Watching() as executor:
        service = EvaluationService("toy", executor, workers)

        async def run():
            return await asyncio.gather(*(service.evaluate(source, PLAN) for source in sources))

        return executor.beside, [e.outcome.tag for e in asyncio.run(run())]


@pytest.mark.parametrize("workers", [1, 3])
def test_no_more_jobs_than_workers(workers):
    beside, tags = evaluate_all([Tag.OK] * 12, workers)
    assert max(running for _, running in beside) == workers
    assert tags == [Tag.OK] * 12


def test_a_second_try_runs_alone():
    sources = [Tag.OK, Tag.TIMEOUT, Tag.OK, Tag.MEMORY, Tag.CPU_LIMIT, Tag.OK, Tag.TIMEOUT, Tag.OK] * 2
    beside, tags = evaluate_all(sources, 3)
    assert [running for doubled, running in beside if doubled] == [1] * 8
    assert tags == [Tag.OK] * 16


def test_nothing_starts_beside_a_second_try():
    # Were a job let in while the second try runs, it would count two.
    beside, _ = evaluate_all([Tag.TIMEOUT, *[Tag.OK] * 10], 2)
    alone = next(i for i, (doubled, _) in enumerate(beside) if doubled)
    assert all(running == 1 for _, running in beside[alone : alone + 2])


def test_a_fault_gives_its_place_back():
    async def run():
        service = EvaluationService(
            "toy", Scripted(ValueError(), Tag.TIMEOUT, ValueError(), InputError("no")), 1
        )
        for _ in range(2):
            assert (await service.evaluate("source", PLAN)).outcome.tag is Tag.ENGINE_ERROR
        with pytest.raises(InputError):
            await service.evaluate("source", PLAN)
        return await asyncio.wait_for(service.evaluate("source", PLAN), 5)

    assert asyncio.run(run()).outcome.ok
