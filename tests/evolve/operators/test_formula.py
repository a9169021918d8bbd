"""Edits of a program's own formula: which constants move, and which operators have near ones."""

import ast
import random

import pytest

from evolve.operators.formula import find_alternatives, find_literals, perturb_literal
from evolve.source.code import Code


def literals(text):
    code = Code(text)
    return code, find_literals([code.tree], set())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("np.maximum(x, 0.0)", []),
        ("k + 1", []),
        ("1.0 - x", []),
        ("1.1 * x", [1.1]),
        ("x[2]", []),
        ("x.sum(axis=3)", []),
        ("range(5)", []),
        ("x / (y + 1e-12)", []),
        ("x if k >= 500 else True", [500]),
        ("x ** 2 + 0.5", [2, 0.5]),
        ("f'{x:.3f} {3}'", []),
        ("-0.25 * x", [0.25]),
    ],
)
def test_which_constants_may_move(text, expected):
    assert [literal.node.value for literal in literals(text)[1]] == expected


@pytest.mark.parametrize("text", ["x ** 2", "x * 500", "x * -3", "k >= 40", "x % 2", "y + 7.5"])
def test_a_moved_constant_keeps_its_sign_and_its_kind(text):
    for seed in range(50):
        code, (literal,) = literals(text)
        moved = code.edited([perturb_literal(code, literal, random.Random(seed))[0]])
        (new,) = (n.value for n in ast.walk(moved.tree) if isinstance(n, ast.Constant))
        assert new != literal.node.value
        assert new > 0
        if ">=" in text or "%" in text or "500" in text:
            assert isinstance(new, int)
        if "**" in text:
            assert 0.1 <= new <= 8.0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a + b", []),
        ("(a) - (b)", ["(a) + (b)"]),
        ("1.0 - a", []),
        ("a / b", []),
        ("(a) / (3.0)", ["(a) * (3.0)"]),
        ("np.where(a, (b), c)", ["np.where(a, (c), b)"]),
        ("a * b", []),
        ("a ** b", []),
        ("x > 0", ["x >= 0", "x < 0"]),
        ("np.maximum(a * b, 0.0)", ["np.minimum(a * b, 0.0)", "(a * b)"]),
        ("y = np.maximum(a * b, 0.0)", ["y = np.minimum(a * b, 0.0)", "y = a * b"]),
        ("np.sqrt(x)", ["np.cbrt(x)", "np.log1p(x)", "np.tanh(x)"]),
        ("é - ß", ["é + ß"]),
    ],
)
def test_near_operators(text, expected):
    code = Code(text)
    found = [
        code.edited([edit]).text.strip()
        for place in find_alternatives(code, [code.tree], set())
        for edit, _ in place
    ]
    assert found == expected
