"""Talks to a container over its standard streams, which the daemon carries in one connection."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import struct
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from docker.models.containers import Container

_HEADER = struct.Struct(">BxxxI")
"""Before every piece of output: 1 or 2 for the stream, and its length."""

_ERRORS = 2
_CHUNK = 1 << 16


class AttachedStreams:
    """Implements `sandbox.link.Control` over input and output; what the error stream says is kept apart."""

    def __init__(self, container: Container, *, stdin: bool) -> None:
        """Attach to `container`, which does not run yet.

        Args:
            container: the container.
            stdin: whether to keep its input open; with the connection it ends.
        """
        params = {"stdout": 1, "stderr": 1, "stream": 1} | ({"stdin": 1} if stdin else {})
        self._attached: Any = container.attach_socket(params=params)
        # The client wraps the socket in a file for reading only.
        self._socket = socket.socket(fileno=os.dup(self._attached.fileno()))
        self._pieces = bytearray()
        self._output = bytearray()
        self._ended = False
        self.errors = bytearray()

    def fileno(self) -> int:
        """Return the connection's descriptor."""
        return self._socket.fileno()

    def settimeout(self, timeout_s: float) -> None:
        """Limit how long sending or receiving may stand still before it raises `TimeoutError`."""
        self._socket.settimeout(timeout_s)

    def send(self, data: bytes | memoryview, fds: Sequence[int] = ()) -> None:
        """Write all of `data` to the container's input.

        Raises:
            OSError: there are descriptors, which do not pass; or the connection is closed.
        """
        if fds:
            raise OSError(f"standard streams: expected no descriptors, got {len(fds)}")
        self._socket.sendall(data)

    def receive(self, size: int) -> tuple[bytes, list[int]]:
        """Return at most `size` bytes of the container's output, none when it has ended."""
        while not self._output and not self._ended:
            self._read()
        data = bytes(self._output[:size])
        del self._output[:size]
        return data, []

    def wait(self, timeout_s: float) -> bool:
        """Return whether there is output, or no more to come, within `timeout_s`."""
        deadline = time.monotonic() + timeout_s
        while not self._output and not self._ended:
            if not self._readable(deadline):
                return False
            self._read()
        return True

    def wait_for_end(self, timeout_s: float) -> bool:
        """Return whether the container ends within `timeout_s`."""
        deadline = time.monotonic() + timeout_s
        while not self._ended and self._readable(deadline):
            self._read()
        return self._ended

    def detach(self) -> None:
        """Detach from the connection without closing it, in a process that was forked."""
        self._socket.detach()

    def close(self) -> None:
        """End the container's input; its output can still be read."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)

    def release(self) -> None:
        """Close the connection."""
        self._ended = True
        self._socket.close()
        # The file is part of an HTTP response, which closes it and would miss it.
        getattr(self._attached, "_response", self._attached).close()

    def _readable(self, deadline: float) -> bool:
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        return bool(poll.poll(max(1000 * (deadline - time.monotonic()), 0.0)))

    def _read(self) -> None:
        """Read what there is, and sort the complete pieces into output and errors."""
        got = self._socket.recv(_CHUNK)
        self._ended = not got
        self._pieces += got
        while len(self._pieces) >= _HEADER.size:
            stream, length = _HEADER.unpack_from(self._pieces)
            end = _HEADER.size + length
            if len(self._pieces) < end:
                return
            kept = self.errors if stream == _ERRORS else self._output
            kept += self._pieces[_HEADER.size : end]
            del self._pieces[:end]
