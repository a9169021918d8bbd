"""The one writer of a campaign. What its methods promise is said in `results.store`: the storage contract."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any, Self

from sqlalchemy import Connection, Engine, insert, select, update

from evaluators import records
from evaluators.records import Provenance
from results.calls import Texts, finish_call, load_calls, write_call
from results.loading import load_campaign, load_held_out, load_programs, load_state
from results.locks import Locks
from results.records import (
    CallAnswer,
    CallRecord,
    CallState,
    CampaignRecord,
    CampaignState,
    HeldOutEvaluation,
    ProgramRecord,
    Status,
)
from results.schema import Campaign, Candidate, Evaluation, Event, Program
from results.transactions import HeldConnection, as_store_errors
from results.writing import (
    TaskNumbers,
    mark_told,
    replace_scores,
    write_candidate,
    write_evaluation,
    write_held_out,
    write_program,
)

Clock = Callable[[], datetime]


class CampaignWriter:
    """Writes one campaign, whose lock it holds until it is closed. A context manager."""

    def __init__(self, engine: Engine, locks: Locks, clock: Clock, campaign_id: int) -> None:
        self._held = HeldConnection(engine)
        self._locks = locks
        self._clock = clock
        self._id = campaign_id
        self._current: Connection | None = None
        self._tasks: TaskNumbers = {}
        self._texts: Texts = {}

    def close(self) -> None:
        """Give the lock back. The campaign's status stays as it was set last."""
        try:
            self._held.close()
        finally:
            self._locks.release(self._id)

    def __enter__(self) -> Self:
        """The writer itself."""
        return self

    def __exit__(self, *exc: object) -> None:
        """Close it."""
        self.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make everything that the block records durable at its end, together, or nothing if it raises."""
        with self._connection():
            yield

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        if self._current is not None:
            yield self._current
            return
        try:
            with as_store_errors(), self._held.transaction() as connection:
                self._current = connection
                yield connection
        except BaseException:
            self._tasks.clear()  # Those that were new are not stored.
            self._texts.clear()
            raise
        finally:
            self._current = None

    @property
    def campaign(self) -> CampaignRecord:
        """The campaign as it is stored now."""
        with self._connection() as connection:
            return load_campaign(connection, self._id)

    def load(self) -> CampaignState:
        """Everything recorded so far: what a continued campaign starts from."""
        with self._connection() as connection:
            return load_state(connection, self._id)

    def load_programs(self) -> dict[str, ProgramRecord]:
        """Id -> program: all that this campaign proposed or evaluated."""
        ids = select(Candidate.program_id).where(Candidate.campaign_id == self._id)
        evaluated = select(Evaluation.program_id).where(Evaluation.campaign_id == self._id)
        with self._connection() as connection:
            return load_programs(connection, Program.id.in_(ids) | Program.id.in_(evaluated))

    def set_status(self, status: Status) -> None:
        """Say that the campaign runs (again), has finished, or was interrupted."""
        stopped = None if status == "running" else self._clock()
        self._update(status=status, finished_at=stopped)

    def set_config(self, config: Mapping[str, Any]) -> None:
        """Replace the resolved configuration, as when a budget is raised."""
        self._update(config=dict(config))

    def add_program(
        self, source: str, *, tree_hash: str, name: str = "", provenance: Provenance | None = None
    ) -> str:
        """Store a program unless it is known, and return its id.

        Args:
            source: Python source; newlines are normalised before it is hashed.
            tree_hash: hash of the canonical syntax tree, as the engine makes it.
            name: a seed's or baseline's; "" for evolved programs. A known program keeps the name it has.
            provenance: under what a campaign runs a program that it made; None for seeds and baselines. A known
                program keeps what it has, or gets what is stricter than either.
        """
        with self._connection() as connection:
            return write_program(connection, source, tree_hash=tree_hash, name=name, provenance=provenance)

    def record_candidate(self, candidate: records.Candidate) -> None:
        """Store a candidate, or replace what is stored of it. Its programs must have been added.

        Raises:
            ValueError: the candidate was told: it never changes again.
        """
        with self._connection() as connection:
            if not write_candidate(connection, self._id, candidate, self._clock()):
                raise ValueError(f"candidate {candidate.ordinal} was told already and cannot change")

    def record_evaluation(
        self, evaluation: records.Evaluation, *, program_id: str, ordinal: int | None, plan: str
    ) -> None:
        """Store a finished evaluation. Its candidate must have been recorded.

        Args:
            evaluation: what came of it.
            program_id: of which program.
            ordinal: of which candidate; None for a baseline.
            plan: on which plan; the campaign's own is what the candidate ranks by.

        Raises:
            sqlalchemy.exc.IntegrityError: the candidate, or baseline, has an evaluation on this plan already.
        """
        with self._connection() as connection:
            write_evaluation(
                connection,
                self._id,
                evaluation,
                self._clock(),
                program_id=program_id,
                ordinal=ordinal,
                plan=plan,
                tasks=self._tasks,
            )

    def replace_scores(self, ordinal: int, plan: str, scores: Mapping[str, records.Score]) -> None:
        """Replace the scores of a candidate's evaluation on a plan, as when further results refine them."""
        with self._connection() as connection:
            replace_scores(connection, self._id, ordinal, plan, scores)

    def tell(self, ordinal: int) -> None:
        """Mark a candidate as seen by selection.

        Raises:
            ValueError: it has no outcome, was told before, or is unknown.
        """
        with self._connection() as connection:
            if not mark_told(connection, self._id, ordinal, self._clock()):
                raise ValueError(f"candidate {ordinal} cannot be told: unknown, undecided or told before")

    def record_held_out(self, evaluation: HeldOutEvaluation) -> None:
        """Store what a program achieved on a task that the search did not see, as of now."""
        with self._connection() as connection:
            write_held_out(connection, self._id, replace(evaluation, evaluated_at=self._clock()))

    def held_out(self) -> list[HeldOutEvaluation]:
        """Everything that this campaign evaluated on tasks that its search did not see, oldest first."""
        with self._connection() as connection:
            return load_held_out(connection, self._id)

    def begin_call(self, call: CallRecord) -> int:
        """Store a call to a model before it is sent; its number, for `end_call`."""
        with self._connection() as connection:
            return write_call(connection, self._id, call, self._clock(), texts=self._texts)

    def end_call(
        self, number: int, *, state: CallState, answer: CallAnswer | None = None, message: str = ""
    ) -> None:
        """Store what came of a call: an answer, or why there is none."""
        with self._connection() as connection:
            finish_call(connection, number, state=state, answer=answer, message=message, now=self._clock())

    def load_calls(self) -> list[CallRecord]:
        """The calls of this campaign in the order in which they were sent, without what was asked."""
        with self._connection() as connection:
            return load_calls(connection, self._id, messages=False)

    def add_event(self, kind: str, payload: Mapping[str, Any]) -> None:
        """Store something worth remembering; `payload` is a JSON object."""
        row = {"campaign_id": self._id, "kind": kind, "payload": dict(payload), "happened_at": self._clock()}
        with self._connection() as connection:
            connection.execute(insert(Event), row)

    def _update(self, **values: Any) -> None:
        with self._connection() as connection:
            connection.execute(update(Campaign).where(Campaign.id == self._id).values(**values))
