"""The unit of work of every executor: one program on one plan, in a sandbox that the worker keeps warm."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from evaluators.base import Evaluation, Plan, get_domain
from sandbox.base import Sandbox
from sandbox.inprocess import InProcessSandbox
from sandbox.process import ProcessSandbox


@dataclass(frozen=True)
class Job:
    """Plain data that pickles to any worker.

    Attributes:
        domain: name of the domain.
        source: the program.
        plan: what to run, with limits.
        floors: stage -> mean score that the stage must reach (`evaluators.base.Stage`).
    """

    domain: str
    source: str
    plan: Plan
    floors: Mapping[str, float] | None = None


def run_job(job: Job) -> Evaluation:
    """Evaluate in this process's sandbox, which the first job starts."""
    domain = get_domain(job.domain)
    sandbox = worker_sandbox(domain.sandbox_modules)
    return domain.evaluate(job.source, job.plan, sandbox, floors=job.floors)


@lru_cache(maxsize=4)
def worker_sandbox(modules: tuple[str, ...]) -> Sandbox:
    """The sandbox of this process: one warm runner for all jobs of a domain."""
    return ProcessSandbox(modules=modules)


def make_sandbox(modules: tuple[str, ...], *, in_process: bool) -> Sandbox:
    """A sandbox for a single evaluation; `in_process` is for a user's own files only."""
    return InProcessSandbox() if in_process else ProcessSandbox(modules=modules)
