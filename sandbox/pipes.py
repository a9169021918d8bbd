"""Carries tokens between driver and child over pipes, and never waits longer than agreed."""

from __future__ import annotations

import os
import select

from sandbox.runner import wire


class ChannelClosed(Exception):
    """The child's end is closed: it is dead, or as good as."""


class ChannelTimeout(Exception):
    """The child did not answer, or did not read, in time."""


class Pipes:
    """Two pipes in packet mode: half the cost of a socket pair. `theirs` are the child's ends."""

    def __init__(self) -> None:
        calls, self._out = os.pipe2(os.O_DIRECT | os.O_CLOEXEC)
        self._in, results = os.pipe2(os.O_DIRECT | os.O_CLOEXEC)
        # Neither a child that does not read may hold us up, nor one that takes back what we were about to read.
        os.set_blocking(self._out, False)
        os.set_blocking(self._in, False)
        self.theirs = [calls, results]
        poll = select.poll()
        poll.register(self._in, select.POLLIN)
        self._poll = poll.poll

    def close_theirs(self) -> None:
        """Close the child's ends here, so that its death closes them for good."""
        while self.theirs:
            os.close(self.theirs.pop())

    def exchange(self, token: bytes, patience_ms: float) -> bytes:
        """Send `token` and receive the answer.

        Raises:
            ChannelClosed: the child is gone.
            ChannelTimeout: it takes longer than `patience_ms`.
        """
        try:
            os.write(self._out, token)
        except BlockingIOError:
            raise ChannelTimeout from None
        except BrokenPipeError:
            raise ChannelClosed from None
        # As `receive`, without the cost of calling it.
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
        """Receive one token.

        Raises:
            ChannelClosed: the child is gone, or takes its own tokens back.
            ChannelTimeout: it takes longer than `patience_ms`.
        """
        if not self._poll(patience_ms):
            raise ChannelTimeout
        try:
            answer = os.read(self._in, wire.MAX_TOKEN)
        except BlockingIOError:
            raise ChannelClosed from None
        if not answer:
            raise ChannelClosed
        return answer

    def close(self) -> None:
        """Close everything; may be called twice."""
        self.close_theirs()
        for descriptor in (self._out, self._in):
            if descriptor >= 0:
                os.close(descriptor)
        self._out = self._in = -1
