"""Canonical syntax trees: when are two sources the same program, however they are written?

Comments, formatting, docstrings and the names of local variables do not count, and neither does binding a
value before returning it or giving an argument's attribute a local name. Constants, operators and the order
of statements do. What remains different may still behave alike; behaviour fingerprints are for that.
"""

from __future__ import annotations

import ast
import hashlib
from collections import Counter
from functools import lru_cache
from itertools import pairwise
from typing import Any, NamedTuple

from evaluators.contract import ProgramError
from evaluators.source import parse

Function = ast.FunctionDef | ast.AsyncFunctionDef

TOO_DEEP = "expected statements of a few hundred operations at most, one in another; split the longest."
"""What is said of a program that parses, and then is too deep for whoever walks through its tree."""

_FIELDS = {
    kind: tuple(name for name in kind._fields if name not in ("ctx", "kind", "type_comment"))
    for kind in vars(ast).values()
    if isinstance(kind, type) and issubclass(kind, ast.AST)
}
"""The fields of each kind of node that mean something."""


@lru_cache(maxsize=1024)
def canonical_hash(source: str) -> str:
    """SHA-256, in hexadecimal, of the canonical form of `source`, remembered: parents come again and again.

    Raises:
        SyntaxError: if `source` does not parse.
    """
    return hashlib.sha256(canonical_form(source).encode()).hexdigest()


def canonical_form(source: str) -> str:
    """The canonical tree of `source` as one string, equal for programs that differ in writing only.

    The text is our own and not `ast.dump`'s, whose output changes between Python versions.

    Raises:
        SyntaxError: if `source` does not parse.
    """
    placed = statements(source)
    documented = bool(placed) and is_docstring(placed[0].node)
    forms = [_of_statement(statement.text) for statement in placed[documented:]] or ["Pass()"] * documented
    return f"Module(body=[{','.join(forms)}])" if forms else "Module()"


def tree_of(source: str) -> ast.Module:
    """The syntax tree of `source`, to be read only (see `evaluators.source.parse`).

    Raises:
        SyntaxError: it does not parse; rarely, as for a null character, another error of the parser.
    """
    try:
        return parse(source)
    except ProgramError as error:
        raise error.__cause__ or error from None


class Statement(NamedTuple):
    """A statement at module level, to be read only, and its text, which makes the same tree by itself."""

    node: ast.stmt
    text: str


@lru_cache(maxsize=8)
def statements(source: str) -> tuple[Statement, ...]:
    """The statements at module level.

    What is made of a statement can be remembered by its text: a child has most of them from its parent.

    Raises:
        SyntaxError: as `tree_of`.
    """
    lines, body = source.split("\n"), tree_of(source).body
    places = [(first_line(node), node.end_lineno or node.lineno) for node in body]
    if "\r" in source or any(place[0] <= before[1] for before, place in pairwise(places)):
        # Lines do not tell statements apart.
        return tuple(Statement(node, ast.unparse(node)) for node in body)
    return tuple(
        Statement(node, "\n".join(lines[first - 1 : last]))
        for node, (first, last) in zip(body, places, strict=True)
    )


def is_docstring(statement: ast.stmt) -> bool:
    """Whether a statement is nothing but a text, as docstrings are."""
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


def first_line(statement: ast.stmt) -> int:
    """The line on which a statement starts, decorators included."""
    decorators: list[ast.expr] = getattr(statement, "decorator_list", [])
    return min([statement.lineno, *(d.lineno for d in decorators)])


@lru_cache(maxsize=2048)
def _of_statement(text: str) -> str:
    """The canonical form of a statement at module level."""
    return _canonical(ast.parse(text).body[0])


def _canonical(statement: ast.stmt) -> str:
    """The canonical form of a statement, whose tree is changed."""
    scopes = [node for node in _walk(statement) if isinstance(node, ast.ClassDef | Function)]
    for node in scopes:
        if ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    for function in scopes:
        if isinstance(function, Function):
            names = _names(function)
            _inline_aliases(function, names)
            _inline_returned(function, names)
            _rename_locals(function, names)
    return _serialize(statement)


def _walk(root: ast.AST) -> list[ast.AST]:
    """What `ast.walk` gives, in its order, in a third of the time."""
    found = [root]
    for node in found:  # grows as it goes
        for name in _FIELDS[type(node)]:
            value = getattr(node, name)
            if isinstance(value, ast.AST):
                found.append(value)
            elif isinstance(value, list):
                found += [item for item in value if isinstance(item, ast.AST)]
    return found


def _serialize(value: Any) -> str:
    if isinstance(value, ast.AST):
        kind = type(value)
        parts = [
            f"{name}={_serialize(child)}"
            for name in _FIELDS[kind]
            if (child := getattr(value, name, None)) is not None and child != []
        ]
        return f"{kind.__name__}({','.join(parts)})"
    if isinstance(value, list):
        return f"[{','.join(map(_serialize, value))}]"
    return repr(value)


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
    for node in _walk(function):
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
    """Puts expressions in the place of names."""

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
    for node in _walk(function) if local else ():
        if isinstance(node, ast.Name) and node.id in local:
            order.setdefault(node.id, f"<local {len(order)}>")
    for statement in function.body if order else ():
        for node in _walk(statement):
            if isinstance(node, ast.Name) and node.id in order:
                # No store any more: a function inside this one shall not take it for its own.
                node.id, node.ctx = order[node.id], ast.Load()
