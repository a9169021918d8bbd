"""The parts that an expression could be replaced by."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator

from evolve.source.code import walk

_BOTH_SIDES = (ast.Add, ast.Mult, ast.MatMult, ast.BitAnd, ast.BitOr)
_FIRST_ONLY = frozenset({"clip", "power", "full", "full_like", "reshape", "divide", "subtract"})
_CHOICE = "where"
_MOST_ARGUMENTS = 3
_BUILTINS = frozenset({"abs", "float", "int", "max", "min", "round"})


def parts(root: ast.AST, known: Collection[str]) -> Iterator[tuple[ast.expr, ast.expr]]:
    """(expression, smaller expression for its place), in source order.

    A factor, an addend or a branch alone, the base of a power, and the arguments of a function for its call. `known`
    names the program's own functions and the modules whose functions count.
    """
    for node in walk(root):
        if isinstance(node, ast.expr):
            for part in _parts(node, known):
                yield node, part


def _parts(node: ast.expr, known: Collection[str]) -> Iterator[ast.expr]:
    match node:
        case ast.BinOp(left=left, op=op, right=right):
            yield left
            if isinstance(op, _BOTH_SIDES):
                yield right
        case ast.UnaryOp(operand=operand) if not isinstance(operand, ast.Constant):
            yield operand
        case ast.IfExp(body=body, orelse=orelse):
            yield from (body, orelse)
        case ast.BoolOp(op=op, values=values):
            for index in range(len(values)):
                left_over = values[:index] + values[index + 1 :]
                yield left_over[0] if len(left_over) == 1 else ast.BoolOp(op, left_over)
        case ast.Call(func=ast.Attribute(value=ast.Name(id=module), attr=name), args=arguments):
            if module in known and len(arguments) <= _MOST_ARGUMENTS:
                yield from _arguments(name, arguments)
        case ast.Call(func=ast.Name(id=name), args=arguments) if name in known or name in _BUILTINS:
            yield from _arguments(name, arguments)


def told(node: ast.expr, part: ast.expr) -> str:
    """What goes when `part` takes the place of `node`: an operand with its operator, or the one and the other."""
    if isinstance(node, ast.BinOp) and part in (node.left, node.right):
        # Printed around a name, so that the operand that goes keeps the parentheses that it needs.
        name = ast.Name("_")
        if part is node.left:
            return ast.unparse(ast.BinOp(name, node.op, node.right))[1:].strip()
        return ast.unparse(ast.BinOp(node.left, node.op, name))[:-1].strip()
    return f"{ast.unparse(node)} → {ast.unparse(part)}"


def _arguments(name: str, arguments: list[ast.expr]) -> Iterator[ast.expr]:
    chosen = arguments[1:] if name == _CHOICE else arguments[:1] if name in _FIRST_ONLY else arguments
    yield from (argument for argument in chosen if not isinstance(argument, ast.Starred))
