"""Encodes and decodes the tokens between driver and child, about arrays that lie in memory; no token holds an object.

A token is one packet: a kind byte, then for calls and results the *header* (handler name, dtype code and shape
of every array) and float64 scalars. The arrays themselves lie in one mapping, in the order of the header, each
aligned to 64 bytes. Equal names and shapes give equal header bytes, so both sides remember what a header means
and a hot call parses nothing.

Where driver and child share the mapping, nothing but tokens travels. Where they cannot, each has a mapping of its
own, and the bytes that a token speaks of (`Extents`) follow it.

Whatever is read here may have been written by an untrusted program: every length is checked against a cap,
and the product of a shape against the room there is, before anything is allocated.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.generic]

CALL, RESULT, ERROR, ASK, ANSWER = b"C", b"R", b"E", b"Q", b"A"
"""Token kinds: driver calls, child results or fails; child asks a callback, driver answers."""

MAX_TOKEN = 4096
"""What a pipe carries as one packet; more numbers than fit belong into an array."""
MAX_NDIM = 4
MAX_ARRAYS = 64
MAX_NAME = 64
MAX_SCALARS = 128
ALIGNMENT = 64

_CODES: dict[int, np.dtype[Any]] = {
    code: np.dtype(name)
    for code, name in enumerate(("float64", "float32", "int64", "int32", "uint8", "bool"), start=1)
}
_CODE_OF = {dtype: code for code, dtype in _CODES.items()}
DTYPES = tuple(str(dtype) for dtype in _CODES.values())
_PREFIX = struct.Struct("<cH")
_HEADER = struct.Struct("<BBB")


class WireError(Exception):
    """Bytes or values that the wire does not carry; the message says what was expected."""


class NoRoomError(WireError):
    """Arrays larger than the shared mapping has room for."""


class Spec(NamedTuple):
    """What is known of an array before it exists."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]


def spec_of(value: object, what: str) -> Spec:
    """Return the spec of an array, `what` naming it in the error.

    Raises:
        WireError: it is no array, or one of a type that is not carried.
    """
    if not isinstance(value, np.ndarray):
        raise WireError(f"{what}: expected a numpy array, got {type(value).__name__}")
    if value.dtype not in _CODE_OF:
        raise WireError(f"{what}: expected dtype {', '.join(DTYPES)}; got {value.dtype}")
    if value.ndim > MAX_NDIM:
        raise WireError(f"{what}: expected at most {MAX_NDIM} dimensions, got {value.ndim}")
    return Spec(value.dtype, value.shape)


class Header(NamedTuple):
    """What a token has before its scalars: a handler's or callback's name (empty in results), then sizes."""

    name: str = ""
    scalars: int = 0
    specs: tuple[Spec, ...] = ()


def pack_header(header: Header) -> bytes:
    """Return the bytes of `header`.

    Raises:
        WireError: the name is too long, or there are too many scalars or arrays.
    """
    name, scalars, specs = header
    encoded = name.encode()
    if len(encoded) > MAX_NAME:
        raise WireError(f"name: expected at most {MAX_NAME} bytes, got {len(encoded)}")
    if scalars > MAX_SCALARS or len(specs) > MAX_ARRAYS:
        raise WireError(
            f"call: expected <= {MAX_SCALARS} scalars, {MAX_ARRAYS} arrays; got {scalars} and {len(specs)}"
        )
    parts = [_HEADER.pack(len(encoded), scalars, len(specs)), encoded]
    for dtype, shape in specs:
        parts.append(struct.pack(f"<BB{len(shape)}Q", _CODE_OF[dtype], len(shape), *shape))
    return b"".join(parts)


def parse_header(data: bytes) -> Header:
    """Return the header that `data` states; nothing is allocated by what it claims.

    Raises:
        WireError: the bytes are not exactly one header.
    """
    try:
        name_length, scalars, count = _HEADER.unpack_from(data)
        at = _HEADER.size + name_length
        name = data[_HEADER.size : at].decode()
        specs = []
        for _ in range(count):
            code, ndim = struct.unpack_from("<BB", data, at)
            if code not in _CODES or ndim > MAX_NDIM:
                raise WireError(
                    f"array: expected a known dtype, ndim <= {MAX_NDIM}; got code {code}, ndim {ndim}"
                )
            specs.append(Spec(_CODES[code], struct.unpack_from(f"<{ndim}Q", data, at + 2)))
            at += 2 + 8 * ndim
    except (struct.error, UnicodeDecodeError) as error:
        raise WireError(
            f"header: expected name, dtypes and shapes; got {len(data)} unreadable bytes"
        ) from error
    if at != len(data) or name_length > MAX_NAME or scalars > MAX_SCALARS:
        raise WireError(f"header: expected {at} bytes, got {len(data)}")
    return Header(name, scalars, tuple(specs))


def rounded_room(shared_bytes: int) -> int:
    """Return the size of a mapping with room for `shared_bytes` of arrays, alignment included."""
    return -(-(shared_bytes + ALIGNMENT * (MAX_ARRAYS + 1)) // mmap.PAGESIZE) * mmap.PAGESIZE


def place(specs: Sequence[Spec], start: int, room: int) -> tuple[tuple[int, ...], int]:
    """Return the byte offset of every array when the first lies at or after `start`, and the byte after the last.

    Raises:
        NoRoomError: they end beyond `room`. A dimension of 0 counts as 1, so that none can exceed `room`.
    """
    offsets = []
    for dtype, shape in specs:
        start = -(-start // ALIGNMENT) * ALIGNMENT
        offsets.append(start)
        size = dtype.itemsize
        for dimension in shape:
            size *= max(dimension, 1)
        if start + size > room:
            raise NoRoomError(
                f"arrays: expected at most {room} bytes of shared memory, got at least {start + size}"
            )
        start += size
    return tuple(offsets), start


def views(buffer: mmap.mmap, specs: Sequence[Spec], offsets: Sequence[int]) -> tuple[Array, ...]:
    """Return arrays that lie in `buffer` at `offsets`, which `place` has checked."""
    return tuple(
        np.ndarray(spec.shape, spec.dtype, buffer, offset)
        for spec, offset in zip(specs, offsets, strict=True)
    )


def token(kind: bytes, body: bytes) -> bytes:
    """Return a token of `kind` up to its scalars, which are appended as float64."""
    return _PREFIX.pack(kind, len(body)) + body


def body_end(data: bytes) -> int:
    """Return where the header of the received token `data` ends and its scalars begin.

    Raises:
        WireError: it is shorter than it says.
    """
    if len(data) < _PREFIX.size or len(data) < (end := _PREFIX.size + data[1] + 256 * data[2]):
        raise WireError(f"token: expected a kind, a length and that many bytes; got {len(data)} bytes")
    return end


def read_header(data: bytes) -> Header:
    """Return the header of the received token `data`, whose scalars are all there.

    Raises:
        WireError: the token is malformed.
    """
    end = body_end(data)
    header = parse_header(data[_PREFIX.size : end])
    if len(data) != end + 8 * header.scalars:
        raise WireError(
            f"token: expected {header.scalars} float64 after its header, got {len(data) - end} bytes"
        )
    return header


class Extents:
    """Which bytes of a mapping the tokens of one session speak of; both ends of a stream compute the same."""

    def __init__(self, room: int) -> None:
        """Start with a mapping of `room` bytes."""
        self._room = room
        self._call_end = self._ask_end = 0

    def of(self, data: bytes) -> slice:
        """Return where the arrays of the received or sent token `data` lie; empty for a malformed token.

        Results and questions lie after the arrays of the call, an answer after those of its question.
        """
        kind = data[:1]
        if kind not in {CALL, RESULT, ASK, ANSWER}:
            return slice(0, 0)
        start = {CALL: 0, ANSWER: self._ask_end}.get(kind, self._call_end)
        try:
            _, end = place(read_header(data).specs, start, self._room)
        except WireError:
            return slice(0, 0)
        if kind == CALL:
            self._call_end = end
        elif kind == ASK:
            self._ask_end = end
        return slice(start, end)


@lru_cache(maxsize=MAX_SCALARS + 1)
def scalar_format(count: int) -> struct.Struct:
    """Return how `count` scalars are written after a token's header."""
    return struct.Struct(f"<{count}d")
