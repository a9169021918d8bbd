"""Makes a sandbox of a kind chosen by name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from sandbox.process import ProcessSandbox
from sandbox.warm import WarmSandbox

Kind = Literal["process", "docker", "gvisor"]


def make(kind: str, modules: Sequence[str] = ("numpy",)) -> WarmSandbox:
    """Return a sandbox of that kind, whose programs may use `modules` beside the standard library.

    Raises:
        SandboxFault: `SANDBOX_ERROR`, it does not start; for containers the message says what is missing.
        ValueError: there is no such kind.
    """
    if kind == "docker":
        from sandbox.docker import DockerSandbox

        return DockerSandbox(modules=modules)
    if kind == "gvisor":
        from sandbox.gvisor import GvisorSandbox

        return GvisorSandbox(modules=modules)
    if kind != "process":
        raise ValueError(f"sandbox: expected process, docker or gvisor; got {kind!r}")
    return ProcessSandbox(modules=modules)
