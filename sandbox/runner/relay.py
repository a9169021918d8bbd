"""Relays tokens to a child where no descriptor passes into the sandbox, with memory and a channel made in here.

The runner carries each token between its driver's stream and the child, with the bytes that the token speaks of.
It reads one token for each that it sends, so that whatever else a child says is read as late as over pipes.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import socket

from . import frames, wire
from .memory import sealed

GREETINGS = 2
"""Tokens that a child sends unasked: that it is confined, and that its program has started."""


class Relay:
    """One session's memory and channel, and what carries them to the driver."""

    def __init__(self, stream: frames.Stream, room: int, sources: bytes) -> None:
        """Make memory of `room` bytes that starts with `sources`, and a channel."""
        self._stream = stream
        memory = sealed(room)
        os.pwrite(memory, sources, 0)
        # Packets without limits on whole pages; pipes in packet mode are not known everywhere.
        self._channel, child = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        end = child.detach()
        self.theirs = [memory, end, os.dup(end)]
        self.room = room
        self._extents = wire.Extents(room)
        self._owed = GREETINGS

    def forked(self) -> None:
        """Map the memory and close the child's descriptors, once the child has its own."""
        self._memory = memoryview(mmap.mmap(self.theirs[0], self.room))
        self._channel.setblocking(False)
        while self.theirs:
            os.close(self.theirs.pop())

    @property
    def waiting(self) -> bool:
        """Return whether the driver waits for a token."""
        return self._owed > 0

    def fileno(self) -> int:
        """Return the descriptor that the child's tokens arrive on."""
        return self._channel.fileno()

    def to_child(self, token_bytes: int, raw: bytes) -> None:
        """Pass on what the driver sent: a token, then the bytes that it speaks of."""
        token, arrays = raw[:token_bytes], raw[token_bytes:]
        self._memory[self._extents.of(token)] = arrays
        self._owed += 1
        # A child that is dead or does not read does not answer: the driver's deadline shows that.
        with contextlib.suppress(BlockingIOError, ConnectionError):
            self._channel.send(token)

    def to_driver(self) -> None:
        """Pass on what the child sent, or that it is gone."""
        try:
            token = self._channel.recv(wire.MAX_TOKEN)
        except BlockingIOError:
            return
        except ConnectionError:
            token = b""
        self._owed = self._owed - 1 if token else 0
        arrays = self._memory[self._extents.of(token)]
        frames.send_frame(self._stream, {"token_bytes": len(token)}, token + arrays)

    def close(self) -> None:
        """Close the channel; the memory goes with this object."""
        self._channel.close()
