"""Static view of a CFR program: does it have the three classes, and what does it ask for."""

from __future__ import annotations

import ast

from evaluators.base import Component, ProgramError, nearest

_STATES = "info_states"
_NODE = "info_state_node"

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
"""The evolvable classes, with the names and arguments of arXiv 2602.16928; arrays replace its dictionaries.

A program whose methods take `info_state_node` first, in all three classes, is in the paper's own form: dictionaries,
one information set at a time.
"""

_FORMS = f"The first argument is {_STATES} (arrays over all information sets) or {_NODE} (dictionaries, one at a time)"


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
    """See that `source` implements the interface, statically, in one of its two forms.

    Raises:
        ProgramError: what is missing or different, as one line.
    """
    classes = _classes(source)
    forms = {}
    for component in COMPONENTS:
        if component.name not in classes:
            raise ProgramError(
                f"program: expected a class {component.name}; it has {', '.join(classes) or 'no class'}.",
                "A CFR program has the classes " + ", ".join(c.name for c in COMPONENTS) + ".",
            )
        forms[component.name] = _check_method(classes[component.name], component)
    if len(set(forms.values())) > 1:
        came = ", ".join(f"{form} in {name}" for name, form in forms.items())
        raise ProgramError(
            f"program: expected the same first argument in all three methods; got {came}.",
            f"{_FORMS}; a program keeps to one of them.",
        )


def is_per_infoset(source: str) -> bool:
    """Whether a program is written over dictionaries, one information set at a time.

    Raises:
        ProgramError: it does not parse.
    """
    first, classes = COMPONENTS[0], _classes(source)
    method = _methods(classes[first.name]).get(first.method) if first.name in classes else None
    return method is not None and _NODE in _arguments(method)[1:2]


def _classes(source: str) -> dict[str, ast.ClassDef]:
    return {node.name: node for node in parse(source).body if isinstance(node, ast.ClassDef)}


def _methods(node: ast.ClassDef) -> dict[str, ast.FunctionDef]:
    return {n.name: n for n in node.body if isinstance(n, ast.FunctionDef)}


def _arguments(method: ast.FunctionDef) -> tuple[str, ...]:
    return tuple(a.arg for a in (*method.args.posonlyargs, *method.args.args))


def _check_method(node: ast.ClassDef, component: Component) -> str:
    """The first argument of a component's method: `info_states` or `info_state_node`."""
    methods = _methods(node)
    method = methods.get(component.method)
    names = _arguments(method) if method else ()
    form = _NODE if _NODE in names[1:] else _STATES
    expected = (form, *component.arguments[1:])
    wanted = f"{component.name}.{component.method}({', '.join(('self', *expected))})"
    if method is None:
        raise ProgramError(
            f"program: expected a method {wanted}; the class has {', '.join(methods) or 'no method'}.",
            nearest(component.method, list(methods)) if methods else "",
        )
    arguments = method.args
    if names[1:] != expected or arguments.vararg or arguments.kwarg or arguments.kwonlyargs:
        raise ProgramError(
            f"program: expected {wanted}; got ({ast.unparse(arguments)}).",
            f"Rename or reorder the arguments. {_FORMS}.",
        )
    return form


def wants_counterfactual_reach(source: str) -> bool:
    """Whether a program reads the counterfactual reach, which costs a pass over the terminals to compute."""
    return any(
        isinstance(node, ast.Name)
        and node.id in ("counterfactual_reach_prob", "locals", "vars")
        and isinstance(node.ctx, ast.Load)
        for node in ast.walk(parse(source))
    )
