"""Source text beside its syntax tree: where nodes stand, and edits at those places.

Editing the text at the tree's positions, instead of printing a changed tree, is what keeps comments and
formatting. Offsets are in bytes of UTF-8 because `ast` counts columns so.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import accumulate

from evaluators.contract import Component
from evolve.source.canonical import first_line, tree_of

LINE_LENGTH = 110


@dataclass(frozen=True)
class Edit:
    """Put `text` in the place of the bytes from `start` up to `end`."""

    start: int
    end: int
    text: str


class Code:
    """A parsed program, its line ends made uniform. Immutable, the tree too: `edited` gives a new one.

    Raises:
        SyntaxError: if the text does not parse.
    """

    def __init__(self, text: str) -> None:
        self.text = text.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n") + "\n"
        self.tree = tree_of(self.text)

    @cached_property
    def lines(self) -> list[str]:
        """The lines without their ends; line `n` of the tree is ``lines[n - 1]``."""
        return self.text.split("\n")

    @cached_property
    def _line_starts(self) -> Sequence[int]:
        return [0, *accumulate(len(line.encode()) + 1 for line in self.lines)]

    @cached_property
    def _keys(self) -> dict[int, str]:
        return {id(statement): ast.dump(statement) for statement in self.tree.body}

    @property
    def keys(self) -> Iterable[str]:
        """What the statements at module level are, however they are laid out; docstrings count."""
        return self._keys.values()

    def key(self, statement: ast.stmt) -> str:
        """The one of `keys` that is a statement's of this tree."""
        return self._keys[id(statement)]

    def line_start(self, lineno: int) -> int:
        """Offset of the first byte of a line (1-based); the line after the last is the end of the text."""
        return min(self._line_starts[lineno - 1], self._line_starts[-1] - 1)

    def start(self, node: ast.expr | ast.stmt) -> int:
        """Offset of a node's first byte."""
        return self._line_starts[node.lineno - 1] + node.col_offset

    def end(self, node: ast.expr | ast.stmt) -> int:
        """Offset after a node's last byte."""
        assert node.end_lineno is not None and node.end_col_offset is not None
        return self._line_starts[node.end_lineno - 1] + node.end_col_offset

    def segment(self, start: int, end: int) -> str:
        """The text between two offsets."""
        return self.text.encode()[start:end].decode()

    def replace(self, node: ast.expr | ast.stmt, text: str) -> Edit:
        """The edit that puts `text` in a node's place."""
        return Edit(self.start(node), self.end(node), text)

    def replace_lines(self, first: int, last: int, lines: Sequence[str]) -> Edit:
        """The edit that puts `lines` in the place of the lines `first` to `last` (1-based, inclusive)."""
        return Edit(self.line_start(first), self.line_start(last + 1), "".join(f"{line}\n" for line in lines))

    def insert_lines(self, before: int, lines: Sequence[str]) -> Edit:
        """The edit that puts `lines` above line `before`."""
        return self.replace_lines(before, before - 1, lines)

    def edited(self, edits: Iterable[Edit]) -> Code:
        """The program after `edits`, which must not overlap; at one place the first given stands first."""
        data, pieces, position = self.text.encode(), [], 0
        for edit in sorted(edits, key=lambda e: (e.start, e.end)):
            pieces += [data[position : edit.start], edit.text.encode()]
            position = edit.end
        return Code(b"".join([*pieces, data[position:]]).decode())

    def indent(self, statement: ast.stmt) -> str:
        """What stands before a statement on its line."""
        return self.segment(self.line_start(statement.lineno), self.start(statement))

    def is_blank(self, lineno: int) -> bool:
        """Whether a line exists and holds nothing."""
        return 1 <= lineno <= len(self.lines) and not self.lines[lineno - 1].strip()

    def is_comment(self, lineno: int) -> bool:
        """Whether a line exists and holds a comment only."""
        return 1 <= lineno <= len(self.lines) and self.lines[lineno - 1].lstrip().startswith("#")

    def stands_alone(self, statement: ast.stmt) -> bool:
        """Whether no other statement shares the lines of `statement`."""
        assert statement.end_lineno is not None
        before = self.segment(self.line_start(statement.lineno), self.start(statement))
        after = self.segment(self.end(statement), self.line_start(statement.end_lineno + 1)).strip()
        return not before.strip() and (not after or after.startswith("#"))

    def first_line(self, statement: ast.stmt) -> int:
        """The line on which a statement starts, decorators and the comments directly above it included."""
        line = first_line(statement)
        while self.is_comment(line - 1):
            line -= 1
        return line


@lru_cache(maxsize=64)
def parsed(source: str) -> Code:
    """The code of a program, remembered: parents come again and again.

    Raises:
        SyntaxError: if the text does not parse.
    """
    return Code(source)


@dataclass(frozen=True)
class Site:
    """Where a component stands in a program."""

    component: Component
    owner: ast.ClassDef
    method: ast.FunctionDef

    @cached_property
    def statements(self) -> list[ast.stmt]:
        """The method's statements without its docstring."""
        return self.method.body[has_docstring(self.method) :]

    @property
    def arguments(self) -> tuple[str, ...]:
        """The method's positional arguments after ``self``."""
        arguments = self.method.args
        return tuple(a.arg for a in [*arguments.posonlyargs, *arguments.args][1:])

    @cached_property
    def names(self) -> frozenset[str]:
        """Every name that the method's code mentions (see `outer_names`), arguments that it never reads excluded."""
        return outer_names(self.method)

    @cached_property
    def class_names(self) -> frozenset[str]:
        """Every attribute that the class's code mentions, and every name in the class's own body."""
        nodes = [n for s in self.owner.body if not isinstance(s, ast.FunctionDef) for n in ast.walk(s)]
        attributes = {n.attr for n in ast.walk(self.owner) if isinstance(n, ast.Attribute)}
        return frozenset(attributes | {n.id for n in nodes if isinstance(n, ast.Name)})

    @cached_property
    def assigned_attributes(self) -> frozenset[str]:
        """The attribute expressions, such as ``self.average``, that the method assigns to or deletes."""
        attributes = (node for node in ast.walk(self.method) if isinstance(node, ast.Attribute))
        return frozenset(ast.unparse(node) for node in attributes if not isinstance(node.ctx, ast.Load))

    @property
    def takes_mechanisms(self) -> bool:
        """Whether the method takes exactly the arguments that mechanisms are written for."""
        return self.arguments == self.component.arguments


def find_sites(code: Code, components: Iterable[Component]) -> dict[str, Site]:
    """Component name -> its place, for those that there are (a later class hides an earlier one)."""
    classes = {node.name: node for node in code.tree.body if isinstance(node, ast.ClassDef)}
    found: dict[str, Site] = {}
    for component in components:
        owner = classes.get(component.name)
        for node in owner.body if owner else []:
            if owner and isinstance(node, ast.FunctionDef) and node.name == component.method:
                found[component.name] = Site(component, owner, node)
    return found


def has_docstring(node: ast.Module | ast.ClassDef | ast.FunctionDef) -> bool:
    """Whether the first statement of a module, class or function is its docstring."""
    return ast.get_docstring(node, clean=False) is not None


def outer_names(tree: ast.AST) -> frozenset[str]:
    """The names that a tree mentions, but for the variables of loops and comprehensions inside them.

    What a loop or a comprehension binds for itself is nobody else's: two of them may use one name.
    """
    return frozenset(_outer(tree, frozenset()))


def _outer(node: ast.AST, bound: frozenset[str]) -> Iterator[str]:
    match node:
        case ast.Name(id=name):
            yield from () if name in bound else (name,)
        case ast.For(target=target, iter=source, body=body, orelse=rest):
            yield from _outer(source, bound)
            for inside in (target, *body, *rest):
                yield from _outer(inside, bound | bound_names(target))
        case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
            own = bound.union(*(bound_names(generator.target) for generator in node.generators))
            yield from _outer(node.generators[0].iter, bound)
            for child in ast.iter_child_nodes(node):
                yield from _outer(child, own)
        case _:
            for child in ast.iter_child_nodes(node):
                yield from _outer(child, bound)


def bound_names(tree: ast.AST) -> frozenset[str]:
    """The names that a tree binds in the function where it stands: those of loops too, those of comprehensions not."""
    return frozenset(_bound(tree))


def _bound(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Name(id=name, ctx=ast.Store()):
            yield name
        case ast.comprehension(iter=source, ifs=conditions):
            for inside in (source, *conditions):
                yield from _bound(inside)
        case _:
            for child in ast.iter_child_nodes(node):
                yield from _bound(child)


def walk(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes below `node` in source order; not f-strings, whose inner positions Python 3.11 gets wrong."""
    yield node
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.JoinedStr):
            yield from walk(child)
