"""The driver's side of a warm runner: start it, send it sessions, hear how they ended, stop it."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from sandbox.base import SandboxFault, Verdict
from sandbox.runner import wire

START_S = 60.0
ANSWER_S = 10.0
"""How long the runner may take to start, and to answer. It never computes: later than that it hangs."""

_STOP_S = 0.5
_RUNNER = Path(__file__).resolve().parent / "runner"
_ENVIRONMENT = {
    # Sets of strings iterate alike in every runner, so that a program's floats add up alike.
    "PYTHONHASHSEED": "0",
    # One thread: a fork copies no other, and CPU time means one core.
    "OPENBLAS_NUM_THREADS": "1",
}
"""All that the runner's environment holds until it clears it."""


class Ended(NamedTuple):
    """What the runner says of a session that is over."""

    status: int
    """As ``wait`` returns it."""
    reason: str | None
    """Why the runner itself killed the child, if it did."""
    cpu_s: float
    rss_kib: int
    log_total: int
    log: bytes


class RunnerLink:
    """A warm runner and the control socket to it. Used by one thread."""

    def __init__(self, process: subprocess.Popen[bytes], control: socket.socket) -> None:
        self._process = process
        self._control = control
        self.layers: dict[str, str] = {}
        self.alive = True

    @classmethod
    def start(cls, modules: Sequence[str], *, cpu: int | None, namespaces: bool) -> RunnerLink:
        """Start a runner that has loaded `modules`.

        Raises:
            SandboxFault: `SANDBOX_ERROR`, with what the runner printed.
        """
        roots = [f"{name}={_root(name)}" for name in dict.fromkeys(m.partition(".")[0] for m in modules)]
        ours, theirs = socket.socketpair()
        with theirs:
            process = subprocess.Popen(
                [_interpreter(), "-P", "-s", "-S", "-B", str(_RUNNER), *roots],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                env=_ENVIRONMENT,
                cwd="/",
                start_new_session=True,
            )
        link = cls(process, ours)
        config = {
            "modules": list(modules),
            "namespaces": namespaces,
            "cpu": cpu,
            # The kernel ties a process to the *thread* that started it; other threads may end before us.
            "parent": os.getpid() if threading.current_thread() is threading.main_thread() else None,
        }
        answer = link._ask(config, START_S)[0]
        if "layers" not in answer:
            raise link.fail(f"the runner did not start: {answer.get('failed', answer)}")
        link.layers = answer["layers"]
        return link

    def open(self, head: dict[str, Any], fds: Sequence[int]) -> None:
        """Have the runner fork a child for a session.

        Raises:
            SandboxFault: `SANDBOX_ERROR`: the runner is gone.
        """
        self._send({"do": "open", **head}, fds)

    def charge(self, cpu_s: float) -> None:
        """Take CPU time that was spent for the child outside off its limit.

        Raises:
            SandboxFault: `SANDBOX_ERROR`: the runner is gone.
        """
        self._send({"do": "charge", "cpu_s": cpu_s})

    def end(self, grace_s: float) -> Ended:
        """End the session: kill the child unless it ends by itself within `grace_s`.

        Raises:
            SandboxFault: `SANDBOX_ERROR`: the runner is gone or hangs.
        """
        head, log = self._ask({"do": "end", "grace_s": grace_s}, ANSWER_S + grace_s)
        try:
            return Ended(**head, log=log)
        except TypeError as error:
            raise self.fail(f"the runner answered {head}") from error

    def stop(self) -> None:
        """End the runner and everything below it, and reap it."""
        self.alive = False
        # Without its driver a runner ends, and what waits for it ends after all below; else it is killed.
        self._control.close()
        try:
            self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stderr is not None:
            self._process.stderr.close()

    def fail(self, message: str) -> SandboxFault:
        """Stop a runner that cannot be used any more; the fault to raise."""
        printed = self._printed()
        self.stop()
        return SandboxFault(Verdict.SANDBOX_ERROR, f"{message}\n{printed}".strip()[:2000])

    def _printed(self) -> str:
        """The end of what the runner itself printed, when it has ended or ends now."""
        self._control.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_STOP_S)
        if self._process.poll() is None or self._process.stderr is None:
            return ""
        os.set_blocking(self._process.stderr.fileno(), False)
        return (self._process.stderr.read() or b"").decode(errors="replace")[-1500:]

    def _send(self, head: dict[str, Any], fds: Sequence[int] = ()) -> None:
        if not self.alive:
            raise SandboxFault(Verdict.SANDBOX_ERROR, "the runner is gone")
        try:
            self._control.settimeout(ANSWER_S)
            wire.send_frame(self._control, head, fds=fds)
        except OSError as error:
            raise self.fail(f"the runner is gone: {error}") from error
        except BaseException:
            # An interrupt between two halves of a frame: nobody could read on.
            self.stop()
            raise

    def _ask(self, head: dict[str, Any], patience_s: float) -> tuple[dict[str, Any], bytes]:
        self._send(head)
        started = time.monotonic()
        try:
            self._control.settimeout(patience_s)
            answer, raw, _ = wire.recv_frame(self._control)
        except (OSError, EOFError, wire.WireError) as error:
            waited = time.monotonic() - started
            raise self.fail(
                f"the runner did not answer {head.get('do', 'start')!r} ({waited:.1f} s): {error}"
            ) from error
        except BaseException:
            self.stop()
            raise
        return answer, raw


def _interpreter() -> str:
    """The interpreter below any virtual environment, whose packages are thereby out of reach."""
    return str(Path(getattr(sys, "_base_executable", None) or sys.executable).resolve())


def _root(package: str) -> str:
    """The directory that holds `package`.

    Raises:
        SandboxFault: it is not installed, or is no package in a directory.
    """
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise SandboxFault(
            Verdict.SANDBOX_ERROR, f"module for the sandbox: expected an installed package, got {package!r}"
        )
    return str(Path(spec.submodule_search_locations[0]).resolve().parent)
