"""Keeps one warm runner, replaced when worn, and opens one session at a time: the base of process and container."""

from __future__ import annotations

import importlib.util
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Self

from sandbox.base import Callback, Level, Limits, SandboxFault, Verdict, check_seed
from sandbox.link import Ended, RunnerLink
from sandbox.session import ProcessSession
from sandbox.transport import SharedTransport, Transport

SESSIONS_PER_RUNNER = 500
"""A runner is replaced after so many sessions, and after any session that broke a rule or itself."""


class WarmSandbox(ABC):
    """Opens sessions in children of a runner that subclasses start. Used by one thread."""

    _transport: Callable[[RunnerLink, int, bytes, bytes], Transport] = SharedTransport
    """How calls reach a child."""

    def __init__(self, modules: Sequence[str]) -> None:
        """Start a runner that has loaded `modules`, which always include numpy.

        Raises:
            SandboxFault: `SANDBOX_ERROR`, it does not start.
        """
        self.modules = tuple(dict.fromkeys(("numpy", *modules)))
        self._session: ProcessSession | None = None
        self._worn = False
        self._served = 0
        self._closed = False
        self._link = self._start()
        self._announced = self.level

    @abstractmethod
    def _start(self) -> RunnerLink:
        """Start a new runner."""

    @property
    @abstractmethod
    def level(self) -> Level:
        """Return the isolation that the runner achieved when it tried."""

    @property
    def layers(self) -> Mapping[str, str]:
        """Return the state of limits, landlock, seccomp and namespaces; see `runner.prepare.Prepared.layers`."""
        return self._link.layers

    def _holds(self, *names: str) -> bool:
        """Return whether all these layers bind every child."""
        return all(self.layers[name].startswith("on") for name in names)

    def open(
        self,
        guest: str,
        program: str,
        *,
        limits: Limits,
        shared_bytes: int,
        callbacks: Mapping[str, Callback] | None = None,
        seed: int | None = None,
    ) -> ProcessSession:
        """Start `program` beside `guest` in a fresh process; see `sandbox.base.Sandbox.open`.

        Raises:
            SandboxFault: the program did not start.
            RuntimeError: this sandbox is closed, or the session before is still open.
            ValueError: a seed out of range.
        """
        check_seed(seed)
        if self._closed:
            raise RuntimeError("sandbox: expected an open sandbox, it is closed")
        if self._session is not None:
            raise RuntimeError("sandbox: expected one session at a time, the last one is still open")
        if self._worn or not self._link.alive or self._served >= SESSIONS_PER_RUNNER:
            self._renew()
        self._served += 1
        sources = [text.encode(errors="replace") for text in (guest, program)]
        transport = self._transport(self._link, shared_bytes, *sources)
        session = ProcessSession(
            self._link, limits, transport, callbacks or {}, self._session_ended, seed=seed
        )
        self._session = session
        session.start()
        return session

    def close(self) -> None:
        """Stop the runner and everything below it."""
        self._closed = True
        if self._link.alive:
            self._link.stop()

    def __enter__(self) -> Self:
        """Return the sandbox itself."""
        return self

    def __exit__(self, *exc: object) -> None:
        """Close it."""
        self.close()

    def _session_ended(self, ended: Ended | None) -> None:
        """Note how the session ended: a child that died of a signal that we did not send wears out its runner."""
        self._session = None
        self._worn |= ended is not None and ended.reason is None and os.WIFSIGNALED(ended.status)

    def _renew(self) -> None:
        """Replace the runner by a fresh one that is isolated at least as well as the first was.

        Raises:
            SandboxFault: `SANDBOX_ERROR`: it does not start, or is isolated less.
        """
        if self._link.alive:
            self._link.stop()
        self._worn, self._served = False, 0
        self._link = self._start()
        if self.level < self._announced:
            text = (
                f"expected a runner with isolation {self._announced.label}, as before; got {self.level.label}"
            )
            raise self._link.fail(f"{text}: {dict(self.layers)}")


def packages(modules: Sequence[str]) -> list[str]:
    """Return the packages that hold `modules`, in their order."""
    return list(dict.fromkeys(module.partition(".")[0] for module in modules))


def root(package: str) -> str:
    """Return the directory that holds `package` here.

    Raises:
        SandboxFault: it is not installed, or is no package in a directory.
    """
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise SandboxFault(
            Verdict.SANDBOX_ERROR, f"module for the sandbox: expected an installed package, got {package!r}"
        )
    return str(Path(spec.submodule_search_locations[0]).resolve().parent)
