"""The shorter constants that those of a program could be: fewer digits, whole, one, zero."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from evolve.operators.blocks import Block
from evolve.operators.literals import find_literals
from evolve.operators.templates import literal_value, number_text, round_to_digits
from evolve.source.code import Code, Edit, walk
from evolve.source.size import digits


class Shortening(NamedTuple):
    """A constant with fewer digits: `rank` 0 is the nearest value, `edits` put it in its places."""

    rank: int
    what: str
    edits: list[Edit]


def own(code: Code, root: ast.AST, hidden: Collection[int]) -> Iterator[Shortening]:
    """What the constants below `root` could be; not those of the statements whose ids are `hidden`.

    Indices, guards against division by zero, zeros, and ones that are added stay (`operators.literals`).
    """
    for literal in find_literals([root], set(hidden)):
        old = literal.node.value
        assert isinstance(old, int | float)
        for rank, value in enumerate(shorter(old)):
            node = literal.node if value else _negated(root, literal.node)
            text = number_text(value)
            yield Shortening(rank, f"{ast.unparse(node)} → {text}", [code.replace(node, text)])


def of_mechanism(code: Code, block: Block) -> Iterator[Shortening]:
    """What a mechanism's parameters could be; wherever one stands in the block, it changes together."""
    for name, nodes in block.literals.items():
        old = literal_value(nodes[0])
        for rank, value in enumerate(shorter(old or 0.0)):
            text = number_text(value)
            what = f"{name} of {block.mechanism.name}: {ast.unparse(nodes[0])} → {text}"
            yield Shortening(rank, what, [code.replace(node, text) for node in nodes])


def all_to_digits(code: Code, roots: Sequence[ast.AST], count: int) -> list[Edit]:
    """The edits that leave every constant below `roots` so many digits."""
    edits = []
    for literal in find_literals(roots, set()):
        old = literal.node.value
        assert isinstance(old, int | float)
        if digits(old) > count:
            edits.append(code.replace(literal.node, number_text(_like(old, round_to_digits(old, count)))))
    return edits


def shorter(old: float) -> list[float]:
    """The values of fewer digits that might do: the nearest of a single digit first, 0 last."""
    rounded = [round_to_digits(old, count) for count in (1, 2, 3)] + [round(old), 1.0, 0.0]
    values = dict.fromkeys(_like(old, value) for value in rounded)
    found = [value for value in values if digits(value) < digits(old)]
    return sorted(found, key=lambda v: (v == 0, digits(v) > 1, abs(v - old)))


def _negated(root: ast.AST, node: ast.expr) -> ast.expr:
    """The expression with which a minus sign makes `node` negative, or `node`: zero needs no sign."""
    for outer in walk(root):
        if isinstance(outer, ast.UnaryOp) and isinstance(outer.op, ast.USub) and outer.operand is node:
            return outer
    return node


def _like(old: float, value: float) -> float:
    """`value` as an integer where the constant is one and stays whole."""
    return int(value) if isinstance(old, int) and value == int(value) else float(value)
