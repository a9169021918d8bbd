"""The campaign's loop: ask -> propose -> screen -> evaluate -> tell, until a budget ends it.

Determinism. Candidate k is proposed from the population as it stood after candidate k - L was told (L: lookahead),
with randomness derived from (seed, k); screening and telling happen in the order of ordinals, and a refinement that is
begun when candidate k was told is told right before candidate k + L. So the number of workers and their timing change
the speed of a campaign and nothing else, and a killed one goes on as it would have: what was told is told again from
the database, what was evaluated but not told is taken from there.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from evaluators.contract import InputError, Plan
from evaluators.records import Candidate, Evaluation, Provenance, Tag
from evaluators.task_domain import TaskDomain
from evolve.comparison.held_out import evaluate_held_out
from evolve.config import CampaignConfig
from evolve.errors import ConfigError, EngineFault, EvolveError
from evolve.evaluation.service import EvaluationService, engine_error
from evolve.models.base import BudgetReached
from evolve.operators.base import Operator
from evolve.search.baselines import Baselines
from evolve.search.blocks import block, fresh_block
from evolve.search.events import Comparing, HeldOut, NewBest, Observer, Refined, Started, Summary, Told
from evolve.search.history import History
from evolve.search.language_models import Llm
from evolve.search.ordinal_gate import CutOff, OrdinalGate
from evolve.search.proposer import Proposer
from evolve.source.canonical import canonical_hash
from results.errors import StoreError
from results.loading import BEST
from results.records import Status, StoredCandidate
from results.writer import CampaignWriter, program_id

PLAN = "search"
"""Name under which the evaluations that selection reads are stored."""

REFINEMENT = "refinement-{}"
"""Name under which evaluations of a member on further seeds are stored, by their number."""

END_OF_CAMPAIGN = "end of campaign"


@dataclass(frozen=True)
class Setup:
    """What a campaign is made of, resolved and checked.

    Attributes:
        config: the configuration.
        domain: its domain.
        plan: what every candidate runs, the campaign's block 0.
        founders: the programs that the search starts from.
        baselines: name -> source of the programs that it is compared with.
        operator: makes children of one parent.
        crossover: makes children of two.
        demanded: what the campaign, and with it its programs, demand of the sandbox.
        llm: the model behind the operator, if there is one.
    """

    config: CampaignConfig
    domain: TaskDomain
    plan: Plan
    founders: tuple[str, ...]
    baselines: Mapping[str, str]
    operator: Operator
    crossover: Operator
    demanded: Provenance
    llm: Llm | None = None

    @property
    def objective(self) -> str:
        """Name of the score that decides "better"."""
        return self.config.objective or self.domain.objective


class Campaign:
    """One search in progress. `run` once; `stop` ends it in order."""

    def __init__(
        self, setup: Setup, writer: CampaignWriter, service: EvaluationService, observer: Observer
    ) -> None:
        config = setup.config
        self._setup = setup
        self._config = config
        self._writer = writer
        self._service = service
        self._observe = observer
        self._proposer = Proposer(
            setup.domain,
            setup.founders,
            operator=setup.operator,
            crossover=setup.crossover,
            share=config.crossover,
            attempts=config.attempts,
        )
        refinements = setup.domain.refinements if config.refinements is None else config.refinements
        if refinements and not block(setup.domain, config, 1).tasks:
            refinements = 0
        self._history = History(setup.domain, setup.objective, config.population, refinements)
        self._baselines = Baselines(setup.baselines, writer, service, observer)
        self._pending: dict[int, StoredCandidate] = {}
        self._stored: dict[tuple[int, str], Evaluation] = {}
        """(ordinal, plan) -> evaluation, of refinements that an earlier run made."""
        self._refining: dict[int, tuple[int, asyncio.Future[Evaluation]]] = {}
        """Ordinal that it is told before -> ordinal of the member that is refined, and the evaluation."""
        self._engine_errors = 0
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
                domain=self._setup.domain.name,
                metric=self._setup.domain.metric,
                objective=self._setup.objective,
                candidates=config.candidates,
                told=self._history.told,
                best=best.scores[self._setup.objective] if best else None,
                workers=config.workers,
                isolation=self._service.level,
                tasks=self._setup.plan.groups,
            )
        )
        self._writer.set_status("running")
        if best is not None and best.ordinal != self._announced:
            self._announce()
        if config.time_s is not None:
            self._deadline = time.monotonic() + config.time_s
        # The seed is evaluated beside the baselines; its children are shown what these achieved.
        self._compared = asyncio.create_task(self._baselines.score(self._setup.plan, PLAN))
        try:
            if self._history.told:
                await self._compared
            await self._search()
            await self._compared
            if not self._stopping:
                await self._evaluate_held_out()
        except BaseException:
            self._writer.set_status("interrupted")
            raise
        finally:
            self._compared.cancel()
            await asyncio.gather(self._compared, return_exceptions=True)
        status: Status = "interrupted" if self._stopping else "finished"
        self._writer.set_status(status)
        best = self._history.best
        return Summary(
            campaign=config.campaign_name,
            status=status,
            best=best.program_id if best else None,
            scores=best.scores if best else {},
            candidates=self._history.told,
            outcomes=dict(sorted(self._history.outcomes.items())),
            ended_by=self._reached.budget if self._reached else "",
            reason=self._reached.message if self._reached else "",
        )

    def _restore(self) -> None:
        """Tell again what an earlier run told."""
        state = self._writer.load()
        self._announced = state.best
        self._baselines.restore(state.baselines)
        for stored in (*state.told, *state.pending.values()):
            for one in stored.evaluations:
                if one.plan != PLAN:
                    self._stored[stored.candidate.ordinal, one.plan] = one.evaluation
        self._programs = self._writer.load_programs()
        self._pending = dict(state.pending)
        known: dict[int, Candidate] = {}
        for stored in state.told:
            candidate = self._from_store(stored)
            self._admit(candidate)
            member, _ = self._add_refinement(candidate.ordinal)
            if member is not None:
                known[member.ordinal] = member
            self._history.tell(candidate)
            known[candidate.ordinal] = candidate
            self._begin_refinement(candidate.ordinal)
        self._take_back(state.told, known)
        known_ids = {
            s.candidate.ordinal: s.candidate.program_id for s in (*state.told, *state.pending.values())
        }
        founders = enumerate(map(program_id, self._setup.founders))
        if any(known_ids.get(ordinal, key) != key for ordinal, key in founders):
            raise ConfigError(
                f"campaign {self._config.campaign_name!r} started from another program than this one.",
                "Start a new campaign with --name.",
            )

    def _take_back(self, told: Sequence[StoredCandidate], known: Mapping[int, Candidate]) -> None:
        """Store again what is known of candidates by now: an earlier run's end told refinements before their time."""
        refined = {ordinal for ordinal, _ in self._stored}
        for stored in told:
            candidate = known[stored.candidate.ordinal]
            if candidate.ordinal in refined and candidate.ok:
                self._writer.replace_scores(candidate.ordinal, PLAN, candidate.scores)

    def _from_store(self, stored: StoredCandidate) -> Candidate:
        """Return a stored candidate with its evaluation, as it was when it was told first."""
        evaluation = next((one.evaluation for one in stored.evaluations if one.plan == PLAN), None)
        refined = any(ordinal == stored.candidate.ordinal for ordinal, _ in self._stored)
        if refined and evaluation is not None and evaluation.outcome.ok:
            evaluation = replace(evaluation, scores=self._setup.domain.scores(evaluation.results))
        program = self._programs.get(stored.candidate.program_id or "")
        return replace(stored.candidate, evaluation=evaluation, source=program.source if program else "")

    def _admit(self, candidate: Candidate) -> None:
        if candidate.program_id is not None:
            self._proposer.screen.admit(self._programs[candidate.program_id].tree_hash, candidate.ordinal)

    async def _search(self) -> None:
        self._screening, self._telling = OrdinalGate(self._history.told), OrdinalGate(self._history.told)
        upcoming = self._history.told
        running: set[asyncio.Task[None]] = set()
        try:
            while True:
                while self._may_start(upcoming):
                    running.add(asyncio.create_task(self._candidate(upcoming), name=str(upcoming)))
                    upcoming += 1
                if not running:
                    break
                done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                failed = {task: fault for task in done if (fault := task.exception())}
                for task, fault in failed.items():
                    if isinstance(fault, BudgetReached):
                        # Candidates before this one are told, and no others; answers on their way are still stored.
                        self._reached = fault
                        await self._screening.cut_off(int(task.get_name()))
                for fault in failed.values():
                    # One that is cut off has its answer stored; a raised budget goes on from there.
                    if not isinstance(fault, BudgetReached | CutOff):
                        raise fault
            for ordinal in sorted(self._refining):
                await self._tell_refinement(ordinal)
        finally:
            futures: list[asyncio.Future[Any]] = [
                *running,
                *(future for _, future in self._refining.values()),
            ]
            for future in futures:
                future.cancel()
            await asyncio.gather(*futures, return_exceptions=True)

    def _may_start(self, ordinal: int) -> bool:
        """Whether a candidate's population is known and a budget is left. Founders are told before any child."""
        if ordinal in self._pending:
            return ordinal < self._config.candidates and self._reached is None
        return (
            self._history.told >= self._asks_at(ordinal)
            and ordinal < self._config.candidates
            and not self._stopping
            and self._reached is None
            and time.monotonic() < self._deadline
        )

    def _asks_at(self, ordinal: int) -> int:
        """How many candidates were told in the population that a candidate is proposed from; founders need none."""
        founders = len(self._setup.founders)
        return 0 if ordinal < founders else max(founders, ordinal - self._config.lookahead + 1)

    async def _candidate(self, ordinal: int) -> None:
        stored = self._pending.get(ordinal)
        if stored is None or stored.candidate.outcome is None:
            candidate = await self._new(ordinal)
        else:
            candidate = self._from_store(stored)
            async with self._screening.take(ordinal):
                self._admit(candidate)
        if ordinal < len(self._setup.founders):
            await self._compared
            self._check_founder(candidate)
        async with self._telling.take(ordinal):
            await self._tell_refinement(ordinal)
            self._tell(candidate)
            if self._history.refinements:
                self._begin_refinement(ordinal)

    @staticmethod
    def _check_founder(candidate: Candidate) -> None:
        if not candidate.ok:
            raise EvolveError(
                f"the seed program ended as {candidate.ending.tag}: {candidate.ending.message}.",
                "A search starts from a program that works: see `evolve evaluate`.",
            )

    async def _new(self, ordinal: int) -> Candidate:
        """Propose, screen, evaluate and store a candidate."""
        asked_at = self._asks_at(ordinal)
        population, log = self._history.population(asked_at), self._history.log(asked_at)
        candidate, tree_hash = await self._proposer.draft(
            ordinal,
            population,
            random.Random(f"{self._config.seed}:{ordinal}"),
            log=log,
            baselines=self._baselines.evaluations,
            turn=self._screening.take(ordinal),
        )
        candidate = replace(candidate, island=ordinal % len(population.islands))
        try:
            if candidate.outcome is None:
                parent = log.scored(candidate.parents[0]) if candidate.parents else None
                against = parent.evaluation.stages if parent and parent.evaluation else None
                against = against if self._config.race else None
                evaluation = await self._service.evaluate(candidate.source, self._setup.plan, against)
                candidate = candidate.evaluated(evaluation)
            return self._store(candidate, tree_hash)
        except (EvolveError, InputError, StoreError):
            raise
        except Exception as error:  # noqa: BLE001 - a fault of ours is this candidate's outcome
            return self._store(replace(candidate, source="").evaluated(engine_error(error)), "")

    def _store(self, candidate: Candidate, tree_hash: str) -> Candidate:
        """Store a candidate with its program and evaluation, and return it with the program's id."""
        founder = candidate.ordinal < len(self._setup.founders)
        provenance = None if founder else self._setup.demanded
        if candidate.source or candidate.evaluation is None:
            return self._writer.record(candidate, PLAN, tree_hash=tree_hash, provenance=provenance)
        # An evaluation belongs to a program, and the engine failed before there was one.
        with self._writer.transaction():
            self._record_fault(candidate.ordinal, candidate.evaluation)
            return self._writer.record(candidate, PLAN)

    def _record_fault(self, ordinal: int, evaluation: Evaluation) -> None:
        """Store the traceback of a fault of ours that no evaluation in the database has."""
        self._writer.add_event(Tag.ENGINE_ERROR, {"ordinal": ordinal, "log": evaluation.log})

    def _tell(self, candidate: Candidate) -> None:
        """Tell a candidate to the population; where that fails, by a fault of ours, tell that it failed."""
        try:
            another_best = self._history.tell(candidate)
        except Exception as error:  # noqa: BLE001 - a fault of ours is this candidate's outcome
            evaluation = engine_error(error)
            candidate = candidate.evaluated(evaluation)
            with self._writer.transaction():
                self._writer.record_candidate(candidate)
                self._record_fault(candidate.ordinal, evaluation)
            another_best = self._history.tell(candidate)
        self._writer.tell(candidate.ordinal)
        self._observe(Told(candidate))
        if another_best:
            self._announce()
        self._engine_errors = self._engine_errors + 1 if candidate.ending.tag is Tag.ENGINE_ERROR else 0
        if self._engine_errors >= self._config.max_engine_errors:
            raise EngineFault(
                f"{self._engine_errors} candidates in a row ended by a fault of the engine, the last one:"
                f" {candidate.ending.message}",
                f"`evolve results show {self._config.campaign_name}:{candidate.ordinal}` has the traceback.",
            )

    def _begin_refinement(self, ordinal: int) -> None:
        """Start to evaluate the leader of a candidate's island on further seeds, where it is due for that."""
        due = self._history.next_refinement(ordinal)
        if due is None:
            return
        member, number = due
        stored = self._stored.get((member.ordinal, REFINEMENT.format(number)))
        evaluation: asyncio.Future[Evaluation]
        if stored is None:
            evaluation = asyncio.create_task(self._refined(member, number))
        else:
            evaluation = asyncio.get_running_loop().create_future()
            evaluation.set_result(stored)
        self._refining[ordinal + self._config.lookahead] = (member.ordinal, evaluation)

    async def _refined(self, member: Candidate, number: int) -> Evaluation:
        try:
            plan = block(self._setup.domain, self._config, number)
            evaluation = await self._service.evaluate(member.source, plan)
        except EvolveError:
            raise
        except Exception as error:  # noqa: BLE001 - a fault of the domain, which this member cannot help
            evaluation = engine_error(error)
        assert member.program_id is not None
        self._writer.record_evaluation(
            evaluation, program_id=member.program_id, ordinal=member.ordinal, plan=REFINEMENT.format(number)
        )
        return evaluation

    async def _tell_refinement(self, ordinal: int) -> None:
        """Tell the refinement that is due before a candidate, if there is one."""
        if ordinal not in self._refining:
            return
        await self._refining[ordinal][1]
        refined, another_best = self._add_refinement(ordinal)
        if refined is not None:
            if refined.ok:
                self._writer.replace_scores(refined.ordinal, PLAN, refined.scores)
            self._observe(Refined(refined))
        if another_best:
            self._announce()

    def _announce(self) -> None:
        """Say, and store, which program is the best as far as it is known now: later it may turn out to be another."""
        best = self._history.best
        assert best is not None
        score = best.scores[self._setup.objective]
        known = {"ordinal": best.ordinal, "program": best.program_id, "told": self._history.told}
        self._writer.add_event(BEST, known | asdict(score))
        self._observe(NewBest(best))

    def _add_refinement(self, ordinal: int) -> tuple[Candidate | None, bool]:
        """Add the results that are due before a candidate to their member; return as `History.refine`."""
        if ordinal not in self._refining:
            return None, False
        member, evaluation = self._refining.pop(ordinal)
        try:
            return self._history.refine(member, evaluation.result())
        except Exception as error:  # noqa: BLE001 - a fault of ours; the member stays as it is
            self._record_fault(member, engine_error(error))
            return None, False

    async def _evaluate_held_out(self) -> None:
        """Evaluate the best program, and the seeds, on a fresh block and on held-out tasks.

        Both are drawn from a seed that is a hash of the program, which nobody could know before the search was over.
        """
        best, domain, config = self._history.best, self._setup.domain, self._config
        if best is None:
            return
        seed = int(str(best.program_id)[:5], 16)
        groups = self._setup.plan.groups
        unseen = [t for t in domain.held_out(seed, config.budget) if t.group not in groups]
        tasks = [*fresh_block(domain, config, seed).tasks, *unseen]
        if not tasks:
            return
        plan = Plan(domain.stages(tasks), domain.limits_for(tasks))
        programs = {str(best.program_id): best.source} | self._compared_with()
        seen = {(one.program_id, one.task) for one in self._writer.held_out()}
        total, counted = len(programs) * len(tasks), itertools.count(1)
        records = await evaluate_held_out(
            self._service,
            self._writer,
            domain,
            programs,
            plan,
            purpose=END_OF_CAMPAIGN,
            skip=seen,
            done=lambda: self._observe(Comparing(next(counted), total)),
        )
        recorded = len(self._writer.held_out())
        for key, evaluations in records.items():
            self._observe(HeldOut(key, evaluations, recorded))

    def _compared_with(self) -> dict[str, str]:
        """Return program id -> source of the configuration's baselines, or of all of the domain's seeds."""
        domain = self._setup.domain
        names = self._config.baselines or domain.seed_names()
        sources = {name: domain.seed_source(name) for name in names}
        return {
            self._writer.add_program(source, tree_hash=canonical_hash(source), name=name): source
            for name, source in sources.items()
        }
