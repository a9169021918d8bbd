"""One candidate's way from a population to a source that passed screening, or to the reason why none did.

Screening is what never reaches an evaluation, because it is no program of the domain or a known one.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from functools import lru_cache

from evaluators.contract import ProgramError
from evaluators.records import Candidate, Evaluation, Outcome, Tag
from evaluators.task_domain import TaskDomain
from evolve.errors import EvolveError
from evolve.evaluation.service import engine_error
from evolve.operators.base import Context, Operator, ProposalError
from evolve.search import population as populations
from evolve.search.log import LogView
from evolve.search.ordinal_gate import CutOff
from evolve.search.population import Population
from evolve.source.canonical import canonical_hash
from results.errors import StoreError


class Screen:
    """Judges sources in the order in which they are shown; remembers what passed.

    Args:
        domain: whose interface sources must implement.
    """

    def __init__(self, domain: TaskDomain) -> None:
        self._domain = domain
        self._first: dict[str, int] = {}
        # A model's program is judged when it answers, and once more in the order of ordinals.
        self._tree_hash = lru_cache(maxsize=64)(self._read)

    def judge(self, source: str, *, before: int | None = None) -> tuple[str, Outcome | None]:
        """Return a source's canonical hash ("" when it does not parse), and why it goes no further (None: it does).

        Does not remember it: see `admit`.

        Args:
            source: the program.
            before: compare with candidates of smaller ordinals only; with all that were admitted when None.
        """
        try:
            tree_hash = self._tree_hash(source)
        except ProgramError as error:
            return "", Outcome(Tag.REJECTED, f"{error.message} {error.hint}".strip())
        first = self._first.get(tree_hash)
        if first is not None and (before is None or first < before):
            return tree_hash, Outcome(Tag.DUPLICATE, f"the same program as candidate {first}")
        return tree_hash, None

    def _read(self, source: str) -> str:
        """Return the canonical hash of a program of the domain.

        Raises:
            ProgramError: it is none.
        """
        self._domain.check(source)
        return canonical_hash(source)

    def admit(self, tree_hash: str, ordinal: int) -> None:
        """Remember a program: later ones with the same tree are its duplicates."""
        self._first.setdefault(tree_hash, ordinal)


class SeedOperator(Operator):
    """Proposes the programs that the search starts from, by their ordinals; needs no parent."""

    kind = "seed"
    num_parents = 0

    def __init__(self, sources: Sequence[str]) -> None:
        self._sources = sources

    async def propose(self, parents: Sequence[Candidate], context: Context, rng: random.Random) -> Candidate:
        """Return the program that the ordinal stands for."""
        return context.child(self.kind, parents, self._sources[context.ordinal])


class Proposer:
    """Chooses parents and operator for a candidate, asks, and screens the proposal; tries again a few times.

    Args:
        domain: gives operators their context.
        founders: the first candidates.
        operator: makes children of one parent.
        crossover: makes children of two, for a share of the candidates.
        share: that share.
        attempts: how many proposals a candidate gets.
    """

    def __init__(
        self,
        domain: TaskDomain,
        founders: Sequence[str],
        *,
        operator: Operator,
        crossover: Operator,
        share: float,
        attempts: int,
    ) -> None:
        self.screen = Screen(domain)
        self._context = Context(domain.components, domain.mechanisms, domain.name)
        self._founders, self._seed = len(founders), SeedOperator(founders)
        self._operator = operator
        self._crossover = crossover
        self._share = share
        self._attempts = attempts

    async def draft(
        self,
        ordinal: int,
        population: Population,
        rng: random.Random,
        *,
        log: LogView,
        baselines: Mapping[str, Evaluation],
        turn: AbstractAsyncContextManager[None],
    ) -> tuple[Candidate, str]:
        """Return candidate `ordinal` before its evaluation, and the canonical hash of its source.

        It has an outcome where it is not to be evaluated; else it was admitted to the screen.

        Operators propose whenever they are ready; what they propose is judged in the order of ordinals. One that does
        not wait for anything is asked again within its turn; one that waits has asked `Context.objection` before, which
        knows the candidates of `log` and no later ones, and so says the same on any number of workers.

        Args:
            ordinal: the candidate's number; 0 is the seed.
            population: as it stood when the candidate was to be proposed.
            rng: the candidate's own randomness.
            log: what was told by then.
            baselines: those that were scored by then.
            turn: is entered when all smaller ordinals were judged.

        Raises:
            EvolveError: the machine's or the user's fault, such as a budget that is reached.
            StoreError: likewise, of the database.
            CutOff: the campaign ended before this candidate.
        """
        context = replace(
            self._context,
            ordinal=ordinal,
            log=log,
            baselines=baselines,
            objection=lambda source: self._objection(source, len(log)),
        )
        try:
            members = populations.choose(population, ordinal, 2, rng) if ordinal >= self._founders else []
        except Exception as error:  # noqa: BLE001 - a fault of ours is this candidate's outcome
            async with turn:
                return Candidate(ordinal, self._operator.kind).evaluated(engine_error(error)), ""
        operator, left = self._choose(members, rng), self._attempts
        candidate = await self._propose(operator, members, context, rng)
        while _to_try_again(candidate, operator, left):
            # Two parents that do not cross still have one that can change.
            operator, left = self._operator, left - 1
            candidate = await self._propose(operator, members, context, rng)
        async with turn:
            candidate, tree_hash = self._judged(candidate)
            while _to_try_again(candidate, operator, left):
                left -= 1
                candidate, tree_hash = self._judged(await self._propose(operator, members, context, rng))
                if not candidate.source:
                    operator = self._operator
            if candidate.outcome is None:
                self.screen.admit(tree_hash, ordinal)
        return candidate, tree_hash

    async def _propose(
        self, operator: Operator, members: Sequence[Candidate], context: Context, rng: random.Random
    ) -> Candidate:
        """Return a candidate with a source; with an outcome where the operator makes none, or fails."""
        parents = members[: operator.num_parents]
        try:
            return await operator.propose(parents, context, rng)
        except ProposalError as error:
            outcome = Outcome(Tag.REJECTED, f"{error.message} {error.hint}".strip())
            return replace(context.child(operator.kind, parents), outcome=outcome)
        except (EvolveError, StoreError, CutOff):
            raise
        except Exception as error:  # noqa: BLE001 - a fault of ours is this candidate's outcome
            return context.child(operator.kind, parents).evaluated(engine_error(error))

    def _judged(self, candidate: Candidate) -> tuple[Candidate, str]:
        if candidate.outcome is not None:
            return candidate, ""
        try:
            tree_hash, outcome = self.screen.judge(candidate.source)
        except Exception as error:  # noqa: BLE001 - a fault of ours is this candidate's outcome
            return candidate.evaluated(engine_error(error)), ""
        return replace(candidate, outcome=outcome), tree_hash

    def _objection(self, source: str, before: int) -> str:
        _, outcome = self.screen.judge(source, before=before)
        return "" if outcome is None else outcome.message

    def _choose(self, members: Sequence[Candidate], rng: random.Random) -> Operator:
        if not members:
            return self._seed
        crossed = rng.random() < self._share
        return self._crossover if crossed and len(members) > 1 else self._operator


def _to_try_again(candidate: Candidate, operator: Operator, left: int) -> bool:
    """Return whether another proposal may replace one that goes no further; a fault of ours would only come again."""
    outcome = candidate.outcome
    return outcome is not None and outcome.tag is not Tag.ENGINE_ERROR and left > 1 and not operator.waits
