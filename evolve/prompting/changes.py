"""What changed between parents and children, line by line, comments and docstrings apart."""

from __future__ import annotations

import ast
import difflib
from collections.abc import Sequence
from typing import NamedTuple

from evolve.prompting.record import Tried

_GENERATIONS = 6
_STRUCTURE = ("def ", "class ", "import ", "from ", "@", "pass")


class RemovedLine(NamedTuple):
    """A line that an ancestor had and its child has not; the score of the two."""

    text: str
    before: float
    after: float


def removed_lines(program_id: str, tried: Sequence[Tried], objective: str) -> list[RemovedLine]:
    """Lines that the ancestors of a program had and that it does not have, the youngest first.

    Args:
        program_id: the program.
        tried: what was tried, with sources and parents.
        objective: the score to show.
    """
    known = {t.program_id: t for t in reversed(tried) if t.ok}
    child = known.get(program_id)
    if child is None:
        return []
    present = set(code_lines(child.source))
    found: dict[str, RemovedLine] = {}
    for _ in range(_GENERATIONS):
        parent = known.get(child.parents[0]) if child.parents else None
        if parent is None:
            break
        before, after = (t.scored.objectives.get(objective, 0.0) for t in (parent, child))
        kept = set(code_lines(child.source)) | present
        for line in code_lines(parent.source):
            if line not in kept and not line.startswith(_STRUCTURE):
                found.setdefault(line, RemovedLine(line, before, after))
        child = parent
    return list(found.values())


def what_changed(before: str, after: str) -> str:
    """The first lines that differ, with ``-`` and ``+``, on one line; "" when there is no `after`."""
    if not after:
        return ""
    changes = difflib.ndiff(code_lines(before), code_lines(after))
    return "; ".join([line for line in changes if line.startswith(("- ", "+ "))][:6])


def code_lines(source: str) -> list[str]:
    """The statements of a program, one per line and without indentation; its own lines where it does not parse."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return [line.strip() for line in source.splitlines() if line.strip()]
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
            and ast.get_docstring(node) is not None
        ):
            node.body = node.body[1:] or [ast.Pass()]
    return [line.strip() for line in ast.unparse(tree).splitlines() if line.strip()]
