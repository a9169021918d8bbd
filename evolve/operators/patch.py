"""A model's answer applied to a program: exactly, completely or not at all, and only where programs may change.

An answer is SEARCH/REPLACE blocks or one complete program. Models wrap it in prose, fences and thoughts; these are
taken off. What is left must be unambiguous: nothing is guessed, and every refusal says what was expected and what the
answer holds, in words that the model can act on.

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
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache

from evaluators.contract import Component, ProgramError
from evaluators.source import parse
from evolve.errors import EvolveError
from evolve.source.canonical import form, statements
from evolve.source.tree import defined_names, is_docstring, needed_names, printed

_SEARCH = re.compile(r"\s*<{5,9}\s*SEARCH:?\s*$", re.IGNORECASE)
_DIVIDER = re.compile(r"\s*={5,9}\s*$")
_REPLACE = re.compile(r"\s*>{5,9}\s*REPLACE\s*$", re.IGNORECASE)
_CONFLICT = re.compile(r"\s*(<{7}|>{7})\s*\S*\s*$")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})\s*([^`\s]*)[^`]*$")
_DIFF = re.compile(r"^@@ .*@@|^\+\+\+ \S|^--- \S", re.MULTILINE)
_THOUGHTS = re.compile(r"\A\s*<(think|thinking|reasoning)>.*?</\1>", re.DOTALL)
_OPEN_THOUGHTS = re.compile(r"\A\s*<(think|thinking|reasoning)>")
_CODE_TAGS = frozenset({"", "python", "py", "python3", "diff", "text"})

FORMAT = "Answer with SEARCH/REPLACE blocks, or with the complete program in one ```python fence."


class PatchError(EvolveError):
    """An answer that cannot be applied; what was expected, what it holds, and what to do, for the model to read."""


@dataclass(frozen=True)
class Block:
    """One SEARCH/REPLACE block: lines to find, lines to put there."""

    search: tuple[str, ...]
    replace: tuple[str, ...]


def parse_answer(text: str, components: Collection[str]) -> tuple[Block, ...] | str:
    """Return the blocks of an answer in order, or its complete program. Beside blocks, all else is prose.

    Args:
        text: the model's answer.
        components: names of the classes that a complete program has.

    Raises:
        PatchError: neither blocks nor a program, or not clear which.
    """
    text = _THOUGHTS.sub("", text.replace("\r\n", "\n").replace("\r", "\n").lstrip("\ufeff"))
    if _OPEN_THOUGHTS.match(text):
        raise PatchError("The answer ends within its thoughts and holds no change.", FORMAT)
    if not text.strip():
        raise PatchError("The answer is empty.", FORMAT)
    lines = text.split("\n")
    return _blocks(lines) or _rewrite(lines, components)


def _blocks(lines: list[str]) -> tuple[Block, ...]:
    blocks: list[Block] = []
    sections: list[list[str]] = []  # none outside of a block, then SEARCH, then REPLACE
    for line in lines:
        number = len(blocks) + 1
        if _SEARCH.match(line):
            if sections:
                raise PatchError(
                    f"Block {number} has no `>>>>>>> REPLACE` before the next block begins.", FORMAT
                )
            sections = [[]]
        elif _REPLACE.match(line):
            if not sections:
                raise PatchError("A `>>>>>>> REPLACE` came without a `<<<<<<< SEARCH` before it.", FORMAT)
            if len(sections) == 1:
                raise PatchError(f"Block {number} has no `=======` between SEARCH and REPLACE.", FORMAT)
            search, replace = (tuple(_unfenced(section)) for section in sections)
            blocks.append(Block(search, replace))
            sections = []
        elif sections and _DIVIDER.match(line):
            if len(sections) == 2:
                raise PatchError(f"Block {number} has more than one `=======`; expected exactly one.", FORMAT)
            sections.append([])
        elif sections:
            sections[-1].append(line)
        elif _CONFLICT.match(line):
            raise PatchError(f"Expected `<<<<<<< SEARCH` or `>>>>>>> REPLACE`; got {line.strip()!r}.", FORMAT)
    if sections:
        missing = "=======" if len(sections) == 1 else ">>>>>>> REPLACE"
        raise PatchError(
            f"Block {len(blocks) + 1} is cut off: expected a `{missing}` line; the answer ended.",
            "Give every block completely; several small blocks are better than a long one.",
        )
    return tuple(blocks)


def _unfenced(section: list[str]) -> list[str]:
    """Return a section's lines without a code fence put around them inside the block."""
    inner = [n for n, line in enumerate(section) if line.strip()]
    if len(inner) >= 2 and _FENCE.match(section[inner[0]]) and section[inner[-1]].strip() in ("```", "~~~"):
        return section[inner[0] + 1 : inner[-1]]
    return section


@dataclass(frozen=True)
class _Fence:
    """A fenced part of an answer."""

    tag: str
    text: str
    closed: bool


def _fences(lines: list[str]) -> list[_Fence]:
    """Return fenced parts as Markdown has them: closed by as many marks as opened, or by the answer's end."""
    fences: list[_Fence] = []
    opened: tuple[str, str] | None = None
    inside: list[str] = []
    for line in lines:
        match = _FENCE.match(line)
        if opened is None:
            if match:
                opened, inside = (match[1], match[2].lower()), []
        elif match and not match[2] and match[1].startswith(opened[0]):
            fences.append(_Fence(opened[1], "\n".join(inside), closed=True))
            opened = None
        elif match and match[2] and not "".join(inside).strip():
            opened, inside = (match[1], match[2].lower()), []  # a fence that only wraps another
        else:
            inside.append(line)
    if opened is not None and "".join(inside).strip():
        fences.append(_Fence(opened[1], "\n".join(inside), closed=False))
    return fences


def _rewrite(lines: list[str], components: Collection[str]) -> str:
    """Return the one complete program in an answer without blocks."""
    text = "\n".join(lines)
    fences = [f for f in _fences(lines) if _classes(f.text, components)]
    whole = [f for f in fences if len(_classes(f.text, components)) == len(components)]
    if not fences and len(_classes(text, components)) == len(components):
        with suppress(ProgramError):
            parse(text)
            return text
    if len(whole) > 1 and len({f.text.strip() for f in whole}) > 1:
        raise PatchError(
            f"The answer holds {len(whole)} complete programs; expected one.", "Give the final one only."
        )
    if whole:
        if not whole[0].closed:
            raise PatchError(
                "The program is cut off: its code fence is not closed.",
                "Use SEARCH/REPLACE blocks to change only what changes, or a shorter program.",
            )
        if whole[0].tag not in _CODE_TAGS:
            raise PatchError(f"Expected a program in Python; the fence says {whole[0].tag!r}.", FORMAT)
        return whole[0].text
    if _DIFF.search(text):
        raise PatchError("Expected SEARCH/REPLACE blocks; got a unified diff.", FORMAT)
    if fences:
        parts = [" and ".join(_classes(f.text, components)) for f in fences]
        raise PatchError(
            f"Expected one complete program with the classes {', '.join(components)}; "
            f"got code with {'; '.join(parts)}.",
            "To change a part, use SEARCH/REPLACE blocks; to rewrite, give all of it in one ```python fence.",
        )
    raise PatchError("The answer holds no SEARCH/REPLACE block and no complete program.", FORMAT)


def _classes(text: str, components: Collection[str]) -> list[str]:
    return [c for c in components if re.search(rf"^\s*class {re.escape(c)}\b", text, re.MULTILINE)]


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


def patch(parent: str, answer: str, components: Sequence[Component]) -> str:
    """Return the source of the child that a model's answer makes of `parent`.

    Args:
        parent: the program that the model was shown.
        answer: the model's.
        components: the classes that may change.

    Raises:
        PatchError: it cannot be applied, or changes what it may not; nothing was changed.
    """
    change = parse_answer(answer, [c.name for c in components])
    if isinstance(change, str):
        child = _normalised(change)
        _check_elisions(child.split("\n"), parent, "The program")
    else:
        child = apply(parent, change)
    if child == _normalised(parent):
        raise PatchError("The answer changes nothing.", "Make at least one change.")
    if len(child) > MAX_CHARS:
        raise PatchError(f"Expected a program of at most {MAX_CHARS} characters; got {len(child)}.")
    check_scope(parent, child, components)
    return child


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


_NEAR_MISSES: dict[str, Callable[[str], str]] = {
    "typographic characters (quotes, dashes or blanks)": lambda line: line.translate(_QUOTES).rstrip(),
    "indentation": lambda line: line.strip(),
    "blanks within the lines": lambda line: re.sub(r"\s+", "", line),
}


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
                f"got {printed(node).splitlines()[0][:80]!r}.",
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


def _normalised(source: str) -> str:
    return source.replace("\r\n", "\n").replace("\r", "\n").strip("\n") + "\n"
