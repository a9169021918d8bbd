"""Controls a warm runner from the driver's side: has it start and end sessions, and stops it.

Where the runner lives, in a process or in a container, is its `Host`'s business.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from sandbox.base import SandboxFault, Verdict
from sandbox.runner import frames
from sandbox.runner.wire import WireError

START_S = 60.0
ANSWER_S = 10.0
"""How long the runner may take to start, and to answer. It never computes: later than that it hangs."""

_STOP_S = 0.5
ENVIRONMENT = {
    # Sets of strings iterate alike in every runner, so that a program's floats add up alike.
    "PYTHONHASHSEED": "0",
    # One thread: a fork copies no other, and CPU time means one core.
    "OPENBLAS_NUM_THREADS": "1",
}
"""All that the runner's environment holds until it clears it."""


class Host(Protocol):
    """What a runner lives in."""

    def wait(self, timeout_s: float) -> bool:
        """Return whether it has ended by itself within `timeout_s`."""
        ...

    def kill(self) -> None:
        """End it, with everything below it, and wait for that."""
        ...

    def printed(self) -> str:
        """Return what the runner printed, once it has ended."""
        ...

    def release(self) -> None:
        """Free what it held here, once it has ended."""
        ...


class Control(frames.Stream, Protocol):
    """The driver's end of what frames travel on."""

    def settimeout(self, timeout_s: float) -> None:
        """Limit how long sending or receiving may stand still before it raises `TimeoutError`."""
        ...

    def wait(self, timeout_s: float) -> bool:
        """Return whether there is something to receive, or the end of the stream, within `timeout_s`."""
        ...

    def close(self) -> None:
        """Close it, which ends the runner."""
        ...


class Ended(NamedTuple):
    """The runner's report on a session that is over."""

    status: int
    """As ``wait`` returns it."""
    reason: str | None
    """Why the runner itself killed the child, if it did."""
    cpu_s: float
    rss_kib: int
    log_total: int
    log: bytes


class RunnerLink:
    """A warm runner and the control stream to it. Used by one thread."""

    def __init__(self, host: Host, control: Control) -> None:
        self.host = host
        self._control = control
        self.layers: dict[str, str] = {}
        self.own_kernel = False
        """Whether the runner lives on another kernel than this process: one whose clock began at another time."""
        self._cap = frames.MAX_FRAME
        self.alive = True

    @classmethod
    def start(cls, host: Host, control: Control, config: dict[str, Any]) -> RunnerLink:
        """Have the runner at the other end of `control` prepare itself.

        Args:
            host: what it lives in; ended with the link.
            control: the stream to it.
            config: see `sandbox.runner.prepare.prepare`.

        Raises:
            SandboxFault: `SANDBOX_ERROR`, with what the runner printed.
        """
        link = cls(host, control)
        before_s = time.clock_gettime(time.CLOCK_BOOTTIME)
        answer = link._ask(config, START_S)[0]
        if "layers" not in answer:
            raise link.fail(f"the runner did not start: {answer.get('failed', answer)}")
        link.layers = answer["layers"]
        now_s = time.clock_gettime(time.CLOCK_BOOTTIME)
        link.own_kernel = not before_s <= answer["booted_s"] <= now_s
        return link

    def open(self, head: dict[str, Any], *, fds: Sequence[int] = (), sources: bytes = b"") -> None:
        """Have the runner fork a child for a session.

        Args:
            head: the session's limits and sizes.
            fds: its memory and the child's ends of its channel; without them the runner makes its own.
            sources: what its memory starts with, where the runner makes it.

        Raises:
            SandboxFault: `SANDBOX_ERROR`: the runner is gone.
        """
        self._cap = frames.MAX_FRAME + head["shared_bytes"]
        self._send({"do": "open", **head}, fds=fds, raw=sources)

    def send_token(self, token: bytes, arrays: bytes) -> None:
        """Have the runner pass a token to the child, with the arrays that it speaks of.

        Raises:
            SandboxFault: `SANDBOX_ERROR`: the runner is gone.
        """
        self._send({"do": "token", "token_bytes": len(token)}, raw=token + arrays)

    def receive_token(self, patience_s: float) -> tuple[bytes, bytes] | None:
        """Return the child's next token (b"" when it is gone) and its arrays; None after `patience_s`.

        Raises:
            SandboxFault: `SANDBOX_ERROR`: the runner is gone, or answers something else.
        """
        try:
            if not self._control.wait(patience_s):
                return None
        except BaseException:
            self.stop()
            raise
        head, raw, _ = self._receive("token", ANSWER_S)
        if "token_bytes" not in head:
            raise self.fail(f"the runner answered {head}")
        return raw[: head["token_bytes"]], raw[head["token_bytes"] :]

    def charge(self, cpu_s: float) -> None:
        """Deduct from the child's limit CPU time that was spent for it outside.

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
        while "token_bytes" in head:  # A token that was sent before the order arrived.
            head, log, _ = self._receive("end", ANSWER_S + grace_s)
        try:
            return Ended(**head, log=log)
        except TypeError as error:
            raise self.fail(f"the runner answered {head}") from error

    def stop(self) -> None:
        """End and reap the runner and everything below it."""
        self.alive = False
        # Without its driver a runner ends, and with it everything below; else it is killed.
        self._control.close()
        if not self.host.wait(_STOP_S):
            self.host.kill()
        self.host.release()

    def fail(self, message: str) -> SandboxFault:
        """Stop a runner that cannot be used any more, and return the fault to raise."""
        self._control.close()
        printed = self.host.printed()[-1500:] if self.host.wait(_STOP_S) else ""
        self.stop()
        return SandboxFault(Verdict.SANDBOX_ERROR, f"{message}\n{printed}".strip()[:2000])

    def _send(self, head: dict[str, Any], *, fds: Sequence[int] = (), raw: bytes = b"") -> None:
        if not self.alive:
            raise SandboxFault(Verdict.SANDBOX_ERROR, "the runner is gone")
        try:
            self._control.settimeout(ANSWER_S)
            frames.send_frame(self._control, head, raw, fds)
        except OSError as error:
            raise self.fail(f"the runner is gone: {error}") from error
        except BaseException:
            # An interrupt between two halves of a frame: what follows could not be read any more.
            self.stop()
            raise

    def _receive(self, doing: str, patience_s: float) -> frames.Frame:
        started = time.monotonic()
        try:
            self._control.settimeout(patience_s)
            return frames.recv_frame(self._control, cap=self._cap)
        except (OSError, EOFError, WireError) as error:
            waited = time.monotonic() - started
            raise self.fail(f"the runner did not answer {doing!r} ({waited:.1f} s): {error}") from error
        except BaseException:
            self.stop()
            raise

    def _ask(self, head: dict[str, Any], patience_s: float) -> tuple[dict[str, Any], bytes]:
        self._send(head)
        answer, raw, _ = self._receive(head.get("do", "start"), patience_s)
        return answer, raw
