"""Runs a session with a child process: calls over its transport, deadlines, and the faults that a child ends with."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from numpy import ndarray

from sandbox.base import Array, Callback, Limits, SandboxFault, Usage, Verdict
from sandbox.link import ChannelClosed, ChannelTimeout, Ended, RunnerLink, Transport
from sandbox.runner import wire
from sandbox.runner.execute import FAILURES, clean

_DEATH_GRACE_S = 2.0
"""How long a child with a closed channel may take to end (to free its memory) before it is killed."""
_CHARGE_STEP_S = 0.02


class ProcessSession:
    """Implements `sandbox.base.Session` over one child of a warm runner."""

    def __init__(
        self,
        link: RunnerLink,
        limits: Limits,
        transport: Transport,
        callbacks: Mapping[str, Callback],
        on_end: Callable[[Ended | None], None],
        *,
        seed: int | None = None,
    ) -> None:
        """Prepare a session; `start` opens it. `on_end` is called once with how it ended (None: unknown)."""
        self._link = link
        self._limits = limits
        self._seed = seed
        self._callbacks = callbacks
        self._on_end = on_end
        self._transport = transport
        self._exchange = transport.exchange
        self._opened = time.monotonic()
        self._deadline = self._opened + limits.wall_s
        self._last_full_call = self._deadline - limits.call_wall_s
        self._call_ms = 1000 * limits.call_wall_s
        self._callback_cpu_s = self._uncharged_s = 0.0
        self._calls: dict[Any, wire.Asking] = {}
        self._questions: dict[Any, wire.Answering] = {}
        self._usage: Usage | None = None

    def start(self) -> None:
        """Have the runner fork the child, and wait until the program has started.

        Raises:
            SandboxFault: it did not.
        """
        head = {
            "cpu_s": self._limits.cpu_s,
            "memory_bytes": self._limits.memory_mib << 20,
            "log_bytes": self._limits.log_bytes,
            "seed": self._seed,
        }
        try:
            self._transport.open(head)
            patience_ms = min(self._call_ms, 1000 * self._limits.wall_s)
            self._await_confinement(patience_ms)
            self._await_result(0, self._transport.receive(patience_ms), time.monotonic() + patience_ms / 1000)
        except (ChannelClosed, ChannelTimeout) as ending:
            raise self._channel_fault(ending) from None
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
        call = self._calls.get(key)
        if call is None:
            call = self._new_call(key, name, len(scalars), arrays)
        try:
            for target, value in zip(call.targets, arrays):  # noqa: B905 - as many, by their key
                target[...] = value
            now = time.monotonic()
            patience_ms = self._call_ms
            if now > self._last_full_call:
                patience_ms = max(1000 * (self._deadline - now), 0.0)
            answer = self._exchange(call.head + call.pack(*scalars), patience_ms)
            if answer != call.answer:
                self._read_answer(call, answer, now + patience_ms / 1000)
            return tuple([copy() for copy in call.copies])
        except (ChannelClosed, ChannelTimeout) as ending:
            raise self._channel_fault(ending) from None
        except BaseException:
            self._abandon()
            raise

    def close(self) -> Usage:
        """End the program, reap it and return what it cost; see `sandbox.base.Session.close`.

        Raises:
            SandboxFault: `SANDBOX_ERROR`: the runner cannot say what it cost.
        """
        if self._usage is None:
            self._end(0.0)
        return self._usage or Usage(0.0, 0.0, 0.0, "")

    def _new_call(self, key: Any, name: str, scalars: int, arrays: Sequence[Array]) -> wire.Asking:
        """Lay out a call whose name and shapes are new."""
        try:
            header = wire.Header(name, scalars, wire.specs_of(arrays, f"{name}: array"))
            call = wire.Asking(wire.CALL, header, self._transport.memory, 0)
        except wire.WireError as error:
            raise ValueError(str(error)) from None
        return wire.remember(self._calls, key, call)

    def _read_answer(self, call: wire.Asking, answer: bytes, deadline: float) -> None:
        """Serve an answer unlike the last one, and remember it if it is the result itself and no callback before it."""
        result = self._await_result(call.end, answer, deadline)
        call.remember(answer if answer[:1] == wire.RESULT else b"", result)

    def _await_confinement(self, patience_ms: float) -> None:
        """Wait until the child has confined itself, before which no program runs.

        Raises:
            SandboxFault: `SANDBOX_ERROR`: it could not; its log and the runner's errors say why.
        """
        try:
            self._transport.receive(patience_ms)
        except (ChannelClosed, ChannelTimeout) as ending:
            fault = self._channel_fault(ending)
            text = self._usage.log[-1500:] if self._usage else ""
            raise self._link.fail(f"a child could not start: {fault.message}\n{text}") from None

    def _await_result(self, end: int, answer: bytes, deadline: float) -> tuple[Array, ...]:
        """Serve callbacks until there is a result, and return views of its arrays."""
        try:
            while answer[:1] == wire.ASK:
                answer = self._serve_callback(end, answer, deadline)
            if answer[:1] == wire.ERROR:
                raise self._fault(*_parse_error(answer))
            if answer[:1] != wire.RESULT:
                raise wire.WireError(f"token: expected a result, got kind {answer[:1]!r}")
            return wire.views(self._transport.memory, wire.read_header(answer).specs, end)[0]
        except wire.NoRoomError as error:
            raise self._fault(Verdict.OUTPUT_LIMIT, str(error)) from None
        except wire.WireError as error:
            raise self._fault(Verdict.BAD_RESULT, str(error)) from None

    def _serve_callback(self, end: int, token: bytes, deadline: float) -> bytes:
        """Run the callback that the child asks for, send what it returns, and return the next token."""
        # The call's arrays come first: equal headers lie elsewhere when it ends elsewhere.
        at = wire.body_end(token)
        key = (end, token[:at])
        question = self._questions.get(key)
        if question is None or len(token) != at + question.scalar_bytes:
            question = self._new_question(key, token)
        began = time.process_time()
        results = question.function(
            question.unpack(token, at), tuple([source.copy() for source in question.arrays])
        )
        self._charge(time.process_time() - began)
        if question.specs != [
            (value.dtype, value.shape) if type(value) is ndarray else None for value in results
        ]:
            self._lay_out(question, results, end)
        for target, value in zip(question.targets, results):  # noqa: B905 - as many, by their specs
            target[...] = value
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            raise ChannelTimeout
        return self._exchange(question.answer, 1000 * left_s)

    def _new_question(self, key: tuple[int, bytes], token: bytes) -> wire.Answering:
        """Read a question that is new, or malformed."""
        header = wire.read_header(token)
        function = self._callbacks.get(header.name)
        if function is None:
            known = ", ".join(self._callbacks) or "none"
            raise wire.WireError(f"callback: expected one of {known}; got {header.name!r}")
        question = wire.Answering(function, header, self._transport.memory, key[0])
        return wire.remember(self._questions, key, question)

    def _lay_out(self, question: wire.Answering, results: Sequence[Array], end: int) -> None:
        """Check results whose shapes differ from last time's, and lay them out after the question's arrays.

        Raises:
            ValueError: the callback returned what the wire does not carry, or what does not fit after the call's
                arrays, which end at `end`.
            NoRoomError: the question's arrays leave it no room.
        """
        name = f"callback {question.name}"
        try:
            specs = wire.specs_of(results, f"{name}: result")
            wire.pack_header(wire.Header(specs=specs))
            wire.place(specs, end, len(self._transport.memory))
        except wire.NoRoomError as error:
            raise ValueError(f"{name}: {error}") from None
        except wire.WireError as error:
            raise ValueError(str(error)) from None
        question.lay_out(wire.ANSWER, specs, self._transport.memory)

    def _charge(self, cpu_s: float) -> None:
        """Count the CPU time of a callback as the program's own."""
        self._callback_cpu_s += cpu_s
        self._uncharged_s += cpu_s
        if self._uncharged_s > _CHARGE_STEP_S:
            self._link.charge(self._uncharged_s)
            self._uncharged_s = 0.0
        if self._callback_cpu_s > self._limits.cpu_s:
            raise self._fault(Verdict.CPU_LIMIT, self._cpu_message())

    def _channel_fault(self, ending: ChannelClosed | ChannelTimeout) -> SandboxFault:
        """Return the fault of a session whose child is gone, by the runner's report on it, or late."""
        if isinstance(ending, ChannelClosed):
            return SandboxFault(*self._exit_verdict(self._end(_DEATH_GRACE_S)))
        if time.monotonic() >= self._deadline:
            return self._fault(Verdict.TIMEOUT, f"the session took longer than {self._limits.wall_s:g} s")
        return self._fault(Verdict.TIMEOUT, f"a call took longer than {self._limits.call_wall_s:g} s")

    def _fault(self, verdict: Verdict, message: str) -> SandboxFault:
        """End the session and return its fault, with `verdict` unless the runner knows a better reason."""
        ended = self._end(0.0)
        if ended.reason in {Verdict.CPU_LIMIT, Verdict.LOG_FLOOD} and verdict is Verdict.TIMEOUT:
            verdict, message = self._exit_verdict(ended)
        return SandboxFault(verdict, clean(message))

    def _exit_verdict(self, ended: Ended) -> tuple[Verdict, str]:
        """Return the verdict on a child that ended without an answer, as runner and kernel report it, and why."""
        number = os.WTERMSIG(ended.status) if os.WIFSIGNALED(ended.status) else 0
        if ended.reason == Verdict.LOG_FLOOD:
            kept = self._limits.log_bytes
            return Verdict.LOG_FLOOD, f"printed {ended.log_total} bytes; {kept} are kept"
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
            return Verdict.CRASH, f"killed by {_signal_name(number)}"
        status = os.waitstatus_to_exitcode(ended.status)
        return Verdict.NO_RESULT, f"exited with status {status} without a result"

    def _cpu_message(self) -> str:
        """Return the message for a program that used too much CPU time."""
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
        self._questions.clear()
        self._transport.close()
        ended: Ended | None = None
        try:
            ended = self._link.end(grace_s)
        finally:
            self._on_end(ended)
        log = clean(ended.log.decode(errors="replace"), max(self._limits.log_bytes, 4))
        if ended.log_total > len(ended.log):
            log += f"\n... ({ended.log_total} bytes in all)"
        wall_s = time.monotonic() - self._opened
        called = self._callback_cpu_s
        self._usage = Usage(ended.cpu_s + called, wall_s, ended.rss_kib / 1024, log, called)
        return ended


def _signal_name(number: int) -> str:
    """Return the name of a signal, or ``signal 40``: most real-time signals have none."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _parse_error(token: bytes) -> tuple[Verdict, str]:
    """Return the verdict and the message of an error token, which may only claim what is in `FAILURES`.

    Raises:
        WireError: it claims another verdict, or is malformed.
    """
    body = token[3 : wire.body_end(token)]
    if not body or body[0] >= len(FAILURES):
        raise wire.WireError(
            f"error: expected a verdict below {len(FAILURES)} and a text, got {len(body)} bytes"
        )
    return Verdict(FAILURES[body[0]]), body[1:].decode(errors="replace")
