"""What could go from a program: mechanisms, statements, parts of expressions, digits of constants."""

from __future__ import annotations

import ast
import builtins
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from functools import partial

from evaluators.contract import ProgramError
from evolve.distilling.unread import without_unread
from evolve.operators import blocks
from evolve.operators.base import Context
from evolve.operators.formula import find_literals, literal_value, round_to_digits
from evolve.source.code import Code, Edit
from evolve.source.sites import find_sites
from evolve.source.tree import (
    bodies,
    digits,
    has_docstring,
    imported_names,
    is_docstring,
    is_read,
    nodes,
    parameters,
    printed,
    size_of,
    walk,
)

_BUILTINS = frozenset(dir(builtins))
_EITHER_SIDE = (ast.Add, ast.Mult, ast.MatMult, ast.BitAnd, ast.BitOr)
_FIRST_ARGUMENT = frozenset({"clip", "power", "full", "full_like", "reshape", "divide", "subtract"})
_CHOICE = "where"
_MOST_ARGUMENTS = 3
_SHORT_BUILTINS = frozenset({"abs", "float", "int", "max", "min", "round"})


@dataclass(frozen=True)
class Reduction:
    """One thing that could go.

    Attributes:
        what: what goes, to read; the same in another program that still holds it.
        order: where it stands among its kind: what takes most nodes first, of constants what changes least.
        edit: makes the program without it; raises ProgramError where the layout does not allow it.
        occurrence: which one of those that read alike.
    """

    what: str
    order: int
    edit: Callable[[], Code]
    occurrence: int = 0

    @property
    def key(self) -> tuple[str, int]:
        """Identifies it in programs that differ elsewhere."""
        return self.what, self.occurrence


def reductions(code: Code, context: Context) -> list[Reduction]:
    """Return all reductions of a program: from mechanisms over statements and expressions down to constants."""
    sites = find_sites(code, context.components).items()
    known = {name: blocks.find_blocks(code, site, context.mechanisms) for name, site in sites}
    numbered = [Reduction("what nothing reads", 0, lambda: code)]
    seen: Counter[str] = Counter()
    for kind in (_mechanisms(code, known), _statements(code), _expressions(code), _constants(code, known)):
        for reduction in sorted(kind, key=lambda r: r.order):
            numbered.append(replace(reduction, occurrence=seen[reduction.what]))
            seen[reduction.what] += 1
    return numbered


def reduced(code: Code, reduction: Reduction, context: Context) -> Code | None:
    """Return the program after a reduction, without what nothing reads then; None where it does not get smaller."""
    try:
        smaller = without_unread(reduction.edit(), context.components)
    except ProgramError:
        return None
    return smaller if size_of(smaller.tree) < size_of(code.tree) else None


_Known = dict[str, list[blocks.Block]]
"""Component -> its recognised mechanisms."""


def _mechanisms(code: Code, known: _Known) -> Iterator[Reduction]:
    for name, peers in known.items():
        for block in filter(blocks.can_remove, peers):
            what = f"mechanism {block.mechanism.name} of {name}"
            yield Reduction(what, -_nodes(*block.statements), partial(blocks.remove, code, block, peers))


def _nodes(*trees: ast.AST) -> int:
    return sum(size_of(tree).nodes for tree in trees)


def _members(tree: ast.Module) -> Iterator[tuple[str, ast.stmt]]:
    """Yield where a member stands, and the functions, methods and assignments outside of them."""
    for node in tree.body:
        match node:
            case ast.ClassDef(name=name):
                yield from ((name, member) for member in node.body if not is_docstring(member))
            case ast.FunctionDef(name=name):
                yield name, node
            case ast.Assign() | ast.AnnAssign():
                yield "the module", node


def _statements(code: Code) -> Iterator[Reduction]:
    for where, member in _members(code.tree):
        if isinstance(member, ast.FunctionDef):
            for statement in [statement for _, _, body in bodies(member) for statement in body]:
                yield from _without_statement(code, where, member, statement)
    for node in code.tree.body:
        if isinstance(node, ast.ClassDef) and node.bases and not node.keywords:
            what = f"base {', '.join(map(printed, node.bases))} of {node.name}"
            yield Reduction(what, -1, partial(_without_bases, code, node))


def _without_statement(
    code: Code, where: str, function: ast.FunctionDef, statement: ast.stmt
) -> Iterator[Reduction]:
    final = statement is function.body[-1] and isinstance(statement, ast.Return)
    if not (final or is_docstring(statement) or _unbinds(code.tree, function, statement)):
        what = f"{printed(statement).partition(chr(10))[0]} in {where}"
        yield Reduction(what, -_nodes(statement), partial(code.without, [statement]))
    if isinstance(statement, ast.If):
        for branch, word in ((statement.body, "if"), (statement.orelse, "else of if")):
            if branch:
                what = f"all but the {word} {printed(statement.test)} in {where}"
                order = _nodes(*branch) - _nodes(statement)
                yield Reduction(what, order, partial(code.unwrapped, statement, branch))


def _unbinds(tree: ast.Module, function: ast.FunctionDef, statement: ast.stmt) -> bool:
    """Return whether a name that is read would be bound nowhere without the statement: that needs no evaluation."""
    own = nodes(statement)
    inside = set(map(id, own))
    rest = [node for node in nodes(function) if id(node) not in inside]
    stored = {n.id for n in own if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    read = {n.id for n in rest if isinstance(n, ast.Name) and is_read(n)}
    bound = {n.id for n in rest if isinstance(n, ast.Name) and not is_read(n)} | parameters(function)
    bound |= {s.name for s in [*tree.body, *nodes(function)] if isinstance(s, ast.FunctionDef | ast.ClassDef)}
    return not stored & read <= bound | _BUILTINS


def _without_bases(code: Code, node: ast.ClassDef) -> Code:
    start = code.data.rindex(b"(", 0, code.start(node.bases[0]))
    end = code.data.index(b")", code.end(node.bases[-1]))
    return code.edited([Edit(start, end + 1, "")])


def _roots(tree: ast.Module) -> Iterator[tuple[str, ast.stmt]]:
    """Yield where an expression's statement stands, and the statement; neither docstrings nor imports."""
    for where, member in _members(tree):
        if isinstance(member, ast.FunctionDef):
            yield from ((where, statement) for statement in member.body[has_docstring(member) :])
        else:
            yield where, member


def _expressions(code: Code) -> Iterator[Reduction]:
    imports = [name for s in code.tree.body if isinstance(s, ast.Import) for name in imported_names(s)]
    functions = [s.name for s in code.tree.body if isinstance(s, ast.FunctionDef)]
    known = {*imports, *functions}
    for where, root in _roots(code.tree):
        for whole in (node for node in walk(root) if isinstance(node, ast.expr)):
            for part in _parts(whole, known):
                what = f"{_described(whole, part)} in {where}"
                order = _nodes(part) - _nodes(whole)
                yield Reduction(what, order, partial(_with_part, code, whole, part))


def _with_part(code: Code, whole: ast.expr, part: ast.expr) -> Code:
    # What is put together anew stands nowhere in the text yet.
    return code.replaced(whole, code.text_of(part) if hasattr(part, "lineno") else printed(part))


def _parts(node: ast.expr, known: Collection[str]) -> Iterator[ast.expr]:
    """Yield the smaller expressions for an expression's place.

    A factor, an addend or a branch alone, the base of a power, and the arguments of a function for its call. `known`
    names the program's own functions and the modules whose functions count.
    """
    match node:
        case ast.BinOp(left=left, op=op, right=right):
            yield left
            if isinstance(op, _EITHER_SIDE):
                yield right
        case ast.UnaryOp(operand=operand) if not isinstance(operand, ast.Constant):
            yield operand
        case ast.IfExp(body=body, orelse=orelse):
            yield from (body, orelse)
        case ast.BoolOp(op=op, values=values) if _is_printable(node):
            for index in range(len(values)):
                others = values[:index] + values[index + 1 :]
                yield others[0] if len(others) == 1 else ast.BoolOp(op, others)
        case ast.Call(func=ast.Attribute(value=ast.Name(id=module), attr=name), args=arguments):
            if module in known and len(arguments) <= _MOST_ARGUMENTS:
                yield from _arguments(name, arguments)
        case ast.Call(func=ast.Name(id=name), args=arguments) if name in known or name in _SHORT_BUILTINS:
            yield from _arguments(name, arguments)


def _is_printable(node: ast.expr) -> bool:
    """Return whether printing a node makes the same node, which f-strings may prevent."""
    return not any(isinstance(inner, ast.JoinedStr) for inner in nodes(node))


def _arguments(name: str, arguments: list[ast.expr]) -> Iterator[ast.expr]:
    first, last = (1 if name == _CHOICE else 0), (1 if name in _FIRST_ARGUMENT else None)
    yield from (argument for argument in arguments[first:last] if not isinstance(argument, ast.Starred))


def _described(whole: ast.AST, part: ast.expr) -> str:
    """Return what goes with a part in the whole's place: an operand with its operator, or the one and the other."""
    if isinstance(whole, ast.BinOp) and part in (whole.left, whole.right):
        # Printed around a name, so that the operand that goes keeps the parentheses that it needs.
        name = ast.Name("_")
        if part is whole.left:
            return printed(ast.BinOp(name, whole.op, whole.right))[1:].strip()
        return printed(ast.BinOp(whole.left, whole.op, name))[:-1].strip()
    return f"{printed(whole)} → {printed(part)}"


def _constants(code: Code, known: _Known) -> Iterator[Reduction]:
    """Yield all constants at once, to ever more digits, and each alone; indices, guards and added ones stay."""
    every = find_literals([root for _, root in _roots(code.tree)], set())
    for count in (1, 2, 3):
        edits = [
            code.replace(one.node, repr(_like(one.value, round_to_digits(one.value, count))))
            for one in every
            if digits(one.value) > count
        ]
        if len(edits) > 1:
            yield Reduction(f"digits of all constants beyond {count}", -1, partial(code.edited, edits))
    for where, block in ((where, block) for where, peers in known.items() for block in peers):
        for name, literals in block.literals.items():
            what = f"{name} of {block.mechanism.name}: {printed(literals[0])}"
            for rank, value in enumerate(shorter(literal_value(literals[0]) or 0.0)):
                yield _shortened(code, literals, value, rank, f"{what} → {value} in {where}")
    hidden = {id(statement) for peers in known.values() for block in peers for statement in block.statements}
    for where, root in _roots(code.tree):
        for literal in find_literals([root], hidden):
            for rank, value in enumerate(shorter(literal.value)):
                node = literal.node if value else literal.signed  # zero needs no sign
                what = f"{printed(node)} → {value} in {where}"
                yield _shortened(code, [node], value, rank, what)


def _shortened(code: Code, literals: list[ast.expr], value: float, rank: int, what: str) -> Reduction:
    """Return the reduction of a constant, wherever it stands, to the one that is so far down its list."""
    edits = [code.replace(literal, repr(value)) for literal in literals]
    return Reduction(what, rank, partial(code.edited, edits))


def shorter(old: float) -> list[float]:
    """Return the values of fewer digits that might do: the nearest of a single digit first, 0 last."""
    rounded = [round_to_digits(old, count) for count in (1, 2, 3)] + [round(old), 1.0, 0.0]
    values = dict.fromkeys(_like(old, value) for value in rounded)
    return sorted(
        (value for value in values if digits(value) < digits(old)),
        key=lambda v: (v == 0, digits(v) > 1, abs(v - old)),
    )


def _like(old: float, value: float) -> float:
    """Return `value` as an integer where the constant is one and stays whole."""
    return int(value) if isinstance(old, int) and value == int(value) else float(value)
