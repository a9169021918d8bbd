"""Edits of a program's text that a reduction is made of; layout and comments elsewhere survive."""

from __future__ import annotations

import ast
import copy
from collections.abc import Collection, Iterator

from evolve.source.code import Code, Edit

_BODIES = ("body", "orelse", "finalbody")


def bodies(tree: ast.AST) -> Iterator[tuple[ast.AST, str, list[ast.stmt]]]:
    """Every list of statements, with the node that holds it and the name of the field."""
    for node in ast.walk(tree):
        for name in _BODIES:
            statements = getattr(node, name, None)
            if isinstance(statements, list) and statements:
                yield node, name, statements


def replaced(code: Code, node: ast.expr, text: str) -> Code | None:
    """The program with the expression `text` in the place of another, with parentheses where they are needed only.

    None where the layout does not allow it.
    """
    wanted = _expected(code.tree, node, text)
    for edit in _edits(code, node, text):
        try:
            changed = code.edited([edit])
        except SyntaxError:
            continue
        if ast.dump(changed.tree) == wanted:
            return changed
    return None


def _expected(tree: ast.Module, node: ast.expr, text: str) -> str:
    memo: dict[int, ast.AST] = {}
    copied = copy.deepcopy(tree, memo)
    new = ast.parse(f"({text})", mode="eval").body
    return ast.dump(_Swap(memo[id(node)], new).visit(copied))


class _Swap(ast.NodeTransformer):
    """Puts one node in the place of another."""

    def __init__(self, old: ast.AST, new: ast.AST) -> None:
        self.old = old
        self.new = new

    def visit(self, node: ast.AST) -> ast.AST:
        return self.new if node is self.old else self.generic_visit(node)


def _edits(code: Code, node: ast.expr, text: str) -> Iterator[Edit]:
    data, start, end = code.text.encode(), code.start(node), code.end(node)
    before, after = data[:start].rstrip(), data[end:].lstrip()
    if before.endswith(b"(") and after.startswith(b")"):
        yield Edit(len(before) - 1, len(data) - len(after) + 1, text)
    yield Edit(start, end, text)
    yield Edit(start, end, f"({text})")


def without(code: Code, statements: Collection[ast.stmt]) -> Code:
    """The program without some statements and the comments directly above them; an emptied body says ``pass``.

    Raises:
        SyntaxError: the layout does not allow it, such as several statements on one line.
    """
    gone = {id(statement) for statement in statements}
    edits: list[Edit] = []
    for owner, field, body in bodies(code.tree):
        removed = [s for s in body if id(s) in gone]
        if not removed:
            continue
        if not all(map(code.stands_alone, removed)):
            raise SyntaxError("several statements on one line")
        empty = len(removed) == len(body) and not isinstance(owner, ast.Module)
        if empty and field == "orelse":
            main: list[ast.stmt] = owner.body  # type: ignore[attr-defined]
            edits.append(code.replace_lines(last_line(main[-1]) + 1, last_line(body[-1]), []))
            continue
        for index, statement in enumerate(removed):
            filler = [f"{code.indent(statement)}pass"] if empty and index == 0 else []
            edits.append(code.replace_lines(code.first_line(statement), last_line(statement), filler))
    return code.edited(edits)


def unwrapped(code: Code, statement: ast.If, branch: list[ast.stmt]) -> Code:
    """The program with the statements of one branch in the place of an ``if``.

    Raises:
        SyntaxError: the layout does not allow it.
    """
    outer, inner = code.indent(statement), code.indent(branch[0])
    if not inner.startswith(outer) or inner.strip() or not code.stands_alone(branch[-1]):
        raise SyntaxError("an elif, or a branch on the line of its condition")
    lines = code.lines[code.first_line(branch[0]) - 1 : last_line(branch[-1])]
    moved = [outer + line.removeprefix(inner) if line.startswith(inner) else line for line in lines]
    return code.edited([code.replace_lines(statement.lineno, last_line(statement), moved)])


def last_line(statement: ast.stmt) -> int:
    """The line on which a statement ends."""
    return statement.end_lineno or statement.lineno
