"""What nothing reads: the assignments, helpers, class attributes and imports that a removal leaves behind.

Whatever goes here goes together with the reduction that freed it, and is judged with it by the measured score; so being
wrong about a side effect costs a reduction, never the program's behaviour.
"""

from __future__ import annotations

import ast
import builtins
from collections import Counter
from collections.abc import Collection, Iterator, Sequence

from evaluators.contract import Component
from evolve.distilling.text import bodies, last_line, without
from evolve.source.code import Code, Edit, has_docstring, walk

_DYNAMIC = frozenset({"getattr", "setattr", "vars", "locals", "globals", "eval", "exec", "__dict__"})
"""Programs that mention one of them may read anything; nothing of theirs is taken for unread."""

_BUILTINS = frozenset(dir(builtins))


def tidy(code: Code, components: Sequence[Component]) -> Code:
    """The program without what nothing reads; the components and their methods stay.

    Raises:
        SyntaxError: the layout does not allow it.
    """
    names = {n.id for n in ast.walk(code.tree) if isinstance(n, ast.Name)}
    attributes = {n.attr for n in ast.walk(code.tree) if isinstance(n, ast.Attribute)}
    if _DYNAMIC & (names | attributes):
        return code
    while True:
        dead = _dead(code, components)
        shorter = without(code, dead) if dead else _simplified(code)
        if shorter is None:
            return code
        code = shorter


def _dead(code: Code, components: Sequence[Component]) -> list[ast.stmt]:
    """Statements that can go; of nested ones the outermost."""
    reads = _Reads(code.tree)
    kept = {c.name for c in components} | {c.method for c in components}
    found: dict[int, ast.stmt] = {}
    for owner, field, body in bodies(code.tree):
        own = body[1:] if field == "body" and _documented(owner) else body
        for index, statement in enumerate(own):
            if isinstance(owner, ast.Module):
                dead = _dead_in_module(statement, reads, kept)
            elif isinstance(owner, ast.ClassDef):
                dead = _dead_in_class(statement, reads, kept)
            else:
                ended = any(isinstance(s, ast.Return | ast.Raise) for s in own[:index])
                dead = ended or _dead_in_function(statement, reads, alone=len(own) == 1)
            if dead:
                found[id(statement)] = statement
    inner = {id(n) for s in found.values() for n in ast.walk(s) if n is not s}
    return [s for key, s in found.items() if key not in inner]


def _documented(node: ast.AST) -> bool:
    return isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and has_docstring(node)


class _Reads:
    """How often names and attributes are read, other than by the statements that only pass them on to themselves."""

    def __init__(self, tree: ast.AST) -> None:
        self.names: Counter[str] = Counter()
        self.attributes: Counter[str] = Counter()
        self.modules: set[str] = set()
        self._count(tree, own="")

    def _count(self, node: ast.AST, own: str) -> None:
        match node:
            case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
                self.modules |= {_bound(alias) for alias in aliases}
            case ast.Assign(targets=[target]) | ast.AugAssign(target=target):
                own = ast.unparse(target)
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                own = name
            case ast.Name(id=name, ctx=ast.Load()) if name != own:
                self.names[name] += 1
            case ast.Attribute(attr=name, ctx=ast.Load()) if ast.unparse(node) != own and name != own:
                self.attributes[name] += 1
        for child in ast.iter_child_nodes(node):
            self._count(child, own)

    def pure(self, node: ast.AST, *, methods: bool) -> bool:
        """Whether an expression has no effect, as far as can be seen; `methods`: those of other objects have none."""
        return all(self._harmless(n, methods) for n in ast.walk(node))

    def _harmless(self, node: ast.AST, methods: bool) -> bool:
        match node:
            case ast.NamedExpr() | ast.Await() | ast.Yield() | ast.YieldFrom():
                return False
            case ast.Call(func=ast.Name(id=name)):
                return name in _BUILTINS and name not in ("next", "print")
            case ast.Call(func=function):
                root = function
                while isinstance(root, ast.Attribute):
                    root = root.value
                name = root.id if isinstance(root, ast.Name) else ""
                return name in self.modules or (methods and name != "self")
        return True


def _bound(alias: ast.alias) -> str:
    return alias.asname or alias.name.partition(".")[0]


def _dead_in_module(statement: ast.stmt, reads: _Reads, kept: Collection[str]) -> bool:
    match statement:
        case ast.ImportFrom(module="__future__"):
            return False
        case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
            names = [_bound(alias) for alias in aliases]
        case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
            names = [name]
        case ast.Assign() | ast.AnnAssign():
            names = _assigned(statement)
        case _:
            return False
    return bool(names) and not any(n in kept or n.startswith("__") or reads.names[n] for n in names)


def _dead_in_class(statement: ast.stmt, reads: _Reads, kept: Collection[str]) -> bool:
    match statement:
        case ast.FunctionDef(name="__init__"):
            return all(isinstance(s, ast.Pass) for s in statement.body)
        case ast.FunctionDef(name=name):
            names = [name]
        case ast.Assign() | ast.AnnAssign():
            names = _assigned(statement)
        case _:
            return False
    used = reads.attributes + reads.names
    return bool(names) and not any(n in kept or n.startswith("__") or used[n] for n in names)


def _dead_in_function(statement: ast.stmt, reads: _Reads, *, alone: bool) -> bool:
    match statement:
        case ast.Assign() | ast.AugAssign():
            return _dead_assignment(statement, reads)
        case ast.Expr(value=value):
            return reads.pure(value, methods=False)
        case ast.If(test=head, body=body, orelse=[]) | ast.For(iter=head, body=body, orelse=[]):
            return reads.pure(head, methods=True) and _empty(body)
        case ast.Pass():
            return not alone
    return False


def _dead_assignment(statement: ast.Assign | ast.AugAssign, reads: _Reads) -> bool:
    match statement:
        case ast.Assign(targets=[ast.Name(id=name)], value=ast.Name(id=same)) if name == same:
            return True
    names, attributes = _assigned(statement), _own_attributes(statement)
    if not (names or attributes) or not reads.pure(statement.value, methods=True):
        return False
    return not any(map(reads.names.get, names)) and not any(map(reads.attributes.get, attributes))


def _empty(body: Sequence[ast.stmt]) -> bool:
    return all(isinstance(s, ast.Pass) for s in body)


def _assigned(statement: ast.Assign | ast.AnnAssign | ast.AugAssign) -> list[str]:
    """The names that an assignment binds; none where it also stores elsewhere than in names."""
    names: list[str] = []
    for target in statement.targets if isinstance(statement, ast.Assign) else [statement.target]:
        for part in target.elts if isinstance(target, ast.Tuple) else [target]:
            if not isinstance(part, ast.Name):
                return []
            names.append(part.id)
    return names


def _own_attributes(statement: ast.Assign | ast.AugAssign) -> list[str]:
    match statement:
        case (
            ast.Assign(targets=[ast.Attribute(value=ast.Name(id="self"), attr=name)])
            | ast.AugAssign(target=ast.Attribute(value=ast.Name(id="self"), attr=name))
        ):
            return [name]
    return []


def _simplified(code: Code) -> Code | None:
    """The program after one binding fewer: a second name of a value, or a name that is returned at once."""
    for function in ast.walk(code.tree):
        if isinstance(function, ast.FunctionDef):
            for simplify in (_returned, _renamed, _stateless, _untupled):
                if (shorter := simplify(code, function)) is not None:
                    return shorter
    return None


def _mentions(function: ast.FunctionDef) -> Iterator[ast.Name]:
    return (n for n in walk(function) if isinstance(n, ast.Name))


def _returned(code: Code, function: ast.FunctionDef) -> Code | None:
    match function.body[-2:]:
        case [
            ast.Assign(targets=[ast.Name(id=name) as target]) as assign,
            ast.Return(value=ast.Name(id=same)) as final,
        ] if name == same and sum(n.id == name for n in _mentions(function)) == 2:
            if code.stands_alone(final) and code.stands_alone(assign):
                equals = code.text.encode().index(b"=", code.end(target))
                gone = code.replace_lines(code.first_line(final), last_line(final), [])
                return code.edited([Edit(code.start(assign), equals + 1, "return"), gone])
    return None


def _renamed(code: Code, function: ast.FunctionDef) -> Code | None:
    """The function without a plain ``x = y`` whose two names are bound nowhere else."""
    parameters = {a.arg for a in ast.walk(function) if isinstance(a, ast.arg)}
    stores = Counter(n.id for n in _mentions(function) if not isinstance(n.ctx, ast.Load))
    for statement in function.body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Name(id=other)):
                bound = stores[other] + (other in parameters)
                if (
                    stores[name] == 1
                    and bound == 1
                    and name not in parameters
                    and code.stands_alone(statement)
                ):
                    reads = [n for n in _mentions(function) if n.id == name and isinstance(n.ctx, ast.Load)]
                    lines = code.replace_lines(code.first_line(statement), last_line(statement), [])
                    return code.edited([lines, *(code.replace(n, other) for n in reads)])
    return None


def _stateless(code: Code, function: ast.FunctionDef) -> Code | None:
    """The function with ``y`` for ``self.x``, where ``self.x = y`` is only read further below in the same function."""
    for statement in function.body:
        match statement:
            case ast.Assign(
                targets=[ast.Attribute(value=ast.Name(id="self"), attr=name)], value=ast.Name(id=other)
            ) if code.stands_alone(statement):
                mentioned = [
                    n for n in ast.walk(code.tree) if isinstance(n, ast.Attribute) and n.attr == name
                ]
                reads = [n for n in walk(function) if isinstance(n, ast.Attribute) and n.attr == name]
                reads = [n for n in reads if n.lineno > last_line(statement) and isinstance(n.ctx, ast.Load)]
                later = {
                    n.lineno for n in _mentions(function) if n.id == other and isinstance(n.ctx, ast.Store)
                }
                own = all(isinstance(n.value, ast.Name) and n.value.id == "self" for n in reads)
                if own and len(reads) == len(mentioned) - 1 and max(later, default=0) < statement.lineno:
                    lines = code.replace_lines(code.first_line(statement), last_line(statement), [])
                    return code.edited([lines, *(code.replace(n, other) for n in reads)])
    return None


def _untupled(code: Code, function: ast.FunctionDef) -> Code | None:
    """The function without a name that ``x, y = 1, 2`` binds and nothing reads."""
    reads = _Reads(code.tree)
    for statement in ast.walk(function):
        match statement:
            case ast.Assign(targets=[ast.Tuple(elts=names)], value=ast.Tuple(elts=values)) if len(
                names
            ) == len(values) and code.stands_alone(statement):
                pairs = [
                    (n, v)
                    for n, v in zip(names, values, strict=True)
                    if not isinstance(n, ast.Name) or reads.names[n.id] or not reads.pure(v, methods=True)
                ]
                if 0 < len(pairs) < len(names):
                    left, right = (", ".join(map(ast.unparse, side)) for side in zip(*pairs, strict=True))
                    return code.edited([code.replace(statement, f"{left} = {right}")])
    return None
