"""The built-in operator: typed mutations of a program's syntax tree, no model needed.

A child differs from its parent by one edit or a few. An edit inserts a mechanism of the domain, removes one,
draws its constants anew, perturbs one constant anywhere, or replaces an operator or function by a near one.
Edits are made on the text at the tree's positions, so comments and formatting survive, and work on any
program of the domain, also one that a model wrote. Code inside recognised mechanism blocks changes in its
constants only, within the mechanism's
ranges: what the block's header says stays true.
"""

from __future__ import annotations

import ast
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from evolve.operators import blocks, literals, swaps
from evolve.operators.base import Context, Parent, Proposal, ProposalError
from evolve.operators.blocks import Block
from evolve.operators.code import LINE_LENGTH, Code, Site, find_sites
from evolve.operators.describe import MODULE, describe
from evolve.operators.templates import draw, literal_value, number_text, step
from evolve.trees import canonical_form


@dataclass(frozen=True)
class Mix:
    """How often each kind of edit is made, relative to the others, and how many edits make a child.

    Attributes:
        insert: insert a mechanism.
        remove: remove a mechanism.
        reparameterise: draw a mechanism's constants anew.
        perturb: perturb one constant, in a mechanism or in the program's own formula.
        swap: replace an operator or a function.
        further: probability of one more edit after each; the number of edits is 1 + geometric.
        max_edits: edits of one child at most.
        max_blocks: mechanisms of one program at most; beyond it nothing is inserted.
    """

    insert: float = 0.5
    remove: float = 0.12
    reparameterise: float = 0.15
    perturb: float = 0.2
    swap: float = 0.05
    further: float = 0.4
    max_edits: int = 5
    max_blocks: int = 9


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


class SymbolicOperator:
    """Mutates the first parent (see the module's docstring).

    Args:
        mix: how often each kind of edit is made.
        attempts: children tried before falling back on a single perturbed constant.
    """

    kind = "symbolic"
    num_parents = 1

    def __init__(self, mix: Mix | None = None, *, attempts: int = 20) -> None:
        self.mix = mix or Mix()
        self.attempts = attempts
        self._moves: dict[str, Callable[[Program, random.Random], Change | None]] = {
            "insert": self._insert,
            "remove": _remove,
            "reparameterise": _reparameterise,
            "perturb": _perturb,
            "swap": _swap,
        }

    async def propose(self, parents: Sequence[Parent], context: Context, rng: random.Random) -> Proposal:
        """A mutated copy of the first parent.

        Raises:
            ProposalError: if the parent does not parse or has nothing that could be changed.
        """
        return self.mutate(parents[0].source, context, rng)

    def mutate(self, source: str, context: Context, rng: random.Random) -> Proposal:
        """A mutated copy of `source`: `propose` without waiting.

        Raises:
            ProposalError: if `source` does not parse or has nothing that could be changed.
        """
        try:
            parent = Code(source)
        except (SyntaxError, ValueError) as error:
            raise ProposalError(f"symbolic: expected a parent that parses; got {error}.") from error
        for attempt in range(self.attempts):
            last = attempt == self.attempts - 1
            try:
                child = self._chain(parent, context, rng, ("perturb",) if last else tuple(self._moves))
            except SyntaxError:  # a layout that edits by line or position do not suit
                continue
            if child and is_sound(parent, Code(child.source), context):
                return child
        raise ProposalError(
            "symbolic: found nothing to change in the parent: no mechanism fits and no constant may move.",
            "Choose another operator for programs of this form.",
        )

    def _chain(
        self, parent: Code, context: Context, rng: random.Random, names: Sequence[str]
    ) -> Proposal | None:
        code, notes = parent, []
        for _ in range(self._num_edits(rng)):
            change = self._edit(Program.read(code, context), rng, names)
            if change is None:
                break
            altered = {change.component} if change.altered else ()
            code = describe(change.code, context, changed={change.component}, altered=altered)
            notes.append(change.note)
        return Proposal(code.text, self.kind, tuple(notes)) if notes else None

    def _num_edits(self, rng: random.Random) -> int:
        number = 1
        while number < self.mix.max_edits and rng.random() < self.mix.further:
            number += 1
        return number

    def _edit(self, program: Program, rng: random.Random, names: Sequence[str]) -> Change | None:
        """One edit of a kind drawn by weight; a kind that finds nothing to do is not drawn again."""
        weights = {name: getattr(self.mix, name) for name in names}
        while any(weights.values()):
            name = rng.choices(list(weights), list(weights.values()))[0]
            change = self._moves[name](program, rng)
            if change is not None:
                return change
            del weights[name]
        return None

    def _insert(self, program: Program, rng: random.Random) -> Change | None:
        if len(program.all_blocks) >= self.mix.max_blocks:
            return None
        fitting = {
            name: [m for m in program.context.mechanisms
                   if m.component == name and blocks.can_insert(program.code, site, m)]
            for name, site in program.sites.items()
        }  # fmt: skip
        names = [name for name, mechanisms in fitting.items() if mechanisms]
        if not names:
            return None
        name = rng.choice(names)
        mechanism = rng.choice(fitting[name])
        values = {p.name: draw(p, rng) for p in mechanism.parameters}
        code = blocks.insert(program.code, program.sites[name], mechanism, values, program.blocks[name])
        return Change(code, name, False, f"insert {mechanism.name} into {name}{_listed(values)}")


def _listed(values: dict[str, float]) -> str:
    return (
        f" ({', '.join(f'{name}={number_text(value)}' for name, value in values.items())})" if values else ""
    )


def _remove(program: Program, rng: random.Random) -> Change | None:
    removable = [block for block in program.all_blocks if blocks.can_remove(block)]
    if not removable:
        return None
    block = rng.choice(removable)
    name = block.site.component.name
    code = blocks.remove(program.code, block, program.blocks[name])
    return Change(code, name, False, f"remove {block.mechanism.name} from {name}")


def _reparameterise(program: Program, rng: random.Random) -> Change | None:
    candidates = [block for block in program.all_blocks if block.mechanism.parameters]
    if not candidates:
        return None
    block = rng.choice(candidates)
    values = {p.name: draw(p, rng) for p in block.mechanism.parameters}
    code = blocks.reparameterise(program.code, block, values)
    name = block.site.component.name
    return Change(code, name, False, f"redraw {block.mechanism.name} in {name}{_listed(values)}")


def _perturb(program: Program, rng: random.Random) -> Change | None:
    """One constant, those of mechanisms and those of the program's own formula alike."""
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


def _swap(program: Program, rng: random.Random) -> Change | None:
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


def is_sound(parent: Code, child: Code, context: Context) -> bool:
    """Whether a child keeps the parent's interface, is another program, and has no line grown too long."""
    before, after = find_sites(parent, context.components), find_sites(child, context.components)
    interface = {name: site.arguments for name, site in before.items()}
    longest = max(LINE_LENGTH, *map(len, parent.lines))
    return (
        interface == {name: site.arguments for name, site in after.items()}
        and max(map(len, child.lines)) <= longest
        and canonical_form(parent.text) != canonical_form(child.text)
    )
