"""The built-in operator: typed mutations of a program's syntax tree, no model needed.

A child differs from its parent by one edit or a few. An edit inserts a mechanism of the domain, removes one,
draws its constants anew, perturbs one constant anywhere, or replaces an operator or function by a near one.
Edits are made on the text at the tree's positions, so comments and formatting survive, and work on any
program of the domain, also one that a model wrote. Code inside recognised mechanism blocks changes in its
constants only, within the mechanism's ranges: what the block's header says stays true.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evaluators.contract import ProgramError
from evaluators.records import Candidate
from evolve.operators.base import Context, ProposalError
from evolve.operators.describe import describe
from evolve.operators.mutations import MUTATIONS, Change, ReadProgram
from evolve.source.canonical import canonical_hash
from evolve.source.code import LINE_LENGTH, Code, parsed
from evolve.source.sites import find_sites


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


class SymbolicOperator:
    """Mutates the first parent (see the module's docstring).

    Args:
        mix: how often each kind of edit is made.
        attempts: children tried before falling back on a single perturbed constant.
    """

    kind = "symbolic"
    num_parents = 1
    waits = False

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
        code, notes = parent, list[str]()
        for _ in range(self._num_edits(rng)):
            change = self._edit(ReadProgram.read(code, context), rng, weights)
            if change is None:
                break
            altered = {change.component} if change.altered else ()
            code = describe(change.code, context, changed={change.component}, altered=altered)
            notes.append(change.note)
        return code, notes

    def _num_edits(self, rng: random.Random) -> int:
        number = 1
        while number < self.mix.max_edits and rng.random() < self.mix.further:
            number += 1
        return number

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
