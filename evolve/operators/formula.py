"""Changes of a program's own formula: which constants move, and which operators and functions have near ones.

Zero has no scale and a one that is added or subtracted shifts an index or completes a fraction: both are part of the
formula's shape and stay. So do guards against division by zero, indices and the arguments of ``range``.

Near means: same shapes, a related curve, no new way to divide by zero or to subtract what is accumulated. Taking the
bound off a clipped value is one of them, since whether regrets are clipped is the oldest difference between CFR
variants.
"""

from __future__ import annotations

import ast
import math
import random
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from evaluators.source import children
from evolve.source.code import Code, Edit
from evolve.source.tree import walk


def literal_value(node: Any) -> float | None:
    """Return the value of a numeric literal, a minus sign included, or None."""
    match node:
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)):
            return None if isinstance(value, bool) else -value
        case ast.Constant(value=int() | float() as value):
            return None if isinstance(value, bool) else value
    return None


def round_to_digits(value: float, digits: int = 2) -> float:
    """Return `value` to so many significant digits: constants that a person can read."""
    return float(f"{value:.{digits - 1}e}")


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
        if id(node) in excluded:
            continue
        if isinstance(node, ast.Constant):
            literals += _classified(node, parents)
        below = _perturbable_below(node)
        parents |= dict.fromkeys(below, node)
        waiting += below[::-1]
    return literals


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
    value = literal_value(node)
    if value is None or not _GUARD <= abs(value) < _HUGE:
        return []
    child: ast.AST = node
    while isinstance(parents.get(child), ast.UnaryOp):
        child = parents[child]
    parent = parents.get(child)
    operation = parent.op if isinstance(parent, ast.BinOp) else None
    if value == 1 and isinstance(operation, ast.Add | ast.Sub):
        return []
    exponent = isinstance(parent, ast.BinOp) and isinstance(operation, ast.Pow) and parent.right is child
    scale = isinstance(operation, ast.Add | ast.Sub | ast.Mult | ast.Div | ast.Pow)
    match parents.get(node):
        case ast.UnaryOp(op=ast.USub()) as signed:
            return [Literal(node, value, signed, exponent, scale)]
    return [Literal(node, value, node, exponent, scale)]


def perturb_literal(code: Code, literal: Literal, rng: random.Random) -> tuple[Edit, str]:
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
    return code.replace(literal.node, repr(new)), f"{old} -> {new}"


_FUNCTIONS = {
    "sqrt": ("cbrt", "log1p", "tanh"),
    "cbrt": ("sqrt", "log1p"),
    "log1p": ("sqrt", "tanh"),
    "log": ("log1p",),
    "tanh": ("arctan", "log1p"),
    "arctan": ("tanh",),
    "abs": ("square",),
    "square": ("abs",),
    "maximum": ("minimum",),
    "minimum": ("maximum",),
    "max": ("mean",),
    "mean": ("max", "median"),
    "median": ("mean",),
}
_COMPARISONS: dict[type[ast.cmpop], tuple[str, ...]] = {
    ast.Gt: (">=", "<"),
    ast.GtE: (">", "<="),
    ast.Lt: ("<=", ">"),
    ast.LtE: ("<", ">="),
}
_BOUNDING = frozenset({"maximum", "minimum", "clip"})

Alternative = tuple[Edit, str]
"""An edit and a note of it."""


def find_alternatives(code: Code, roots: Iterable[ast.AST], excluded: set[int]) -> list[list[Alternative]]:
    """Return the near alternatives of each node below `roots` that has any; `excluded` are ids of nodes to skip."""
    alternatives: list[list[Alternative]] = []
    for root in roots:
        nodes = list(walk(root, excluded))
        loose = {id(child) for node in nodes for child in _loose_children(node)}
        alternatives += filter(None, (_at(code, node, loose) for node in nodes))
    return alternatives


def _loose_children(node: ast.AST) -> list[ast.expr]:
    """Return the expressions right below `node` that need no brackets, whatever they are."""
    match node:
        case ast.Return(value=ast.expr() as value) | ast.Assign(value=value):
            return [value]
        case ast.Call(args=arguments):
            return arguments
    return []


def _at(code: Code, node: ast.AST, loose: set[int]) -> list[Alternative]:
    match node:
        case ast.Call(func=ast.Attribute(attr=name)):
            near = [*_other_functions(code, node, name), *_unbounded(code, node, name, loose)]
            return [*near, *_exchanged(code, node)] if name == "where" else near
        case ast.BinOp(left=left, right=right, op=ast.Sub()) if 1 not in map(literal_value, (left, right)):
            return _between(code, left, right, ("+",))
        case ast.BinOp(left=left, right=right, op=ast.Div()) if literal_value(right):
            return _between(code, left, right, ("*",))
        case ast.Compare(left=left, ops=[op], comparators=[right]):
            return _between(code, left, right, _COMPARISONS.get(type(op), ()))
    return []


def _other_functions(code: Code, node: ast.Call, name: str) -> list[Alternative]:
    end = code.end(node.func)
    start = end - len(name.encode())
    return [(Edit(start, end, other), f"{name} -> {other}") for other in _FUNCTIONS.get(name, ())]


def _unbounded(code: Code, node: ast.Call, name: str, loose: set[int]) -> list[Alternative]:
    if name not in _BOUNDING or not node.args or isinstance(node.args[0], ast.Constant | ast.Starred):
        return []
    inner = code.text_of(node.args[0])
    text = inner if id(node) in loose and "\n" not in inner else f"({inner})"
    return [(code.replace(node, text), f"{name} by what it bounds")]


def _exchanged(code: Code, node: ast.Call) -> list[Alternative]:
    if len(node.args) != 3 or any(isinstance(argument, ast.Starred) for argument in node.args):
        return []
    (start, middle), (after, end) = ((code.start(a), code.end(a)) for a in node.args[1:])
    exchanged = code.segment(after, end) + code.segment(middle, after) + code.segment(start, middle)
    return [(Edit(start, end, exchanged), "where -> where with its values exchanged")]


def _between(code: Code, left: ast.expr, right: ast.expr, symbols: tuple[str, ...]) -> list[Alternative]:
    """Replace the operator's own text, which between the operands is neither space nor bracket."""
    start, end = code.end(left), code.start(right)
    gap = code.segment(start, end)
    old = gap.strip(" ()\n\\")
    if not old or not gap.isascii() or len(old) > 2:
        return []
    at = start + gap.index(old)
    return [(Edit(at, at + len(old), new), f"{old} -> {new}") for new in symbols]
