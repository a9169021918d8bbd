"""A campaign's baselines on its own plan."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from evaluators.contract import Plan
from evaluators.records import Evaluation
from evolve.evaluation.service import EvaluationService
from evolve.search.events import BaselineScored, Observer
from evolve.source.canonical import canonical_hash
from results.records import StoredEvaluation
from results.writer import CampaignWriter


class Baselines:
    """The programs that a campaign is compared with: each is evaluated once, however often the campaign continues.

    Attributes:
        programs: program id -> source, of those that are scored.
    """

    def __init__(
        self,
        sources: Mapping[str, str],
        writer: CampaignWriter,
        service: EvaluationService,
        observe: Observer,
    ) -> None:
        """`sources`: name -> source."""
        self._sources, self._writer, self._service, self._observe = sources, writer, service, observe
        self._known: dict[str, Evaluation] = {}
        self._ids: dict[str, str] = {}
        self.programs: dict[str, str] = {}

    @property
    def evaluations(self) -> dict[str, Evaluation]:
        """Name -> evaluation, of those that are scored."""
        return {name: self._known[program_id] for name, program_id in self._ids.items()}

    def restore(self, stored: Sequence[StoredEvaluation]) -> None:
        """Remember what was scored before."""
        for one in stored:
            self._known[one.program_id] = one.evaluation

    async def score(self, plan: Plan, name: str) -> None:
        """Evaluate every baseline that is not scored yet; `name` is the plan's in the database.

        Raises:
            EngineFault: the machine cannot evaluate anything.
        """
        await asyncio.gather(
            *(self._score(seed, source, plan, name) for seed, source in self._sources.items())
        )

    async def _score(self, seed: str, source: str, plan: Plan, name: str) -> None:
        program_id = self._writer.add_program(source, tree_hash=canonical_hash(source), name=seed)
        remembered = program_id in self._known
        if not remembered:
            evaluation = await self._service.evaluate(source, plan)
            self._writer.record_evaluation(evaluation, program_id=program_id, ordinal=None, plan=name)
            self._known[program_id] = evaluation
        self._ids[seed], self.programs[program_id] = program_id, source
        self._observe(BaselineScored(seed, program_id, self._known[program_id], remembered))
