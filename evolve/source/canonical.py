"""Canonical syntax trees: when are two sources the same program, however they are written?

Comments, formatting, docstrings and the names of local variables do not count, and neither does binding a
value before returning it or giving an argument's attribute a local name. Constants, operators and the order
of statements do. What remains different may still behave alike; behaviour fingerprints are for that.
"""

from __future__ import annotations

import ast
import hashlib
from collections import Counter
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from evaluators.source import FIELDS, parse
from evolve.source.tree import (
    FUNCTIONS,
    Function,
    definitions,
    is_docstring,
    last_line,
    nodes,
    strip_docstrings,
)


@lru_cache(maxsize=1024)
def canonical_hash(source: str) -> str:
    """Return the SHA-256, in hexadecimal, of the canonical form of `source`, remembered for parents.

    Raises:
        ProgramError: `source` does not parse (see `evaluators.source.parse`).
    """
    return hashlib.sha256(canonical_form(source).encode()).hexdigest()


def canonical_form(source: str) -> str:
    """Return the canonical tree of `source` as one string, equal for programs that differ in writing only.

    Raises:
        ProgramError: `source` does not parse.
    """
    own = statements(source)
    documented = bool(own) and is_docstring(own[0].node)
    forms = [statement_form(statement.text) for statement in own[documented:]] or ["Pass()"] * documented
    return f"Module(body=[{','.join(forms)}])" if forms else "Module()"


class Statement(NamedTuple):
    """A statement at module level, to be read only, and its text, which makes the same tree by itself."""

    node: ast.stmt
    text: str


@lru_cache(maxsize=8)
def statements(source: str) -> tuple[Statement, ...]:
    """Return the statements at module level.

    What is made of a statement can be remembered by its text: a child has most of them from its parent.

    Raises:
        ProgramError: `source` does not parse.
    """
    lines = uniform(source).split("\n")
    return tuple(Statement(node, _text(node, lines)) for node in parse(source).body)


def uniform(source: str) -> str:
    """Return a source with the line ends that Python reads it with."""
    return source.replace("\r\n", "\n").replace("\r", "\n")


def first_line(statement: ast.stmt, lines: list[str]) -> int:
    """Return the line of `lines`, all of the source's, on which a statement starts, decorators included."""
    decorators: list[ast.expr] = getattr(statement, "decorator_list", [])
    line = min([statement.lineno, *(d.lineno for d in decorators)])
    while decorators and line > 1 and not lines[line - 1].lstrip().startswith("@"):
        line -= 1
    return line


def _text(statement: ast.stmt, lines: list[str]) -> str:
    """Return a statement's lines without what else stands on them; a comment behind it stays."""
    first, last = first_line(statement, lines), last_line(statement)
    text = "\n".join(lines[first - 1 : last])
    behind = lines[last - 1].encode()[statement.end_col_offset :].decode()
    if behind.strip() and not behind.lstrip().startswith("#"):
        text = text[: -len(behind)]
    if first == statement.lineno and statement.col_offset:
        text = text.encode()[statement.col_offset :].decode()
    return text


@lru_cache(maxsize=2048)
def statement_form(text: str) -> str:
    """Return the canonical form of a statement at module level."""
    statement = undocumented(text)
    for function in [node for node in definitions(statement) if isinstance(node, FUNCTIONS)]:
        names = _names(function)
        _inline_aliases(function, names)
        _inline_returned(function, names)
        _rename_locals(function, names)
    return form(statement)


def form(value: Any, instead: Mapping[int, ast.AST] | None = None) -> str:
    """Return a tree as text; our own and not `ast.dump`'s, whose output changes between Python versions.

    Args:
        value: a node, or what one holds.
        instead: id of a node -> the one that replaces it.
    """
    if isinstance(value, ast.AST):
        if instead:
            value = instead.get(id(value), value)
        kind = type(value)
        parts = [
            f"{name}={form(child, instead)}"
            for name in FIELDS[kind]
            if (child := getattr(value, name, None)) is not None and child != []
        ]
        return f"{kind.__name__}({','.join(parts)})"
    if isinstance(value, list):
        return f"[{','.join([form(item, instead) for item in value])}]"
    return repr(value)


@lru_cache(maxsize=2048)
def plain_form(text: str) -> str:
    """Return the form of a statement, given as text, without docstrings."""
    return form(undocumented(text))


def undocumented(text: str) -> ast.stmt:
    """Return a new tree of a statement, given as text, without docstrings."""
    statement = ast.parse(text).body[0]
    strip_docstrings(statement)
    return statement


class _Names(NamedTuple):
    """What a function binds."""

    arguments: frozenset[str]
    """Its arguments' names and those of functions in it."""
    stores: Counter[str]
    """How often each name is assigned to or deleted; not those declared global."""
    attributes: frozenset[str]
    """The attributes that it assigns to or deletes, of whatever."""


def _names(function: Function) -> _Names:
    arguments, stores, attributes, declared = set(), Counter[str](), set(), set()
    for node in nodes(function):
        match node:
            case ast.arg(arg=name):
                arguments.add(name)
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
                stores[name] += 1
            case ast.Attribute(attr=name, ctx=ast.Store() | ast.Del()):
                attributes.add(name)
            case ast.Global(names=names) | ast.Nonlocal(names=names):
                declared.update(names)
    for name in declared:
        stores.pop(name, None)
    return _Names(frozenset(arguments), stores, frozenset(attributes))


class _Substitute(ast.NodeTransformer):
    """Replaces names by expressions."""

    def __init__(self, names: dict[str, ast.expr]) -> None:
        self.names = names

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return self.names.get(node.id, node)


def _inline_aliases(function: Function, names: _Names) -> None:
    """Drop ``x = argument.attribute`` from the body and put the attribute wherever ``x`` is read."""
    aliases: dict[str, ast.expr] = {}
    for statement in function.body:
        match statement:
            case ast.Assign(
                targets=[ast.Name(id=name)], value=ast.Attribute(value=ast.Name(id=base), attr=attribute)
            ) if name not in names.arguments and base in names.arguments:
                if names.stores[name] == 1 and not names.stores[base] and attribute not in names.attributes:
                    aliases[name] = statement.value
    if aliases:
        kept = [s for s in function.body if not (isinstance(s, ast.Assign) and s.value in aliases.values())]
        function.body = [_Substitute(aliases).visit(statement) for statement in kept] or [ast.Pass()]


def _inline_returned(function: Function, names: _Names) -> None:
    """Turn a final ``x = EXPRESSION; return x`` into ``return EXPRESSION``, as often as it occurs."""
    while len(function.body) > 1:
        match function.body[-2:]:
            case [
                ast.Assign(targets=[ast.Name(id=bound)], value=value),
                ast.Return(value=ast.Name(id=returned)),
            ] if bound == returned and names.stores[bound]:
                function.body[-2:] = [ast.Return(value=value)]
            case _:
                return


def _rename_locals(function: Function, names: _Names) -> None:
    """Number the local names in the order in which the tree mentions them."""
    local = names.stores.keys() - names.arguments
    order: dict[str, str] = {}
    for node in nodes(function) if local else ():
        if isinstance(node, ast.Name) and node.id in local:
            order.setdefault(node.id, f"<local {len(order)}>")
    for statement in function.body if order else ():
        for node in nodes(statement):
            if isinstance(node, ast.Name) and node.id in order:
                # No store any more: a function inside this one shall not take it for its own.
                node.id, node.ctx = order[node.id], ast.Load()
