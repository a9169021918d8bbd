"""Plain data in both directions, and everything that a program may return instead."""

import math

import numpy as np
import pytest

from evaluators.contract import Component, InvalidAnswer
from evaluators.functions import Function, array, number
from sandbox.base import Limits, SandboxFault, Verdict
from sandbox.process import make

COMPONENT = Component("Echo", "say", ("value",))
LIMITS = Limits(cpu_s=2.0, wall_s=20.0, call_wall_s=4.0, memory_mib=256)

PROGRAM = """
import numpy as np

class Echo:
    def __init__(self):
        self.calls = 0

    def say(self, value):
        self.calls += 1
        return {}
"""


@pytest.fixture(scope="module")
def sandbox():
    with make("process", ("numpy",)) as sandbox:
        yield sandbox


@pytest.fixture
def function(sandbox):
    """Opens a program that returns an expression of `value`; closes it at the end."""
    opened = []

    def open_one(expression, **options):
        program = PROGRAM.replace("{}", expression)
        opened.append(Function(program, COMPONENT, sandbox, LIMITS, **options))
        return opened[-1]

    yield open_one
    for one in opened:
        one.close()


@pytest.mark.parametrize(
    "value", [3, 0.1, -1e-300, "ünïcode\n", True, None, [], [1, [2.5, "x"]], {"a": [1], "b": {}}, 2**80]
)
def test_plain_data_is_the_same_on_both_sides(function, value):
    answer = function("value")(value)
    assert answer == value
    assert type(answer) is type(value)


def test_arrays_that_are_sent_are_nested_lists(function):
    assert function("value")(np.arange(6).reshape(2, 3)) == [[0, 1, 2], [3, 4, 5]]


def test_arrays_that_are_returned_are_nested_lists(function):
    assert function("[np.ones((1, 2)), np.float32(0.5), np.int64(3), np.bool_(True)]")(None) == [
        [[1.0, 1.0]],
        0.5,
        3,
        True,
    ]


def test_an_instance_keeps_its_state(function):
    counted = function("self.calls")
    assert [counted(None), counted(None), counted(None)] == [1, 2, 3]


@pytest.mark.parametrize("expression", ["{1, 2}", "self", "1j", "b'x'", "{(1, 2): 3}", "lambda: 0", "open"])
def test_what_is_no_plain_data_is_an_invalid_answer(function, expression):
    with pytest.raises(InvalidAnswer, match=r"Echo\.say: expected numbers, strings, lists and dicts; got a"):
        function(expression)(None)


def test_a_list_in_itself_is_an_invalid_answer(function):
    with pytest.raises(InvalidAnswer, match="Circular"):
        function("(lambda x: x.append(x) or x)([])")(None)


def test_a_large_answer_is_an_invalid_answer(function):
    with pytest.raises(InvalidAnswer, match="at most 1000 bytes as JSON; got 2002"):
        function("'x' * 2000", max_bytes=1000)(None)


def test_large_arguments_are_the_callers_fault(function):
    with pytest.raises(ValueError, match="at most 1000 bytes"):
        function("value", max_bytes=1000)("x" * 1000)


def test_what_is_no_plain_data_cannot_be_sent(function):
    with pytest.raises(TypeError, match="arguments: expected numbers"):
        function("value")({1, 2})


@pytest.mark.parametrize("nested", [500, 100_000])
def test_a_deep_answer_never_breaks_us(function, nested):
    expression = f"(lambda x: [x := [x] for _ in range({nested})][-1])([])"
    try:
        answer = function(expression)(None)
    except InvalidAnswer:
        return
    with pytest.raises(InvalidAnswer):
        array(answer, (None,))


@pytest.mark.parametrize(
    "forged",
    [
        "b'[' * 200_000",
        "b'nonsense'",
        "b'\\xff\\xfe\\xfa'",
        "b''",
        "b'9' * 5000",
        "b'[1, 2'",
    ],
)
def test_forged_bytes_are_an_invalid_answer(sandbox, forged):
    program = f"""
import json, sys
class Forged(str):
    def encode(self, *_):
        return {forged}
class Echo:
    def say(self, value):
        json.dumps = lambda *_, **__: Forged()
        return 0
"""
    function = Function(program, COMPONENT, sandbox, LIMITS)
    with pytest.raises(InvalidAnswer, match="expected a JSON value"):
        function(None)
    function.close()


def test_an_exception_is_the_programs_own(function):
    with pytest.raises(SandboxFault) as caught:
        function("1 / 0")(None)
    assert caught.value.verdict is Verdict.EXCEPTION


@pytest.mark.parametrize("value", [0, 3, -2.5, 1e308])
def test_numbers(value):
    assert number(value) == value


@pytest.mark.parametrize(
    ("value", "got"),
    [
        (math.nan, "nan"),
        (math.inf, "inf"),
        (10**400, "1000"),
        (True, "True"),
        (None, "None"),
        ("3", "a str, '3'"),
        ([1], r"a list, \[1\]"),
        ({}, "a dict"),
    ],
)
def test_what_is_no_number(value, got):
    with pytest.raises(InvalidAnswer, match=f"answer: expected a finite number; got {got}"):
        number(value)


def test_a_number_between_bounds():
    assert number(0.5, low=0.0, high=1.0) == 0.5
    with pytest.raises(InvalidAnswer, match=r"share: expected a finite number between 0 and 1; got 1\.5"):
        number(1.5, low=0.0, high=1.0, what="share")


def test_arrays():
    result = array([[1, 2.5], [3, 4]], (2, None))
    assert result.dtype == np.float64
    assert result.tolist() == [[1.0, 2.5], [3.0, 4.0]]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (3, r"expected numbers in the shape \(2, any\); got 3"),
        (None, "got None"),
        ("ab", "got a str, 'ab'"),
        ([["1", "2"], ["3", "4"]], "got a list"),
        ([[1, None], [2, 3]], "got a list"),
        ([[1, 2], [3]], "got a list"),
        ([1, 2], r"got \(2,\)"),
        ([[1], [2], [3]], r"got \(3, 1\)"),
        ([[1, math.nan], [2, 3]], "an entry: expected a finite number; got nan"),
        ([[1, 10**400], [2, 3]], "got a list"),
        ({"a": 1}, "got a dict"),
        ([], r"got \(0,\)"),
    ],
)
def test_what_is_no_array(value, message):
    with pytest.raises(InvalidAnswer, match=message):
        array(value, (2, None))


def test_an_array_between_bounds():
    with pytest.raises(
        InvalidAnswer, match=r"circle: an entry: expected a finite number between 0 and 1; got 1\.5"
    ):
        array([0.5, 1.5], (2,), low=0.0, high=1.0, what="circle")
