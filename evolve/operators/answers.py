"""What a model's answer asks for: SEARCH/REPLACE blocks, or one complete program.

Models wrap answers in prose, fences and thoughts; these are taken off. What is left must be unambiguous: nothing
is guessed, and every refusal says what was expected and what the answer holds, in words that the model can act on.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from evaluators.contract import ProgramError
from evaluators.source import parse
from evolve.errors import EvolveError

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


@dataclass(frozen=True)
class Answer:
    """Blocks in order, or the text of a complete program; never both."""

    blocks: tuple[Block, ...] = ()
    rewrite: str | None = None


def parse_answer(text: str, components: Collection[str]) -> Answer:
    """Return what an answer asks for. Where it has blocks, code outside of them is prose.

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
    blocks = _blocks(lines)
    return Answer(blocks) if blocks else Answer(rewrite=_rewrite(lines, components))


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
    if not fences and len(_classes(text, components)) == len(components) and _parses(text):
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


def _parses(text: str) -> bool:
    try:
        parse(text)
    except ProgramError:
        return False
    return True
