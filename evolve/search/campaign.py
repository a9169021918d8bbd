"""The campaign's loop: ask -> propose -> screen -> evaluate -> tell, until a budget ends it.

Determinism. Candidate k is proposed from the population as it stood after candidate k - L was told (L: lookahead),
with randomness derived from (seed, k); screening and telling happen in the order of ordinals. So the number of
workers and their timing change the speed of a campaign and nothing else, and a killed one goes on as it would have:
what was told is told again from the database, what was evaluated but not told is taken from there.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evaluators.base import Domain, Evaluation, Outcome, Plan, Tag
from evolve.comparison.baselines import Comparison
from evolve.config import CampaignConfig
from evolve.errors import ConfigError, EvolveError
from evolve.evaluation.service import EvaluationService, working
from evolve.models.errors import BudgetReached
from evolve.operators.base import Operator
from evolve.search.events import Observer, Started, Summary, Told
from evolve.search.history import History
from evolve.search.language_models import Llm
from evolve.search.ordinal_gate import CutOff, Turns
from evolve.search.population import Member
from evolve.search.proposer import Proposer
from evolve.search.stored import PLAN, from_record, to_record
from results import writing
from results.records import CandidateRecord, StoredCandidate
from results.writer import CampaignWriter


@dataclass(frozen=True)
class Setup:
    """What a campaign is made of, resolved and checked.

    Attributes:
        config: the configuration.
        domain: its domain.
        plan: what every candidate runs.
        seed_source: the program that the search starts from.
        baselines: name -> source of the programs that it is compared with.
        operator: makes children of one parent.
        crossover: makes children of two.
        llm: the model behind the operator, if there is one.
    """

    config: CampaignConfig
    domain: Domain
    plan: Plan
    seed_source: str
    baselines: Mapping[str, str]
    operator: Operator
    crossover: Operator
    llm: Llm | None = None


class Campaign:
    """One search in progress. `run` once; `stop` ends it in order."""

    def __init__(
        self,
        setup: Setup,
        writer: CampaignWriter,
        service: EvaluationService,
        observer: Observer,
        isolation: str,
    ) -> None:
        self._setup = setup
        self._config = setup.config
        self._writer = writer
        self._service = service
        self._observe = observer
        self._isolation = isolation
        domain = setup.domain
        self._objective = setup.config.objective or domain.default_objective
        self._proposer = Proposer(
            domain,
            setup.seed_source,
            operator=setup.operator,
            crossover=setup.crossover,
            share=setup.config.crossover,
            attempts=setup.config.attempts,
        )
        self._history = History(self._objective, setup.config.population, writer)
        self._comparison = Comparison(setup.baselines, self._history, writer, service, observer)
        self._pending: Mapping[int, StoredCandidate] = {}
        self._stopping = False
        self._reached: BudgetReached | None = None
        self._deadline = float("inf")

    def stop(self) -> None:
        """Start no more candidates; `run` returns when those in flight are told."""
        self._stopping = True

    async def run(self) -> Summary:
        """Search until a budget is used up.

        Raises:
            EngineFault: the machine cannot evaluate anything.
        """
        self._restore()
        config, best = self._config, self._history.best
        self._observe(
            Started(
                campaign=config.campaign_name,
                domain=config.domain,
                objective=self._objective,
                candidates=config.candidates,
                told=self._history.told,
                best=best.objectives[self._objective] if best else None,
                workers=config.workers,
                isolation=self._isolation,
                games=tuple(dict.fromkeys(i.game for i in self._setup.plan.instances)),
            )
        )
        self._writer.set_status("running")
        if config.time_s is not None:
            self._deadline = time.monotonic() + config.time_s
        # The seed is evaluated beside the baselines; its children are shown how these came out.
        self._compared = asyncio.create_task(self._comparison.score(self._setup.plan))
        try:
            if self._history.told:
                await self._compared
            await self._search()
            await self._compared
            if not self._stopping:
                await self._look()
        except BaseException:
            self._writer.set_status("interrupted")
            raise
        finally:
            self._compared.cancel()
            await asyncio.gather(self._compared, return_exceptions=True)
        status = "interrupted" if self._stopping else "finished"
        self._writer.set_status("interrupted" if self._stopping else "finished")
        best = self._history.best
        return Summary(
            campaign=config.campaign_name,
            status=status,
            best=best.program_id if best else None,
            objectives=best.objectives if best else {},
            candidates=self._history.told,
            outcomes=dict(sorted(self._history.outcomes.items())),
            ended_by=self._reached.budget if self._reached else "",
            reason=self._reached.message if self._reached else "",
        )

    def _restore(self) -> None:
        state = self._writer.load()
        self._history.load_programs()
        self._comparison.restore(state.baselines)
        for stored in state.told:
            self._admit(stored.candidate)
            self._history.tell(stored.candidate, self._stored_evaluation(stored))
        self._pending = state.pending
        first = next(
            (s.candidate for s in (*state.told, *state.pending.values()) if not s.candidate.ordinal), None
        )
        if first is not None and first.program_id != writing.program_id(self._setup.seed_source):
            raise ConfigError(
                f"campaign {self._config.campaign_name!r} started from another program than this one.",
                "Start a new campaign with --name.",
            )

    @staticmethod
    def _stored_evaluation(stored: StoredCandidate) -> Evaluation | None:
        return next((from_record(e) for e in stored.evaluations if e.plan == PLAN), None)

    def _admit(self, candidate: CandidateRecord) -> None:
        if candidate.program_id is not None:
            self._proposer.screen.admit(self._history.hashes[candidate.program_id], candidate.ordinal)

    async def _search(self) -> None:
        self._screening, self._telling = Turns(self._history.told), Turns(self._history.told)
        upcoming = self._history.told
        running: set[asyncio.Task[None]] = set()
        try:
            while True:
                while self._may_start(upcoming):
                    running.add(asyncio.create_task(self._candidate(upcoming), name=str(upcoming)))
                    upcoming += 1
                if not running:
                    return
                done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    error = task.exception()
                    if isinstance(error, BudgetReached):
                        await self._end_at(int(task.get_name()), error)
                failed = [error for task in done if (error := task.exception())]
                for error in failed:
                    # One that is cut off has its answer stored; a raised budget goes on from there.
                    if not isinstance(error, BudgetReached | CutOff):
                        raise error
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    async def _end_at(self, ordinal: int, reached: BudgetReached) -> None:
        """Tell the candidates before this one, and no others; answers that are on their way are still stored."""
        self._reached = reached
        await self._screening.cut_off(ordinal)

    def _may_start(self, ordinal: int) -> bool:
        """Whether a candidate's population is known and a budget is left. The seed must be told before any child."""
        if ordinal in self._pending:
            return ordinal < self._config.candidates and self._reached is None
        ready = self._history.told >= self._asks_at(ordinal)
        return (
            ready
            and ordinal < self._config.candidates
            and not self._stopping
            and self._reached is None
            and time.monotonic() < self._deadline
        )

    def _asks_at(self, ordinal: int) -> int:
        """How many candidates were told in the population that a candidate is proposed from."""
        return max(1, ordinal - self._config.lookahead + 1) if ordinal else 0

    async def _candidate(self, ordinal: int) -> None:
        stored = self._pending.get(ordinal)
        if stored is None or stored.candidate.outcome is None:
            candidate, evaluation = await self._new(ordinal)
        else:
            candidate, evaluation = stored.candidate, self._stored_evaluation(stored)
            async with self._screening.take(ordinal):
                self._admit(candidate)
        if ordinal == 0:
            await self._compared
            self._check_seed(candidate)
        async with self._telling.take(ordinal):
            self._writer.tell(ordinal)
            improved = self._history.tell(candidate, evaluation)
            self._observe(
                Told(
                    ordinal=ordinal,
                    program_id=candidate.program_id,
                    operator=candidate.operator,
                    outcome=Outcome(Tag(candidate.outcome or Tag.INFRASTRUCTURE), candidate.message),
                    objectives=evaluation.objectives if evaluation else {},
                    improved=improved,
                    note=candidate.note,
                )
            )

    @staticmethod
    def _check_seed(candidate: CandidateRecord) -> None:
        if candidate.outcome != Tag.OK:
            raise EvolveError(
                f"the seed program ended as {candidate.outcome}: {candidate.message}.",
                "A search starts from a program that works: see `evolve evaluate`.",
            )

    async def _new(self, ordinal: int) -> tuple[CandidateRecord, Evaluation | None]:
        """Propose, screen, evaluate and store a candidate."""
        rng = random.Random(f"{self._config.seed}:{ordinal}")
        asked_at = self._asks_at(ordinal)
        draft = await self._proposer.draft(
            ordinal,
            self._history.population(asked_at),
            self._history.sources,
            rng,
            record=self._history.record(asked_at, self._comparison.evaluations),
            turn=self._screening.take(ordinal),
        )
        evaluation = None
        if draft.stopped is None and draft.proposal is not None:
            evaluation = await self._evaluate(draft.proposal.source, draft.parents)
        outcome = evaluation.outcome if evaluation else draft.stopped
        assert outcome is not None
        with self._writer.transaction():
            program_id = (
                self._history.add(draft.proposal.source, "", draft.tree_hash) if draft.proposal else None
            )
            candidate = CandidateRecord(
                ordinal=ordinal,
                operator=draft.operator,
                program_id=program_id,
                parents=tuple(m.program_id for m in draft.parents),
                note="; ".join(draft.proposal.notes) if draft.proposal else "",
                island=ordinal % self._config.population.islands,
                outcome=outcome.tag.value,
                message=outcome.message,
            )
            self._writer.record_candidate(candidate)
            if evaluation and program_id:
                self._writer.record_evaluation(
                    to_record(evaluation, program_id=program_id, ordinal=ordinal, plan=PLAN)
                )
        return candidate, evaluation

    async def _evaluate(self, source: str, parents: Sequence[Member]) -> Evaluation:
        floors = {}
        if parents:
            for stage in self._setup.plan.stages:
                mean = parents[0].objectives.get(f"stage/{stage.name}")
                if stage.margin is not None and mean is not None:
                    floors[stage.name] = mean - stage.margin
        return working(await self._service.evaluate(source, self._setup.plan, floors))

    async def _look(self) -> None:
        """Look at the domain's held-out games that the search did not train on, with the best program."""
        best, domain = self._history.best, self._setup.domain
        trained = {instance.game for instance in self._setup.plan.instances}
        games = [game for game in domain.holdout if game not in trained]
        if best is not None and games:
            plan = domain.plan(games, tiers=("exact",), iterations=self._config.iterations)
            await self._comparison.look(best.program_id, plan)
