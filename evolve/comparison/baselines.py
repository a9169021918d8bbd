"""What a campaign is compared with: the baselines on its own plan, and looks at games that the search did not see."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from evaluators.base import Evaluation, Instance, Plan
from evolve.evaluation.service import EvaluationService, working
from evolve.search.events import BaselineScored, Looked, Observer
from evolve.search.history import History
from evolve.search.stored import PLAN, from_record, to_record
from results.records import EvaluationRecord
from results.writer import CampaignWriter

END_OF_CAMPAIGN = "end of campaign"


class Comparison:
    """Baselines of a campaign: each is evaluated once, whatever happens to the campaign in between."""

    def __init__(
        self,
        baselines: Mapping[str, str],
        history: History,
        writer: CampaignWriter,
        service: EvaluationService,
        observe: Observer,
    ) -> None:
        """`baselines`: name -> source."""
        self._sources, self._history, self._writer = baselines, history, writer
        self._service, self._observe = service, observe
        self._known: dict[str, Evaluation] = {}
        self._ids: dict[str, str] = {}

    @property
    def evaluations(self) -> dict[str, Evaluation]:
        """Name -> evaluation, of those that are scored."""
        return {name: self._known[program_id] for name, program_id in self._ids.items()}

    def restore(self, records: Sequence[EvaluationRecord]) -> None:
        """Remember what was scored before."""
        for record in records:
            self._known[record.program_id] = from_record(record)

    async def score(self, plan: Plan) -> None:
        """Evaluate every baseline that is not scored yet.

        Raises:
            EngineFault: the machine cannot evaluate anything.
        """

        async def one(name: str, source: str) -> None:
            program_id = self._history.add(source, name)
            remembered = program_id in self._known
            if not remembered:
                evaluation = working(await self._service.evaluate(source, plan))
                self._writer.record_evaluation(
                    to_record(evaluation, program_id=program_id, ordinal=None, plan=PLAN)
                )
                self._known[program_id] = evaluation
            self._ids[name] = program_id
            self._observe(BaselineScored(name, program_id, self._known[program_id], remembered))

        await asyncio.gather(*(one(name, source) for name, source in self._sources.items()))

    async def look(self, best: str, plan: Plan) -> None:
        """Run the best program and every baseline on games that the search did not see; each run is a recorded look.

        A program that was looked at before, by an earlier run of this campaign, is not run again.

        Raises:
            EngineFault: the machine cannot evaluate anything.
        """
        seen = {(look.program_id, look.game, look.iterations) for look in self._writer.looks()}
        running = {
            program_id: asyncio.create_task(self._service.evaluate(self._history.sources[program_id], plan))
            for program_id in dict.fromkeys([best, *self._ids.values()])
            if not all((program_id, i.game, i.iterations) in seen for i in plan.instances)
        }
        try:
            for program_id, task in running.items():
                evaluation = working(await task)
                self._record(program_id, plan.instances, evaluation)
                self._observe(Looked(program_id, evaluation, len(self._writer.looks())))
        finally:
            for task in running.values():
                task.cancel()
            await asyncio.gather(*running.values(), return_exceptions=True)

    def _record(self, program_id: str, instances: Sequence[Instance], evaluation: Evaluation) -> None:
        came = {result.instance: result.exploitability for result in evaluation.results}
        with self._writer.transaction():
            for instance in instances:
                self._writer.record_promotion(
                    program_id,
                    game=instance.game,
                    iterations=instance.iterations,
                    exploitability=came.get(instance),
                    purpose=END_OF_CAMPAIGN,
                )
