"""A session with a child process: calls over shared memory, deadlines, and what an ended child means."""

from __future__ import annotations

import contextlib
import os
import signal
import struct
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from sandbox.base import Array, Callback, Limits, SandboxFault, Usage, Verdict
from sandbox.link import Ended, RunnerLink
from sandbox.pipes import ChannelClosed, ChannelTimeout, Pipes
from sandbox.runner import wire
from sandbox.runner.execute import FAILURES, clean
from sandbox.shared import SharedMemory

_DEATH_GRACE_S = 2.0
"""How long a child with a closed channel may take to end (to free its memory) before it is killed."""
_CHARGE_STEP_S = 0.02
_REMEMBERED = 256


class _Call(NamedTuple):
    """What is known of calls with one name and one set of shapes."""

    token: bytes
    scalars: struct.Struct
    arrays: tuple[Array, ...]
    end: int


class ProcessSession:
    """Implements `sandbox.base.Session` over one child of a warm runner."""

    def __init__(
        self,
        link: RunnerLink,
        limits: Limits,
        shared: SharedMemory,
        callbacks: Mapping[str, Callback],
        on_end: Callable[[Ended | None], None],
    ) -> None:
        """Prepare a session; `start` opens it. `on_end` hears once how it ended (None: nobody knows)."""
        self._link = link
        self._limits = limits
        self._shared = shared
        self._callbacks = callbacks
        self._on_end = on_end
        self._pipes = Pipes()
        self._opened = time.monotonic()
        self._deadline = self._opened + limits.wall_s
        self._last_full_call = self._deadline - limits.call_wall_s
        self._call_ms = 1000 * limits.call_wall_s
        self._callback_cpu_s = self._uncharged_s = 0.0
        self._calls: dict[Any, _Call] = {}
        self._results: dict[tuple[int, bytes], tuple[Array, ...]] = {}
        self._usage: Usage | None = None

    def start(self, guest_bytes: int, program_bytes: int) -> None:
        """Have the runner fork the child, and wait until the program has started.

        Raises:
            SandboxFault: it did not.
        """
        head = {
            "cpu_s": self._limits.cpu_s,
            "memory_bytes": self._limits.memory_mib << 20,
            "log_bytes": self._limits.log_bytes,
            "shared_bytes": self._shared.size,
            "guest_bytes": guest_bytes,
            "program_bytes": program_bytes,
        }
        try:
            self._link.open(head, [self._shared.descriptor, *self._pipes.theirs])
            self._pipes.close_theirs()
            self._shared.close_descriptor()
            patience_ms = min(self._call_ms, 1000 * self._limits.wall_s)
            self._hear_confined(patience_ms)
            self._settle(0, self._pipes.receive(patience_ms), time.monotonic() + patience_ms / 1000)
        except (ChannelClosed, ChannelTimeout) as ending:
            raise self._ending(ending) from None
        except BaseException:
            self._abandon()
            raise

    def call(
        self, name: str, scalars: Sequence[float] = (), arrays: Sequence[Array] = ()
    ) -> tuple[Array, ...]:
        """Run the guest's handler `name`; see `sandbox.base.Session.call`.

        Raises:
            SandboxFault: with the verdict; the session is dead then.
            ValueError: the arguments are not what the wire carries, or do not fit into the shared memory.
            RuntimeError: the session has ended.
        """
        if self._usage is not None:
            raise RuntimeError("session: expected no call after a fault or close")
        key = (name, len(scalars), *[(value.dtype, value.shape) for value in arrays])
        call = self._calls.get(key) or self._learn_call(key, name, len(scalars), arrays)
        try:
            for target, value in zip(call.arrays, arrays, strict=True):
                target[...] = value
            now = time.monotonic()
            patience_ms = self._call_ms if now < self._last_full_call else 1000 * (self._deadline - now)
            answer = self._pipes.exchange(call.token + call.scalars.pack(*scalars), max(patience_ms, 0.0))
            result = self._results.get((call.end, answer))
            if result is None:
                result = self._settle(call.end, answer, now + patience_ms / 1000)
            return tuple([view.copy() for view in result])
        except (ChannelClosed, ChannelTimeout) as ending:
            raise self._ending(ending) from None
        except BaseException:
            self._abandon()
            raise

    def close(self) -> Usage:
        """End the program, reap it and say what it cost; see `sandbox.base.Session.close`.

        Raises:
            SandboxFault: `SANDBOX_ERROR`: the runner cannot say what it cost.
        """
        if self._usage is None:
            self._end(0.0)
        return self._usage or Usage(0.0, 0.0, 0.0, "")

    def _learn_call(self, key: Any, name: str, scalars: int, arrays: Sequence[Array]) -> _Call:
        """Lay out a call whose name and shapes are new."""
        try:
            specs = tuple(wire.spec_of(value, f"{name}: array {i}") for i, value in enumerate(arrays))
            header = wire.pack_header(wire.Header(name, scalars, specs))
            views, end = self._shared.place(specs, 0)
        except wire.WireError as error:
            raise ValueError(str(error)) from None
        call = _Call(wire.token(wire.CALL, header), wire.scalar_format(scalars), views, end)
        if len(self._calls) >= _REMEMBERED:
            self._calls.clear()
        self._calls[key] = call
        return call

    def _hear_confined(self, patience_ms: float) -> None:
        """Wait until the child has confined itself; no program has run before.

        Raises:
            SandboxFault: `SANDBOX_ERROR`: it could not, and said why on its log.
        """
        try:
            self._pipes.receive(patience_ms)
        except (ChannelClosed, ChannelTimeout) as ending:
            fault = self._ending(ending)
            text = self._usage.log[-1500:] if self._usage else ""
            raise self._link.fail(f"a child could not start: {fault.message}\n{text}") from None

    def _settle(self, end: int, answer: bytes, deadline: float) -> tuple[Array, ...]:
        """Serve callbacks until a result comes that was not seen before; where its arrays lie."""
        try:
            while answer[:1] == wire.ASK:
                answer = self._serve_callback(end, answer, deadline)
            if answer[:1] == wire.ERROR:
                raise self._fault(*_claimed(answer))
            if answer[:1] != wire.RESULT:
                raise wire.WireError(f"token: expected a result, got kind {answer[:1]!r}")
            header = wire.read_header(answer)
            views, _ = self._shared.place(header.specs, end)
        except wire.NoRoomError as error:
            raise self._fault(Verdict.OUTPUT_LIMIT, str(error)) from None
        except wire.WireError as error:
            raise self._fault(Verdict.BAD_RESULT, str(error)) from None
        if len(self._results) >= _REMEMBERED:
            self._results.clear()
        self._results[(end, answer)] = views
        return views

    def _serve_callback(self, end: int, token: bytes, deadline: float) -> bytes:
        """Run the callback that the child asks for, send what it returns, and wait for the next token."""
        header = wire.read_header(token)
        sources, end = self._shared.place(header.specs, end)
        function = self._callbacks.get(header.name)
        if function is None:
            known = ", ".join(self._callbacks) or "none"
            raise wire.WireError(f"callback: expected one of {known}; got {header.name!r}")
        scalars = wire.scalar_format(header.scalars).unpack_from(token, wire.body_end(token))
        began = time.process_time()
        results = function(scalars, tuple(source.copy() for source in sources))
        self._charge(time.process_time() - began)
        specs = tuple(
            _own_spec(value, f"callback {header.name}: result {i}") for i, value in enumerate(results)
        )
        try:
            targets, _ = self._shared.place(specs, end)
        except wire.NoRoomError as error:
            raise ValueError(f"callback {header.name}: {error}") from None
        for target, value in zip(targets, results, strict=True):
            target[...] = value
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            raise ChannelTimeout
        return self._pipes.exchange(
            wire.token(wire.ANSWER, wire.pack_header(wire.Header(specs=specs))), 1000 * left_s
        )

    def _charge(self, cpu_s: float) -> None:
        """Count the CPU time of a callback as the program's own."""
        self._callback_cpu_s += cpu_s
        self._uncharged_s += cpu_s
        if self._uncharged_s > _CHARGE_STEP_S:
            self._link.charge(self._uncharged_s)
            self._uncharged_s = 0.0
        if self._callback_cpu_s > self._limits.cpu_s:
            raise self._fault(Verdict.CPU_LIMIT, self._cpu_message())

    def _ending(self, ending: ChannelClosed | ChannelTimeout) -> SandboxFault:
        """The fault that follows from what the channel met."""
        return self._death() if isinstance(ending, ChannelClosed) else self._timeout()

    def _timeout(self) -> SandboxFault:
        if time.monotonic() >= self._deadline:
            return self._fault(Verdict.TIMEOUT, f"the session took longer than {self._limits.wall_s:g} s")
        return self._fault(Verdict.TIMEOUT, f"a call took longer than {self._limits.call_wall_s:g} s")

    def _death(self) -> SandboxFault:
        """The fault that the end of the child means, by what the runner says of it."""
        ended = self._end(_DEATH_GRACE_S)
        return SandboxFault(*self._meaning(ended))

    def _fault(self, verdict: Verdict, message: str) -> SandboxFault:
        """End the session with `verdict`, unless the runner had killed the child for a better reason."""
        ended = self._end(0.0)
        if ended.reason in {Verdict.CPU_LIMIT, Verdict.LOG_FLOOD} and verdict is Verdict.TIMEOUT:
            verdict, message = self._meaning(ended)
        return SandboxFault(verdict, clean(message))

    def _meaning(self, ended: Ended) -> tuple[Verdict, str]:
        number = os.WTERMSIG(ended.status) if os.WIFSIGNALED(ended.status) else 0
        if ended.reason == Verdict.LOG_FLOOD:
            return Verdict.LOG_FLOOD, f"printed {ended.log_total} bytes; {self._limits.log_bytes} are kept"
        spent = ended.cpu_s + self._callback_cpu_s >= self._limits.cpu_s
        if (
            ended.reason == Verdict.CPU_LIMIT
            or number == signal.SIGXCPU
            or (number == signal.SIGKILL and spent)
        ):
            return Verdict.CPU_LIMIT, self._cpu_message()
        if ended.reason is not None:
            return Verdict.NO_RESULT, "closed its channel without a result"
        if number == signal.SIGSYS:
            return Verdict.VIOLATION, "made a system call that no program needs"
        if number:
            return Verdict.CRASH, f"ended by {signal.Signals(number).name}"
        return (
            Verdict.NO_RESULT,
            f"exited with status {os.waitstatus_to_exitcode(ended.status)} without a result",
        )

    def _cpu_message(self) -> str:
        return f"used more than {self._limits.cpu_s:g} s of CPU"

    def _abandon(self) -> None:
        """End a session that an exception of the caller's left between question and answer."""
        if self._usage is None:
            with contextlib.suppress(SandboxFault):
                self._end(0.0)

    def _end(self, grace_s: float) -> Ended:
        """End the child (after `grace_s` for doing so itself), take its usage, free what this session holds.

        Raises:
            SandboxFault: `SANDBOX_ERROR`: the runner cannot say how it ended.
        """
        self._usage = Usage(0.0, time.monotonic() - self._opened, 0.0, "")
        self._calls.clear()
        self._results.clear()
        self._pipes.close()
        self._shared.close()
        ended: Ended | None = None
        try:
            ended = self._link.end(grace_s)
        finally:
            self._on_end(ended)
        log = clean(ended.log.decode(errors="replace"), max(self._limits.log_bytes, 4))
        if ended.log_total > len(ended.log):
            log += f"\n... ({ended.log_total} bytes in all)"
        wall_s = time.monotonic() - self._opened
        self._usage = Usage(ended.cpu_s + self._callback_cpu_s, wall_s, ended.rss_kib / 1024, log)
        return ended


def _claimed(token: bytes) -> tuple[Verdict, str]:
    """The verdict and the message of an error token, as far as the inside may claim one."""
    body = token[3 : wire.body_end(token)]
    if not body or body[0] >= len(FAILURES):
        raise wire.WireError(
            f"error: expected a verdict below {len(FAILURES)} and a text, got {len(body)} bytes"
        )
    return Verdict(FAILURES[body[0]]), body[1:].decode(errors="replace")


def _own_spec(value: object, what: str) -> wire.Spec:
    try:
        return wire.spec_of(value, what)
    except wire.WireError as error:
        raise ValueError(str(error)) from None
