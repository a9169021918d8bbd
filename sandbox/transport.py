"""Carries calls to a child: decides where their arrays lie, and sends the tokens about them."""

from __future__ import annotations

import contextlib
import mmap
import os
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from sandbox.base import Array
from sandbox.link import RunnerLink
from sandbox.pipes import ChannelClosed, ChannelTimeout, Pipes
from sandbox.runner import wire
from sandbox.runner.memory import sealed

Exchange = Callable[[bytes, float], bytes]


class Transport(Protocol):
    """One session's memory and channel. Used once."""

    @property
    def exchange(self) -> Exchange:
        """Send a token and receive the answer, within so many milliseconds.

        Raises:
            ChannelClosed: the child is gone.
            ChannelTimeout: it takes longer.
        """
        ...

    def open(self, head: dict[str, Any]) -> None:
        """Have the runner fork the child; `head` has the session's limits.

        Raises:
            SandboxFault: `SANDBOX_ERROR`: the runner is gone.
        """
        ...

    def place(self, specs: Sequence[wire.Spec], start: int) -> tuple[tuple[Array, ...], int]:
        """Return views for arrays of `specs` at or after `start`, and the byte after them.

        Raises:
            NoRoomError: they do not fit.
        """
        ...

    def receive(self, patience_ms: float) -> bytes:
        """Receive one token.

        Raises:
            ChannelClosed: the child is gone.
            ChannelTimeout: it takes longer than `patience_ms`.
        """
        ...

    def close(self) -> None:
        """Free everything; may be called twice."""
        ...


class _Memory:
    """A mapping that starts with the sources of guest and program until the first call."""

    def __init__(self, size: int, descriptor: int, sources: tuple[bytes, bytes]) -> None:
        self.size = size
        self.mapping = mmap.mmap(descriptor, size)
        self.mapping[: sum(map(len, sources))] = b"".join(sources)
        self.head = {
            "shared_bytes": size,
            "guest_bytes": len(sources[0]),
            "program_bytes": len(sources[1]),
        }

    def place(self, specs: Sequence[wire.Spec], start: int) -> tuple[tuple[Array, ...], int]:
        offsets, end = wire.place(specs, start, self.size)
        return wire.views(self.mapping, specs, offsets), end

    def close(self) -> None:
        """Unmap, or leave it to the garbage collector while a view of it is still held."""
        with contextlib.suppress(BufferError):
            self.mapping.close()


class SharedTransport:
    """Implements `Transport` by memory that driver and child share, and pipes, which costs least."""

    def __init__(self, link: RunnerLink, room: int, guest: bytes, program: bytes) -> None:
        """Make memory with `room` bytes for arrays, and a channel."""
        self._link = link
        size = wire.rounded_room(max(room, len(guest) + len(program)))
        self._descriptor = sealed(size)
        self._memory = _Memory(size, self._descriptor, (guest, program))
        self._pipes = Pipes()
        self.exchange = self._pipes.exchange
        self.receive = self._pipes.receive
        self.place = self._memory.place

    def open(self, head: dict[str, Any]) -> None:
        """Pass the runner the child's descriptors, and keep none of them."""
        self._link.open(head | self._memory.head, fds=[self._descriptor, *self._pipes.theirs])
        self._pipes.close_theirs()
        self._close_descriptor()

    def close(self) -> None:
        """Unmap the memory and close the channel."""
        self._pipes.close()
        self._close_descriptor()
        self._memory.close()

    def _close_descriptor(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


class StreamTransport:
    """Implements `Transport` where nothing is shared: tokens and arrays go through the runner's control stream.

    The memory here mirrors the child's: whatever a token speaks of follows it, and nothing else does.
    """

    def __init__(self, link: RunnerLink, room: int, guest: bytes, program: bytes) -> None:
        """Make memory with `room` bytes for arrays."""
        self._link = link
        self._sources = guest + program
        size = wire.rounded_room(max(room, len(self._sources)))
        self._memory = _Memory(size, -1, (guest, program))
        self._extents = wire.Extents(size)
        self.place = self._memory.place

    def open(self, head: dict[str, Any]) -> None:
        """Send the runner the sources, for memory that it makes."""
        self._link.open(head | self._memory.head, sources=self._sources)

    def exchange(self, token: bytes, patience_ms: float) -> bytes:
        """Send `token` with its arrays and receive the answer.

        Raises:
            ChannelClosed: the child is gone.
            ChannelTimeout: it takes longer than `patience_ms`.
        """
        self._link.send_token(token, self._memory.mapping[self._extents.of(token)])
        return self.receive(patience_ms)

    def receive(self, patience_ms: float) -> bytes:
        """Receive one token, with its arrays.

        Raises:
            ChannelClosed: the child is gone.
            ChannelTimeout: it takes longer than `patience_ms`.
        """
        received = self._link.receive_token(patience_ms / 1000)
        if received is None:
            raise ChannelTimeout
        token, arrays = received
        if not token:
            raise ChannelClosed
        extent = self._extents.of(token)
        if len(arrays) != extent.stop - extent.start:
            expected = extent.stop - extent.start
            raise self._link.fail(f"the runner sent {len(arrays)} bytes for a token about {expected}")
        self._memory.mapping[extent] = arrays
        return token

    def close(self) -> None:
        """Unmap the memory."""
        self._memory.close()
