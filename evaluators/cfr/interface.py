"""Static view of a CFR program: does it have the three classes, and what does it ask for."""

from __future__ import annotations

import ast

from evaluators.contract import Component, ProgramError
from evaluators.source import arguments, classes, may_name, methods, parse, require_class, require_method

_STATES = "info_states"
_NODE = "info_state_node"
_REACH = "counterfactual_reach_prob"

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
            _REACH,
        ),
    ),
)
"""The evolvable classes, with the names and arguments of arXiv 2602.16928; arrays replace its dictionaries.

A program whose methods take `info_state_node` first, in all three classes, is in the paper's own form: dictionaries,
one information set at a time.
"""

_FORMS = f"The first argument is {_STATES} (arrays over all information sets) or {_NODE} (dictionaries, one at a time)"


def check(source: str) -> None:
    """See that `source` implements the interface, statically, in one of its two forms.

    Raises:
        ProgramError: what is missing or different, as one line.
    """
    found = classes(source)
    hint = "A CFR program has the classes " + ", ".join(c.name for c in COMPONENTS) + "."
    forms = {c.name: _form(require_class(found, c.name, hint=hint), c) for c in COMPONENTS}
    if len(set(forms.values())) > 1:
        came = ", ".join(f"{form} in {name}" for name, form in forms.items())
        raise ProgramError(
            f"program: expected the same first argument in all three methods; got {came}.",
            f"{_FORMS}; a program keeps to one of them.",
        )


def is_per_infoset(source: str) -> bool:
    """Whether a program is written over dictionaries, one information set at a time.

    Raises:
        ProgramError: it does not parse, where that has to be seen.
    """
    if not may_name(source, _NODE):
        return False
    first, found = COMPONENTS[0], classes(source)
    method = methods(found[first.name]).get(first.method) if first.name in found else None
    return method is not None and _NODE in arguments(method)[1:2]


def _form(node: ast.ClassDef, component: Component) -> str:
    """The first argument of a component's method: `info_states` or `info_state_node`."""
    method = methods(node).get(component.method)
    form = _NODE if method and _NODE in arguments(method)[1:] else _STATES
    require_method(node, component.method, (form, *component.arguments[1:]), hint=f"{_FORMS}.")
    return form


def wants_counterfactual_reach(source: str) -> bool:
    """Whether a program reads the counterfactual reach, which costs a pass over the terminals to compute."""
    if source.count(_REACH) == 1 and "locals" not in source and "vars" not in source:
        return False  # The argument itself, and quicker to see than by a walk through the tree.
    return any(
        isinstance(node, ast.Name)
        and node.id in (_REACH, "locals", "vars")
        and isinstance(node.ctx, ast.Load)
        for node in ast.walk(parse(source))
    )
