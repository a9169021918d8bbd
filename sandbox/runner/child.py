"""Runs one session in a forked child: confine it, load guest and program, answer calls until it is killed."""

from __future__ import annotations

import contextlib
import mmap
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, NoReturn, TextIO

import numpy as np

from . import confine, execute, wire

RESERVE_BYTES = 8 << 20

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

    descriptors: Sequence[int]
    limits: confine.Limits
    walls: confine.Walls
    streams: Streams
    reserve: mmap.mmap
    """Given back when memory runs out, so that there is room to say so."""
    memory: int
    """Descriptor of the shared memory, which starts with the sources of guest and program."""
    head: Mapping[str, Any]
    """The sizes of that memory and of the sources, and the seed that generators start from (None: as they are)."""
    parent: int


def run(job: Job) -> NoReturn:
    """Serve one session in this process, which ends with it."""
    head = job.head
    shared = mmap.mmap(job.memory, head["shared_bytes"])
    guest = shared[: head["guest_bytes"]].decode()
    program = shared[head["guest_bytes"] : head["guest_bytes"] + head["program_bytes"]].decode()
    confine.confine(job.descriptors, job.limits, job.walls, parent=job.parent)
    job.streams.install()
    if head["seed"] is not None:
        execute.seed_generators(head["seed"])
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


class Channel:
    """The child's end of a session: receives calls, sends results, asks callbacks."""

    def __init__(self, shared: mmap.mmap) -> None:
        self._shared = shared
        self._end = 0
        self._calls: dict[bytes, wire.Answering] = {}
        self._questions: dict[Any, wire.Asking] = {}

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
            values = call.function(call.unpack(data, end), call.arrays)
            if type(values) is not tuple or call.specs != [
                (value.dtype, value.shape) if type(value) is ndarray else None for value in values
            ]:
                call.lay_out(wire.RESULT, execute.result_specs(call.name, values), self._shared)
            for target, value in zip(call.targets, values):  # noqa: B905 - as many, by their specs
                target[...] = value
            flush()
            write(confine.RESULTS, call.answer)

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
            specs = wire.read_header(answer).specs
            question.remember(answer, wire.views(self._shared, specs, question.end)[0])
        return tuple([copy() for copy in question.copies])

    def _new_call(self, data: bytes, end: int, loaded: execute.Loaded) -> wire.Answering:
        """Read a header that is new."""
        header = wire.read_header(data)
        call = wire.Answering(loaded.handler(header.name), header, self._shared, 0)
        return wire.remember(self._calls, data[:end], call)

    def _new_question(
        self, key: tuple[Any, ...], name: str, scalars: int, arrays: Sequence[wire.Array]
    ) -> wire.Asking:
        """Lay out a question whose name and shapes are new, or whose arrays are no plain ones."""
        header = wire.Header(name, scalars, wire.specs_of(arrays, f"callback {name}: array"))
        question = wire.Asking(wire.ASK, header, self._shared, self._end)
        return question if None in key else wire.remember(self._questions, key, question)
