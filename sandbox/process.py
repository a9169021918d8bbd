"""Runs untrusted programs in children of a warm runner, confined by the kernel.

Covered: CPU, memory, files, environment, network, other processes, native code that was not loaded before,
the state of other sessions, deadlines. Not covered: errors of the kernel in the system calls that are
allowed, side channels of the processor, and load on the machine (a limit on CPU counts what was used, not
what was there).
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import socket
import subprocess
import sys
import threading
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal, get_args

from sandbox.base import Callback, Level, Limits, Sandbox, SandboxFault, Verdict, check_seed
from sandbox.link import ENVIRONMENT, Ended, RunnerLink, SharedTransport, Transport
from sandbox.runner.frames import SocketStream
from sandbox.session import ProcessSession

Kind = Literal["process", "docker", "gvisor"]

RUNNER = Path(__file__).resolve().parent / "runner"
FLAGS = ("-P", "-s", "-S", "-B")
"""How a runner's interpreter is started: without any directory of ours or the user's, nor site-packages."""

SESSIONS_PER_RUNNER = 500
"""A runner is replaced after so many sessions, and after any session that broke a rule or itself."""


class WarmSandbox(Sandbox):
    """Keeps one warm runner, which subclasses start, and opens one session at a time. Used by one thread."""

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


class ProcessSandbox(WarmSandbox):
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
        self._cpu = cpu
        self._namespaces = namespaces
        super().__init__(modules)

    @property
    def runner_pid(self) -> int:
        """Return the id of the process below which the session's is."""
        return self._process.pid

    @property
    def level(self) -> Level:
        """Return the isolation that the runner achieved when it tried."""
        if not self._holds("landlock", "seccomp"):
            return Level.RLIMITS
        return Level.KERNEL_NS if self.layers["namespaces"].startswith("on") else Level.KERNEL

    def _start(self) -> RunnerLink:
        roots = [f"{name}={root(name)}" for name in packages(self.modules)]
        ours, theirs = socket.socketpair()
        with theirs:
            process = subprocess.Popen(
                [interpreter(), *FLAGS, str(RUNNER), *roots],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                env=ENVIRONMENT,
                cwd="/",
                start_new_session=True,
            )
        config = {
            "modules": self.modules,
            "namespaces": self._namespaces,
            "cpu": self._cpu,
            # The kernel ties a process to the *thread* that started it; other threads may end before us.
            "parent": os.getpid() if threading.current_thread() is threading.main_thread() else None,
        }
        self._process = process
        return RunnerLink.start(ProcessHost(process), SocketStream(ours), config)


class ProcessHost:
    """Implements `sandbox.link.Host`: the runner is a child of this process."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process

    def ended(self, timeout_s: float) -> bool:
        """Return whether it ends by itself within `timeout_s`."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout_s)
        return self.process.poll() is not None

    def kill(self) -> None:
        """End it; everything below ends with it."""
        self.process.kill()
        self.process.wait()

    def printed(self) -> str:
        """Return what the runner printed, once it has ended."""
        if self.process.stderr is None:
            return ""
        os.set_blocking(self.process.stderr.fileno(), False)
        return (self.process.stderr.read() or b"").decode(errors="replace")

    def release(self) -> None:
        """Close the pipe that it printed to."""
        if self.process.stderr is not None:
            self.process.stderr.close()


def interpreter() -> str:
    """Return the interpreter below any virtual environment, whose packages are thereby out of reach."""
    return str(Path(getattr(sys, "_base_executable", None) or sys.executable).resolve())


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


def make(kind: str, modules: Sequence[str] = ("numpy",)) -> WarmSandbox:
    """Return a sandbox of that kind, whose programs may use `modules` beside the standard library.

    Raises:
        SandboxFault: `SANDBOX_ERROR`, it does not start; for containers the message says what is missing.
        ValueError: there is no such kind.
    """
    if kind == "process":
        return ProcessSandbox(modules=modules)
    if kind not in get_args(Kind):
        raise ValueError(f"sandbox: expected process, docker or gvisor; got {kind!r}")
    from sandbox import docker

    return (docker.DockerSandbox if kind == "docker" else docker.GvisorSandbox)(modules=modules)
