"""Source text beside its syntax tree: where nodes stand, and edits at those positions.

Editing the text at the tree's positions, instead of printing a changed tree, is what keeps comments and
formatting. Offsets are in bytes of UTF-8 because `ast` counts columns so. An edit that the layout does not allow
raises `ProgramError`, as does one after which the program does not parse.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import accumulate

from evaluators.contract import ProgramError
from evaluators.source import parse
from evolve.source import canonical
from evolve.source.tree import bodies, last_line

LINE_LENGTH = 110


@dataclass(frozen=True)
class Edit:
    """Put `text` in the place of the bytes from `start` up to `end`."""

    start: int
    end: int
    text: str


class Code:
    """A parsed program, its line ends made uniform. Immutable, the tree too: `edited` returns a new one.

    Raises:
        ProgramError: the text does not parse.
    """

    def __init__(self, text: str) -> None:
        text = canonical.uniform(text).rstrip("\n")
        # A backslash on the last line parses with an empty line below it only.
        self.text = text + ("\n\n" if text.endswith("\\") else "\n")
        self.tree = parse(self.text)

    @cached_property
    def lines(self) -> list[str]:
        """The lines without their ends; line `n` of the tree is ``lines[n - 1]``."""
        return self.text.split("\n")

    @cached_property
    def data(self) -> bytes:
        """The text in the encoding that offsets count in."""
        return self.text.encode()

    @cached_property
    def _line_starts(self) -> Sequence[int]:
        return [0, *accumulate(len(line.encode()) + 1 for line in self.lines)]

    @cached_property
    def _keys(self) -> dict[int, str]:
        return {id(statement): canonical.form(statement) for statement in self.tree.body}

    @property
    def keys(self) -> Iterable[str]:
        """What the statements at module level are, however they are laid out; docstrings count."""
        return self._keys.values()

    def key(self, statement: ast.stmt) -> str:
        """Return the one of `keys` that is a statement's of this tree."""
        return self._keys[id(statement)]

    def line_start(self, lineno: int) -> int:
        """Return the offset of a line's first byte (1-based); the line after the last is the end of the text."""
        return min(self._line_starts[lineno - 1], self._line_starts[-1] - 1)

    def start(self, node: ast.expr | ast.stmt) -> int:
        """Return the offset of a node's first byte."""
        return self._line_starts[node.lineno - 1] + node.col_offset

    def end(self, node: ast.expr | ast.stmt) -> int:
        """Return the offset after a node's last byte."""
        assert node.end_lineno is not None and node.end_col_offset is not None
        return self._line_starts[node.end_lineno - 1] + node.end_col_offset

    def segment(self, start: int, end: int) -> str:
        """Return the text between two offsets."""
        return self.data[start:end].decode()

    def text_of(self, node: ast.expr | ast.stmt) -> str:
        """Return a node's own text."""
        return self.segment(self.start(node), self.end(node))

    def lines_of(self, statement: ast.stmt) -> list[str]:
        """Return a statement's lines with the comments directly above."""
        return self.lines[self.first_line(statement) - 1 : last_line(statement)]

    def replace(self, node: ast.expr | ast.stmt, text: str) -> Edit:
        """Return the edit that puts `text` in a node's place."""
        return Edit(self.start(node), self.end(node), text)

    def replace_lines(self, first: int, last: int, lines: Sequence[str]) -> Edit:
        """Return the edit that puts `lines` in the place of the lines `first` to `last` (1-based, inclusive)."""
        return Edit(self.line_start(first), self.line_start(last + 1), "".join(f"{line}\n" for line in lines))

    def insert_lines(self, before: int, lines: Sequence[str]) -> Edit:
        """Return the edit that puts `lines` above line `before`."""
        return self.replace_lines(before, before - 1, lines)

    def remove(self, statement: ast.stmt, filler: Sequence[str] = ()) -> Edit:
        """Return the edit that puts `filler` in the place of a statement and the comments directly above it."""
        return self.replace_lines(self.first_line(statement), last_line(statement), filler)

    def edited(self, edits: Iterable[Edit]) -> Code:
        """Return the program after `edits`, which must not overlap; of several at one offset the first stands first.

        Raises:
            ProgramError: it does not parse any more.
        """
        pieces, position = [], 0
        for edit in sorted(edits, key=lambda e: (e.start, e.end)):
            pieces += [self.data[position : edit.start], edit.text.encode()]
            position = edit.end
        return Code(b"".join([*pieces, self.data[position:]]).decode())

    def indent(self, statement: ast.stmt) -> str:
        """Return what stands before a statement on its line."""
        return self.segment(self.line_start(statement.lineno), self.start(statement))

    def is_blank(self, lineno: int) -> bool:
        """Return whether a line exists and holds nothing."""
        return 1 <= lineno <= len(self.lines) and not self.lines[lineno - 1].strip()

    def is_comment(self, lineno: int) -> bool:
        """Return whether a line exists and holds a comment only."""
        return 1 <= lineno <= len(self.lines) and self.lines[lineno - 1].lstrip().startswith("#")

    def stands_alone(self, statement: ast.stmt) -> bool:
        """Return whether no other statement shares the lines of `statement`."""
        behind = self.segment(self.end(statement), self.line_start(last_line(statement) + 1)).strip()
        return not self.indent(statement).strip() and (not behind or behind.startswith("#"))

    def first_line(self, statement: ast.stmt) -> int:
        """Return the line on which a statement starts, decorators and the comments directly above it included."""
        line = canonical.first_line(statement, self.lines)
        while self.is_comment(line - 1):
            line -= 1
        return line

    def without(self, statements: Collection[ast.stmt]) -> Code:
        """Return the program without some statements; an emptied body says ``pass``, an emptied ``else`` goes.

        Raises:
            ProgramError: the layout does not allow it, such as several statements on one line.
        """
        gone = {id(statement) for statement in statements}
        edits: list[Edit] = []
        for owner, field, body in bodies(self.tree):
            removed = [s for s in body if id(s) in gone]
            if not all(map(self.stands_alone, removed)):
                raise ProgramError("program: expected one statement on a line.")
            empty = len(removed) == len(body) and not isinstance(owner, ast.Module)
            if empty and field == "orelse":
                main: list[ast.stmt] = owner.body  # type: ignore[attr-defined]
                edits.append(self.replace_lines(last_line(main[-1]) + 1, last_line(body[-1]), []))
                continue
            for index, statement in enumerate(removed):
                filler = [f"{self.indent(statement)}pass"] if empty and index == 0 else []
                edits.append(self.remove(statement, filler))
        return self.edited(edits)

    def unwrapped(self, statement: ast.If, branch: list[ast.stmt]) -> Code:
        """Return the program with the statements of one branch in the place of an ``if``.

        Raises:
            ProgramError: the layout does not allow it.
        """
        outer, inner = self.indent(statement), self.indent(branch[0])
        if not inner.startswith(outer) or inner.strip() or not self.stands_alone(branch[-1]):
            raise ProgramError("program: expected a branch on lines of its own.")
        lines = self.lines[self.first_line(branch[0]) - 1 : last_line(branch[-1])]
        moved = [outer + line.removeprefix(inner) if line.startswith(inner) else line for line in lines]
        return self.edited([self.replace_lines(statement.lineno, last_line(statement), moved)])

    def replaced(self, node: ast.expr, text: str) -> Code:
        """Return the program with the expression `text` in another's place, in parentheses only where needed.

        Raises:
            ProgramError: the layout does not allow it.
        """
        new = ast.parse(f"({text})", mode="eval").body
        expected = canonical.form(self.tree, {id(node): new})
        for edit in self._replacements(node, text):
            try:
                changed = self.edited([edit])
            except ProgramError:
                continue
            if canonical.form(changed.tree) == expected:
                return changed
        raise ProgramError("program: expected an expression that another can take the place of.")

    def _replacements(self, node: ast.expr, text: str) -> Iterator[Edit]:
        start, end = self.start(node), self.end(node)
        before, after = self.data[:start].rstrip(), self.data[end:].lstrip()
        if before.endswith(b"(") and after.startswith(b")"):
            yield Edit(len(before) - 1, len(self.data) - len(after) + 1, text)
        yield Edit(start, end, text)
        yield Edit(start, end, f"({text})")


@lru_cache(maxsize=64)
def parsed(source: str) -> Code:
    """Return the code of a program, remembered for parents.

    Raises:
        ProgramError: the text does not parse.
    """
    return Code(source)
