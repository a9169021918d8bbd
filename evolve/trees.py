"""Canonical syntax trees: when are two sources the same program, however they are written?

Comments, formatting, docstrings and the names of local variables do not count, and neither does binding a
value before returning it or giving an argument's attribute a local name. Constants, operators and the order
of statements do. What remains different may still behave alike; behaviour fingerprints are for that.
"""

from __future__ import annotations

import ast
import hashlib
from collections import Counter
from typing import Any, NamedTuple

Function = ast.FunctionDef | ast.AsyncFunctionDef

_IGNORED_FIELDS = frozenset({"ctx", "kind", "type_comment"})


def canonical_hash(source: str) -> str:
    """SHA-256, in hexadecimal, of the canonical form of `source`.

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
    tree = ast.parse(source)
    functions = [node for node in ast.walk(tree) if isinstance(node, Function)]
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Module | ast.ClassDef | Function)
            and ast.get_docstring(node, clean=False) is not None
        ):
            node.body = node.body[1:] or [ast.Pass()]
    for function in functions:
        names = _names(function)
        _inline_aliases(function, names)
        _inline_returned(function, names)
        _rename_locals(function, names)
    return _serialize(tree)


def _serialize(value: Any) -> str:
    if isinstance(value, ast.AST):
        parts = (
            f"{name}={_serialize(child)}"
            for name, child in ast.iter_fields(value)
            if name not in _IGNORED_FIELDS and child is not None and child != []
        )
        return f"{type(value).__name__}({','.join(parts)})"
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
    for node in ast.walk(function):
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
    order: dict[str, ast.expr] = {}
    for node in ast.walk(function):
        if isinstance(node, ast.Name) and node.id in names.stores and node.id not in names.arguments:
            order.setdefault(node.id, ast.Name(id=f"<local {len(order)}>", ctx=ast.Load()))
    function.body = [_Substitute(order).visit(statement) for statement in function.body]
