"""The one writer of a campaign. What its methods promise is said in `results.store`: the storage contract."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import datetime
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, Engine, bindparam, delete, insert, select, update

from evaluators.records import Candidate, Curve, Evaluation, Provenance, Score, Task, TaskResult
from results import schema
from results.database import HeldConnection
from results.loading import (
    CALL_FIELDS,
    load_calls,
    load_campaigns,
    load_held_out,
    load_programs,
    load_state,
)
from results.locks import Locks
from results.records import (
    CallRecord,
    CampaignRecord,
    CampaignState,
    HeldOutEvaluation,
    ProgramRecord,
    Status,
)
from results.statements import Change, insert_new, of, table

Clock = Callable[[], datetime]

_PROGRAMS, _CANDIDATES, _PARENTS = map(table, (schema.Program, schema.Candidate, schema.Parent))
_EVALUATIONS, _SCORES = map(table, (schema.Evaluation, schema.Score))
_TASKS, _TASK_RESULTS = map(table, (schema.Task, schema.TaskResult))
_CALLS, _TEXTS = map(table, (schema.ModelCall, schema.ModelText))
_KEY = ("campaign_id", "ordinal")
_OURS = of(_CANDIDATES, _KEY)
_ADD_PROGRAM, _ADD_CANDIDATE = map(insert_new, (_PROGRAMS, _CANDIDATES))
_ADD_TASK, _ADD_TEXT = map(insert_new, (_TASKS, _TEXTS))
_NAME_PROGRAM = update(_PROGRAMS).where(*of(_PROGRAMS, ["id"]), _PROGRAMS.c.name == "")
# PostgreSQL: another campaign may be about to change it as well.
_FIND_PROVENANCE = select(_PROGRAMS.c.provenance).where(*of(_PROGRAMS, ["id"])).with_for_update()
_CHANGE_PROGRAM = Change(update(_PROGRAMS).where(*of(_PROGRAMS, ["id"])))
_CHANGE_CANDIDATE = Change(update(_CANDIDATES).where(*_OURS, _CANDIDATES.c.told_at.is_(None)))
_DROP_PARENTS = delete(_PARENTS).where(*of(_PARENTS, _KEY))
_TELL = Change(
    update(_CANDIDATES)
    .where(*_OURS, _CANDIDATES.c.outcome.is_not(None), _CANDIDATES.c.told_at.is_(None))
    .values(told_at=bindparam("now"))
)
_ADD_PARENT, _ADD_SCORE, _ADD_TASK_RESULT = (Change(insert(t)) for t in (_PARENTS, _SCORES, _TASK_RESULTS))
_ADD_HELD_OUT = Change(insert(table(schema.HeldOut)))
_FIND_EVALUATION = select(_EVALUATIONS.c.id).where(*of(_EVALUATIONS, ("campaign_id", "ordinal", "plan")))
_FIND_TASK = select(_TASKS.c.id).where(*of(_TASKS, ["key"]))
_ADD_EVALUATION, _ADD_CALL = (Change(insert(t).returning(t.c.id)) for t in (_EVALUATIONS, _CALLS))
_ENDING = (
    "state", "message", "stop", "answered_by", "input_tokens", "output_tokens", "cached_tokens", "cost_usd",
    "latency_s",
)  # fmt: skip
_FINISH_CALL = Change(update(_CALLS).where(*of(_CALLS, ["id"])))


def normalised(source: str) -> str:
    """`source` as it is stored and hashed: newlines as Python reads them, and exactly one at the end.

    Nothing else may change: blanks at the end of a line can be part of a string.
    """
    return source.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n") + "\n"


def program_id(source: str) -> str:
    """SHA-256 (hex) of the normalised source."""
    return sha256(normalised(source).encode("utf-8", "surrogatepass")).hexdigest()


class CampaignWriter(AbstractContextManager["CampaignWriter", None]):
    """Writes one campaign, whose lock it holds until it is closed. A context manager."""

    def __init__(self, engine: Engine, locks: Locks, clock: Clock, campaign_id: int) -> None:
        self._held = HeldConnection(engine)
        self._locks = locks
        self._clock = clock
        self._id = campaign_id
        self._current: Connection | None = None
        # A task with all that is known of it -> its number.
        self._tasks: dict[tuple[Task, float | None, float | None, Curve], int] = {}
        # A text -> its id: those of the last call, whose first messages the next one repeats.
        self._texts: dict[str, str] = {}

    def close(self) -> None:
        """Give the lock back. The campaign's status stays as it was set last."""
        try:
            self._held.close()
        finally:
            self._locks.release(self._id)

    def __exit__(self, *exc: object) -> None:
        """Close it."""
        self.close()

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Make everything that the block records durable at its end, together, or nothing if it raises."""
        if self._current is not None:
            yield self._current
            return
        try:
            with self._held.transaction() as connection:
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
        with self.transaction() as connection:
            return load_campaigns(connection, schema.Campaign.id == self._id)[0]

    def load(self) -> CampaignState:
        """Everything recorded so far: what a continued campaign starts from."""
        with self.transaction() as connection:
            return load_state(connection, self._id)

    def load_programs(self) -> dict[str, ProgramRecord]:
        """Id -> program: all that this campaign proposed or evaluated."""
        ids, evaluated = (
            select(of.program_id).where(of.campaign_id == self._id)
            for of in (schema.Candidate, schema.Evaluation)
        )
        with self.transaction() as connection:
            return load_programs(connection, schema.Program.id.in_(ids) | schema.Program.id.in_(evaluated))

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
        key = program_id(source)
        row = {"id": key, "tree_hash": tree_hash, "name": name, "source": normalised(source)}
        with self.transaction() as connection:
            added = _ADD_PROGRAM.run(connection, row | {"provenance": _json(provenance)})
            if not added and provenance is not None:
                known = connection.execute(_FIND_PROVENANCE, {"its_id": key}).scalar_one()
                merged = _json(provenance if known is None else provenance.stricter(Provenance(**known)))
                if merged != known:
                    _CHANGE_PROGRAM.run(connection, {"its_id": key, "provenance": merged})
            if not added and name:
                connection.execute(_NAME_PROGRAM, {"its_id": key, "name": name})
        return key

    def record(
        self, candidate: Candidate, plan: str, *, tree_hash: str = "", provenance: Provenance | None = None
    ) -> Candidate:
        """Store a candidate with its program and its evaluation, in one transaction; return it with the program's id.

        A candidate that is stored already is replaced, its evaluation is not.

        Args:
            candidate: what came of an ordinal.
            plan: the name of what it was evaluated on.
            tree_hash: see `add_program`.
            provenance: see `add_program`.

        Raises:
            ValueError: the candidate was told: it never changes again.
            sqlalchemy.exc.IntegrityError: it has an evaluation on this plan already.
        """
        with self.transaction():
            if candidate.source:
                key = self.add_program(candidate.source, tree_hash=tree_hash, provenance=provenance)
                candidate = replace(candidate, program_id=key)
            self.record_candidate(candidate)
            if candidate.evaluation is not None and candidate.program_id is not None:
                self.record_evaluation(
                    candidate.evaluation,
                    program_id=candidate.program_id,
                    ordinal=candidate.ordinal,
                    plan=plan,
                )
        return candidate

    def record_candidate(self, candidate: Candidate) -> None:
        """Store a candidate, or replace what is stored of it. Its programs must have been added.

        Raises:
            ValueError: the candidate was told: it never changes again.
        """
        key = {"campaign_id": self._id, "ordinal": candidate.ordinal}
        outcome = candidate.outcome
        values = {
            "program_id": candidate.program_id,
            "operator": candidate.operator,
            "note": candidate.note,
            "island": candidate.island,
            "outcome": None if outcome is None else outcome.tag.value,
            "message": "" if outcome is None else outcome.message,
        }
        with self.transaction() as connection:
            added = _ADD_CANDIDATE.run(
                connection, key | values | {"created_at": self._clock(), "told_at": None}
            )
            if not added:
                its = {f"its_{name}": value for name, value in key.items()}
                if not _CHANGE_CANDIDATE.run(connection, its | values):
                    raise ValueError(f"candidate {candidate.ordinal} was told already and cannot change")
                connection.execute(_DROP_PARENTS, its)
            parents = enumerate(candidate.parents)
            _ADD_PARENT.run(
                connection, *(key | {"position": n, "program_id": parent} for n, parent in parents)
            )

    def record_evaluation(
        self, evaluation: Evaluation, *, program_id: str, ordinal: int | None, plan: str
    ) -> None:
        """Store a finished evaluation. Its candidate must have been recorded.

        Args:
            evaluation: of the program on the plan.
            program_id: of which program.
            ordinal: of which candidate; None for a baseline.
            plan: on which plan; the campaign's own is what the candidate ranks by.

        Raises:
            sqlalchemy.exc.IntegrityError: the candidate, or baseline, has an evaluation on this plan already.
        """
        stages = {name: [score.mean, score.stderr, score.n] for name, score in evaluation.stages.items()}
        row = {
            "campaign_id": self._id,
            "ordinal": ordinal,
            "program_id": program_id,
            "plan": plan,
            "outcome": evaluation.outcome.tag.value,
            "message": evaluation.outcome.message,
            "isolation": evaluation.isolation,
            "stages": stages or None,
            "log": evaluation.log,
            "finished_at": self._clock(),
            **vars(evaluation.cost),
        }
        with self.transaction() as connection:
            number = _ADD_EVALUATION.number(connection, row)
            self._add_scores(connection, number, evaluation.scores)
            results = [
                {
                    "evaluation_id": number,
                    "position": position,
                    "task_id": self._task(connection, result),
                    "points": result.curve,
                    "stderr": result.stderr,
                    "samples": result.samples,
                    "extra": dict(result.extra) if result.extra else None,
                    **vars(result.cost),
                }
                for position, result in enumerate(evaluation.results)
            ]
            _ADD_TASK_RESULT.run(connection, *results)

    @staticmethod
    def _add_scores(connection: Connection, evaluation: int, scores: Mapping[str, Score]) -> None:
        rows = [{"evaluation_id": evaluation, "name": name, **vars(score)} for name, score in scores.items()]
        _ADD_SCORE.run(connection, *rows)

    def _task(self, connection: Connection, result: TaskResult) -> int:
        """Return the number of a result's task, which is stored if it is new."""
        key = (result.task, result.uniform, result.floor, result.reference)
        if key not in self._tasks:
            row = vars(result.task) | {"uniform": result.uniform, "floor": result.floor}
            content = json.dumps([*row.values(), result.reference])
            row["key"] = sha256(content.encode()).hexdigest()
            _ADD_TASK.run(connection, row | {"reference": result.reference or None})
            self._tasks[key] = connection.execute(_FIND_TASK, {"its_key": row["key"]}).scalar_one()
        return self._tasks[key]

    def replace_scores(self, ordinal: int, plan: str, scores: Mapping[str, Score]) -> None:
        """Replace the scores of a candidate's evaluation on a plan, as when further results refine them."""
        its = {"its_campaign_id": self._id, "its_ordinal": ordinal, "its_plan": plan}
        with self.transaction() as connection:
            number = connection.execute(_FIND_EVALUATION, its).scalar_one()
            connection.execute(delete(_SCORES).where(_SCORES.c.evaluation_id == number))
            self._add_scores(connection, number, scores)

    def tell(self, ordinal: int) -> None:
        """Mark a candidate as seen by selection.

        Raises:
            ValueError: it has no outcome, was told before, or is unknown.
        """
        its = {"its_campaign_id": self._id, "its_ordinal": ordinal, "now": self._clock()}
        with self.transaction() as connection:
            if _TELL.run(connection, its) != 1:
                raise ValueError(f"candidate {ordinal} cannot be told: unknown, undecided or told before")

    def record_held_out(self, evaluation: HeldOutEvaluation) -> None:
        """Store what a program achieved on a task that the search did not see, as of now."""
        row: dict[str, Any] = vars(evaluation.task) | vars(evaluation)
        row |= {
            "task": evaluation.task.name,
            "outcome": evaluation.outcome.tag.value,
            "message": evaluation.outcome.message,
            "campaign_id": self._id,
            "evaluated_at": self._clock(),
        }
        del row["name"]
        with self.transaction() as connection:
            _ADD_HELD_OUT.run(connection, row)

    def held_out(self) -> list[HeldOutEvaluation]:
        """Everything that this campaign evaluated on tasks that its search did not see, oldest first."""
        with self.transaction() as connection:
            return load_held_out(connection, self._id)

    def begin_call(self, call: CallRecord) -> int:
        """Store a call to a model before it is sent; return its number, for `end_call`."""
        with self.transaction() as connection:
            keys = {text: self._texts.get(text) or _add_text(connection, text) for _, text in call.messages}
            self._texts = keys
            row = {name: getattr(call, name) for name in CALL_FIELDS} | {
                "campaign_id": self._id,
                "messages": [[role, keys[text]] for role, text in call.messages],
                "answer_id": None,
                "sent_at": self._clock(),
                "ended_at": None,
            }
            return _ADD_CALL.number(connection, row)

    def end_call(self, number: int, call: CallRecord) -> None:
        """Store how a call ended: its state with the answer, or why there is none, and what it cost."""
        values = {name: getattr(call, name) for name in _ENDING} | {"ended_at": self._clock()}
        with self.transaction() as connection:
            key = _add_text(connection, call.answer) if call.state == "answered" else None
            _FINISH_CALL.run(connection, values | {"its_id": number, "answer_id": key})

    def load_calls(self) -> list[CallRecord]:
        """The calls of this campaign in the order in which they were sent, without what was asked."""
        with self.transaction() as connection:
            return load_calls(connection, self._id, messages=False)

    def add_event(self, kind: str, payload: Mapping[str, Any]) -> None:
        """Store something worth remembering; `payload` is a JSON object."""
        row = {"campaign_id": self._id, "kind": kind, "payload": dict(payload), "happened_at": self._clock()}
        with self.transaction() as connection:
            connection.execute(insert(schema.Event), row)

    def _update(self, **values: Any) -> None:
        with self.transaction() as connection:
            connection.execute(update(schema.Campaign).where(schema.Campaign.id == self._id).values(**values))


def _add_text(connection: Connection, text: str) -> str:
    """Store a text unless it is known, and return its id."""
    text = schema.storable(text)
    key = sha256(text.encode("utf-8")).hexdigest()
    _ADD_TEXT.run(connection, {"id": key, "text": text})
    return key


def _json(provenance: Provenance | None) -> dict[str, Any] | None:
    return None if provenance is None else vars(provenance) | {"limits": dict(provenance.limits)}
