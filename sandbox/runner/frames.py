"""Sends and receives frames between driver and runner: two lengths, a JSON object, raw bytes, and descriptors.

They travel on a `Stream`: a socket, or where no socket reaches the inside the runner's standard streams.
"""

from __future__ import annotations

import array
import json
import os
import select
import socket
import struct
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from .wire import WireError

MAX_FRAME = 4 * 1024 * 1024
MAX_FDS = 3
_LENGTHS = struct.Struct("<II")
_CHUNK = 1 << 16
_ROOM_FOR_FDS = socket.CMSG_SPACE(MAX_FDS * array.array("i").itemsize)


class Stream(Protocol):
    """Bytes in both directions, and descriptors beside them where the machine can pass any."""

    def send(self, data: bytes | memoryview, fds: Sequence[int] = ()) -> None:
        """Write all of `data`; duplicates of `fds` go with its first byte."""

    def receive(self, size: int) -> tuple[bytes, list[int]]:
        """Return at most `size` bytes, none at the end of the stream, and the descriptors that came with them."""


class Frame(NamedTuple):
    """What was received."""

    head: dict[str, Any]
    raw: bytes = b""
    fds: Sequence[int] = ()


def send_frame(
    stream: Stream, head: dict[str, Any], raw: bytes | memoryview = b"", fds: Sequence[int] = ()
) -> None:
    """Write one frame; `fds` are duplicated into the receiver."""
    text = json.dumps(head).encode()
    stream.send(_LENGTHS.pack(len(text), len(raw)) + text, fds)
    if len(raw):
        stream.send(raw)


def recv_frame(stream: Stream, *, cap: int = MAX_FRAME) -> Frame:
    """Read one frame of at most `cap` bytes.

    Raises:
        EOFError: the other side is gone.
        WireError: the bytes are no frame, or one beyond the cap.
    """
    start, fds = stream.receive(_LENGTHS.size)
    if not start:
        raise EOFError("control stream: the other side is gone")
    start += _exactly(stream, _LENGTHS.size - len(start))
    head_length, raw_length = _LENGTHS.unpack(start)
    if head_length + raw_length > cap:
        raise WireError(f"frame: expected at most {cap} bytes, got {head_length + raw_length}")
    try:
        head = json.loads(_exactly(stream, head_length))
    except ValueError as error:
        raise WireError("frame: expected a JSON object") from error
    if not isinstance(head, dict):
        raise WireError(f"frame: expected a JSON object, got {type(head).__name__}")
    return Frame(head, _exactly(stream, raw_length), fds)


def readable(sock: socket.socket, timeout_s: float) -> bool:
    """Return whether there is something to read from a socket, or its end, within `timeout_s`."""
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(max(1000 * timeout_s, 0.0)))


def _exactly(stream: Stream, length: int) -> bytes:
    data = bytearray()
    while len(data) < length:
        chunk, _ = stream.receive(min(length - len(data), _CHUNK))
        if not chunk:
            raise EOFError(f"control stream: expected {length} bytes, got {len(data)}")
        data += chunk
    return bytes(data)


class SocketStream:
    """Implements `Stream` over a socket, which it owns."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock

    def fileno(self) -> int:
        """Return the socket's descriptor."""
        return self._socket.fileno()

    def settimeout(self, timeout_s: float) -> None:
        """Limit how long sending or receiving may stand still before it raises `TimeoutError`."""
        self._socket.settimeout(timeout_s)

    def wait(self, timeout_s: float) -> bool:
        """Return whether there is something to receive within `timeout_s`."""
        return readable(self._socket, timeout_s)

    def send(self, data: bytes | memoryview, fds: Sequence[int] = ()) -> None:
        """Write all of `data`; duplicates of `fds` go with its first byte."""
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        sent = self._socket.sendmsg([data], ancillary)
        if sent < len(data):
            self._socket.sendall(data[sent:])

    def receive(self, size: int) -> tuple[bytes, list[int]]:
        """Return at most `size` bytes, none at the end of the stream, and the descriptors that came with them."""
        # What `socket.recv_fds` does, which imports a module with every call.
        data, ancillary, _, _ = self._socket.recvmsg(size, _ROOM_FOR_FDS)
        fds = array.array("i")
        for _, _, passed in ancillary:
            fds.frombytes(passed[: len(passed) - len(passed) % fds.itemsize])
        return data, fds.tolist()

    def detach(self) -> None:
        """Detach from the descriptor, whose number the child gives to another file."""
        self._socket.detach()

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


class StandardStreams:
    """Implements `Stream` over this process's input and output, which nothing else in it can use afterwards.

    The process's own input is empty from then on, and what it prints goes to its error stream.
    """

    def __init__(self) -> None:
        self._source, self._sink = os.dup(0), os.dup(1)
        with open(os.devnull, "rb") as empty:
            os.dup2(empty.fileno(), 0)
        os.dup2(2, 1)

    def fileno(self) -> int:
        """Return the descriptor that frames arrive on."""
        return self._source

    def send(self, data: bytes | memoryview, fds: Sequence[int] = ()) -> None:
        """Write all of `data`.

        Raises:
            WireError: there are descriptors, which do not pass.
        """
        if fds:
            raise WireError(f"frame: expected no descriptors on standard streams, got {len(fds)}")
        view = memoryview(data)
        while view:
            view = view[os.write(self._sink, view) :]

    def receive(self, size: int) -> tuple[bytes, list[int]]:
        """Return at most `size` bytes, none at the end of the input."""
        return os.read(self._source, size), []

    def detach(self) -> None:
        """Do nothing: only numbers are held."""
