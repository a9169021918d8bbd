"""How much of a discovery is structure, and how much the tuning of constants."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Literal, NamedTuple

Kind = Literal["structure", "constants", "wording"]
"""What a step changed: the tree, numbers in it only, or nothing that counts (comments, names of variables)."""


_DOCUMENTED = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


class Split(NamedTuple):
    """What the steps of one kind did to the score. The gains of all kinds add up to the lineage's."""

    kind: Kind
    steps: int
    gain: float


def kind_of(before: str, after: str) -> Kind:
    """Return what changed between two sources; a source that does not parse counts as structure."""
    try:
        if _tree(before, numbers=False) != _tree(after, numbers=False):
            return "structure"
        return "wording" if _tree(before, numbers=True) == _tree(after, numbers=True) else "constants"
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return "structure"


def split(steps: Sequence[tuple[Kind, float | None]]) -> tuple[Split, ...]:
    """Return the sum per kind, of kinds that occur. A step without a score gains nothing."""
    kinds: tuple[Kind, ...] = ("structure", "constants", "wording")
    gains = {kind: [gain or 0.0 for which, gain in steps if which == kind] for kind in kinds}
    return tuple(Split(kind, len(own), sum(own)) for kind, own in gains.items() if own)


def _tree(source: str, *, numbers: bool) -> str:
    """Return the syntax tree as text, without docstrings, with variables numbered and numbers kept or masked."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, _DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    if not numbers:
        tree = _Mask().visit(tree)
    names = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
    variables = {node.id for node in names if isinstance(node.ctx, ast.Store)}
    numbered: dict[str, str] = {}
    for node in names:
        if node.id in variables:
            node.id = numbered.setdefault(node.id, f"<{len(numbered)}>")
    return ast.dump(tree)


class _Mask(ast.NodeTransformer):
    """Puts one constant where a number is, its sign included."""

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        self.generic_visit(node)
        negated = isinstance(node.op, ast.USub | ast.UAdd)
        return node.operand if negated and isinstance(node.operand, ast.Constant) else node

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        number = isinstance(node.value, int | float | complex) and not isinstance(node.value, bool)
        return ast.copy_location(ast.Constant(0), node) if number else node
