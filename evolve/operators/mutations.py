"""The mutations that the symbolic operator makes: each takes a program and returns the program after one change.

A mutation that has nothing to do returns None.
"""

from __future__ import annotations

import ast
import random
from collections.abc import Callable
from dataclasses import dataclass

from evolve.operators import alternatives, blocks, literals
from evolve.operators.base import Context
from evolve.operators.blocks import Block
from evolve.operators.describe import MODULE
from evolve.operators.templates import draw, literal_value, number_text, step
from evolve.source.code import Code
from evolve.source.sites import Site, find_sites


@dataclass(frozen=True)
class Change:
    """A program after one edit: in which component, whether outside blocks, and a note of it."""

    code: Code
    component: str
    altered: bool
    note: str


@dataclass(frozen=True)
class ReadProgram:
    """A program with its components' sites and the mechanisms in them."""

    code: Code
    context: Context
    sites: dict[str, Site]
    blocks: dict[str, list[Block]]

    @classmethod
    def read(cls, code: Code, context: Context) -> ReadProgram:
        """Find the components and their blocks in `code`."""
        sites = find_sites(code, context.components)
        known = {name: blocks.find_blocks(code, site, context.mechanisms) for name, site in sites.items()}
        return cls(code, context, sites, known)

    @property
    def all_blocks(self) -> list[Block]:
        """The blocks of all components."""
        return [block for own in self.blocks.values() for block in own]

    def own_code(self) -> dict[str, list[ast.AST]]:
        """Return component (or `MODULE`) -> the trees of its code; blocks are still among them (see `hidden`)."""
        owners = {id(site.owner): name for name, site in self.sites.items()}
        trees: dict[str, list[ast.AST]] = {}
        for statement in self.code.tree.body:
            if not isinstance(statement, ast.Import | ast.ImportFrom):
                trees.setdefault(owners.get(id(statement), MODULE), []).append(statement)
        return trees

    def hidden(self) -> set[int]:
        """Return the ids of the statements that belong to blocks."""
        return {id(statement) for block in self.all_blocks for statement in block.statements}


def insert(program: ReadProgram, rng: random.Random) -> Change | None:
    """Insert a mechanism that fits: first the component is drawn, then the mechanism."""
    fitting = {
        name: [
            m
            for m in program.context.mechanisms
            if m.component == name and blocks.can_insert(program.code, site, m)
        ]
        for name, site in program.sites.items()
    }
    names = [name for name, mechanisms in fitting.items() if mechanisms]
    if not names:
        return None
    name = rng.choice(names)
    mechanism = rng.choice(fitting[name])
    values = {p.name: draw(p, rng) for p in mechanism.parameters}
    code = blocks.insert(program.code, program.sites[name], mechanism, values, program.blocks[name])
    return Change(code, name, False, f"insert {mechanism.name} into {name}{_listed(values)}")


def remove(program: ReadProgram, rng: random.Random) -> Change | None:
    """Remove a mechanism."""
    removable = [block for block in program.all_blocks if blocks.can_remove(block)]
    if not removable:
        return None
    block = rng.choice(removable)
    name = block.site.component.name
    code = blocks.remove(program.code, block, program.blocks[name])
    return Change(code, name, False, f"remove {block.mechanism.name} from {name}")


def reparameterise(program: ReadProgram, rng: random.Random) -> Change | None:
    """Draw a mechanism's constants anew."""
    candidates = [block for block in program.all_blocks if block.mechanism.parameters]
    if not candidates:
        return None
    block = rng.choice(candidates)
    values = {p.name: draw(p, rng) for p in block.mechanism.parameters}
    code = blocks.reparameterise(program.code, block, values)
    name = block.site.component.name
    return Change(code, name, False, f"redraw {block.mechanism.name} in {name}{_listed(values)}")


def perturb(program: ReadProgram, rng: random.Random) -> Change | None:
    """Perturb one constant: those of mechanisms and of the program's own formula are equally likely."""
    hidden = program.hidden()
    own = [
        (name, literal)
        for name, roots in program.own_code().items()
        for literal in literals.find_literals(roots, hidden)
    ]
    inner = [(block, parameter) for block in program.all_blocks for parameter in block.mechanism.parameters]
    if not own and not inner:
        return None
    index = rng.randrange(len(own) + len(inner))
    if index < len(own):
        name, literal = own[index]
        edit, note = literals.perturb(program.code, literal, rng)
        return Change(program.code.edited([edit]), name, True, f"perturb {note} in {name or 'the module'}")
    block, parameter = inner[index - len(own)]
    old = literal_value(block.literals[parameter.name][0])
    assert old is not None
    steps = (step(parameter, old, parameter.spread / 2, rng) for _ in range(10))
    new = next((value for value in steps if value != old), parameter.default)
    code = blocks.reparameterise(program.code, block, {parameter.name: new})
    note = f"perturb {parameter.name} of {block.mechanism.name}: {number_text(old)} -> {number_text(new)}"
    return Change(code, block.site.component.name, False, note)


def swap(program: ReadProgram, rng: random.Random) -> Change | None:
    """Replace an operator or a function of the program's own formula by a near one."""
    hidden = program.hidden()
    replaceable = [
        (name, near)
        for name, roots in program.own_code().items()
        for near in alternatives.find_alternatives(program.code, roots, hidden)
    ]
    if not replaceable:
        return None
    name, near = rng.choice(replaceable)
    edit, note = rng.choice(near)
    return Change(program.code.edited([edit]), name, True, f"replace {note} in {name or 'the module'}")


Mutation = Callable[[ReadProgram, random.Random], Change | None]

MUTATIONS: dict[str, Mutation] = {
    "insert": insert,
    "remove": remove,
    "reparameterise": reparameterise,
    "perturb": perturb,
    "swap": swap,
}
"""All mutations, by the names that `evolve.operators.symbolic.Mix` weighs them under."""


def _listed(values: dict[str, float]) -> str:
    return (
        f" ({', '.join(f'{name}={number_text(value)}' for name, value in values.items())})" if values else ""
    )
