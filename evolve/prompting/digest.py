"""What a search has seen, cut down to what the next step can use: changes with what they brought, failures, curves.

Changes of sources are shown line by line, comments and docstrings apart.
"""

from __future__ import annotations

import ast
import difflib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any, NamedTuple

from evaluators.contract import ProgramError
from evaluators.records import Candidate
from evolve.search.log import FAILURES, LogView
from evolve.source.canonical import plain_form, statements, undocumented, uniform
from evolve.source.tree import is_docstring, printed

_CHILDREN, _FAILURES, _GAINS, _LOSSES = 8, 3, 5, 3
_LATELY = 60
"""How far back failures and ideas are looked for."""
_GENERATIONS = 6
_CURVE_POINTS = 6
_STRUCTURE = ("def ", "class ", "import ", "from ", "@", "pass")


class Step(NamedTuple):
    """A change of a program, and what came of it: a difference of scores, or the outcome of a failure."""

    result: str
    change: str


def outcomes(log: LogView) -> str:
    """How many candidates ended with each outcome."""
    ranked = sorted(log.outcomes.items(), key=lambda tag: -tag[1])
    return ", ".join(f"{count} {tag}" for tag, count in ranked)


def children(parent: Candidate, log: LogView) -> list[Step]:
    """What was tried on the parent itself lately, oldest first."""
    before = parent.mean(log.objective)
    return [
        Step(
            f"{t.mean(log.objective) - before:+.3f}" if t.ok else t.ending.tag.value,
            t.note or what_changed(parent.source, t.source),
        )
        for t in log.children(str(parent.program_id), _CHILDREN)
    ]


def ideas(parent: Candidate, log: LogView) -> list[Step]:
    """What brought most and what cost most elsewhere in the search, among its last steps; the best first.

    Neither the parent's children nor its ancestors, which are shown by themselves.
    """
    own = {"", *(t.note for t in ancestors(parent, log))}
    gains = {
        t.note: (gain, t.mean(log.objective))
        for t, gain in log.gains(_LATELY)
        if t.parents[0] != parent.program_id and t.note not in own
    }
    ranked = sorted(gains.items(), key=lambda idea: -idea[1][0])
    best = [one for one in ranked if one[1][0] > 0.0][:_GAINS]
    worst = [one for one in ranked if one[1][0] < 0.0][-_LOSSES:]
    return [Step(f"{gain:+.3f}, to {score:.3f}", note) for note, (gain, score) in best + worst]


def way(parent: Candidate, log: LogView) -> list[Step]:
    """How the parent came about, itself the last; [] for a program that nothing was changed in."""
    steps = ancestors(parent, log)[::-1]
    if len(steps) < 2:
        return []
    return [Step(f"{t.mean(log.objective):.3f}", t.note or "where the search began") for t in steps]


def failures(parent: Candidate, log: LogView) -> list[Step]:
    """The last failures of the parent's children, filled up with those of others; each message once."""
    own = [t for t in log.children(str(parent.program_id), _LATELY) if t.ending.tag in FAILURES]
    steps: dict[str, Step] = {}
    for t in [*reversed(own), *reversed(log.failed(_LATELY))]:
        tag, message = t.ending.tag, t.ending.message
        steps.setdefault(message, Step(tag.value, f"{message} ({t.note})" if t.note else message))
    return list(steps.values())[:_FAILURES]


def thinned(curves: Mapping[str, Mapping[str, Sequence[tuple[int, float]]]]) -> list[dict[str, Any]]:
    """Curves at a few of their checkpoints, round ones and the last; one set of iterations for all.

    Args:
        curves: program -> family -> (budget, value) pairs; of families that the first program lacks, none.
    """
    first = next(iter(curves.values()), {})
    rows = [(family, name, own[family]) for family in first for name, own in curves.items() if family in own]
    if not rows:
        return []
    common = sorted(set.intersection(*({k for k, _ in points} for *_, points in rows)))
    if len(common) > _CURVE_POINTS:
        common = [k for k in common if k == common[-1] or str(k).rstrip("0") in ("1", "2", "5")]
    chosen = common[-1 :: -max(1, -(-len(common) // _CURVE_POINTS))][::-1]
    return [
        {"task": family, "program": name, "points": [(k, v) for k, v in points if k in chosen]}
        for family, name, points in rows
    ]


def ancestors(candidate: Candidate, log: LogView) -> list[Candidate]:
    """Return a candidate and its first parents, the youngest first, as far as they have scores; [] without own ones."""
    descent: list[Candidate] = []
    child = log.scored(str(candidate.program_id))
    while child is not None and len(descent) <= _GENERATIONS:
        descent.append(child)
        child = log.scored(child.parents[0]) if child.parents else None
    return descent


def removed_lines(parent: Candidate, log: LogView) -> list[Step]:
    """Return the lines that a program lacks and its ancestors had, where losing them did no harm; the youngest first.

    The result of each is the score of the program that had it, then that of its child.
    """
    descent = ancestors(parent, log)
    present = set(code_lines(parent.source))
    removed: dict[str, Step] = {}
    for child, before in pairwise(descent):
        old, new = (candidate.mean(log.objective) for candidate in (before, child))
        for line in _lost(before.source, child.source) if new >= old else ():
            if line not in present:
                removed.setdefault(line, Step(f"{old:.3f} → {new:.3f}", line))
    return list(removed.values())


@lru_cache(maxsize=1024)
def _lost(before: str, after: str) -> tuple[str, ...]:
    """Return the statements of one program that another one has not, but for those that only structure it."""
    kept = set(code_lines(after))
    return tuple(x for x in code_lines(before) if x not in kept and not x.startswith(_STRUCTURE))


def differing(source: str, shown: Mapping[str, str]) -> tuple[str, dict[str, list[str]]]:
    """Return what sets a program apart from others: its classes, functions and constants that none of them has.

    Docstrings do not count. A program that does not parse is shown whole.

    Args:
        source: the program.
        shown: name -> source of the others; the first that has a definition is named for it.

    Returns:
        The text of those definitions; name of another program -> what it has in common.
    """
    parts = _parts(source)
    if parts is None:
        return source, {}
    definitions, same = [], dict[str, list[str]]()
    for part in parts:
        name = next((name for name, other in shown.items() if part.key in _keys(other)), None)
        if name is None:
            definitions.append(part.text)
        elif part.name:
            same.setdefault(name, []).append(part.name)
    return "\n\n".join(definitions), same


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
