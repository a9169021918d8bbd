"""The unit of work of every executor: one program on one plan, in a sandbox that the worker keeps warm."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from evaluators.base import Evaluation, Plan, get_domain
from sandbox.base import Sandbox
from sandbox.inprocess import InProcessSandbox
from sandbox.kinds import make
from sandbox.process import ProcessSandbox
from sandbox.warm import WarmSandbox


@dataclass(frozen=True)
class Job:
    """Plain data that pickles to any worker.

    Attributes:
        domain: name of the domain.
        source: the program.
        plan: what to run, with limits.
        floors: stage -> mean score that the stage must reach (`evaluators.base.Stage`).
        sandbox: its kind, see `sandbox.kinds`.
    """

    domain: str
    source: str
    plan: Plan
    floors: Mapping[str, float] | None = None
    sandbox: str = "process"


def run_job(job: Job) -> Evaluation:
    """Evaluate in this process's sandbox, which the first job starts."""
    domain = get_domain(job.domain)
    sandbox = warm_sandbox(domain.sandbox_modules, job.sandbox)
    return domain.evaluate(job.source, job.plan, sandbox, floors=job.floors)


def warm_up(domain: str, sandbox: str) -> None:
    """Do beforehand what the first job of this process would do: load the domain, start the sandbox."""
    warm_sandbox(get_domain(domain).sandbox_modules, sandbox)


@lru_cache(maxsize=4)
def warm_sandbox(modules: tuple[str, ...], kind: str = "process") -> WarmSandbox:
    """The sandbox of this process: one warm runner for all jobs of a domain.

    Raises:
        SandboxFault: `SANDBOX_ERROR`, it does not start; for containers the message says what is missing.
    """
    return make(kind, modules)


def make_sandbox(modules: tuple[str, ...], *, in_process: bool) -> Sandbox:
    """A sandbox for a single evaluation; `in_process` is for a user's own files only."""
    return InProcessSandbox() if in_process else ProcessSandbox(modules=modules)
