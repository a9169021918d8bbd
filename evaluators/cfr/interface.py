"""Static view of a CFR program: does it have the three classes, and what does it ask for."""

from __future__ import annotations

import ast

from evaluators.base import Component, ProgramError, nearest

_STATES = "info_states"

COMPONENTS = (
    Component("RegretAccumulator", "update_accumulate_regret", (_STATES, "iteration_number", "cfr_regrets")),
    Component(
        "PolicyFromRegretAccumulator",
        "get_updated_current_policy",
        (_STATES, "iteration_number", "cfr_regrets", "previous_policy"),
    ),
    Component(
        "PolicyAccumulator",
        "update_accumulate_policy",
        (
            _STATES,
            "iteration_number",
            "info_state_policy",
            "cfr_regrets",
            "reach_prob",
            "counterfactual_reach_prob",
        ),
    ),
)
"""The evolvable classes, with the names and arguments of arXiv 2602.16928; arrays replace its dictionaries."""


def parse(source: str) -> ast.Module:
    """The syntax tree of a program.

    Raises:
        ProgramError: it does not parse.
    """
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = f", line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        reason = error.msg if isinstance(error, SyntaxError) else str(error)
        raise ProgramError(f"program{line}: expected Python source; it does not parse: {reason}.") from error


def check(source: str) -> None:
    """See that `source` implements the interface, statically.

    Raises:
        ProgramError: what is missing or different, as one line.
    """
    classes = {node.name: node for node in parse(source).body if isinstance(node, ast.ClassDef)}
    for component in COMPONENTS:
        if component.name not in classes:
            raise ProgramError(
                f"program: expected a class {component.name}; it has {', '.join(classes) or 'no class'}.",
                "A CFR program has the classes " + ", ".join(c.name for c in COMPONENTS) + ".",
            )
        _check_method(classes[component.name], component)


def _check_method(node: ast.ClassDef, component: Component) -> None:
    methods = {n.name: n for n in node.body if isinstance(n, ast.FunctionDef)}
    wanted = f"{component.name}.{component.method}({', '.join(('self', *component.arguments))})"
    if component.method not in methods:
        raise ProgramError(
            f"program: expected a method {wanted}; the class has {', '.join(methods) or 'no method'}.",
            nearest(component.method, list(methods)) if methods else "",
        )
    arguments = methods[component.method].args
    names = [a.arg for a in (*arguments.posonlyargs, *arguments.args)]
    extra = arguments.vararg or arguments.kwarg or arguments.kwonlyargs
    if tuple(names[1:]) != component.arguments or extra:
        raise ProgramError(
            f"program: expected {wanted}; got ({ast.unparse(arguments)}).", "Rename or reorder the arguments."
        )


def wants_counterfactual_reach(source: str) -> bool:
    """Whether a program reads the counterfactual reach, which costs a pass over the terminals to compute."""
    return any(
        isinstance(node, ast.Name)
        and node.id in ("counterfactual_reach_prob", "locals", "vars")
        and isinstance(node.ctx, ast.Load)
        for node in ast.walk(parse(source))
    )
