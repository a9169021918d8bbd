"""Tokens and arrays over a stream: both ends count alike, and a runner that lies or is late does no harm."""

from __future__ import annotations

import socket
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.base import Limits, SandboxFault, Verdict
from sandbox.docker import Container
from sandbox.link import ChannelClosed, ChannelTimeout, RunnerLink, StreamTransport
from sandbox.runner import frames, wire
from sandbox.runner.frames import SocketStream

ROOM = 1 << 14
KINDS = (wire.CALL, wire.RESULT, wire.ASK, wire.ANSWER, wire.ERROR)
ENDED = {"status": 0, "reason": None, "cpu_s": 0.5, "rss_kib": 1, "log_total": 0}


def token(kind, *shapes):
    specs = tuple(wire.Spec(np.dtype(float), tuple(shape)) for shape in shapes)
    return wire.token(kind, wire.pack_header(wire.Header(specs=specs)))


def test_results_and_questions_lie_after_the_call_and_answers_after_the_question():
    extents = wire.Extents(ROOM)
    assert extents.of(token(wire.CALL, (8,))) == slice(0, 64)
    assert extents.of(token(wire.ASK, (16,))) == slice(64, 192)
    assert extents.of(token(wire.ANSWER, (8,), (8,))) == slice(192, 320)
    assert extents.of(token(wire.RESULT, (2, 4))) == slice(64, 128)
    assert extents.of(token(wire.CALL)) == slice(0, 0)
    assert extents.of(token(wire.RESULT, (8,))) == slice(0, 64)


@given(st.lists(st.one_of(
    st.binary(max_size=60),
    st.builds(lambda kind, shapes: token(kind, *shapes), st.sampled_from(KINDS), st.lists(
        st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 9), max_size=4), max_size=3)),
), max_size=8))  # fmt: skip
def test_whatever_comes_stays_within_the_room_and_both_ends_agree(tokens):
    ours, theirs = wire.Extents(ROOM), wire.Extents(ROOM)
    for data in tokens:
        extent = ours.of(data)
        assert 0 <= extent.start <= extent.stop <= ROOM
        assert theirs.of(data) == extent


class NoHost:
    def ended(self, timeout_s):
        return True

    def kill(self):
        raise AssertionError("it has ended")

    def printed(self):
        return "last words"

    def release(self):
        pass


@pytest.fixture
def ends():
    """A link, a transport over it, and the runner's end of both."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        link = RunnerLink(NoHost(), SocketStream(ours))
        transport = StreamTransport(link, 1000, b"guest", b"program")
        transport.open({})
        runner = SocketStream(theirs)
        opened = frames.recv_frame(runner)
        assert opened.raw == b"guestprogram"
        assert opened.head["shared_bytes"] == wire.rounded_room(1000)
        yield link, transport, runner


def say(runner, data, arrays=b""):
    frames.send_frame(runner, {"token_bytes": len(data)}, data + arrays)


def test_a_token_goes_with_the_arrays_that_it_speaks_of(ends):
    _, transport, runner = ends
    (view,), end = wire.views(transport.memory, [wire.Spec(np.dtype(float), (2,))], 0)
    view[:] = (1.5, 2.5)
    say(runner, token(wire.RESULT, (1,)), bytes(48) + np.float64(7.0).tobytes())
    answer = transport.exchange(token(wire.CALL, (2,)), 1000.0)
    sent = frames.recv_frame(runner)
    assert sent.raw == token(wire.CALL, (2,)) + np.array([1.5, 2.5]).tobytes()
    (result,), _ = wire.views(transport.memory, wire.read_header(answer).specs, end)
    assert result.tolist() == [7.0]


def test_a_child_that_is_gone_or_silent(ends):
    _, transport, runner = ends
    with pytest.raises(ChannelTimeout):
        transport.receive(1.0)
    say(runner, b"")
    with pytest.raises(ChannelClosed):
        transport.receive(1000.0)


def test_an_answer_that_comes_too_late_is_not_taken_for_the_end(ends):
    link, _, runner = ends
    say(runner, token(wire.RESULT, (4,)), bytes(32))
    frames.send_frame(runner, ENDED, b"printed")
    ended = link.end(0.0)
    assert (ended.cpu_s, ended.log) == (0.5, b"printed")


@pytest.mark.parametrize("arrays", [b"", bytes(31), bytes(33)])
def test_arrays_of_another_size_than_announced_are_refused(ends, arrays):
    link, transport, runner = ends
    say(runner, token(wire.RESULT, (4,)), arrays)
    with pytest.raises(SandboxFault, match="for a token about 32") as caught:
        transport.receive(1000.0)
    assert caught.value.verdict is Verdict.SANDBOX_ERROR
    assert not link.alive


def test_a_frame_larger_than_the_sessions_room_is_refused_before_it_is_read(ends):
    _, transport, runner = ends
    runner.send(struct.pack("<II", 2, frames.MAX_FRAME + wire.rounded_room(1000)) + b"{}")
    with pytest.raises(SandboxFault, match="frame: expected at most"):
        transport.receive(1000.0)


def test_an_interrupt_between_token_and_answer_stops_the_runner(ends, monkeypatch):
    link, transport, _ = ends

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(frames, "recv_frame", interrupted)
    say(ends[2], b"")
    with pytest.raises(KeyboardInterrupt):
        transport.receive(1000.0)
    assert not link.alive


def test_more_answers_than_questions_come_one_at_a_time(streamed):
    """The second of two forged results is the answer to the next call, as it is over pipes."""
    guest = "def start(program):\n    return {'step': lambda s, a: (program.step(*a),)}\n"
    forging = (
        "import os\ndef step(x):\n    body = b'\\x00\\x00\\x00'\n"
        "    for _ in range(3): os.write(4, b'R\\x03\\x00' + body)\n    return x\n"
    )
    session = streamed.open(guest, forging, limits=Limits(cpu_s=5.0), shared_bytes=4096)
    assert [session.call("step", (), (np.ones(1),)) for _ in range(3)] == [(), (), ()]
    session.close()
    session = streamed.open(guest, "def step(x):\n    return x\n", limits=Limits(), shared_bytes=4096)
    assert session.call("step", (), (np.ones(1),))[0].tolist() == [1.0]
    session.close()


class Attached:
    """What the Docker client returns, over a socket pair."""

    def __init__(self, sock):
        self.sock = sock

    def attach_socket(self, params):
        return self.sock


def piece(stream, data):
    return struct.pack(">BxxxI", stream, len(data)) + data


def test_the_two_streams_of_a_container_are_told_apart():
    ours, theirs = socket.socketpair()
    with theirs:
        streams = Container(Attached(ours), stdin=True)
        theirs.sendall(piece(2, b"warning")[:9])
        assert not streams.wait(0.0)
        theirs.sendall(
            piece(2, b"warning")[9:] + piece(1, b"ab") + piece(1, b"cd") + piece(2, b"!") + b"\x01\0"
        )
        assert streams.wait(1.0)
        assert streams.receive(3) == (b"abc", [])
        assert streams.receive(3) == (b"d", [])
        assert streams.printed() == "warning!"
        streams.send(b"to its input")
        assert theirs.recv(99) == b"to its input"
        streams.close()
        assert theirs.recv(99) == b""
        assert not streams.ended(0.0)
        theirs.shutdown(socket.SHUT_WR)
        assert streams.ended(1.0)
        assert streams.receive(1) == (b"", [])
        streams.release()


def test_descriptors_do_not_pass_into_a_container():
    ours, theirs = socket.socketpair()
    with theirs:
        streams = Container(Attached(ours), stdin=True)
        with pytest.raises(OSError, match="expected no descriptors, got 1"):
            streams.send(b"x", [0])
        streams.release()
