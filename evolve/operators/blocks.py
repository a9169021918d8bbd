"""Mechanisms as blocks in a program's text: recognised by their header comments, inserted, removed, redrawn.

A block is a header comment ``# name: summary`` directly above the mechanism's statements, followed by a
blank line:

    cumulative_regret = info_states.cumulative_regret
    # trend: adds how far regrets are above their moving average
    trend_gap = cumulative_regret - self.trend_average
    ...

Input blocks stand at the top of the method, below a binding of their target to a local name where the target
is no name itself; blocks on the returned value stand at the bottom, between a binding and ``return``. A
header whose statements someone has since rewritten is ordinary code: its literals may be perturbed, but it
is never removed, and its mechanism is not inserted a second time.
"""

from __future__ import annotations

import ast
import math
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from evaluators.contract import Mechanism, Parameter
from evolve.operators.formula import literal_value, round_to_digits
from evolve.source.code import Code, Edit
from evolve.source.sites import Site
from evolve.source.tree import (
    bound_names,
    is_read,
    last_line,
    outer_names,
    printed,
    used_attributes,
    used_names,
    walk,
)

RETURN = "return"
"""Stands for the returned value, where the name of what a mechanism transforms is expected."""

_PLACEHOLDER = "parameter__"
_POSITIONS = frozenset({"ctx", "kind", "type_comment"})


def render(mechanism: Mechanism, values: Mapping[str, object]) -> str:
    """Return the mechanism's statements with `values` for its parameters."""
    body = mechanism.body
    for name, value in values.items():
        body = body.replace(f"{{{name}}}", str(value))
    return body.strip("\n")


def template(mechanism: Mechanism) -> ast.Module:
    """Return the mechanism's statements with a reserved name for each constant."""
    return _parsed(render(mechanism, {p.name: _PLACEHOLDER + p.name for p in mechanism.parameters}))


@lru_cache(maxsize=256)
def _parsed(body: str) -> ast.Module:
    return ast.parse(body)


def local_names(mechanism: Mechanism) -> frozenset[str]:
    """Return the local names that the mechanism's statements bind for what follows, its variable excluded."""
    tree = template(mechanism)
    return (bound_names(tree) & outer_names(tree)) - {mechanism.variable}


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
    pattern = template(mechanism).body
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


def draw(parameter: Parameter, rng: random.Random) -> float:
    """Return a value around the parameter's default (see `Parameter`)."""
    return step(parameter, parameter.default, parameter.spread, rng)


def step(parameter: Parameter, value: float, spread: float, rng: random.Random) -> float:
    """Return a log-normal step from `value` that stays within the parameter's range."""
    moved = round_to_digits(value * math.exp(rng.gauss(0.0, spread)))
    moved = min(max(moved, parameter.low), parameter.high)
    return round(moved) if parameter.integer else moved


@dataclass(frozen=True)
class Block:
    """A recognised mechanism: statements `first` to `last` (inclusive) of `site.statements`."""

    site: Site
    mechanism: Mechanism
    first: int
    last: int
    literals: Mapping[str, list[ast.expr]]

    @property
    def statements(self) -> list[ast.stmt]:
        """The block's statements."""
        return self.site.statements[self.first : self.last + 1]


def find_blocks(code: Code, site: Site, mechanisms: Iterable[Mechanism]) -> list[Block]:
    """Return the site's recognised blocks in the order in which they stand."""
    known = {m.name: m for m in mechanisms if m.component == site.component.name}
    aliases = {m.target: m.variable for m in known.values() if not m.target.isidentifier()}
    blocks: list[Block] = []
    for index, statement in enumerate(site.statements):
        mechanism = known.get(_header_name(code, statement.lineno - 1))
        if mechanism is None or (blocks and index <= blocks[-1].last):
            continue
        last = index + len(template(mechanism).body) - 1
        statements = site.statements[index : last + 1]
        literals = match(mechanism, statements, aliases)
        if literals is not None and all(map(code.stands_alone, statements)):
            blocks.append(Block(site, mechanism, index, last, literals))
    return blocks


def _header_name(code: Code, lineno: int) -> str:
    """Return the mechanism that a comment line claims to head, or ""."""
    name, colon, _ = code.lines[lineno - 1].strip().removeprefix("#").strip().partition(":")
    return name if code.is_comment(lineno) and colon else ""


def can_insert(code: Code, site: Site, mechanism: Mechanism) -> bool:
    """Return whether the mechanism fits: right arguments, not there yet, no name taken, a place to put it."""
    method = site.method
    lines = range(method.lineno, (method.end_lineno or method.lineno) + 1)
    if not site.takes_mechanisms or any(_header_name(code, line) == mechanism.name for line in lines):
        return False
    # Variables of its loops, too: the method around them must mean nothing else by them.
    taken = bound_names(template(mechanism)) - {mechanism.variable}
    if site.names & taken or site.class_names & mechanism.state.keys():
        return False
    if not site.statements or not all(map(code.stands_alone, site.statements)):
        return False
    if mechanism.target == RETURN:
        last = site.statements[-1]
        return isinstance(last, ast.Return) and last.value is not None
    if mechanism.target.isidentifier():
        return mechanism.target in site.arguments
    free = mechanism.variable not in site.names or _binding(site, mechanism) is not None
    return free and mechanism.target not in site.assigned_attributes


def _binding(site: Site, mechanism: Mechanism) -> int | None:
    """Return the index of the statement that binds the mechanism's target to its variable."""
    for index, statement in enumerate(site.statements):
        match statement:
            case ast.Assign(targets=[ast.Name(id=mechanism.variable)], value=value) if (
                printed(value) == mechanism.target
            ):
                return index
    return None


def insert(
    code: Code, site: Site, mechanism: Mechanism, values: Mapping[str, float], peers: list[Block]
) -> Code:
    """Return the program with the mechanism as the last of its target's blocks; `peers` are the site's blocks."""
    indent = code.indent(site.statements[0])
    header = f"# {mechanism.name}: {mechanism.summary}"
    lines = [f"{indent}{line}" for line in [header, *render(mechanism, values).split("\n")]]
    edits = _insert_at_return if mechanism.target == RETURN else _insert_at_top
    return code.edited([*edits(code, site, mechanism, lines, peers), *_state_edits(code, site, mechanism)])


def _insert_at_top(
    code: Code, site: Site, mechanism: Mechanism, lines: list[str], peers: list[Block]
) -> list[Edit]:
    same = [block.last for block in peers if block.mechanism.target == mechanism.target]
    bound = None if mechanism.target.isidentifier() else _binding(site, mechanism)
    edits: list[Edit] = []
    if same:
        after = same[-1]
    elif bound is not None:
        after = bound
    else:
        after = _end_of_inputs(site, peers)
        if not mechanism.target.isidentifier():
            lines = [
                f"{code.indent(site.statements[0])}{mechanism.variable} = {mechanism.target}",
                *lines,
            ]
            for statement in site.statements[after + 1 :]:
                edits += _renamed(code, statement, mechanism.target, mechanism.variable)
    if after < 0:
        return [*edits, code.insert_lines(code.first_line(site.statements[0]), [*lines, ""])]
    line = last_line(site.statements[after]) + 1
    if any(block.last == after for block in peers):
        line += code.is_blank(line)
    return [*edits, code.insert_lines(line, [*lines, *([] if code.is_blank(line) else [""])])]


def _end_of_inputs(site: Site, peers: list[Block]) -> int:
    """Return the index of the last statement of the input blocks and bindings with which the method begins, or -1."""
    starts = {block.first: block for block in peers if block.mechanism.target != RETURN}
    index = 0
    while index < len(site.statements):
        bound = any(_binding(site, b.mechanism) == index for b in starts.values() if b.first == index + 1)
        if index in starts:
            index = starts[index].last + 1
        elif bound:
            index += 1
        else:
            break
    return index - 1


def _insert_at_return(
    code: Code, site: Site, mechanism: Mechanism, lines: list[str], peers: list[Block]
) -> list[Edit]:
    last, variable = site.statements[-1], mechanism.variable
    assert isinstance(last, ast.Return)
    if isinstance(last.value, ast.Name) and last.value.id == variable:
        return [code.insert_lines(code.first_line(last), [*lines, ""])]
    start = code.start(last)
    space = "" if code.segment(start + len(RETURN), start + len(RETURN) + 1) == " " else " "
    indent = code.indent(last)
    return [
        Edit(start, start + len(RETURN), f"{variable} ={space}"),
        code.insert_lines(last_line(last) + 1, [*lines, "", f"{indent}return {variable}"]),
    ]


def _renamed(code: Code, below: ast.AST, expression: str, text: str) -> list[Edit]:
    """Return the edits that put `text` wherever `expression`, a name or an attribute, is read."""
    return [
        code.replace(node, text)
        for node in walk(below)
        if isinstance(node, ast.Attribute | ast.Name) and is_read(node) and printed(node) == expression
    ]


def _state_edits(code: Code, site: Site, mechanism: Mechanism) -> list[Edit]:
    """Return the edits that add the mechanism's class attributes, after the class's others or above its methods."""
    if not mechanism.state:
        return []
    owner = site.owner
    indent = code.indent(owner.body[0])
    lines = [
        f"{indent}{name} = {start}  # state of {mechanism.name}" for name, start in mechanism.state.items()
    ]
    attributes = [s for s in owner.body if isinstance(s, ast.Assign | ast.AnnAssign)]
    if attributes:
        return [code.insert_lines(last_line(attributes[-1]) + 1, lines)]
    first = next(s for s in owner.body if isinstance(s, ast.FunctionDef))
    return [code.insert_lines(code.first_line(first), [*lines, ""])]


def can_remove(block: Block) -> bool:
    """Return whether nothing else in the method reads what the block binds for itself."""
    own = local_names(block.mechanism)
    rest = block.site.statements[: block.first] + block.site.statements[block.last + 1 :]
    return own.isdisjoint(set().union(*map(used_names, rest)))


def remove(code: Code, block: Block, peers: list[Block]) -> Code:
    """Return the program without the block; with the last block of a target its binding goes too."""
    site, mechanism = block.site, block.mechanism
    statements = site.statements
    first = block.statements[0].lineno - 1
    last = last_line(block.statements[-1])
    edits = [code.replace_lines(first, last + code.is_blank(last + 1), [])]
    if sum(peer.mechanism.target == mechanism.target for peer in peers) == 1:
        edits += _unbound_return(code, block) if mechanism.target == RETURN else _unbound_input(code, block)
    own = {id(s) for s in block.statements}
    rest = [s for s in [*site.owner.body, *statements] if s is not site.method and id(s) not in own]
    unused = mechanism.state.keys() - used_attributes(*rest)
    return code.edited(edits + _stateless(code, site.owner, unused))


def _unbound_return(code: Code, block: Block) -> list[Edit]:
    statements, variable = block.site.statements, block.mechanism.variable
    match statements[block.first - 1], statements[-1]:
        case ast.Assign(targets=[ast.Name(id=bound)]) as assign, ast.Return(
            value=ast.Name(id=returned)
        ) as final:
            if block.first and block.last == len(statements) - 2 and bound == returned == variable:
                start = code.start(assign)
                equals = code.data.index(b"=", start)
                return [
                    Edit(start, equals + 1, RETURN),
                    code.replace_lines(final.lineno, last_line(final), []),
                ]
    return []


def _unbound_input(code: Code, block: Block) -> list[Edit]:
    site, mechanism = block.site, block.mechanism
    index = None if mechanism.target.isidentifier() else _binding(site, mechanism)
    rest = [s for i, s in enumerate(site.statements) if not block.first <= i <= block.last]
    everywhere = [
        n for s in rest for n in ast.walk(s) if isinstance(n, ast.Name) and n.id == mechanism.variable
    ]
    stored = [n for n in everywhere if not isinstance(n.ctx, ast.Load)]
    renames = [edit for s in rest for edit in _renamed(code, s, mechanism.variable, mechanism.target)]
    if index is None or len(stored) != 1 or len(renames) != len(everywhere) - 1:
        return []
    line = site.statements[index].lineno
    return [code.replace_lines(line, line, []), *renames]


def _stateless(code: Code, owner: ast.ClassDef, names: set[str]) -> list[Edit]:
    """Return the edits that remove class attributes, and the blank line that would be left of a group of its own."""
    lines: list[int] = []
    for statement in owner.body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)]) if name in names and code.stands_alone(statement):
                lines += range(statement.lineno, last_line(statement) + 1)
    if lines and code.is_blank(lines[0] - 1) and code.is_blank(lines[-1] + 1):
        lines.append(lines[-1] + 1)
    return [code.replace_lines(line, line, []) for line in lines]


def reparameterise(code: Code, block: Block, values: Mapping[str, float]) -> Code:
    """Return the program with `values` in the place of the block's constants of these names."""
    return code.edited(
        code.replace(node, repr(value)) for name, value in values.items() for node in block.literals[name]
    )
