"""How large a program is: the nodes of its syntax tree, then the digits of its constants."""

from __future__ import annotations

import ast
from decimal import Decimal
from typing import NamedTuple

from evolve.source.tree import has_docstring, nodes

_DOCSTRING_NODES = 2


class Size(NamedTuple):
    """Compares as tuples do: the tree counts first, and the digits where two trees are equally large."""

    nodes: int
    digits: int


def size_of(tree: ast.AST) -> Size:
    """Return the size of a tree. Docstrings, comments, layout and the length of names do not count."""
    counted = nodes(tree)
    docstrings = sum(map(has_docstring, counted))
    constants = (node.value for node in counted if isinstance(node, ast.Constant))
    return Size(len(counted) - _DOCSTRING_NODES * docstrings, sum(map(digits, constants)))


def digits(value: object) -> int:
    """Return the significant digits of a number: 3 for 0.125, 1 for 500; 0 for 0, 1 and what is no number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value in (0, 1):
        return 0
    return len(Decimal(repr(value)).normalize().as_tuple().digits)
