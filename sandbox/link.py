"""Controls a warm runner from the driver's side: has it start and end sessions, and carries calls to its children.

Where the runner lives, in a process or in a container, is its `Host`'s business. How calls reach a child is its
`Transport`'s: over pipes and shared memory, or where nothing is shared through the stream that controls the runner.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import select
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Protocol

from sandbox.base import SandboxFault, Verdict
from sandbox.runner import frames, wire

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

    def ended(self, timeout_s: float) -> bool:
        """Return whether it ends by itself within `timeout_s`."""

    def kill(self) -> None:
        """End it, with everything below it, and wait for that."""

    def printed(self) -> str:
        """Return what the runner printed, once it has ended."""

    def release(self) -> None:
        """Free what it held here, once it has ended."""


class Control(frames.Stream, Protocol):
    """The driver's end of what frames travel on."""

    def settimeout(self, timeout_s: float) -> None:
        """Limit how long sending or receiving may stand still before it raises `TimeoutError`."""

    def wait(self, timeout_s: float) -> bool:
        """Return whether there is something to receive, or the end of the stream, within `timeout_s`."""

    def close(self) -> None:
        """Close it, which ends the runner."""


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
        with self._unbroken("the runner is gone"):
            if not self._control.wait(patience_s):
                return None
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
        if not self.host.ended(_STOP_S):
            self.host.kill()
        self.host.release()

    def fail(self, message: str) -> SandboxFault:
        """Stop a runner that cannot be used any more, and return the fault to raise."""
        self._control.close()
        printed = self.host.printed()[-1500:] if self.host.ended(_STOP_S) else ""
        self.stop()
        return SandboxFault(Verdict.SANDBOX_ERROR, f"{message}\n{printed}".strip()[:2000])

    def _send(self, head: dict[str, Any], *, fds: Sequence[int] = (), raw: bytes = b"") -> None:
        if not self.alive:
            raise SandboxFault(Verdict.SANDBOX_ERROR, "the runner is gone")
        with self._unbroken("the runner is gone"):
            self._control.settimeout(ANSWER_S)
            frames.send_frame(self._control, head, raw, fds)

    def _receive(self, doing: str, patience_s: float) -> frames.Frame:
        with self._unbroken(f"the runner did not answer {doing!r}"):
            self._control.settimeout(patience_s)
            return frames.recv_frame(self._control, cap=self._cap)

    def _ask(self, head: dict[str, Any], patience_s: float) -> tuple[dict[str, Any], bytes]:
        self._send(head)
        answer, raw, _ = self._receive(head.get("do", "start"), patience_s)
        return answer, raw

    @contextlib.contextmanager
    def _unbroken(self, failure: str) -> Iterator[None]:
        """Stop the runner when a frame breaks off, be it by an interrupt: what follows could not be read any more.

        Raises:
            SandboxFault: `SANDBOX_ERROR`, with `failure` and how long it took.
        """
        started = time.monotonic()
        try:
            yield
        except (OSError, EOFError, wire.WireError) as error:
            raise self.fail(f"{failure} ({time.monotonic() - started:.1f} s): {error}") from error
        except BaseException:
            self.stop()
            raise


class ChannelClosed(Exception):
    """The child's end is closed: it is dead, or as good as."""


class ChannelTimeout(Exception):
    """The child did not answer, or did not read, in time."""


class Transport(ABC):
    """One session's memory and channel. Used once.

    Attributes:
        memory: where arrays lie; it starts with the sources of guest and program until the first call.
    """

    def __init__(self, link: RunnerLink, memory: mmap.mmap, guest: bytes, program: bytes) -> None:
        """Write the sources into `memory`."""
        self._link = link
        self.memory = memory
        self._sources = guest + program
        memory[: len(self._sources)] = self._sources
        self._sizes = {
            "shared_bytes": len(memory),
            "guest_bytes": len(guest),
            "program_bytes": len(program),
        }

    @abstractmethod
    def open(self, head: dict[str, Any]) -> None:
        """Have the runner fork the child; `head` has the session's limits.

        Raises:
            SandboxFault: `SANDBOX_ERROR`: the runner is gone.
        """

    @abstractmethod
    def exchange(self, token: bytes, patience_ms: float) -> bytes:
        """Send `token` with its arrays and receive the answer.

        Raises:
            ChannelClosed: the child is gone.
            ChannelTimeout: it takes longer than `patience_ms`.
        """

    @abstractmethod
    def receive(self, patience_ms: float) -> bytes:
        """Receive one token, with its arrays.

        Raises:
            ChannelClosed: the child is gone, or takes its own tokens back.
            ChannelTimeout: it takes longer than `patience_ms`.
        """

    def close(self) -> None:
        """Free everything; may be called twice. While a view of the memory is held, the garbage collector unmaps it."""
        with contextlib.suppress(BufferError):
            self.memory.close()


class SharedTransport(Transport):
    """Shares memory with the child, and sends tokens over two pipes in packet mode: half the cost of a socket pair."""

    def __init__(self, link: RunnerLink, room: int, guest: bytes, program: bytes) -> None:
        """Make memory with `room` bytes for arrays, and a channel."""
        size = wire.rounded_room(max(room, len(guest) + len(program)))
        descriptor = wire.sealed(size)
        super().__init__(link, mmap.mmap(descriptor, size), guest, program)
        calls, self._out = os.pipe2(os.O_DIRECT | os.O_CLOEXEC)
        self._in, results = os.pipe2(os.O_DIRECT | os.O_CLOEXEC)
        # Neither a child that does not read may hold us up, nor one that takes back what we were about to read.
        os.set_blocking(self._out, False)
        os.set_blocking(self._in, False)
        self._theirs, self._ours = [descriptor, calls, results], [self._out, self._in]
        poll = select.poll()
        poll.register(self._in, select.POLLIN)
        self._poll = poll.poll

    def open(self, head: dict[str, Any]) -> None:
        """Pass the runner the child's descriptors, and keep none: its death is to close the channel for good."""
        self._link.open(head | self._sizes, fds=self._theirs)
        _close_all(self._theirs)

    def exchange(self, token: bytes, patience_ms: float) -> bytes:
        """See `Transport.exchange`."""
        try:
            os.write(self._out, token)
        except BlockingIOError:
            raise ChannelTimeout from None
        except BrokenPipeError:
            raise ChannelClosed from None
        if not self._poll(patience_ms):
            raise ChannelTimeout
        try:
            answer = os.read(self._in, wire.MAX_TOKEN)
        except BlockingIOError:
            raise ChannelClosed from None
        if not answer:
            raise ChannelClosed
        return answer

    def receive(self, patience_ms: float) -> bytes:
        """See `Transport.receive`. Nothing is sent: to write no bytes to a pipe does nothing."""
        return self.exchange(b"", patience_ms)

    def close(self) -> None:
        """Close the channel and unmap the memory."""
        self._out = self._in = -1
        _close_all(self._theirs)
        _close_all(self._ours)
        super().close()


class StreamTransport(Transport):
    """Sends tokens and arrays through the runner's control stream, where nothing is shared.

    The memory here mirrors the child's: whatever a token speaks of follows it, and nothing else does.
    """

    def __init__(self, link: RunnerLink, room: int, guest: bytes, program: bytes) -> None:
        """Make memory with `room` bytes for arrays."""
        size = wire.rounded_room(max(room, len(guest) + len(program)))
        super().__init__(link, mmap.mmap(-1, size), guest, program)
        self._extents = wire.Extents(size)

    def open(self, head: dict[str, Any]) -> None:
        """Send the runner the sources, for memory that it makes."""
        self._link.open(head | self._sizes, sources=self._sources)

    def exchange(self, token: bytes, patience_ms: float) -> bytes:
        """See `Transport.exchange`."""
        self._link.send_token(token, self.memory[self._extents.of(token)])
        return self.receive(patience_ms)

    def receive(self, patience_ms: float) -> bytes:
        """See `Transport.receive`."""
        received = self._link.receive_token(patience_ms / 1000)
        if received is None:
            raise ChannelTimeout
        token, arrays = received
        if not token:
            raise ChannelClosed
        extent = self._extents.of(token)
        expected = extent.stop - extent.start
        if len(arrays) != expected:
            raise self._link.fail(f"the runner sent {len(arrays)} bytes for a token about {expected}")
        self.memory[extent] = arrays
        return token


def _close_all(descriptors: list[int]) -> None:
    """Close descriptors, and forget them."""
    while descriptors:
        os.close(descriptors.pop())
