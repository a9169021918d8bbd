"""Runs one session in a forked child: confine it, load guest and program, answer calls until it is killed."""

from __future__ import annotations

import contextlib
import mmap
import os
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple, NoReturn, TextIO

import numpy as np

from . import confine, execute, wire

RESERVE_BYTES = 8 << 20
_REMEMBERED = 256
"""Headers remembered before all are forgotten; a domain uses a handful."""


STARTED = wire.token(wire.RESULT, wire.pack_header(wire.Header()))
"""Sent when the child is confined (a fault before that is ours) and again when the program has started."""


class Streams(NamedTuple):
    """Standard streams of children: the runner's own were opened on other files."""

    given: TextIO
    printed: TextIO

    @classmethod
    def open(cls, empty: int) -> Streams:
        """Open the streams once, while descriptors 0 and 1 are what a child has there: `empty` and a pipe."""
        kept = os.dup(0), os.dup(1)
        ends = os.pipe()
        try:
            os.dup2(empty, 0)
            os.dup2(ends[1], 1)
            given = os.fdopen(0, closefd=False)
            printed = os.fdopen(1, "w", buffering=1, encoding="utf-8", errors="replace", closefd=False)
        finally:
            for number, descriptor in enumerate(kept):
                os.dup2(descriptor, number)
            for descriptor in (*kept, *ends):
                os.close(descriptor)
        return cls(given, printed)

    def install(self) -> None:
        """Make them the program's standard streams."""
        sys.stdin = sys.__stdin__ = self.given  # type: ignore[misc,assignment]
        sys.stdout = sys.__stdout__ = sys.stderr = sys.__stderr__ = self.printed  # type: ignore[misc,assignment]


class Job(NamedTuple):
    """One session, as the runner hands it to the child that it forked."""

    descriptors: confine.Descriptors
    limits: confine.Limits
    walls: confine.Walls
    streams: Streams
    reserve: mmap.mmap
    """Given back when memory runs out, so that there is room to say so."""
    memory: int
    """Descriptor of the shared memory, which starts with the sources of guest and program."""
    shared_bytes: int
    guest_bytes: int
    program_bytes: int
    seed: int | None
    """What generators start from; None: as the runner left them."""
    parent: int


def run(job: Job) -> NoReturn:
    """Serve one session in this process, which ends with it."""
    shared = mmap.mmap(job.memory, job.shared_bytes)
    sources_end = job.guest_bytes + job.program_bytes
    guest = shared[: job.guest_bytes].decode()
    program = shared[job.guest_bytes : sources_end].decode()
    confine.confine(job.descriptors, job.limits, job.walls, parent=job.parent)
    job.streams.install()
    if job.seed is not None:
        execute.seed_generators(job.seed)
    channel = Channel(shared)
    os.write(confine.RESULTS, STARTED)
    loaded: execute.Loaded | None = None
    try:
        loaded = execute.Loaded(guest, program, channel.ask)
        channel.serve(loaded)
    except BaseException as error:  # noqa: BLE001 - everything an untrusted program raises is reported
        if issubclass(type(error), MemoryError):  # By its type: `__class__` may be the program's.
            job.reserve.close()
        failure = execute.describe(error, program)
        del error, loaded
        _report(failure)
    os._exit(0)


def _report(failure: execute.Failure) -> None:
    """Send why this session ends; what was printed goes first, since the driver kills at once."""
    with contextlib.suppress(Exception):
        sys.__stdout__.flush()  # type: ignore[union-attr]
    body = bytes([execute.FAILURES.index(failure.verdict)]) + failure.message.encode(errors="replace")
    os.write(confine.RESULTS, wire.token(wire.ERROR, body[: wire.MAX_TOKEN - 3]))


class _Call:
    """What the header of a call means: who answers, where its arrays lie, and where the last result's lay.

    Read with every call: slots are quicker than a tuple's names.
    """

    __slots__ = ("arrays", "end", "handler", "name", "specs", "targets", "token", "unpack")

    def __init__(
        self, name: str, handler: execute.Handler, scalars: int, arrays: tuple[wire.Array, ...], end: int
    ) -> None:
        self.name = name
        self.handler = handler
        self.unpack = wire.scalar_format(scalars).unpack_from
        self.arrays = arrays
        self.end = end
        self.specs: list[Any] | None = None
        self.targets: tuple[wire.Array, ...] = ()
        self.token = b""


class _Question:
    """What asking a callback with arrays of these shapes means: where they go, and where the last answer's lie."""

    __slots__ = ("answer", "end", "head", "pack", "sources", "targets")

    def __init__(self, head: bytes, scalars: int, targets: tuple[wire.Array, ...], end: int) -> None:
        self.head = head
        self.pack = wire.scalar_format(scalars).pack
        self.targets = targets
        self.end = end
        self.answer = b""
        self.sources: tuple[wire.Array, ...] = ()


class Channel:
    """The child's end of a session: receives calls, sends results, asks callbacks."""

    def __init__(self, shared: mmap.mmap) -> None:
        self._shared = shared
        self._end = 0
        self._calls: dict[bytes, _Call] = {}
        self._questions: dict[Any, _Question] = {}

    def serve(self, loaded: execute.Loaded) -> NoReturn:
        """Announce that the program has started, then answer calls for ever.

        Raises:
            BaseException: what a handler raised.
        """
        read, write, flush = os.read, os.write, sys.stdout.flush
        calls, ndarray = self._calls, np.ndarray
        write(confine.RESULTS, STARTED)
        while True:
            data = read(confine.CALLS, wire.MAX_TOKEN)
            if not data:
                os._exit(0)
            end = 3 + data[1] + 256 * data[2]
            call = calls.get(data[:end])
            if call is None:
                call = self._new_call(data, end, loaded)
            self._end = call.end
            values = call.handler(call.unpack(data, end), call.arrays)
            if type(values) is not tuple or call.specs != [
                (value.dtype, value.shape) if type(value) is ndarray else None for value in values
            ]:
                self._lay_out_result(call, values)
            for target, value in zip(call.targets, values):  # noqa: B905 - as many, by their specs
                target[...] = value
            flush()
            write(confine.RESULTS, call.token)

    def ask(
        self, name: str, scalars: Sequence[float] = (), arrays: Sequence[wire.Array] = ()
    ) -> tuple[wire.Array, ...]:
        """Have the driver run its callback `name`, with arrays that lie after those of the call being answered."""
        shapes = [(value.dtype, value.shape) if type(value) is np.ndarray else None for value in arrays]
        key = (name, len(scalars), self._end, *shapes)
        question = self._questions.get(key)
        if question is None:
            question = self._new_question(key, name, len(scalars), arrays)
        for target, value in zip(question.targets, arrays):  # noqa: B905 - as many, by their key
            target[...] = value
        os.write(confine.RESULTS, question.head + question.pack(*scalars))
        answer = os.read(confine.CALLS, wire.MAX_TOKEN)
        if answer != question.answer:
            if not answer:
                os._exit(0)
            question.sources, _ = self._place(wire.read_header(answer).specs, question.end)
            question.answer = answer
        return tuple([source.copy() for source in question.sources])

    def _place(self, specs: Sequence[wire.Spec], start: int) -> tuple[tuple[wire.Array, ...], int]:
        offsets, end = wire.place(specs, start, len(self._shared))
        return wire.views(self._shared, specs, offsets), end

    def _new_call(self, data: bytes, end: int, loaded: execute.Loaded) -> _Call:
        """Read a header that is new."""
        header = wire.read_header(data)
        arrays, arrays_end = self._place(header.specs, 0)
        handler = loaded.handler(header.name)
        call = _Call(header.name, handler, header.scalars, arrays, arrays_end)
        if len(self._calls) >= _REMEMBERED:
            self._calls.clear()
        self._calls[data[:end]] = call
        return call

    def _new_question(
        self, key: tuple[Any, ...], name: str, scalars: int, arrays: Sequence[wire.Array]
    ) -> _Question:
        """Lay out a question whose name and shapes are new, or whose arrays are no plain ones."""
        specs = tuple(wire.spec_of(value, f"callback {name}: array {i}") for i, value in enumerate(arrays))
        targets, end = self._place(specs, self._end)
        header = wire.pack_header(wire.Header(name, scalars, specs))
        question = _Question(wire.token(wire.ASK, header), scalars, targets, end)
        if None not in key:
            if len(self._questions) >= _REMEMBERED:
                self._questions.clear()
            self._questions[key] = question
        return question

    def _lay_out_result(self, call: _Call, values: Any) -> None:
        """Check results whose shapes differ from last time's, and lay them out after the inputs."""
        specs = execute.result_specs(call.name, values)
        call.targets, _ = self._place(specs, call.end)
        call.token = wire.token(wire.RESULT, wire.pack_header(wire.Header(specs=specs)))
        call.specs = [tuple(spec) for spec in specs]
