"""Operators and functions replaced by near ones, from a small table.

Near means: same shapes, a related curve, no new way to divide by zero or to subtract what is accumulated.
Taking the bound off a clipped value is one of them, since whether regrets are clipped is the oldest
difference between CFR variants.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable

from evolve.operators.templates import literal_value
from evolve.source.code import Code, Edit
from evolve.source.tree import walk

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
