"""The built-in operator: typed mutations of a program's syntax tree, no model needed.

A child differs from its parent by one edit or a few. An edit inserts a mechanism of the domain, removes one,
draws its constants anew, perturbs one constant anywhere, or replaces an operator or function by a near one.
Edits are made on the text at the tree's positions, so comments and formatting survive, and work on any
program of the domain, also one that a model wrote. Code inside recognised mechanism blocks changes in its
constants only, within the mechanism's ranges: what the block's header says stays true.
"""

from __future__ import annotations

import ast
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from evaluators.contract import ProgramError
from evaluators.records import Candidate
from evolve.operators import blocks
from evolve.operators.base import Context, Operator, ProposalError
from evolve.operators.blocks import Block
from evolve.operators.describe import MODULE, describe
from evolve.operators.formula import find_alternatives, find_literals, literal_value, perturb_literal
from evolve.source.canonical import canonical_hash
from evolve.source.code import LINE_LENGTH, Code, parsed
from evolve.source.sites import find_sites


@dataclass(frozen=True)
class Change:
    """A program after one edit: in which component, whether outside blocks, and a note of it."""

    code: Code
    component: str
    altered: bool
    note: str


class ReadProgram:
    """A program with its components' sites and the mechanisms in them.

    Args:
        code: the program.
        context: the domain's components and mechanisms.
    """

    def __init__(self, code: Code, context: Context) -> None:
        self.code, self.context, self.sites = code, context, find_sites(code, context.components)
        self.blocks = {
            name: blocks.find_blocks(code, site, context.mechanisms) for name, site in self.sites.items()
        }

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
    values = {p.name: blocks.draw(p, rng) for p in mechanism.parameters}
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
    values = {p.name: blocks.draw(p, rng) for p in block.mechanism.parameters}
    code = blocks.reparameterise(program.code, block, values)
    name = block.site.component.name
    return Change(code, name, False, f"redraw {block.mechanism.name} in {name}{_listed(values)}")


def perturb(program: ReadProgram, rng: random.Random) -> Change | None:
    """Perturb one constant: those of mechanisms and of the program's own formula are equally likely."""
    hidden = program.hidden()
    own = [
        (name, literal)
        for name, roots in program.own_code().items()
        for literal in find_literals(roots, hidden)
    ]
    inner = [(block, parameter) for block in program.all_blocks for parameter in block.mechanism.parameters]
    if not own and not inner:
        return None
    index = rng.randrange(len(own) + len(inner))
    if index < len(own):
        name, literal = own[index]
        edit, note = perturb_literal(program.code, literal, rng)
        return Change(program.code.edited([edit]), name, True, f"perturb {note} in {name or 'the module'}")
    block, parameter = inner[index - len(own)]
    old = literal_value(block.literals[parameter.name][0])
    assert old is not None
    steps = (blocks.step(parameter, old, parameter.spread / 2, rng) for _ in range(10))
    new = next((value for value in steps if value != old), parameter.default)
    code = blocks.reparameterise(program.code, block, {parameter.name: new})
    note = f"perturb {parameter.name} of {block.mechanism.name}: {old} -> {new}"
    return Change(code, block.site.component.name, False, note)


def swap(program: ReadProgram, rng: random.Random) -> Change | None:
    """Replace an operator or a function of the program's own formula by a near one."""
    hidden = program.hidden()
    replaceable = [
        (name, near)
        for name, roots in program.own_code().items()
        for near in find_alternatives(program.code, roots, hidden)
    ]
    if not replaceable:
        return None
    name, near = rng.choice(replaceable)
    edit, note = rng.choice(near)
    return Change(program.code.edited([edit]), name, True, f"replace {note} in {name or 'the module'}")


MUTATIONS: dict[str, Callable[[ReadProgram, random.Random], Change | None]] = {
    "insert": insert,
    "remove": remove,
    "reparameterise": reparameterise,
    "perturb": perturb,
    "swap": swap,
}
"""All mutations, by the names that `Mix` weighs them under; one that has nothing to do returns None."""


def _listed(values: dict[str, float]) -> str:
    return f" ({', '.join(f'{name}={value}' for name, value in values.items())})" if values else ""


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


class SymbolicOperator(Operator):
    """Mutates the first parent (see the module's docstring).

    Args:
        mix: how often each kind of edit is made.
        attempts: children tried before falling back on a single perturbed constant.
    """

    kind = "symbolic"

    def __init__(self, mix: Mix | None = None, *, attempts: int = 20) -> None:
        self.mix = mix or Mix()
        self.attempts = attempts

    async def propose(self, parents: Sequence[Candidate], context: Context, rng: random.Random) -> Candidate:
        """Return a mutated copy of the first parent.

        Raises:
            ProposalError: if the parent does not parse or has nothing that could be changed.
        """
        try:
            parent = parsed(parents[0].source)
        except ProgramError as error:
            raise ProposalError(f"symbolic: expected a parent that parses; got {error}.") from error
        for attempt in range(self.attempts):
            last = attempt == self.attempts - 1
            weights = {"perturb": 1.0} if last else {name: getattr(self.mix, name) for name in MUTATIONS}
            try:
                child, notes = self._chain(parent, context, rng, weights)
                if notes and is_sound(parent, child, context):
                    return context.child(self.kind, parents, child.text, "; ".join(notes))
            except ProgramError:  # a layout that edits by line or position do not suit
                continue
        raise ProposalError(
            "symbolic: the parent has nothing to change: no mechanism fits and no constant may move.",
            "Choose another operator for programs of this form.",
        )

    def _chain(
        self, parent: Code, context: Context, rng: random.Random, weights: Mapping[str, float]
    ) -> tuple[Code, list[str]]:
        """Return the parent after one edit or a few, and a note of each; none where there is nothing to do."""
        code, notes, number = parent, list[str](), 1
        while number < self.mix.max_edits and rng.random() < self.mix.further:
            number += 1
        for _ in range(number):
            change = self._edit(ReadProgram(code, context), rng, weights)
            if change is None:
                break
            altered = {change.component} if change.altered else ()
            code = describe(change.code, context, changed={change.component}, altered=altered)
            notes.append(change.note)
        return code, notes

    def _edit(self, program: ReadProgram, rng: random.Random, weights: Mapping[str, float]) -> Change | None:
        """Return one edit of a kind drawn by weight; a kind that finds nothing to do is not drawn again."""
        full = len(program.all_blocks) >= self.mix.max_blocks
        left = {
            name: weight for name, weight in weights.items() if weight and not (full and name == "insert")
        }
        while left:
            name = rng.choices(list(left), list(left.values()))[0]
            change = MUTATIONS[name](program, rng)
            if change is not None:
                return change
            del left[name]
        return None


def is_sound(parent: Code, child: Code, context: Context) -> bool:
    """Return whether a child keeps the parent's interface, is another program, and has no line grown too long."""
    before, after = find_sites(parent, context.components), find_sites(child, context.components)
    interface = {name: site.arguments for name, site in before.items()}
    longest = max(LINE_LENGTH, *map(len, parent.lines))
    return (
        interface == {name: site.arguments for name, site in after.items()}
        and max(map(len, child.lines)) <= longest
        and canonical_hash(parent.text) != canonical_hash(child.text)
    )
