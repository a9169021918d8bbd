"""Runs untrusted programs in children of a warm runner, confined by the kernel.

Covered: CPU, memory, files, environment, network, other processes, native code that was not loaded before,
the state of other sessions, deadlines. Not covered: errors of the kernel in the system calls that are
allowed, side channels of the processor, and load on the machine (a limit on CPU counts what was used, not
what was there).
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from sandbox.base import Level
from sandbox.link import ENVIRONMENT, RunnerLink
from sandbox.runner.frames import SocketStream
from sandbox.warm import WarmSandbox, packages, root

RUNNER = Path(__file__).resolve().parent / "runner"
FLAGS = ("-P", "-s", "-S", "-B")
"""How a runner's interpreter is started: without any directory of ours or the user's, nor site-packages."""


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

    def wait(self, timeout_s: float) -> bool:
        """Return whether it has ended by itself within `timeout_s`."""
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
