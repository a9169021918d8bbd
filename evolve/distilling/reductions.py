"""What could go from a program: mechanisms, statements, parts of expressions, digits of constants."""

from __future__ import annotations

import ast
import builtins
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import IntEnum
from functools import partial
from typing import NamedTuple

from evolve.distilling import constants, expressions
from evolve.distilling.text import bodies, replaced, unwrapped, without
from evolve.distilling.tidy import tidy
from evolve.operators import blocks
from evolve.operators.base import Context
from evolve.source.code import Code, Edit, find_sites, has_docstring
from evolve.source.size import Size, size_of

_NAMES = frozenset(dir(builtins))


class Level(IntEnum):
    """From coarse to fine, in the order in which a search tries them."""

    UNREAD = 0
    MECHANISM = 1
    STATEMENT = 2
    EXPRESSION = 3
    CONSTANT = 4


@dataclass(frozen=True)
class Reduction:
    """One thing that could go.

    Attributes:
        level: how coarse it is.
        what: what goes, to read; the same in another program that still holds it.
        weight: about how many nodes of the syntax tree go (digits, for constants).
        edit: makes the program without it; None or SyntaxError where the layout does not allow it.
        occurrence: which one of those that read alike.
    """

    level: Level
    what: str
    weight: int
    edit: Callable[[], Code | None]
    occurrence: int = 0

    @property
    def key(self) -> tuple[str, int]:
        """Identifies it in programs that differ elsewhere."""
        return self.what, self.occurrence


class Reduced(NamedTuple):
    """A smaller program."""

    source: str
    size: Size


def reductions(code: Code, context: Context) -> list[Reduction]:
    """All reductions of a program, coarse before fine, large before small."""
    found = [Reduction(Level.UNREAD, "what nothing reads", 0, lambda: code)]
    found += _mechanisms(code, context)
    found += _statements(code, context)
    found += _expressions(code)
    found.sort(key=lambda r: (r.level, -r.weight))
    seen: Counter[str] = Counter()
    numbered = []
    for reduction in [*found, *_constants(code, context)]:
        numbered.append(replace(reduction, occurrence=seen[reduction.what]))
        seen[reduction.what] += 1
    return numbered


def reduced(code: Code, reduction: Reduction, context: Context) -> Reduced | None:
    """The program after a reduction, without what nothing reads then; None where it does not get smaller."""
    try:
        made = reduction.edit()
        made = tidy(made, context.components) if made else None
    except SyntaxError:
        return None
    if made is None or size_of(made.tree) >= size_of(code.tree):
        return None
    return Reduced(made.text, size_of(made.tree))


def _mechanisms(code: Code, context: Context) -> Iterator[Reduction]:
    for name, site in find_sites(code, context.components).items():
        peers = blocks.find_blocks(code, site, context.mechanisms)
        for block in peers:
            if blocks.can_remove(block):
                weight = sum(size_of(s).nodes for s in block.statements)
                what = f"mechanism {block.mechanism.name} of {name}"
                yield Reduction(Level.MECHANISM, what, weight, partial(blocks.remove, code, block, peers))


def _statements(code: Code, context: Context) -> Iterator[Reduction]:
    for where, function in _functions(code.tree):
        for owner, field, body in bodies(function):
            own = body[1:] if owner is function and field == "body" and has_docstring(function) else body
            for statement in own:
                final = owner is function and statement is own[-1] and isinstance(statement, ast.Return)
                if not final and not _unbinds(code.tree, function, statement):
                    yield _gone(code, statement, where)
                if isinstance(statement, ast.If):
                    yield from _branches(code, statement, where)
    for node in code.tree.body:
        if isinstance(node, ast.ClassDef) and node.bases and not node.keywords:
            what = f"base {', '.join(map(ast.unparse, node.bases))} of {node.name}"
            yield Reduction(Level.STATEMENT, what, 1, partial(_without_bases, code, node))


def _functions(tree: ast.Module) -> Iterator[tuple[str, ast.FunctionDef]]:
    """Every function that is no other's, with where it stands: the class of a component's or helper's method."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            yield node.name, node
        elif isinstance(node, ast.ClassDef):
            for member in node.body:
                if isinstance(member, ast.FunctionDef):
                    yield node.name, member


def _gone(code: Code, statement: ast.stmt, where: str) -> Reduction:
    first = ast.unparse(statement).split("\n", 1)[0]
    what = f"{first} in {where}"
    return Reduction(Level.STATEMENT, what, size_of(statement).nodes, partial(without, code, [statement]))


def _branches(code: Code, statement: ast.If, where: str) -> Iterator[Reduction]:
    test = ast.unparse(statement.test)
    for branch, word in ((statement.body, "if"), (statement.orelse, "else of if")):
        if branch:
            rest = size_of(statement).nodes - sum(size_of(s).nodes for s in branch)
            what = f"all but the {word} {test} in {where}"
            yield Reduction(Level.STATEMENT, what, rest, partial(unwrapped, code, statement, branch))


def _unbinds(tree: ast.Module, function: ast.FunctionDef, statement: ast.stmt) -> bool:
    """Whether a name that is read would be bound nowhere without the statement: that needs no evaluation."""
    own = {id(n) for n in ast.walk(statement)}
    names = [n for n in ast.walk(function) if isinstance(n, ast.Name) and id(n) not in own]
    read = {n.id for n in names if isinstance(n.ctx, ast.Load)}
    bound = {n.id for n in names if not isinstance(n.ctx, ast.Load)}
    bound |= {a.arg for a in ast.walk(function) if isinstance(a, ast.arg)}
    bound |= {
        s.name for s in [*tree.body, *ast.walk(function)] if isinstance(s, ast.FunctionDef | ast.ClassDef)
    }
    gone = {n.id for n in ast.walk(statement) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    return bool((gone & read) - bound - _NAMES)


def _without_bases(code: Code, node: ast.ClassDef) -> Code:
    data = code.text.encode()
    start = data.rindex(b"(", 0, code.start(node.bases[0]))
    end = data.index(b")", code.end(node.bases[-1]))
    return code.edited([Edit(start, end + 1, "")])


def _expressions(code: Code) -> Iterator[Reduction]:
    known = {node.name for node in code.tree.body if isinstance(node, ast.FunctionDef)}
    for node in code.tree.body:
        if isinstance(node, ast.Import):
            known |= {alias.asname or alias.name for alias in node.names}
    for where, root in _roots(code.tree):
        for whole, part in expressions.parts(root, known):
            what = f"{expressions.told(whole, part)} in {where}"
            weight = size_of(whole).nodes - size_of(part).nodes
            yield Reduction(Level.EXPRESSION, what, weight, partial(_with_part, code, whole, part))


def _with_part(code: Code, node: ast.expr, part: ast.expr) -> Code | None:
    # What is put together anew stands nowhere in the text yet.
    written = hasattr(part, "lineno")
    text = code.segment(code.start(part), code.end(part)) if written else ast.unparse(part)
    return replaced(code, node, text)


def _constants(code: Code, context: Context) -> Iterator[Reduction]:
    """All constants at once, to ever more digits, and each alone, what changes it least first."""
    roots = list(_roots(code.tree))
    for count in (1, 2, 3):
        edits = constants.all_to_digits(code, [root for _, root in roots], count)
        if len(edits) > 1:
            what = f"digits of all constants beyond {count}"
            yield Reduction(Level.CONSTANT, what, len(edits), partial(code.edited, edits))
    known = [
        (name, block)
        for name, site in find_sites(code, context.components).items()
        for block in blocks.find_blocks(code, site, context.mechanisms)
    ]
    hidden = {id(statement) for _, block in known for statement in block.statements}
    found = [(name, one) for name, block in known for one in constants.of_mechanism(code, block)]
    found += [(where, one) for where, root in roots for one in constants.own(code, root, hidden)]
    for where, one in sorted(found, key=lambda pair: pair[1].rank):
        yield Reduction(Level.CONSTANT, f"{one.what} in {where}", 1, partial(code.edited, one.edits))


def _roots(tree: ast.Module) -> Iterator[tuple[str, ast.AST]]:
    """The trees in which expressions are, with where they stand; neither docstrings nor imports."""
    for node in tree.body[has_docstring(tree) :]:
        match node:
            case ast.ClassDef(name=name):
                members: list[ast.stmt] = node.body[has_docstring(node) :]
                for member in members:
                    yield from _member(name, member)
            case ast.FunctionDef(name=name):
                yield from _member(name, node)
            case ast.Assign() | ast.AnnAssign():
                yield "the module", node


def _member(where: str, node: ast.stmt) -> Iterator[tuple[str, ast.AST]]:
    if isinstance(node, ast.FunctionDef):
        for statement in node.body[has_docstring(node) :]:
            yield where, statement
    else:
        yield where, node
