"""Whatever a child does or says, its caller sees a `SandboxFault` with a verdict, in time, and nothing else."""

from __future__ import annotations

import mmap
import signal
import time
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.base import Limits, SandboxFault, Verdict
from sandbox.inprocess import InProcessSandbox
from sandbox.link import ChannelClosed, ChannelTimeout, Ended, SharedTransport, Transport
from sandbox.process import ProcessSandbox
from sandbox.runner import wire
from sandbox.session import ProcessSession

GUEST = "def start(program):\n    return {'step': lambda s, a: program.step(*a) or ()}\n"
ROOM = 1 << 14

names = st.sampled_from(["same", "nothing", "two"]) | st.text(max_size=8)
dtypes = st.sampled_from([np.dtype(name) for name in wire.DTYPES])
shapes = st.lists(st.integers(0, 9) | st.integers(0, ROOM) | st.integers(0, 2**64 - 1), max_size=4).map(tuple)
specs = st.lists(st.builds(wire.Spec, dtypes, shapes), max_size=4).map(tuple)
floats = st.binary(min_size=8, max_size=8)


@st.composite
def tokens(draw):
    """A token in order, then one byte of it changed or some left out, or any bytes."""
    header = draw(st.builds(wire.Header, names, st.integers(0, 4), specs))
    kind = draw(st.sampled_from([wire.CALL, wire.RESULT, wire.ERROR, wire.ASK, wire.ANSWER]))
    data = wire.token(kind, wire.pack_header(header))
    data += b"".join(draw(floats) for _ in range(header.scalars))
    damage = draw(st.sampled_from(["none", "byte", "cut", "any"]))
    if damage == "byte":
        at = draw(st.integers(0, len(data) - 1))
        data = data[:at] + bytes([draw(st.integers(0, 255))]) + data[at + 1 :]
    elif damage == "cut":
        data = data[: draw(st.integers(1, len(data)))]
    return draw(st.binary(min_size=1, max_size=99)) if damage == "any" else data


class Scripted(Transport):
    """A child that says what it is to say, then no more."""

    def __init__(self, script, last):
        super().__init__(None, mmap.mmap(-1, wire.rounded_room(ROOM)), b"", b"")
        self._script, self._last = iter([b"confined", *script]), last

    def open(self, head):
        pass

    def receive(self, patience_ms):
        for token in self._script:
            return token
        raise self._last

    def exchange(self, token, patience_ms):
        assert len(token) <= wire.MAX_TOKEN
        return self.receive(patience_ms)


CALLBACKS = {
    "same": lambda scalars, arrays: arrays,
    "nothing": lambda scalars, arrays: (),
    "two": lambda scalars, arrays: (np.ones(2), np.array(scalars)),
}


@settings(deadline=None, max_examples=500)
@given(st.lists(tokens(), max_size=6), st.sampled_from([ChannelClosed(), ChannelTimeout()]))
def test_any_tokens_end_as_arrays_or_as_a_fault(script, last):
    link = SimpleNamespace(end=lambda grace_s: Ended(0, "ended", 0.0, 1, 0, b""), charge=lambda cpu_s: None)
    ended = []
    session = ProcessSession(link, Limits(), Scripted(script, last), CALLBACKS, ended.append)
    try:
        session.start()
        for size in (3, 3, 8):
            results = session.call("step", (1.0,), (np.ones(size),))
            assert all(isinstance(value, np.ndarray) for value in results)
    except SandboxFault as fault:
        assert fault.verdict in set(Verdict) - {Verdict.SANDBOX_ERROR}
        assert len(fault.message) <= 2000
    session.close()
    assert len(ended) == 1


@settings(deadline=None, max_examples=40)
@given(st.lists(tokens(), min_size=1, max_size=3))
@pytest.mark.parametrize("kind", ["runner", "streamed"])
def test_any_bytes_of_a_child_end_as_arrays_or_as_a_fault(request, kind, script):
    sandbox = request.getfixturevalue(kind)
    program = f"import os\ndef step(x):\n    for data in {script!r}: os.write(4, data)\n"
    limits = Limits(cpu_s=5.0, wall_s=20.0, call_wall_s=10.0)
    session = sandbox.open(GUEST, program, limits=limits, shared_bytes=ROOM, callbacks=CALLBACKS)
    try:
        for size in (3, 8):
            session.call("step", (), (np.ones(size),))
    except SandboxFault as fault:
        assert fault.verdict in set(Verdict) - {Verdict.SANDBOX_ERROR}
    session.close()


def test_an_empty_packet_is_a_closed_channel(streamed):
    program = "import os\ndef step(x):\n    os.write(4, b'')\n"
    session = streamed.open(GUEST, program, limits=Limits(), shared_bytes=64)
    with pytest.raises(SandboxFault, match="without a result") as caught:
        session.call("step", (), (np.ones(1),))
    assert caught.value.verdict is Verdict.NO_RESULT
    session.close()


def test_a_question_that_leaves_its_answer_no_room_is_the_programs_fault(runner):
    guest = GUEST.replace("program.step(*a)", "callback('same', (), (program.asked,))")
    program = "import numpy as np\nasked = np.ones(1 << 11)\n"
    session = runner.open(guest, program, limits=Limits(), shared_bytes=ROOM, callbacks=CALLBACKS)
    with pytest.raises(SandboxFault, match="bytes of shared memory, got at least") as caught:
        session.call("step", (), (np.ones(3),))
    assert caught.value.verdict is Verdict.OUTPUT_LIMIT
    session.close()


WITHOUT_EFFECT = {signal.SIGCHLD, signal.SIGCONT, signal.SIGURG, signal.SIGWINCH}
WITHOUT_EFFECT |= {signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU}
"""Signals that do nothing by themselves; the last three would stop a process that is not alone in its session."""
THREADS = {32, 33}
"""The C library's own: a program cannot change what they do, and whoever started us may have had them ignored."""
MEANINGS = {
    signal.SIGSTOP: (Verdict.TIMEOUT, "a call took longer than 0.3 s"),
    signal.SIGXCPU: (Verdict.CPU_LIMIT, "used more than 5 s of CPU"),
    signal.SIGSYS: (Verdict.VIOLATION, "made a system call that no program needs"),
    40: (Verdict.CRASH, "killed by signal 40"),
    signal.SIGRTMIN: (Verdict.CRASH, "killed by SIGRTMIN"),
    signal.SIGSEGV: (Verdict.CRASH, "killed by SIGSEGV"),
}


def test_every_signal_that_a_program_sends_itself_ends_as_a_verdict():
    program = (
        "import os, signal\ndef step(x):\n    number = int(x[0])\n"
        "    try: signal.signal(number, signal.SIG_DFL)\n    except (OSError, ValueError): pass\n"
        "    os.kill(os.getpid(), number)\n"
    )
    limits = Limits(cpu_s=5.0, wall_s=20.0, call_wall_s=0.3)
    faults = {}
    with ProcessSandbox(namespaces=False) as sandbox:
        for number in range(1, 65):
            sandbox._worn = (
                False  # A runner lasts longer than that; a new one each time would take all the time.
            )
            session = sandbox.open(GUEST, program, limits=limits, shared_bytes=64)
            try:
                session.call("step", (), (np.array([float(number)]),))
            except SandboxFault as fault:
                faults[number] = (fault.verdict, fault.message)
            session.close()
    assert set(range(1, 65)) - set(faults) - THREADS == WITHOUT_EFFECT
    assert {number: faults[number] for number in MEANINGS} == MEANINGS
    others = {faults[number][0] for number in set(faults) - set(MEANINGS)}
    assert others == {Verdict.CRASH}


def test_a_child_that_takes_its_answer_back_does_not_hold_its_caller_up():
    pipes = SharedTransport(None, ROOM, b"", b"")
    pipes._poll = lambda patience_ms: [1]  # As it says while the answer is still there.
    for receive in (lambda: pipes.receive(1.0), lambda: pipes.exchange(b"C", 1.0)):
        with pytest.raises(ChannelClosed):
            receive()
    pipes.close()


def test_a_program_that_reads_its_own_answers_ends_in_time(bare):
    program = (
        "import os, threading\ndef steal(pipe):\n    while True: os.read(pipe, 4096)\n"
        "def step(x):\n    pipe = os.open('/proc/self/fd/4', os.O_RDONLY)\n"
        "    threading.Thread(target=steal, args=(pipe,), daemon=True).start()\n"
    )
    limits = Limits(cpu_s=2.0, wall_s=5.0, call_wall_s=0.3)
    began = time.monotonic()
    for _ in range(5):
        session = bare.open(GUEST, program, limits=limits, shared_bytes=64)
        with pytest.raises(SandboxFault) as caught:
            while True:
                session.call("step", (), (np.ones(1),))
        session.close()
        assert caught.value.verdict in {Verdict.NO_RESULT, Verdict.TIMEOUT, Verdict.EXCEPTION}
    assert time.monotonic() - began < 30


@pytest.mark.parametrize("kind", ["runner", "in process"])
@pytest.mark.parametrize(
    "body",
    [
        "class M(type):\n    @property\n    def __name__(cls): 1 / 0\nclass E(Exception, metaclass=M): pass\nraise E",
        "class E(Exception):\n    @property\n    def __class__(self): 1 / 0\nraise E",
        "class T(str):\n    def __getitem__(self, at): 1 / 0\nclass E(Exception):\n"
        "    def __str__(self): return T('x')\nraise E",
        "class E(OSError):\n    @property\n    def errno(self): 1 / 0\nraise E",
        "e = SyntaxError('x')\ne.filename = 'program.py'\ne.lineno = 'one'\nraise e",
    ],
)
def test_an_exception_that_resists_is_an_exception(request, kind, body):
    sandbox = InProcessSandbox() if kind == "in process" else request.getfixturevalue(kind)
    program = "def step(x):\n" + "".join(f"    {line}\n" for line in body.splitlines())
    session = sandbox.open(GUEST, program, limits=Limits(), shared_bytes=64)
    with pytest.raises(SandboxFault) as caught:
        session.call("step", (), (np.ones(1),))
    session.close()
    assert caught.value.verdict is Verdict.EXCEPTION
    assert caught.value.message
