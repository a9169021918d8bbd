"""Constants outside mechanism blocks: which may be perturbed, and by how much.

Zero has no scale and a one that is added or subtracted shifts an index or completes a fraction: both are
part of the formula's shape and stay. So do guards against division by zero, indices and the arguments of
``range``.
"""

from __future__ import annotations

import ast
import math
import random
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from evaluators.source import children
from evolve.operators.templates import number_text, round_to_digits
from evolve.source.code import Code, Edit

_GUARD = 1e-6
_HUGE = 1e100
_SPREAD = 0.4
_EXPONENT_SPREAD = 0.25
_EXPONENT_RANGE = (0.1, 8.0)
_INTEGER_FUNCTIONS = frozenset({"range", "reshape", "zeros", "ones", "arange", "round"})
_INTEGER_KEYWORDS = frozenset({"axis", "ndim", "dtype", "decimals", "ddof", "maxlen"})


@dataclass(frozen=True)
class Literal:
    """A constant that may be perturbed, and its part in the expression around it."""

    node: ast.Constant
    value: float
    signed: ast.expr
    """The expression with which a minus sign makes it negative, or its own."""
    exponent: bool
    scale: bool
    """Whether it stands in arithmetic, so that a small integer may become a fraction."""


def find_literals(roots: Iterable[ast.AST], excluded: Collection[int]) -> list[Literal]:
    """Return the perturbable constants below `roots`, in source order; `excluded` are ids of nodes to skip."""
    literals: list[Literal] = []
    parents: dict[ast.AST, ast.AST] = {}
    waiting = [*roots][::-1]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Constant) and id(node) not in excluded and _is_number(node):
            literals += _classified(node, parents)
        elif id(node) not in excluded:
            below = _perturbable_below(node)
            parents |= dict.fromkeys(below, node)
            waiting += below[::-1]
    return literals


def _is_number(node: ast.Constant) -> bool:
    value = node.value
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _HUGE


def _perturbable_below(node: ast.AST) -> list[ast.AST]:
    """Return the nodes right below one in which constants may be perturbed."""
    match node:
        case ast.JoinedStr():  # Python 3.11 gets the positions in it wrong.
            return []
        case ast.Subscript(value=value):
            return [value]
        case ast.keyword(arg=str(name)) if name in _INTEGER_KEYWORDS:
            return []
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)) if name in _INTEGER_FUNCTIONS:
            return []
    return children(node)


def _classified(node: ast.Constant, parents: dict[ast.AST, ast.AST]) -> list[Literal]:
    """Return the literal that a number is; none of what belongs to the shape of the formula."""
    value = node.value
    assert isinstance(value, int | float)
    child: ast.AST = node
    while isinstance(parents.get(child), ast.UnaryOp):
        child = parents[child]
    parent = parents.get(child)
    operation = parent.op if isinstance(parent, ast.BinOp) else None
    if abs(value) < _GUARD or (value == 1 and isinstance(operation, ast.Add | ast.Sub)):
        return []
    exponent = isinstance(parent, ast.BinOp) and isinstance(operation, ast.Pow) and parent.right is child
    scale = isinstance(operation, ast.Add | ast.Sub | ast.Mult | ast.Div | ast.Pow)
    match parents.get(node):
        case ast.UnaryOp(op=ast.USub()) as signed:
            return [Literal(node, value, signed, exponent, scale)]
    return [Literal(node, value, node, exponent, scale)]


def perturb(code: Code, literal: Literal, rng: random.Random) -> tuple[Edit, str]:
    """Return an edit that moves the constant a log-normal step away, and a note of it. The sign stays."""
    old = literal.value
    new: float = round_to_digits(
        old * math.exp(rng.gauss(0.0, _EXPONENT_SPREAD if literal.exponent else _SPREAD))
    )
    if literal.exponent:
        low, high = _EXPONENT_RANGE
        new = min(max(new, min(low, old)), max(high, old))
    elif isinstance(old, int) and not (literal.scale and abs(old) < 10):
        new = max(round(new), 1)
    if new == old:
        new = type(new)(old + 1) if isinstance(new, int) else round_to_digits(old * 1.1, 3)
    return code.replace(literal.node, number_text(new)), f"{number_text(old)} -> {number_text(new)}"
