"""How large a program is: the nodes of its syntax tree, then the digits of its constants."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple

from evolve.source.code import has_docstring


class Size(NamedTuple):
    """Compares as tuples do: the tree counts first, and the digits where two trees are equally large."""

    nodes: int
    digits: int


def size_of(tree: ast.AST) -> Size:
    """The size of a tree. Docstrings, comments, layout and the length of names do not count."""
    nodes = [node for node in _counted(tree) if not isinstance(node, ast.expr_context)]
    return Size(len(nodes), sum(digits(n.value) for n in nodes if isinstance(n, ast.Constant)))


def digits(value: object) -> int:
    """Significant digits of a number: three for 0.125, one for 500; none for 0, 1 and what is no number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value in (0, 1):
        return 0
    return len(Decimal(repr(value)).normalize().as_tuple().digits)


def _counted(node: ast.AST) -> Iterator[ast.AST]:
    yield node
    documented = isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and has_docstring(node)
    for child in ast.iter_child_nodes(node):
        if not (documented and child is node.body[0]):  # type: ignore[attr-defined]
            yield from _counted(child)
