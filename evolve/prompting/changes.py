"""What changed between parents and children, line by line, comments and docstrings apart."""

from __future__ import annotations

import ast
import difflib
from collections.abc import Callable, Mapping
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from evaluators.contract import ProgramError
from evaluators.records import Candidate
from evolve.source.canonical import plain_form, statements, undocumented, uniform
from evolve.source.tree import is_docstring, printed

_GENERATIONS = 6
_STRUCTURE = ("def ", "class ", "import ", "from ", "@", "pass")


class RemovedLine(NamedTuple):
    """A line that an ancestor had and its child has not; the score of the two."""

    text: str
    before: float
    after: float


def ancestors(program_id: str, scored: Callable[[str], Candidate | None]) -> list[Candidate]:
    """Return a program and its first parents, the youngest first, as far as they have scores; [] for an unknown one.

    Args:
        program_id: the program.
        scored: program id -> the candidate that it was when it got its scores.
    """
    line: list[Candidate] = []
    child = scored(program_id)
    while child is not None and len(line) <= _GENERATIONS:
        line.append(child)
        child = scored(child.parents[0]) if child.parents else None
    return line


def removed_lines(
    program_id: str, scored: Callable[[str], Candidate | None], objective: str
) -> list[RemovedLine]:
    """Return the lines that a program lacks and its ancestors had, where losing them did no harm; the youngest first.

    Args:
        program_id: the program.
        scored: program id -> the candidate that it was when it got its scores.
        objective: the score to show.
    """
    line_of_descent = ancestors(program_id, scored)
    if not line_of_descent:
        return []
    present = set(code_lines(line_of_descent[0].source))
    removed: dict[str, RemovedLine] = {}
    for child, parent in pairwise(line_of_descent):
        before, after = (candidate.mean(objective) for candidate in (parent, child))
        for line in _lost(parent.source, child.source) if after >= before else ():
            if line not in present:
                removed.setdefault(line, RemovedLine(line, before, after))
    return list(removed.values())


@lru_cache(maxsize=1024)
def _lost(before: str, after: str) -> tuple[str, ...]:
    """Return the statements of one program that another one has not, but for those that only structure it."""
    kept = set(code_lines(after))
    return tuple(x for x in code_lines(before) if x not in kept and not x.startswith(_STRUCTURE))


class Differing(NamedTuple):
    """The definitions of a program that no other one shown has; name of the other one -> what it has in common."""

    text: str
    same: dict[str, list[str]]


def differing(source: str, shown: Mapping[str, str]) -> Differing:
    """Return what sets a program apart from others: its classes, functions and constants that none of them has.

    Docstrings do not count. A program that does not parse is shown whole.

    Args:
        source: the program.
        shown: name -> source of the others; the first that has a definition is named for it.
    """
    parts = _parts(source)
    if parts is None:
        return Differing(source, {})
    definitions, same = [], dict[str, list[str]]()
    for part in parts:
        name = next((name for name, other in shown.items() if part.key in _keys(other)), None)
        if name is None:
            definitions.append(part.text)
        elif part.name:
            same.setdefault(name, []).append(part.name)
    return Differing("\n\n".join(definitions), same)


class _Part(NamedTuple):
    """A statement at module level: its form without docstrings, its text, what it defines ("": nothing)."""

    key: str
    text: str
    name: str


@lru_cache(maxsize=512)
def _parts(source: str) -> tuple[_Part, ...] | None:
    """Return a program's statements at module level, bare expressions apart; None of one that does not parse."""
    try:
        own = statements(source)
    except ProgramError:
        return None
    lines = uniform(source).split("\n")
    return tuple(
        _Part(
            plain_form(text),
            "\n".join(lines[node.lineno - 1 : node.end_lineno]),
            node.name if isinstance(node, ast.ClassDef | ast.FunctionDef) else "",
        )
        for node, text in own
        if not isinstance(node, ast.Expr)
    )


@lru_cache(maxsize=512)
def _keys(source: str) -> frozenset[str]:
    return frozenset(part.key for part in _parts(source) or ())


def what_changed(before: str, after: str) -> str:
    """Return the first lines that differ, with ``-`` and ``+``, on one line; "" when there is no `after`."""
    if not after:
        return ""
    changes = difflib.ndiff(code_lines(before), code_lines(after))
    return "; ".join([line for line in changes if line.startswith(("- ", "+ "))][:6])


@lru_cache(maxsize=512)
def code_lines(source: str) -> tuple[str, ...]:
    """Return a program's statements, one per line and without indentation; its own lines where it does not parse."""
    try:
        own = statements(source)
    except ProgramError:
        return _stripped(source)
    documented = bool(own) and is_docstring(own[0].node)
    return tuple(line for statement in own[documented:] for line in _lines(statement.text))


@lru_cache(maxsize=2048)
def _lines(statement: str) -> tuple[str, ...]:
    """Return what `code_lines` has of a statement at module level."""
    return _stripped(printed(undocumented(statement)))


def _stripped(text: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in uniform(text).split("\n") if line.strip())
