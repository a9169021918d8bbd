"""Questions to a syntax tree: its nodes, bodies and docstrings, the names that it binds and needs, its size.

The size is the nodes of the tree, then the digits of its constants.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Iterator
from decimal import Decimal
from typing import NamedTuple

from evaluators.source import FIELDS, children

Function = ast.FunctionDef | ast.AsyncFunctionDef
Documented = ast.Module | ast.ClassDef | Function
Import = ast.Import | ast.ImportFrom

# Unions are for signatures: `isinstance` takes three times as long with one.
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_DOCUMENTED = (ast.Module, ast.ClassDef, *FUNCTIONS)

_BODIES = ("body", "orelse", "finalbody")
_STATEMENTS_BELOW = (*_BODIES, "handlers", "cases")


def nodes(root: ast.AST) -> list[ast.AST]:
    """Return what `ast.walk` gives, in its order and in a third of the time, without the contexts of names."""
    reached = [root]
    for node in reached:  # grows as it goes
        for name in FIELDS[type(node)]:
            value = getattr(node, name, None)
            if isinstance(value, ast.AST):
                reached.append(value)
            elif isinstance(value, list):
                reached += [item for item in value if isinstance(item, ast.AST)]
    return reached


def walk(root: ast.AST, excluded: Collection[int] = ()) -> Iterator[ast.AST]:
    """Yield `root` and all nodes below it in source order.

    Not f-strings, whose inner positions Python 3.11 gets wrong, and not the trees whose roots' ids are `excluded`.
    """
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if id(node) not in excluded:
            yield node
            waiting += [child for child in children(node)[::-1] if not isinstance(child, ast.JoinedStr)]


def bodies(root: ast.AST) -> Iterator[tuple[ast.AST, str, list[ast.stmt]]]:
    """Yield every list of statements, with the node that holds it and the name of the field."""
    for node in nodes(root):
        for name in _BODIES:
            statements = getattr(node, name, None)
            if isinstance(statements, list) and statements:
                yield node, name, statements


def is_docstring(statement: ast.stmt) -> bool:
    """Return whether a statement is nothing but a text, as docstrings are."""
    value = getattr(statement, "value", None) if isinstance(statement, ast.Expr) else None
    return isinstance(value, ast.Constant) and isinstance(value.value, str)


def has_docstring(node: ast.AST) -> bool:
    """Return whether a node is a module, class or function whose first statement is its docstring."""
    return isinstance(node, _DOCUMENTED) and bool(node.body) and is_docstring(node.body[0])


def definitions(root: ast.AST) -> list[Documented]:
    """Return the classes and functions of a module or statement, itself included, outer ones first."""
    reached = [root]
    for node in reached:  # grows as it goes
        for name in _STATEMENTS_BELOW:
            reached += getattr(node, name, ())
    return [node for node in reached if isinstance(node, _DOCUMENTED)]


def strip_docstrings(root: ast.AST) -> None:
    """Take the docstrings out of a tree of one's own; an emptied body says ``pass``."""
    for node in definitions(root):
        if has_docstring(node):
            node.body = node.body[1:] or [ast.Pass()]


def last_line(statement: ast.stmt) -> int:
    """Return the line on which a statement ends."""
    return statement.end_lineno or statement.lineno


def printed(node: ast.AST) -> str:
    """Return a node as `ast.unparse` lays it out; as its bare structure where an f-string cannot be printed."""
    try:
        return ast.unparse(node)
    except ValueError:  # Python before 3.12 has no way to write every f-string that it reads.
        return ast.dump(node)


def is_read(node: ast.AST) -> bool:
    """Return whether a name or an attribute stands where its value is read."""
    return isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Load)


def mentions(root: ast.AST) -> Iterator[ast.Name]:
    """Yield every name that a tree mentions, in source order, but for those in f-strings."""
    return (node for node in walk(root) if isinstance(node, ast.Name))


def used_names(root: ast.AST) -> set[str]:
    """Return the names that a tree mentions, anywhere."""
    return {node.id for node in nodes(root) if isinstance(node, ast.Name)}


def used_attributes(*roots: ast.AST) -> set[str]:
    """Return the attributes that trees mention, of whatever."""
    return {node.attr for root in roots for node in nodes(root) if isinstance(node, ast.Attribute)}


def parameters(function: Function) -> set[str]:
    """Return the arguments of a function and of those inside it."""
    return {node.arg for node in nodes(function) if isinstance(node, ast.arg)}


def imported_names(statement: Import) -> list[str]:
    """Return the names that an import binds."""
    return [alias.asname or alias.name.partition(".")[0] for alias in statement.names]


def defined_names(statement: ast.stmt) -> set[str]:
    """Return the names that a statement binds where it stands, those of statements inside it included."""
    if isinstance(statement, Import):
        return set(imported_names(statement))
    if isinstance(statement, ast.ClassDef | Function):
        return {statement.name}
    inner = [node for node in children(statement) if isinstance(node, ast.stmt)]
    return set(bound_names(statement)).union(*map(defined_names, inner))


def needed_names(statements: Iterable[ast.stmt], roots: Collection[str]) -> set[str]:
    """Return `roots` and the names that their definitions among `statements` mention, directly or not."""
    waiting, needed = [(defined_names(s), s) for s in statements], set(roots)
    while reached := [s for defined, s in waiting if defined & needed]:
        waiting = [(defined, s) for defined, s in waiting if not defined & needed]
        needed = needed.union(*map(used_names, reached))
    return needed


def outer_names(tree: ast.AST) -> frozenset[str]:
    """Return the names that a tree mentions, but for the variables of loops and comprehensions inside them.

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
            for child in children(node):
                yield from _outer(child, own)
        case _:
            for child in children(node):
                yield from _outer(child, bound)


def bound_names(tree: ast.AST) -> frozenset[str]:
    """Return the names that a tree binds in its function: those of loops too, those of comprehensions not."""
    return frozenset(_bound(tree))


def _bound(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Name(id=name, ctx=ast.Store()):
            yield name
        case ast.comprehension(iter=source, ifs=conditions):
            for inside in (source, *conditions):
                yield from _bound(inside)
        case _:
            for child in children(node):
                yield from _bound(child)


_DOCSTRING_NODES = 2


class Size(NamedTuple):
    """Compares as tuples do: the tree counts first, and the digits where two trees are equally large."""

    nodes: int
    digits: int


def size_of(tree: ast.AST) -> Size:
    """Return the size of a tree. Docstrings, comments, layout and the length of names do not count."""
    counted = nodes(tree)
    docstrings = sum(map(has_docstring, counted))
    constants = (node.value for node in counted if isinstance(node, ast.Constant))
    return Size(len(counted) - _DOCSTRING_NODES * docstrings, sum(map(digits, constants)))


def digits(value: object) -> int:
    """Return the significant digits of a number: 3 for 0.125, 1 for 500; 0 for 0, 1 and what is no number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value in (0, 1):
        return 0
    return len(Decimal(repr(value)).normalize().as_tuple().digits)
