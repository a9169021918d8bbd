"""Static view of a program's source: its classes, their methods, and what is missing of an interface."""

from __future__ import annotations

import ast
from functools import lru_cache

from evaluators.contract import ProgramError, nearest


@lru_cache(maxsize=8)
def parse(source: str) -> ast.Module:
    """The syntax tree of a program, to be read only: one and the same is given to all who look at it in turn.

    Raises:
        ProgramError: it does not parse.
    """
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = f", line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        reason = error.msg if isinstance(error, SyntaxError) else str(error)
        raise ProgramError(f"program{line}: expected Python source; it does not parse: {reason}.") from error


def may_name(source: str, name: str) -> bool:
    """Whether a program may have an identifier `name`: a look at its text, at a hundredth of what parsing costs."""
    # Letters beyond ASCII may stand for others: Python reads identifiers in their NFKC form.
    return name in source or not source.isascii()


def classes(source: str) -> dict[str, ast.ClassDef]:
    """The top-level classes of a program, by name.

    Raises:
        ProgramError: it does not parse.
    """
    return {node.name: node for node in parse(source).body if isinstance(node, ast.ClassDef)}


def methods(node: ast.ClassDef) -> dict[str, ast.FunctionDef]:
    """The methods of a class, by name."""
    return {n.name: n for n in node.body if isinstance(n, ast.FunctionDef)}


def arguments(method: ast.FunctionDef) -> tuple[str, ...]:
    """Names of a method's positional arguments, ``self`` included."""
    return tuple(a.arg for a in (*method.args.posonlyargs, *method.args.args))


def require_class(found: dict[str, ast.ClassDef], name: str, *, hint: str) -> ast.ClassDef:
    """The class called `name`.

    Raises:
        ProgramError: there is none.
    """
    if name not in found:
        message = f"program: expected a class {name}; it has {', '.join(found) or 'no class'}."
        raise ProgramError(message, hint)
    return found[name]


def require_method(
    node: ast.ClassDef, name: str, expected: tuple[str, ...], *, hint: str = ""
) -> ast.FunctionDef:
    """The method called `name`, which takes `expected` after ``self`` and nothing else.

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
