"""Static view of a program's source: its tree, classes and methods, and what is missing of an interface."""

from __future__ import annotations

import ast
import sys
from functools import lru_cache

from evaluators.contract import ProgramError, nearest

MAX_DEPTH = 100
"""Levels that a syntax tree may have, so that everything that walks or prints one recursively can do so."""

_TOO_DEEP = (
    f"program: expected expressions and statements nested at most {MAX_DEPTH} deep, such as a sum of as many terms; "
    "split the deepest."
)

FIELDS = {
    kind: tuple(name for name in kind._fields if name not in ("ctx", "kind", "type_comment"))
    for kind in vars(ast).values()
    if isinstance(kind, type) and issubclass(kind, ast.AST)
}
"""The fields of each kind of node that say what it is, not where or how it is used."""


@lru_cache(maxsize=8)
def parse(source: str) -> ast.Module:
    """Return the syntax tree of a program, to be read only: the same one is given to all who ask in turn.

    Whatever is returned can be walked recursively, and its numbers fit into floats.

    Raises:
        ProgramError: it does not parse, is nested too deep, or holds an integer beyond the range of floats.
    """
    try:
        tree = ast.parse(source)
    except (RecursionError, MemoryError) as error:
        raise ProgramError(_TOO_DEEP) from error
    except (SyntaxError, ValueError) as error:
        line = f", line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        reason = error.msg if isinstance(error, SyntaxError) else str(error)
        raise ProgramError(f"program{line}: expected Python source; it does not parse: {reason}.") from error
    _check_limits(tree)
    return tree


def _check_limits(tree: ast.Module) -> None:
    """See that a tree is within the limits of `parse`, looking only into what is long enough to exceed them.

    A level takes a character at least, and an integer that no float can hold more than `MAX_DEPTH`.
    """
    level: list[ast.AST] = [tree]
    for left in range(MAX_DEPTH, -1, -1):
        below = []
        for node in level:
            _check_number(node)
            below += [
                child
                for child in children(node)
                if not isinstance(child, (ast.stmt, ast.expr))
                or child.lineno != child.end_lineno
                or (child.end_col_offset or 0) - child.col_offset >= left
            ]
        if not below:
            return
        level = below
    raise ProgramError(_TOO_DEEP)


def _check_number(node: ast.AST) -> None:
    if isinstance(node, ast.Constant) and isinstance(node.value, int) and node.value > sys.float_info.max:
        raise ProgramError(
            f"program, line {node.lineno}: expected integers up to 1e308; this one has more digits."
        )


def children(node: ast.AST) -> list[ast.AST]:
    """Return the nodes right below one, in source order, without the contexts of names."""
    below: list[ast.AST] = []
    for name in FIELDS[type(node)]:
        value = getattr(node, name, None)
        if isinstance(value, ast.AST):
            below.append(value)
        elif isinstance(value, list):
            below += [item for item in value if isinstance(item, ast.AST)]
    return below


def may_name(source: str, name: str) -> bool:
    """Return whether a program may have an identifier `name`, by its text: a hundredth of what parsing costs."""
    # Letters beyond ASCII may stand for others: Python reads identifiers in their NFKC form.
    return name in source or not source.isascii()


def classes(source: str) -> dict[str, ast.ClassDef]:
    """Return the top-level classes of a program, by name.

    Raises:
        ProgramError: it does not parse.
    """
    return {node.name: node for node in parse(source).body if isinstance(node, ast.ClassDef)}


def methods(node: ast.ClassDef) -> dict[str, ast.FunctionDef]:
    """Return the methods of a class, by name."""
    return {n.name: n for n in node.body if isinstance(n, ast.FunctionDef)}


def arguments(method: ast.FunctionDef) -> tuple[str, ...]:
    """Return the names of a method's positional arguments, ``self`` included."""
    return tuple(a.arg for a in (*method.args.posonlyargs, *method.args.args))


def require_class(known: dict[str, ast.ClassDef], name: str, *, hint: str) -> ast.ClassDef:
    """Return the class called `name`.

    Raises:
        ProgramError: there is none.
    """
    if name not in known:
        message = f"program: expected a class {name}; it has {', '.join(known) or 'no class'}."
        raise ProgramError(message, hint)
    return known[name]


def require_method(
    node: ast.ClassDef, name: str, expected: tuple[str, ...], *, hint: str = ""
) -> ast.FunctionDef:
    """Return the method called `name`, which takes `expected` after ``self`` and nothing else.

    Raises:
        ProgramError: it is missing, or takes other arguments.
    """
    own = methods(node)
    wanted = f"{node.name}.{name}({', '.join(('self', *expected))})"
    if name not in own:
        message = f"program: expected a method {wanted}; the class has {', '.join(own) or 'no method'}."
        raise ProgramError(message, nearest(name, list(own)) if own else "")
    taken = own[name].args
    if arguments(own[name])[1:] != expected or taken.vararg or taken.kwarg or taken.kwonlyargs:
        message = f"program: expected {wanted}; got ({ast.unparse(taken)})."
        raise ProgramError(message, f"Rename or reorder the arguments. {hint}".strip())
    return own[name]
