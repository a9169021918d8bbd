"""The unit of work of every executor: one program on one plan, in a sandbox that the worker keeps warm."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from evaluators.contract import Plan
from evaluators.records import Evaluation, Score
from evaluators.registry import get_domain
from sandbox.base import Sandbox
from sandbox.inprocess import InProcessSandbox
from sandbox.process import make

IN_PROCESS = "in-process"
"""In place of a kind of sandbox: the program runs in the worker itself. For programs of one's own only."""


Work = Callable[[str, str, Plan, Mapping[str, Score] | None, str], Evaluation]
"""What a worker does: `run_job`, or a benchmark's function in its place."""


def run_job(
    domain: str, source: str, plan: Plan, against: Mapping[str, Score] | None = None, sandbox: str = "process"
) -> Evaluation:
    """Evaluate in this process's sandbox, which the first job starts.

    Args:
        domain: name or folder of the domain (`evaluators.registry.get_domain`).
        source: the program.
        plan: what to run, with limits.
        against: stage -> score that the stage's gate compares with.
        sandbox: its kind (`sandbox.process.Kind`), or `IN_PROCESS`.
    """
    brought = get_domain(domain)
    return brought.evaluate(source, plan, warm_sandbox(brought.sandbox_modules, sandbox), against=against)


def warm_up(domain: str, sandbox: str) -> None:
    """Do beforehand what the first job of this process would do: load the domain, start the sandbox."""
    warm_sandbox(get_domain(domain).sandbox_modules, sandbox)


_warm: dict[tuple[tuple[str, ...], str], Sandbox] = {}


def warm_sandbox(modules: tuple[str, ...], kind: str = "process") -> Sandbox:
    """Return the sandbox of this process: one warm runner for all jobs of a domain.

    Raises:
        SandboxFault: `SANDBOX_ERROR`, it does not start; for containers the message says what is missing.
    """
    sandbox = _warm.get((modules, kind))
    if sandbox is None:
        sandbox = _warm[modules, kind] = InProcessSandbox() if kind == IN_PROCESS else make(kind, modules)
    return sandbox


def close_sandboxes() -> None:
    """Close the sandboxes of this process; the next job starts its own anew."""
    while _warm:
        _warm.popitem()[1].close()
