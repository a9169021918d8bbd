"""What nothing reads: the assignments, helpers, class attributes and imports that a removal leaves behind.

Whatever goes here goes together with the reduction that freed it, and is judged with it by the measured score; so being
wrong about a side effect costs a reduction, never the program's behaviour.
"""

from __future__ import annotations

import ast
import builtins
from collections import Counter
from collections.abc import Collection, Sequence

from evaluators.contract import Component
from evaluators.source import children
from evolve.source.code import Code, Edit
from evolve.source.tree import (
    bodies,
    has_docstring,
    imported_names,
    is_read,
    last_line,
    mentions,
    nodes,
    parameters,
    printed,
    used_attributes,
    used_names,
    walk,
)

_DYNAMIC = frozenset({"getattr", "setattr", "vars", "locals", "globals", "eval", "exec", "__dict__"})
"""Programs that mention one of them may read anything; nothing of theirs is taken for unread."""

_PURE_BUILTINS = frozenset(dir(builtins)) - {"next", "print"}


def without_unread(code: Code, components: Sequence[Component]) -> Code:
    """Return the program without what nothing reads; the components and their methods stay.

    Raises:
        ProgramError: the layout does not allow it.
    """
    if _DYNAMIC & (used_names(code.tree) | used_attributes(code.tree)):
        return code
    while True:
        unread = _unread(code, components)
        shorter = code.without(unread) if unread else _with_a_binding_fewer(code)
        if shorter is None:
            return code
        code = shorter


def _unread(code: Code, components: Sequence[Component]) -> list[ast.stmt]:
    """Return the statements that can go; of nested ones the outermost."""
    reads = _Reads(code.tree)
    kept = {c.name for c in components} | {c.method for c in components}
    gone: dict[int, ast.stmt] = {}
    for owner, field, body in bodies(code.tree):
        own = body[field == "body" and has_docstring(owner) :]
        ended = False
        for statement in own:
            if isinstance(owner, ast.Module):
                unread = _is_unread_definition(statement, reads.names, kept)
            elif isinstance(owner, ast.ClassDef):
                unread = _is_unread_definition(statement, reads.attributes + reads.names, kept)
            else:
                unread = ended or _is_idle(statement, reads, alone=len(own) == 1)
                ended = ended or isinstance(statement, ast.Return | ast.Raise)
            if unread:
                gone[id(statement)] = statement
    inner = {id(node) for s in gone.values() for node in nodes(s) if node is not s}
    return [statement for key, statement in gone.items() if key not in inner]


class _Reads:
    """How often names and attributes are read, other than by the statements that only pass them on to themselves."""

    def __init__(self, tree: ast.AST) -> None:
        self.names: Counter[str] = Counter()
        self.attributes: Counter[str] = Counter()
        self.modules: set[str] = set()
        self._count(tree, own="")

    def _count(self, node: ast.AST, own: str) -> None:
        match node:
            case ast.Import() | ast.ImportFrom():
                self.modules |= set(imported_names(node))
            case ast.Assign(targets=[target]) | ast.AugAssign(target=target):
                own = printed(target)
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                own = name
            case ast.Name(id=name, ctx=ast.Load()) if name != own:
                self.names[name] += 1
            case ast.Attribute(attr=name, ctx=ast.Load()) if name != own and printed(node) != own:
                self.attributes[name] += 1
        for child in children(node):
            self._count(child, own)

    def is_pure(self, node: ast.AST, *, methods: bool) -> bool:
        """Return whether an expression has no effect, as far as can be seen; `methods`: those of other objects none."""
        return all(self._is_harmless(inner, methods) for inner in nodes(node))

    def _is_harmless(self, node: ast.AST, methods: bool) -> bool:
        match node:
            case ast.NamedExpr() | ast.Await() | ast.Yield() | ast.YieldFrom():
                return False
            case ast.Call(func=ast.Name(id=name)):
                return name in _PURE_BUILTINS
            case ast.Call(func=function):
                while isinstance(function, ast.Attribute):
                    function = function.value
                name = function.id if isinstance(function, ast.Name) else ""
                return name in self.modules or (methods and name != "self")
        return True


def _is_unread_definition(statement: ast.stmt, reads: Counter[str], kept: Collection[str]) -> bool:
    match statement:
        case ast.FunctionDef(name="__init__"):
            return _is_empty(statement.body)
        case ast.ImportFrom(module="__future__"):
            return False
        case ast.Import() | ast.ImportFrom():
            names = imported_names(statement)
        case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
            names = [name]
        case _:
            names = _assigned(statement)
    return bool(names) and not any(n in kept or n.startswith("__") or reads[n] for n in names)


def _is_idle(statement: ast.stmt, reads: _Reads, *, alone: bool) -> bool:
    """Return whether a function's statement has no effect."""
    idle = False
    match statement:
        case ast.Assign(targets=[ast.Name(id=name)], value=ast.Name(id=same)) if name == same:
            idle = True
        case (
            ast.Assign(targets=[ast.Attribute(value=ast.Name(id="self"), attr=name)], value=value)
            | ast.AugAssign(target=ast.Attribute(value=ast.Name(id="self"), attr=name), value=value)
        ):
            idle = not reads.attributes[name] and reads.is_pure(value, methods=True)
        case ast.Assign(value=value) | ast.AugAssign(value=value):
            names = _assigned(statement)
            idle = bool(names) and not any(map(reads.names.get, names)) and reads.is_pure(value, methods=True)
        case ast.Expr(value=value):
            idle = reads.is_pure(value, methods=False)
        case ast.If(test=head, body=body, orelse=[]) | ast.For(iter=head, body=body, orelse=[]):
            idle = _is_empty(body) and reads.is_pure(head, methods=True)
        case ast.Pass():
            idle = not alone
    return idle


def _is_empty(body: Sequence[ast.stmt]) -> bool:
    return all(isinstance(statement, ast.Pass) for statement in body)


def _assigned(statement: ast.stmt) -> list[str]:
    """Return the names that an assignment binds; none where it also stores elsewhere than in names."""
    match statement:
        case ast.Assign(targets=targets):
            pass
        case ast.AnnAssign(target=target) | ast.AugAssign(target=target):
            targets = [target]
        case _:
            return []
    parts = [
        part for target in targets for part in (target.elts if isinstance(target, ast.Tuple) else [target])
    ]
    names = [part.id for part in parts if isinstance(part, ast.Name)]
    return names if len(names) == len(parts) else []


def _with_a_binding_fewer(code: Code) -> Code | None:
    """Return the program without a second name, a name that is returned at once, or an unread one in a tuple."""
    reads = _Reads(code.tree)
    for function in nodes(code.tree):
        if not isinstance(function, ast.FunctionDef):
            continue
        for statement in [statement for _, _, body in bodies(function) for statement in body]:
            if isinstance(statement, ast.Assign) and code.stands_alone(statement):
                edits = (
                    _without_returned_name(code, function, statement)
                    or _without_second_name(code, function, statement)
                    or _without_tuple_items(code, reads, statement)
                )
                if edits:
                    return code.edited(edits)
    return None


def _without_returned_name(code: Code, function: ast.FunctionDef, statement: ast.Assign) -> list[Edit]:
    match statement.targets, function.body[-2:]:
        case [ast.Name(id=name) as target], [before, ast.Return(value=ast.Name(id=same)) as final]:
            once = name == same and sum(n.id == name for n in mentions(function)) == 2
            if before is statement and once and code.stands_alone(final):
                equals = code.data.index(b"=", code.end(target))
                return [Edit(code.start(statement), equals + 1, "return"), code.remove(final)]
    return []


def _without_second_name(code: Code, function: ast.FunctionDef, statement: ast.Assign) -> list[Edit]:
    """Return the edits that drop ``x = y`` or ``self.x = y`` and put ``y`` wherever ``x`` was read."""
    readers = None
    match statement.targets, statement.value:
        case [ast.Name(id=name)], ast.Name(id=other):
            readers = _readers_of_name(function, name, other)
        case [ast.Attribute(value=ast.Name(id="self"), attr=name)], ast.Name(id=other):
            readers = _readers_of_attribute(code.tree, function, statement, name)
    if readers is None or statement not in function.body:
        return []
    return [code.remove(statement), *(code.replace(reader, printed(statement.value)) for reader in readers)]


def _readers_of_name(function: ast.FunctionDef, name: str, other: str) -> list[ast.expr] | None:
    """Return where a function reads `name`; None unless it and `other`, its value, are bound once."""
    bound = Counter(n.id for n in mentions(function) if not is_read(n)) + Counter(parameters(function))
    if bound[name] != 1 or bound[other] != 1:
        return None
    return [node for node in mentions(function) if node.id == name and is_read(node)]


def _readers_of_attribute(
    tree: ast.Module, function: ast.FunctionDef, statement: ast.Assign, name: str
) -> list[ast.expr] | None:
    """Return where ``self.name`` is read; None unless it is only below its assignment, whose value stays the same."""
    last, other = last_line(statement), printed(statement.value)
    everywhere = [n for n in nodes(tree) if isinstance(n, ast.Attribute) and n.attr == name]
    readers: list[ast.expr] = [
        node
        for node in walk(function)
        if isinstance(node, ast.Attribute) and is_read(node) and printed(node) == f"self.{name}"
        if node.lineno > last
    ]
    bound_later = any(n.id == other and not is_read(n) and n.lineno >= last for n in mentions(function))
    return None if bound_later or len(readers) != len(everywhere) - 1 else readers


def _without_tuple_items(code: Code, reads: _Reads, statement: ast.Assign) -> list[Edit]:
    """Return the edit that drops a name which ``x, y = 1, 2`` binds and nothing reads."""
    match statement:
        case ast.Assign(targets=[ast.Tuple(elts=names)], value=ast.Tuple(elts=values)) if len(names) == len(
            values
        ):
            pairs = [
                (n, v)
                for n, v in zip(names, values, strict=True)
                if not isinstance(n, ast.Name) or reads.names[n.id] or not reads.is_pure(v, methods=True)
            ]
            if 0 < len(pairs) < len(names):
                left, right = (", ".join(map(code.text_of, side)) for side in zip(*pairs, strict=True))
                return [code.replace(statement, f"{left} = {right}")]
    return []
