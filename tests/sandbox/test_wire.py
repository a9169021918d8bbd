"""The wire format: what goes in comes out, and no bytes whatever crash it or make it allocate."""

from __future__ import annotations

import contextlib
import mmap
import os
import socket
import struct
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sandbox.runner import frames, wire
from sandbox.runner.frames import SocketStream

ROOM = 1 << 16
dtypes = st.sampled_from([np.dtype(name) for name in wire.DTYPES])
shapes = st.lists(st.integers(0, 2**64 - 1), max_size=wire.MAX_NDIM).map(tuple)
specs = st.lists(st.builds(wire.Spec, dtypes, shapes), max_size=8).map(tuple)
names = st.text(max_size=16)
SMALL = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5)
headers = st.builds(wire.Header, names, st.integers(0, wire.MAX_SCALARS), specs)


@given(headers)
def test_headers_round_trip(header):
    assert wire.parse_header(wire.pack_header(header)) == header


@given(headers, st.sampled_from([wire.CALL, wire.RESULT, wire.ASK, wire.ANSWER]), st.data())
def test_tokens_round_trip(header, kind, data):
    floats = st.floats(allow_nan=False)
    scalars = data.draw(st.lists(floats, min_size=header.scalars, max_size=header.scalars))
    tail = wire.scalar_format(header.scalars).pack(*scalars)
    token = wire.token(kind, wire.pack_header(header)) + tail
    assert token[:1] == kind
    assert wire.read_header(token) == header
    assert list(wire.scalar_format(header.scalars).unpack_from(token, wire.body_end(token))) == scalars


@given(headers)
def test_equal_headers_have_equal_bytes(header):
    again = wire.Header(header.name, header.scalars, tuple(wire.Spec(*spec) for spec in header.specs))
    assert wire.pack_header(header) == wire.pack_header(again)


@given(st.binary(max_size=300))
def test_random_bytes_are_refused_or_read(data):
    for read in (wire.parse_header, wire.read_header, wire.body_end):
        try:
            read(data)
        except wire.WireError as error:
            assert "expected" in str(error)


@given(headers, st.data())
def test_damaged_tokens_are_refused_or_read(header, data):
    token = bytearray(wire.token(wire.RESULT, wire.pack_header(header)))
    at = data.draw(st.integers(0, len(token) - 1))
    token[at] = data.draw(st.integers(0, 255))
    with contextlib.suppress(wire.WireError):
        wire.place(wire.read_header(bytes(token)).specs, 0, ROOM)


@given(specs, st.integers(0, ROOM))
def test_arrays_lie_apart_and_inside(found, start):
    try:
        offsets, end = wire.place(found, start, ROOM)
    except wire.NoRoomError as error:
        assert f"at most {ROOM} bytes" in str(error)
        return
    assert end <= ROOM
    at = start
    for spec, offset in zip(found, offsets, strict=True):
        assert offset % wire.ALIGNMENT == 0
        assert offset >= at
        at = offset + spec.dtype.itemsize * int(np.prod(spec.shape, dtype=object))
    assert at <= end


@settings(deadline=None)
@given(st.lists(st.one_of([hnp.arrays(dtype, SMALL) for dtype in wire.DTYPES]), max_size=5))
def test_arrays_round_trip_through_memory(arrays):
    memory = mmap.mmap(-1, ROOM * 4)
    found = tuple(wire.spec_of(value, "array") for value in arrays)
    header = wire.parse_header(wire.pack_header(wire.Header(specs=found)))
    views, _ = wire.views(memory, header.specs, 0)
    for view, value in zip(views, arrays, strict=True):
        view[...] = value
    for view, value in zip(views, arrays, strict=True):
        assert view.tobytes() == value.tobytes()
        assert view.dtype == value.dtype


@pytest.mark.parametrize("shape", [(2**40, 2**40), (2**63,), (0, 2**62), (2**16, 2**16, 2**16, 2**16)])
def test_giant_shapes_are_refused_before_anything_is_allocated(shape):
    header = wire.pack_header(wire.Header(specs=(wire.Spec(np.dtype("float64"), shape),)))
    tracemalloc.start()
    with pytest.raises(wire.NoRoomError):
        wire.place(wire.parse_header(header).specs, 0, ROOM)
    assert tracemalloc.get_traced_memory()[1] < 100_000
    tracemalloc.stop()


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([1.0], "x: expected a numpy array, got list"),
        (np.ones(2, ">f8"), "x: expected dtype float64, float32, int64, int32, uint8, bool; got >f8"),
        (np.ones(2, "m8[s]"), "x: expected dtype"),
        (np.array([None]), "got object"),
        (np.ones((1,) * 5), "x: expected at most 4 dimensions, got 5"),
    ],
)
def test_what_is_not_carried_is_named(value, message):
    with pytest.raises(wire.WireError, match=message):
        wire.spec_of(value, "x")


def test_headers_beyond_the_caps_are_refused():
    with pytest.raises(wire.WireError, match="at most 64 bytes, got 65"):
        wire.pack_header(wire.Header("x" * 65))
    with pytest.raises(wire.WireError, match="scalars"):
        wire.pack_header(wire.Header("x", wire.MAX_SCALARS + 1))
    biggest = wire.Header(
        "x" * 64, wire.MAX_SCALARS, (wire.Spec(np.dtype("bool"), (1,) * 4),) * wire.MAX_ARRAYS
    )
    assert len(wire.token(wire.CALL, wire.pack_header(biggest))) + 8 * wire.MAX_SCALARS <= wire.MAX_TOKEN


@given(
    st.dictionaries(st.text(max_size=9), st.one_of(st.integers(), st.text(max_size=9)), max_size=4),
    st.binary(),
)
def test_frames_round_trip(head, raw):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        frames.send_frame(SocketStream(ours), head, raw)
        assert frames.recv_frame(SocketStream(theirs)) == (head, raw, [])


def test_frames_carry_descriptors():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        read, write = os.pipe()
        frames.send_frame(SocketStream(ours), {"do": "open"}, fds=[write])
        _, _, (received,) = frames.recv_frame(SocketStream(theirs))
        os.write(received, b"x")
        assert os.read(read, 9) == b"x"
        for descriptor in (read, write, received):
            os.close(descriptor)


@given(st.binary(max_size=200))
@settings(deadline=None)
def test_random_frames_are_refused(data):
    ours, theirs = socket.socketpair()
    with theirs:
        with ours:
            ours.sendall(data)
        try:
            frames.recv_frame(SocketStream(theirs))
        except (wire.WireError, EOFError, ConnectionError) as error:
            assert str(error)


def test_a_frame_that_claims_to_be_huge_is_refused_before_it_is_read():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.sendall(struct.pack("<II", 2**31, 2**31))
        with pytest.raises(wire.WireError, match="frame: expected at most"):
            frames.recv_frame(SocketStream(theirs))
