"""What a guest asks the trusted side for: remembered on both sides, and never believed for that."""

from __future__ import annotations

import numpy as np
import pytest

from sandbox.base import Limits, SandboxFault, Verdict

GUEST = """
import numpy as np

def start(program):
    program.ask = callback
    return {"step": lambda scalars, arrays: program.step(*arrays) or ()}
"""
LIMITS = Limits(cpu_s=5.0, wall_s=30.0, call_wall_s=10.0)

FORGING = """
import os, numpy as np
def step(x):
    ask("add", (1.0,), (x,))
    header = b"\\x03\\x01\\x01add\\x01\\x01" + len(x).to_bytes(8, "little")
    head = b"Q" + len(header).to_bytes(2, "little") + header
    os.write(4, {token})
    os.read(3, 4096)
"""


@pytest.fixture(params=["runner", "streamed"])
def sandbox(request):
    return request.getfixturevalue(request.param)


class Adding:
    """A callback that keeps what it was asked, and adds the scalar."""

    def __init__(self):
        self.heard = []

    def __call__(self, scalars, arrays):
        self.heard.append((scalars, [a.tolist() for a in arrays]))
        return [a + scalars[0] for a in arrays]


def open_(sandbox, program, **callbacks):
    return sandbox.open(GUEST, program, limits=LIMITS, shared_bytes=1 << 16, callbacks=callbacks)


def ends_with(sandbox, program, **callbacks) -> SandboxFault:
    session = open_(sandbox, program, **callbacks)
    with pytest.raises(SandboxFault) as caught:
        session.call("step", (), (np.arange(3.0),))
    session.close()
    return caught.value


def test_equal_questions_in_calls_of_different_sizes(sandbox):
    """The arrays of a question lie after those of its call, elsewhere for each size; none overwrite another."""
    program = (
        "import numpy as np\ndef step(x):\n    for k in range(3):\n        before = x.copy()\n"
        "        (found,) = ask('add', (k,), (np.full(4, x.sum()),))\n"
        "        assert np.array_equal(x, before), 'the call was overwritten'\n"
        "        assert np.array_equal(found, np.full(4, x.sum() + k)), found\n"
    )
    add = Adding()
    session = open_(sandbox, program, add=add)
    for size in (1, 500, 1, 9, 500):
        session.call("step", (), (np.full(size, 2.0),))
        assert add.heard == [((float(k),), [[2.0 * size] * 4]) for k in range(3)]
        add.heard.clear()
    session.close()


def test_answers_may_change_their_shapes(sandbox):
    program = (
        "def step(x):\n"
        "    shapes = [tuple(a.shape for a in ask('vary', (k,), (x,))) for k in (2, 2, 0, 5, 2)]\n"
        "    assert shapes == [((2,), (2, 1))] * 2 + [()] + [((5,), (5, 1))] + [((2,), (2, 1))], shapes\n"
    )

    def vary(scalars, arrays):
        n = int(scalars[0])
        return (np.ones(n), np.ones((n, 1), np.int32)) if n else ()

    session = open_(sandbox, program, vary=vary)
    session.call("step", (), (np.ones(3),))
    session.close()


def test_more_kinds_of_questions_than_are_remembered(sandbox):
    program = (
        "import numpy as np\ndef step(x):\n    for n in (*range(300), *range(5)):\n"
        "        (found,) = ask('add', (1,), (np.arange(float(n)),))\n"
        "        assert np.array_equal(found, np.arange(1.0, n + 1)), found\n"
    )
    session = open_(sandbox, program, add=Adding())
    session.call("step", (), (np.ones(3),))
    session.close()


def test_answers_and_questions_are_copies(sandbox):
    program = (
        "def step(x):\n    (first,) = ask('keep', (), (x,))\n    (second,) = ask('keep', (), (x + 1,))\n"
        "    assert first.tolist() == [1.0] and second.tolist() == [2.0], (first, second)\n"
    )
    kept = []

    def keep(scalars, arrays):
        kept.extend(arrays)
        return arrays

    session = open_(sandbox, program, keep=keep)
    session.call("step", (), (np.ones(1),))
    session.close()
    assert [a.tolist() for a in kept] == [[1.0], [2.0]]


def test_a_subclass_is_asked_with_as_the_array_that_it_is(sandbox):
    program = (
        "import numpy as np\ndef step(x):\n    m = np.ma.masked_array(x, mask=[1, 0, 0])\n"
        "    for _ in range(2):\n        ask('add', (1,), (x,))\n        ask('add', (1,), (m,))\n"
    )
    add = Adding()
    session = open_(sandbox, program, add=add)
    session.call("step", (), (np.arange(3.0),))
    session.close()
    assert [values[0][1:] for _, values in add.heard] == [[1.0, 2.0]] * 4


@pytest.mark.parametrize("bad", ["[1.0]", "np.ones(2, complex)", "np.ones((1,) * 5)"])
def test_a_question_that_is_not_carried_is_the_insides_error(sandbox, bad):
    program = (
        f"import numpy as np\ndef step(x):\n    ask('add', (1,), (x,))\n    ask('add', (1,), ({bad},))\n"
    )
    fault = ends_with(sandbox, program, add=Adding())
    assert fault.verdict is Verdict.EXCEPTION
    assert "callback add: array 0: expected" in fault.message


@pytest.mark.parametrize("token", ["head", "head + bytes(7)", "head + bytes(16)", "head + bytes(3000)"])
def test_a_known_header_with_other_scalars_is_refused(sandbox, token):
    add = Adding()
    fault = ends_with(sandbox, FORGING.format(token=token), add=add)
    assert fault.verdict is Verdict.BAD_RESULT
    assert "expected 1 float64 after its header" in fault.message
    assert len(add.heard) == 1


@pytest.mark.parametrize("token", ["b'Q'", "b'Q' + bytes(1)", "head[:-1]", "b'Q\\xff\\xff' + head[3:]"])
def test_a_question_shorter_than_it_says_is_refused(sandbox, token):
    fault = ends_with(sandbox, FORGING.format(token=token), add=Adding())
    assert (fault.verdict, fault.message[:6]) == (Verdict.BAD_RESULT, "token:")


def test_a_forged_question_in_order_is_only_a_question(sandbox):
    add = Adding()
    session = open_(sandbox, FORGING.format(token="head + np.float64(7.0).tobytes()"), add=add)
    for size in (3, 40, 3):
        session.call("step", (), (np.arange(float(size)),))
        assert [scalars for scalars, _ in add.heard] == [(1.0,), (7.0,)]
        assert add.heard[0][1] == [list(range(size))]
        assert len(add.heard[1][1][0]) == size
        add.heard.clear()
    session.close()


def test_a_question_without_room_is_the_insides_error(sandbox):
    fault = ends_with(
        sandbox, "import numpy as np\ndef step(x):\n    ask('add', (1,), (np.ones(1 << 20),))\n"
    )
    assert fault.verdict is Verdict.OUTPUT_LIMIT


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ([1.0], "callback odd: result 0: expected a numpy array, got float"),
        ([np.ones(2, complex)], "callback odd: result 0: expected dtype"),
        ([np.ones(1 << 20)], "callback odd: arrays: expected at most"),
        ([np.ones(1)] * 65, "64 arrays; got 0 and 65"),
    ],
)
def test_an_answer_that_is_not_carried_is_the_callers_error(sandbox, answer, message):
    answers = iter([[np.ones(1)], answer])
    program = "def step(x):\n    ask('odd', (), (x,))\n    ask('odd', (), (x,))\n"
    session = open_(sandbox, program, odd=lambda scalars, arrays: next(answers))
    with pytest.raises(ValueError, match=message):
        session.call("step", (), (np.ones(1),))
    session.close()


def test_the_deadline_of_a_call_holds_for_its_questions(sandbox):
    limits = Limits(cpu_s=5.0, wall_s=30.0, call_wall_s=0.5)
    program = "def step(x):\n    while True:\n        ask('add', (1.0,), (x,))\n"
    session = sandbox.open(GUEST, program, limits=limits, shared_bytes=1 << 16, callbacks={"add": Adding()})
    with pytest.raises(SandboxFault, match=r"a call took longer than 0\.5 s") as caught:
        session.call("step", (), (np.ones(1),))
    assert caught.value.verdict is Verdict.TIMEOUT
    session.close()
