"""How much of a discovery is structure, and how much the tuning of constants."""

from __future__ import annotations

import ast
from typing import Literal, NamedTuple

from results.lineage import Step

Kind = Literal["structure", "constants", "wording"]
"""What a step changed: the tree, numbers in it only, or nothing that counts (comments, names of variables)."""


_DOCUMENTED = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


class Split(NamedTuple):
    """What the steps of one kind did to the score. The gains of all kinds add up to the lineage's."""

    kind: Kind
    steps: int
    gain: float


def kind_of(before: str, after: str) -> Kind:
    """What changed between two sources; a source that does not parse counts as structure."""
    try:
        if _tree(before, numbers=False) != _tree(after, numbers=False):
            return "structure"
        return "wording" if _tree(before, numbers=True) == _tree(after, numbers=True) else "constants"
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return "structure"


def split(steps: list[tuple[Kind, float | None]]) -> tuple[Split, ...]:
    """The sum per kind, of kinds that occur. A step without a score gains nothing."""
    kinds: tuple[Kind, ...] = ("structure", "constants", "wording")
    found = [Split(kind, *_sum([gain for which, gain in steps if which == kind])) for kind in kinds]
    return tuple(one for one in found if one.steps)


def gain_of(before: Step, after: Step) -> float | None:
    """By how much a step raised the score, None where one of the two has none."""
    return None if before.score is None or after.score is None else after.score - before.score


def _sum(gains: list[float | None]) -> tuple[int, float]:
    return len(gains), sum(gain or 0.0 for gain in gains)


def _tree(source: str, *, numbers: bool) -> str:
    """The syntax tree as text, without docstrings and with variables numbered; numbers in it are kept or masked."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, _DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    if not numbers:
        tree = _Mask().visit(tree)
    stored = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    places: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id in stored:
            node.id = places.setdefault(node.id, f"<{len(places)}>")
    return ast.dump(tree)


class _Mask(ast.NodeTransformer):
    """Puts one constant in the place of every number, signs included."""

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        self.generic_visit(node)
        negated = isinstance(node.op, ast.USub | ast.UAdd)
        return node.operand if negated and isinstance(node.operand, ast.Constant) else node

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        number = isinstance(node.value, int | float | complex) and not isinstance(node.value, bool)
        return ast.copy_location(ast.Constant(0), node) if number else node
