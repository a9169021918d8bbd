"""The process sandbox: untrusted programs in children of a warm runner, held by the kernel.

Covered: CPU, memory, files, environment, network, other processes, native code that was not loaded before,
the state of other sessions, deadlines. Not covered: errors of the kernel in the system calls that are
allowed, side channels of the processor, and load on the machine (a limit on CPU counts what was used, not
what was there).
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from sandbox.base import Callback, Level, Limits
from sandbox.link import Ended, RunnerLink
from sandbox.session import ProcessSession
from sandbox.shared import SharedMemory

SESSIONS_PER_RUNNER = 500
"""A runner is replaced after so many sessions, and after any session that broke a rule or itself."""


class ProcessSandbox:
    """Implements `sandbox.base.Sandbox`: a warm runner, and a child of it per session, one at a time.

    Used by one thread, which pins itself to a core (runner and children inherit it) for the short round trips
    that sharing a core gives. The runner ends with the thread that opened it.
    """

    def __init__(
        self, *, modules: Sequence[str] = ("numpy",), cpu: int | None = None, namespaces: bool = True
    ) -> None:
        """Start a runner.

        Args:
            modules: importable names that guests and programs may use beside the standard library.
            cpu: the core that runner and children stay on; as the caller by default.
            namespaces: whether to try for namespaces of its own.

        Raises:
            SandboxFault: `SANDBOX_ERROR`, it does not start.
        """
        self._modules = tuple(dict.fromkeys(("numpy", *modules)))
        self._cpu = cpu
        self._namespaces = namespaces
        self._session: ProcessSession | None = None
        self._worn = False
        self._served = 0
        self._closed = False
        self._link = self._start()

    @property
    def level(self) -> Level:
        """The isolation that the runner achieved when it tried."""
        holds = {name: state.startswith("on") for name, state in self.layers.items()}
        if not (holds["landlock"] and holds["seccomp"]):
            return Level.RLIMITS
        return Level.KERNEL_NS if holds["namespaces"] else Level.KERNEL

    @property
    def layers(self) -> Mapping[str, str]:
        """What holds: limits, landlock, seccomp and namespaces, each ``on`` or ``off: reason``."""
        return self._link.layers

    def open(
        self,
        guest: str,
        program: str,
        *,
        limits: Limits,
        shared_bytes: int,
        callbacks: Mapping[str, Callback] | None = None,
    ) -> ProcessSession:
        """Start `program` beside `guest` in a fresh process; see `sandbox.base.Sandbox.open`.

        Raises:
            SandboxFault: the program did not start.
            RuntimeError: this sandbox is closed, or the session before is still open.
        """
        if self._closed:
            raise RuntimeError("sandbox: expected an open sandbox, it is closed")
        if self._session is not None:
            raise RuntimeError("sandbox: expected one session at a time, the last one is still open")
        if self._worn or not self._link.alive or self._served >= SESSIONS_PER_RUNNER:
            self._renew()
        self._served += 1
        sources = [text.encode(errors="replace") for text in (guest, program)]
        session = ProcessSession(
            self._link, limits, SharedMemory(shared_bytes, *sources), callbacks or {}, self._ended
        )
        self._session = session
        session.start(*map(len, sources))
        return session

    def close(self) -> None:
        """Stop the runner and everything below it."""
        self._closed = True
        if self._link.alive:
            self._link.stop()

    def __enter__(self) -> ProcessSandbox:
        """The sandbox itself."""
        return self

    def __exit__(self, *exc: object) -> None:
        """Close it."""
        self.close()

    def _ended(self, ended: Ended | None) -> None:
        """Hear how the session ended: a child that a signal ended, which nobody here sent, wears its runner."""
        self._session = None
        self._worn |= ended is not None and ended.reason is None and os.WIFSIGNALED(ended.status)

    def _renew(self) -> None:
        if self._link.alive:
            self._link.stop()
        self._link = self._start()

    def _start(self) -> RunnerLink:
        self._worn, self._served = False, 0
        return RunnerLink.start(self._modules, cpu=self._cpu, namespaces=self._namespaces)
