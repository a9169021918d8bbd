"""A model's answer applied to a program: exactly, completely or not at all, and only where programs may change.

* Each block's SEARCH matches exactly once, line by line. Blanks at the end of a line do not count; nothing else is
  forgiven, because a near match would change what the model did not mean.
* Blocks apply in order, each to what the ones before it left; one that does not match undoes all.
* A program's module level holds imports, constants, functions and classes; a statement of another kind is refused
  unless the parent has it. The component classes stay. A new or changed name at module level must be needed by a
  component class, directly or through others; imports and the module's docstring are free.
"""

from __future__ import annotations

import ast
import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from evaluators.contract import Component, ProgramError
from evaluators.source import parse
from evolve.operators.answers import Block, PatchError, parse_answer
from evolve.source.canonical import form, statements
from evolve.source.tree import defined_names, is_docstring, needed_names, printed

MAX_CHARS = 60_000
"""Longest program that an answer may make."""

_WORDS = (
    r"unchanged|existing|same as|as before|rest of|remains?|omitted|previous code|original code|no changes?"
)
_FILLING = (
    r"the|rest|of|class(es)?|methods?|code|body|this|it|is|are|stays?|remains?|everything|else|others?|all"
    r"|left|kept|same"
)
_ELISION = re.compile(
    rf"\s*(\.\.\.|…|#\s*(\.\.\.|…).*|#.*(\.\.\.|…)\s*$|[(\[<#].*\b({_WORDS})\b.*[)\]>.…]\s*"
    rf"|#\s*(({_FILLING})\W+)*(unchanged|as before|as above|no changes?)\W*)$",
    re.IGNORECASE,
)
_QUOTES = str.maketrans("\u201c\u201d\u201e\u2018\u2019\u201a\u2212\u2013\u2014\u00a0", "\"\"\"'''--- ")


@dataclass(frozen=True)
class Patch:
    """A child's source, and whether the answer was ``blocks`` or a ``rewrite``."""

    source: str
    form: Literal["blocks", "rewrite"]


def patch(parent: str, answer: str, components: Sequence[Component]) -> Patch:
    """Return the child that a model's answer makes of `parent`.

    Args:
        parent: the program that the model was shown.
        answer: the model's.
        components: the classes that may change.

    Raises:
        PatchError: it cannot be applied, or changes what it may not; nothing was changed.
    """
    asked = parse_answer(answer, [c.name for c in components])
    if asked.rewrite is None:
        child = apply(parent, asked.blocks)
    else:
        child = _normalised(asked.rewrite)
        _check_elisions(child.split("\n"), parent, "The program")
    if child == _normalised(parent):
        raise PatchError("The answer changes nothing.", "Make at least one change.")
    if len(child) > MAX_CHARS:
        raise PatchError(f"Expected a program of at most {MAX_CHARS} characters; got {len(child)}.")
    check_scope(parent, child, components)
    return Patch(child, "blocks" if asked.rewrite is None else "rewrite")


def apply(parent: str, blocks: Iterable[Block]) -> str:
    """Return the program after all blocks, in order.

    Raises:
        PatchError: a block's SEARCH is empty, elided, or does not match exactly once.
    """
    lines = _normalised(parent).rstrip("\n").split("\n")
    for number, block in enumerate(blocks, start=1):
        where = f"SEARCH of block {number}"
        if not any(line.strip() for line in block.search):
            raise PatchError(
                f"{where} is empty.", "Repeat the lines that are to be replaced, or one line to add after."
            )
        _check_elisions(block.search, parent, where)
        _check_elisions(block.replace, parent, f"REPLACE of block {number}")
        starts = _find(lines, block.search)
        if len(starts) > 1:
            numbers = ", ".join(str(start + 1) for start in starts)
            raise PatchError(
                f"{where} matches {len(starts)} places (lines {numbers}); expected exactly one.",
                "Add lines above or below until it is unique.",
            )
        if not starts:
            raise PatchError(f"{where} does not occur in the program. {_nearest(lines, block.search)}".strip(),
                             "Copy the lines exactly as the program has them now, earlier blocks applied.")  # fmt: skip
        lines[starts[0] : starts[0] + len(block.search)] = block.replace
    return _normalised("\n".join(lines))


def _find(lines: Sequence[str], search: Sequence[str]) -> list[int]:
    wanted = [line.rstrip() for line in search]
    have = [line.rstrip() for line in lines]
    return [n for n in range(len(have) - len(wanted) + 1) if have[n : n + len(wanted)] == wanted]


def _nearest(lines: list[str], search: Sequence[str]) -> str:
    """Return why a search failed, as far as that can be seen, and the lines that come closest."""
    for reason, change in _NEAR_MISSES.items():
        starts = _find([change(line) for line in lines], [change(line) for line in search])
        if len(starts) == 1:
            first, last = starts[0], starts[0] + len(search)
            shown = "\n".join(lines[first:last])
            return f"It differs from lines {first + 1} to {last} in {reason}; they are:\n{shown}\n"
    inner = [n for n, line in enumerate(search) if line.strip()]
    trimmed = search[inner[0] : inner[-1] + 1]
    if len(trimmed) < len(search) and len(_find(lines, trimmed)) == 1:
        return "It matches without the blank lines at its beginning or end.\n"
    wanted = "\n".join(search)
    windows = range(max(1, len(lines) - len(search) + 1))
    matcher = difflib.SequenceMatcher(b=wanted, autojunk=False)

    def likeness(start: int) -> float:
        matcher.set_seq1("\n".join(lines[start : start + len(search)]))
        return matcher.ratio() if matcher.quick_ratio() > 0.5 else 0.0

    best = max(windows, key=likeness)
    if likeness(best) < 0.5:
        return f"Nothing in the program is like {trimmed[0].strip()!r}."
    shown = "\n".join(lines[best : best + len(search)])
    return f"The nearest lines, from line {best + 1}, are:\n{shown}\n"


def _unindented(line: str) -> str:
    return line.strip()


def _plain(line: str) -> str:
    return line.translate(_QUOTES).rstrip()


def _spaced(line: str) -> str:
    return re.sub(r"\s+", "", line)


_NEAR_MISSES = {
    "typographic characters (quotes, dashes or blanks)": _plain,
    "indentation": _unindented,
    "blanks within the lines": _spaced,
}


def _check_elisions(lines: Iterable[str], parent: str, where: str) -> None:
    """Refuse ``...`` and ``# ... rest unchanged``, unless the parent has that very line."""
    suspects = [line for line in lines if _ELISION.match(line.rstrip())]
    known = {line.strip() for line in parent.split("\n")} if suspects else set()
    for line in suspects:
        if line.strip() not in known:
            raise PatchError(
                f"{where} leaves something out: {line.strip()!r}.",
                "Write every line; nothing is filled in. To keep code as it is, do not mention it in a block.",
            )


def check_scope(parent: str, child: str, components: Sequence[Component]) -> None:
    """See that a child changes component classes, and beside them only what they need (see the module's docstring).

    Raises:
        PatchError: it does not parse, lacks a component, or changes something else.
    """
    after = _parsed(child, "The changed program")
    for component in components:
        count = sum(isinstance(n, ast.ClassDef) and n.name == component.name for n in after.body)
        if count != 1:
            raise PatchError(f"Expected one class {component.name} in the program; got {count or 'none'}.")
    names, known = {c.name for c in components}, _statement_texts(parent)
    changed: dict[str, ast.stmt] = {}
    for index, (node, text) in enumerate(statements(child)):
        free = (isinstance(node, ast.ClassDef) and node.name in names) or (index == 0 and is_docstring(node))
        if free or text in known or form(node) in _forms(parent):
            continue
        if not _is_definition(node):
            raise PatchError(
                f"Line {node.lineno}: a program's module level holds imports, constants, functions and classes; "
                f"got {_first_line(node)!r}.",
                "Leave out demonstrations and anything that runs on import.",
            )
        if not isinstance(node, ast.Import | ast.ImportFrom):
            changed |= dict.fromkeys(sorted(defined_names(node)), node)
    needed = needed_names(after.body, names) if changed else names
    for name, node in changed.items():
        if name not in needed:
            raise PatchError(
                f"Line {node.lineno}: no component class uses {name!r}.",
                f"Only {', '.join(c.name for c in components)} and what they need may change.",
            )


@lru_cache(maxsize=256)
def _statement_texts(parent: str) -> frozenset[str]:
    """Return the parent's statements at module level as text, which is quick to compare; it is shown again and again.

    Raises:
        PatchError: it does not parse.
    """
    _parsed(parent, "The parent")
    return frozenset(statement.text for statement in statements(parent))


def _forms(parent: str) -> frozenset[str]:
    """Return the same as trees, for what was only written anew."""
    return frozenset(form(statement.node) for statement in statements(parent))


def _parsed(source: str, what: str) -> ast.Module:
    try:
        return parse(source)
    except ProgramError as error:
        reason = error.__cause__
        if not isinstance(reason, SyntaxError):
            raise PatchError(f"{what}: {error.message.removeprefix('program: ')}") from error
        lines, number = source.split("\n"), reason.lineno
        line = lines[number - 1].strip() if number and number <= len(lines) else ""
        raise PatchError(f"{what} does not parse: line {number}: {reason.msg}: {line!r}.") from error


def _is_definition(node: ast.stmt) -> bool:
    """Return whether a statement only imports or defines, an assignment only to names."""
    match node:
        case ast.Assign(targets=targets):
            flat = [e for t in targets for e in (t.elts if isinstance(t, ast.Tuple | ast.List) else [t])]
            return all(isinstance(target, ast.Name) for target in flat)
        case ast.AnnAssign(target=target):
            return isinstance(target, ast.Name)
    return isinstance(node, ast.Import | ast.ImportFrom | ast.FunctionDef | ast.ClassDef)


def _first_line(node: ast.stmt) -> str:
    return printed(node).split("\n")[0][:80]


def _normalised(source: str) -> str:
    return source.replace("\r\n", "\n").replace("\r", "\n").strip("\n") + "\n"
