"""The edits that the symbolic operator makes: each takes a program and gives the program after one change.

A move that finds nothing to do gives None.
"""

from __future__ import annotations

import ast
import random
from collections.abc import Callable
from dataclasses import dataclass

from evolve.operators import blocks, literals, swaps
from evolve.operators.base import Context
from evolve.operators.blocks import Block
from evolve.operators.describe import MODULE
from evolve.operators.templates import draw, literal_value, number_text, step
from evolve.source.code import Code
from evolve.source.sites import Site, find_sites


@dataclass(frozen=True)
class Change:
    """A program after one edit: where it was made, whether outside blocks, and a note of it."""

    code: Code
    component: str
    altered: bool
    note: str


@dataclass(frozen=True)
class Program:
    """A program with its places and blocks found."""

    code: Code
    context: Context
    sites: dict[str, Site]
    blocks: dict[str, list[Block]]

    @classmethod
    def read(cls, code: Code, context: Context) -> Program:
        """Find the components and their blocks in `code`."""
        sites = find_sites(code, context.components)
        found = {name: blocks.find_blocks(code, site, context.mechanisms) for name, site in sites.items()}
        return cls(code, context, sites, found)

    @property
    def all_blocks(self) -> list[Block]:
        """The blocks of all components."""
        return [block for found in self.blocks.values() for block in found]

    def own_code(self) -> dict[str, list[ast.AST]]:
        """Component (or `MODULE`) -> the trees of its code; blocks are still among them (see `hidden`)."""
        owners = {id(site.owner): name for name, site in self.sites.items()}
        found: dict[str, list[ast.AST]] = {}
        for statement in self.code.tree.body:
            if not isinstance(statement, ast.Import | ast.ImportFrom):
                found.setdefault(owners.get(id(statement), MODULE), []).append(statement)
        return found

    def hidden(self) -> set[int]:
        """Ids of the statements that belong to blocks."""
        return {id(statement) for block in self.all_blocks for statement in block.statements}


def insert(program: Program, rng: random.Random) -> Change | None:
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


def remove(program: Program, rng: random.Random) -> Change | None:
    """Remove a mechanism."""
    removable = [block for block in program.all_blocks if blocks.can_remove(block)]
    if not removable:
        return None
    block = rng.choice(removable)
    name = block.site.component.name
    code = blocks.remove(program.code, block, program.blocks[name])
    return Change(code, name, False, f"remove {block.mechanism.name} from {name}")


def reparameterise(program: Program, rng: random.Random) -> Change | None:
    """Draw a mechanism's constants anew."""
    candidates = [block for block in program.all_blocks if block.mechanism.parameters]
    if not candidates:
        return None
    block = rng.choice(candidates)
    values = {p.name: draw(p, rng) for p in block.mechanism.parameters}
    code = blocks.reparameterise(program.code, block, values)
    name = block.site.component.name
    return Change(code, name, False, f"redraw {block.mechanism.name} in {name}{_listed(values)}")


def perturb(program: Program, rng: random.Random) -> Change | None:
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


def swap(program: Program, rng: random.Random) -> Change | None:
    """Replace an operator or a function of the program's own formula by a near one."""
    hidden = program.hidden()
    places = [
        (name, place)
        for name, roots in program.own_code().items()
        for place in swaps.find_swaps(program.code, roots, hidden)
    ]
    if not places:
        return None
    name, place = rng.choice(places)
    edit, note = rng.choice(place)
    return Change(program.code.edited([edit]), name, True, f"replace {note} in {name or 'the module'}")


Move = Callable[[Program, random.Random], Change | None]

MOVES: dict[str, Move] = {
    "insert": insert,
    "remove": remove,
    "reparameterise": reparameterise,
    "perturb": perturb,
    "swap": swap,
}
"""All moves, by the names that `evolve.operators.symbolic.Mix` weighs them under."""


def _listed(values: dict[str, float]) -> str:
    return (
        f" ({', '.join(f'{name}={number_text(value)}' for name, value in values.items())})" if values else ""
    )
