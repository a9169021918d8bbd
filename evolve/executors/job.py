"""The unit of work of every executor: one program on one plan, in a sandbox that the worker keeps warm."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from evaluators.base import Evaluation, Plan, get_domain
from sandbox.base import Sandbox
from sandbox.inprocess import InProcessSandbox
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
        sandbox: ``process`` or ``docker``.
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


@lru_cache(maxsize=4)
def warm_sandbox(modules: tuple[str, ...], kind: str = "process") -> WarmSandbox:
    """The sandbox of this process: one warm runner for all jobs of a domain.

    Raises:
        SandboxFault: `SANDBOX_ERROR`, it does not start; for Docker the message says what is missing.
    """
    if kind == "docker":
        from sandbox.docker import DockerSandbox

        return DockerSandbox(modules=modules)
    return ProcessSandbox(modules=modules)


def make_sandbox(modules: tuple[str, ...], *, in_process: bool) -> Sandbox:
    """A sandbox for a single evaluation; `in_process` is for a user's own files only."""
    return InProcessSandbox() if in_process else ProcessSandbox(modules=modules)
