"""Static view of a PSRO program: does it have the two classes, and what does it ask for."""

from __future__ import annotations

import ast

from evaluators.contract import Component, ProgramError
from evaluators.source import classes, parse, require_class, require_method

_ARGUMENTS = ("game", "policy_sets", "meta_games")

COMPONENTS = (
    Component("TrainMetaStrategySolver", "get_meta_strategy", _ARGUMENTS),
    Component("EvalMetaStrategySolver", "get_meta_strategy", _ARGUMENTS),
)
"""The evolvable classes, with the names and arguments of arXiv 2602.16928."""

_ABSENT = ("pyspiel", "open_spiel")


def check(source: str) -> None:
    """See that `source` implements the interface, statically.

    Source as arXiv 2602.16928 prints it passes if it imports nothing of OpenSpiel: its `game` is a view, its
    policies are records (see `guest`), and both say so to a program that asks them for more.

    Raises:
        ProgramError: what is missing or different, as one line.
    """
    found = classes(source)
    hint = "A PSRO program has the classes " + ", ".join(c.name for c in COMPONENTS) + "."
    for component in COMPONENTS:
        require_method(require_class(found, component.name, hint=hint), component.method, component.arguments)
    absent = sorted({name for name in _imports(parse(source)) if name in _ABSENT})
    if absent:
        raise ProgramError(
            f"program: expected no import of {' or '.join(_ABSENT)}; it imports {', '.join(absent)}.",
            "A PSRO program works on payoffs: read meta_games, or ask game.deviation_payoffs(strategies).",
        )


def _imports(tree: ast.Module) -> list[str]:
    """Top-level packages that a program imports, wherever in it."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [alias.name.partition(".")[0] for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.append(node.module.partition(".")[0])
    return found


def wants_meta_games(source: str) -> bool:
    """Whether a program reads the payoff tensors, which for three players take a while to compute."""
    return any(
        isinstance(node, ast.Name)
        and node.id in ("meta_games", "locals", "vars")
        and isinstance(node.ctx, ast.Load)
        for node in ast.walk(parse(source))
    )


def wants_deviation_payoffs(source: str) -> bool:
    """Whether a program asks for payoffs against mixtures."""
    return "deviation_payoffs" in _attributes(source)


def wants_game(source: str) -> bool:
    """Whether a program asks for what only the game itself can tell: best responses, or what policies play."""
    return not _attributes(source).isdisjoint({"best_response_values", "pure", "support"})


def _attributes(source: str) -> set[str]:
    """Names of the attributes that a program mentions."""
    return {node.attr for node in ast.walk(parse(source)) if isinstance(node, ast.Attribute)}
