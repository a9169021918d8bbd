"""One candidate's way from a population to a source that passed screening, or to the reason why none did."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace

from evaluators.base import Domain, Outcome, Tag
from evolve.operators.base import Context, Operator, Parent, Proposal, ProposalError
from evolve.search import population as populations
from evolve.search.population import Member, Population
from evolve.search.record import Record
from evolve.search.screening import Screen


class SeedOperator:
    """Proposes the program that the search starts from; needs no parent."""

    kind = "seed"
    num_parents = 0
    waits = False

    def __init__(self, source: str) -> None:
        self._source = source

    async def propose(self, parents: Sequence[Parent], context: Context, rng: random.Random) -> Proposal:
        """The seed."""
        return Proposal(self._source, self.kind)


@dataclass(frozen=True)
class Draft:
    """What became of a candidate before its evaluation.

    Attributes:
        operator: kind of the operator that was asked last.
        parents: members that it was given.
        proposal: what it returned, None when it found nothing.
        tree_hash: canonical hash of the proposal, "" when it does not parse.
        stopped: why it is not evaluated; None when it is.
    """

    operator: str
    parents: tuple[Member, ...]
    proposal: Proposal | None
    tree_hash: str
    stopped: Outcome | None


class Proposer:
    """Chooses parents and operator for a candidate, asks, and screens what comes; tries again a few times.

    Args:
        domain: gives operators their context.
        seed_source: the first candidate.
        operator: makes children of one parent.
        crossover: makes children of two, for a share of the candidates.
        share: that share.
        attempts: how many proposals a candidate gets.
    """

    def __init__(
        self,
        domain: Domain,
        seed_source: str,
        *,
        operator: Operator,
        crossover: Operator,
        share: float,
        attempts: int,
    ) -> None:
        self.screen = Screen(domain)
        self._context = Context(domain.components, domain.mechanisms, domain.name)
        self._seed = SeedOperator(seed_source)
        self._operator = operator
        self._crossover = crossover
        self._share = share
        self._attempts = attempts

    async def draft(
        self,
        ordinal: int,
        population: Population,
        sources: Mapping[str, str],
        rng: random.Random,
        *,
        record: Record,
        turn: AbstractAsyncContextManager[None],
    ) -> Draft:
        """A draft for candidate `ordinal`, admitted to the screen when it passed.

        Operators propose whenever they are ready; what they propose is judged in turn. One that does not wait for
        anything is asked again within the turn; one that waits has asked `Context.objection` before, which knows the
        candidates of `record` and no later ones, and so says the same on any number of workers.

        Args:
            ordinal: the candidate's number; 0 is the seed.
            population: as it stood when the candidate's turn to ask came.
            sources: program id -> source of every member.
            rng: the candidate's own randomness.
            record: what was told by then.
            turn: comes when all smaller ordinals were judged.
        """
        members = populations.choose(population, ordinal, 2, rng) if ordinal else []
        context = replace(
            self._context,
            ordinal=ordinal,
            record=record,
            objection=lambda source: self._objection(source, len(record.tried)),
        )

        async def propose(operator: Operator) -> Draft:
            chosen = tuple(members[: operator.num_parents])
            parents = [Parent(m.program_id, sources[m.program_id], m.objectives) for m in chosen]
            try:
                proposal = await operator.propose(parents, context, rng)
            except ProposalError as error:
                outcome = Outcome(Tag.REJECTED, f"{error.message} {error.hint}".strip())
                return Draft(operator.kind, chosen, None, "", outcome)
            return Draft(operator.kind, chosen, proposal, "", None)

        operator, left = self._choose(members, rng), self._attempts
        draft = await propose(operator)
        while draft.proposal is None and left > 1 and not operator.waits:
            # Two parents that do not cross still have one that can change.
            operator, left = self._operator, left - 1
            draft = await propose(operator)
        async with turn:
            draft = self._judged(draft)
            while draft.stopped is not None and left > 1 and not operator.waits:
                left -= 1
                draft = self._judged(await propose(operator))
                if draft.proposal is None:
                    operator = self._operator
            if draft.stopped is None:
                self.screen.admit(draft.tree_hash, ordinal)
        return draft

    def _judged(self, draft: Draft) -> Draft:
        if draft.proposal is None:
            return draft
        judged = self.screen.judge(draft.proposal.source)
        return replace(draft, tree_hash=judged.tree_hash, stopped=judged.stopped)

    def _objection(self, source: str, before: int) -> str:
        stopped = self.screen.judge(source, before=before).stopped
        return "" if stopped is None else stopped.message

    def _choose(self, members: Sequence[Member], rng: random.Random) -> Operator:
        if not members:
            return self._seed
        crossed = rng.random() < self._share
        return self._crossover if crossed and len(members) > 1 else self._operator
