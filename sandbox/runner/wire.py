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

import fcntl
import mmap
import os
import struct
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar

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

_REMEMBERED = 256
"""Layouts and headers remembered before all are forgotten; a domain uses a handful."""

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


def specs_of(values: Sequence[object], what: str) -> tuple[Spec, ...]:
    """Return the specs of arrays, `what` naming them in the error.

    Raises:
        WireError: one of them is no array, or is of a type that is not carried.
    """
    return tuple(spec_of(value, f"{what} {i}") for i, value in enumerate(values))


class Header(NamedTuple):
    """What a token has before its scalars: a handler's or callback's name (empty in results), then sizes."""

    name: str = ""
    scalars: int = 0
    specs: tuple[Spec, ...] = ()


@lru_cache(_REMEMBERED)
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


@lru_cache(_REMEMBERED)
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


def sealed(size: int) -> int:
    """Return a descriptor of `size` bytes of memory that cannot be resized: shrinking it would kill its readers."""
    descriptor = os.memfd_create("session", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(descriptor, size)
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
    return descriptor


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


def views(buffer: mmap.mmap, specs: Sequence[Spec], start: int) -> tuple[tuple[Array, ...], int]:
    """Return arrays that lie in `buffer` at or after `start`, and the byte after the last.

    Raises:
        NoRoomError: they do not fit.
    """
    offsets, end = place(specs, start, len(buffer))
    arrays = tuple(
        np.ndarray(spec.shape, spec.dtype, buffer, offset)
        for spec, offset in zip(specs, offsets, strict=True)
    )
    return arrays, end


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


class Asking:
    """What asking for something with these shapes means: where its arrays go, and where the last answer's lie.

    It and `Answering` are read with every call: slots are quicker than a tuple's names.

    Attributes:
        head: the token up to its scalars, which `pack` writes.
        targets: where the arrays go.
        end: the byte after them.
        answer: the last answer's token; an equal one means equal shapes in the same place.
        copies: each copies an array that `answer` announces.
    """

    __slots__ = ("answer", "copies", "end", "head", "pack", "targets")

    def __init__(self, kind: bytes, header: Header, buffer: mmap.mmap, start: int) -> None:
        """Lay out a token of `kind` whose arrays lie in `buffer` at or after `start`.

        Raises:
            WireError: the header is too long, or there is no room.
        """
        self.head = token(kind, pack_header(header))
        self.pack = scalar_format(header.scalars).pack
        self.targets, self.end = views(buffer, header.specs, start)
        self.answer = b""
        self.copies: tuple[Callable[[], Array], ...] = ()

    def remember(self, answer: bytes, arrays: Sequence[Array]) -> None:
        """Take the last answer and where its arrays lie."""
        self.answer = answer
        self.copies = tuple([array.copy for array in arrays])


class Answering:
    """What being asked with one header means: who answers, where the arrays lie, and where the last result's lay.

    Attributes:
        function: what is asked for.
        name: what it is called.
        scalar_bytes: how many bytes of scalars follow the header, which does not tell; `unpack` reads them.
        arrays: those that it is asked with.
        end: the byte after them.
        specs: of the last result; equal ones go to the same place.
        targets: where its arrays go.
        answer: the token that announces them.
    """

    __slots__ = ("answer", "arrays", "end", "function", "name", "scalar_bytes", "specs", "targets", "unpack")

    def __init__(self, function: Any, header: Header, buffer: mmap.mmap, start: int) -> None:
        """Find arrays of `header` in `buffer` at or after `start`.

        Raises:
            NoRoomError: they do not fit.
        """
        self.function, self.name = function, header.name
        self.unpack = scalar_format(header.scalars).unpack_from
        self.scalar_bytes = 8 * header.scalars
        self.arrays, self.end = views(buffer, header.specs, start)
        self.specs: list[Any] | None = None
        self.targets: tuple[Array, ...] = ()
        self.answer = b""

    def lay_out(self, kind: bytes, specs: tuple[Spec, ...], buffer: mmap.mmap) -> None:
        """Lay out a result of `kind` whose shapes differ from the last one's, after what it is asked with.

        Raises:
            WireError: it has too many arrays, or there is no room.
        """
        self.targets, _ = views(buffer, specs, self.end)
        self.answer = token(kind, pack_header(Header(specs=specs)))
        self.specs = [tuple(spec) for spec in specs]


_Layout = TypeVar("_Layout", Asking, Answering)


def remember(layouts: dict[Any, _Layout], key: Any, layout: _Layout) -> _Layout:
    """Return `layout`, kept in `layouts`, which forget all others when they are many."""
    if len(layouts) >= _REMEMBERED:
        layouts.clear()
    layouts[key] = layout
    return layout
