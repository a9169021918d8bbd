"""Mechanisms as templates of statements: written out with constants, recognised again in a tree."""

from __future__ import annotations

import ast
import math
import random
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from evaluators.contract import Mechanism, Parameter
from evolve.source.tree import bound_names, outer_names, printed

_PLACEHOLDER = "parameter__"
_POSITIONS = frozenset({"ctx", "kind", "type_comment"})


def render(mechanism: Mechanism, values: Mapping[str, float]) -> list[str]:
    """Return the mechanism's statements as lines, with `values` for its parameters."""
    body = mechanism.body
    for parameter in mechanism.parameters:
        body = body.replace(f"{{{parameter.name}}}", number_text(values[parameter.name]))
    return body.strip("\n").split("\n")


def template(mechanism: Mechanism) -> list[ast.stmt]:
    """Return the mechanism's statements with a reserved name for each constant."""
    return _parsed(_with_placeholders(mechanism)).body


def local_names(mechanism: Mechanism) -> frozenset[str]:
    """Return the local names that the mechanism's statements bind for what follows, its variable excluded."""
    tree = _parsed(_with_placeholders(mechanism))
    return (bound_names(tree) & outer_names(tree)) - {mechanism.variable}


def taken_names(mechanism: Mechanism) -> frozenset[str]:
    """Return the same with the variables of its loops: the method around them must mean nothing else by them."""
    return bound_names(_parsed(_with_placeholders(mechanism))) - {mechanism.variable}


def _with_placeholders(mechanism: Mechanism) -> str:
    body = mechanism.body
    for parameter in mechanism.parameters:
        body = body.replace(f"{{{parameter.name}}}", _PLACEHOLDER + parameter.name)
    return body.strip("\n")


@lru_cache(maxsize=256)
def _parsed(body: str) -> ast.Module:
    return ast.parse(body)


def match(
    mechanism: Mechanism, statements: list[ast.stmt], aliases: Mapping[str, str]
) -> dict[str, list[ast.expr]] | None:
    """Return parameter -> the literals that stand for it, if `statements` are the mechanism's and nothing else.

    Args:
        mechanism: the template.
        statements: as many statements as the template has.
        aliases: expression -> local name that holds its value; either may stand where the other is expected.
    """
    literals: dict[str, list[ast.expr]] = {}
    pattern = template(mechanism)
    if len(pattern) != len(statements) or not _same(pattern, statements, aliases, literals):
        return None
    constant = all(len({literal_value(node) for node in nodes}) == 1 for nodes in literals.values())
    return literals if constant else None


def _same(pattern: Any, node: Any, aliases: Mapping[str, str], literals: dict[str, list[ast.expr]]) -> bool:
    if isinstance(pattern, list):
        return (
            isinstance(node, list)
            and len(pattern) == len(node)
            and all(_same(p, n, aliases, literals) for p, n in zip(pattern, node, strict=True))
        )
    if not isinstance(pattern, ast.AST):
        return bool(pattern == node) and type(pattern) is type(node)
    if isinstance(pattern, ast.Name) and pattern.id.startswith(_PLACEHOLDER):
        if literal_value(node) is None:
            return False
        literals.setdefault(pattern.id.removeprefix(_PLACEHOLDER), []).append(node)
        return True
    pattern, node = _without_alias(pattern, aliases), _without_alias(node, aliases)
    return type(pattern) is type(node) and all(
        _same(getattr(pattern, name, None), getattr(node, name, None), aliases, literals)
        for name in pattern._fields
        if name not in _POSITIONS
    )


def _without_alias(node: Any, aliases: Mapping[str, str]) -> Any:
    if isinstance(node, ast.Attribute) and (name := aliases.get(printed(node))):
        return ast.Name(id=name, ctx=ast.Load())
    return node


def literal_value(node: Any) -> float | None:
    """Return the value of a numeric literal, a minus sign included, or None."""
    match node:
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)):
            return None if isinstance(value, bool) else -value
        case ast.Constant(value=int() | float() as value):
            return None if isinstance(value, bool) else value
    return None


def round_to_digits(value: float, digits: int = 2) -> float:
    """Return `value` to so many significant digits: constants that a person can read."""
    return float(f"{value:.{digits - 1}e}")


def number_text(value: float) -> str:
    """Return a literal for `value`; integers stay integers."""
    return repr(value)


def draw(parameter: Parameter, rng: random.Random) -> float:
    """Return a value around the parameter's default (see `Parameter`)."""
    return step(parameter, parameter.default, parameter.spread, rng)


def step(parameter: Parameter, value: float, spread: float, rng: random.Random) -> float:
    """Return a log-normal step from `value` that stays within the parameter's range."""
    moved = round_to_digits(value * math.exp(rng.gauss(0.0, spread)))
    moved = min(max(moved, parameter.low), parameter.high)
    return round(moved) if parameter.integer else moved
