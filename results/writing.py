"""The statements that put records into tables. Called by the store, inside its transactions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from evaluators import records
from evaluators.records import Curve, Provenance
from results.records import HeldOutEvaluation
from results.schema import Candidate, Evaluation, HeldOut, Parent, Program, Score, Task, TaskResult
from results.statements import Change, insert_new, of, table

TaskNumbers = dict[tuple[records.Task, float | None, float | None, Curve], int]
"""A task with all that is known of it -> its number."""


_PROGRAMS, _CANDIDATES, _PARENTS = map(table, (Program, Candidate, Parent))
_EVALUATIONS, _SCORES, _TASKS, _TASK_RESULTS = map(table, (Evaluation, Score, Task, TaskResult))
_KEY = ("campaign_id", "ordinal")
_OURS = of(_CANDIDATES, _KEY)
_ADD_PROGRAM, _ADD_CANDIDATE, _ADD_TASK = map(insert_new, (_PROGRAMS, _CANDIDATES, _TASKS))
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
_ADD_HELD_OUT = Change(insert(table(HeldOut)))
_FIND_TASK = select(_TASKS.c.id).where(*of(_TASKS, ["key"]))
_FIND_EVALUATION = select(_EVALUATIONS.c.id).where(*of(_EVALUATIONS, ("campaign_id", "ordinal", "plan")))
_ADD_EVALUATION = Change(insert(_EVALUATIONS).returning(_EVALUATIONS.c.id))


def normalised(source: str) -> str:
    """`source` as it is stored and hashed: newlines as Python reads them, and exactly one at the end.

    Nothing else may change: blanks at the end of a line can be part of a string.
    """
    return source.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n") + "\n"


def program_id(source: str) -> str:
    """SHA-256 (hex) of the normalised source."""
    return sha256(normalised(source).encode("utf-8", "surrogatepass")).hexdigest()


def write_program(
    connection: Connection, source: str, *, tree_hash: str, name: str, provenance: Provenance | None
) -> str:
    """Store a program unless it is known, and return its id.

    Of a known program a name replaces an empty one only, and a provenance makes the stored one stricter at most.
    """
    key = program_id(source)
    row = {"id": key, "tree_hash": tree_hash, "name": name, "source": normalised(source)}
    stored = None if provenance is None else asdict(provenance)
    added = _ADD_PROGRAM.run(connection, row | {"provenance": stored})
    if not added and provenance is not None:
        known = connection.execute(_FIND_PROVENANCE, {"its_id": key}).scalar_one()
        merged = asdict(provenance if known is None else provenance.stricter(Provenance(**known)))
        if merged != known:
            _CHANGE_PROGRAM.run(connection, {"its_id": key, "provenance": merged})
    if not added and name:
        connection.execute(_NAME_PROGRAM, {"its_id": key, "name": name})
    return key


def write_candidate(
    connection: Connection, campaign_id: int, candidate: records.Candidate, now: datetime
) -> bool:
    """Store a candidate, or replace what is stored of it; False, and nothing done, if it was told."""
    key = {"campaign_id": campaign_id, "ordinal": candidate.ordinal}
    outcome = candidate.outcome
    values = {
        "program_id": candidate.program_id,
        "operator": candidate.operator,
        "note": candidate.note,
        "island": candidate.island,
        "outcome": None if outcome is None else outcome.tag.value,
        "message": "" if outcome is None else outcome.message,
    }
    added = _ADD_CANDIDATE.run(connection, key | values | {"created_at": now, "told_at": None})
    if not added:
        its = {f"its_{name}": value for name, value in key.items()}
        if not _CHANGE_CANDIDATE.run(connection, its | values):
            return False
        connection.execute(_DROP_PARENTS, its)
    if candidate.parents:
        rows = [
            key | {"position": place, "program_id": parent} for place, parent in enumerate(candidate.parents)
        ]
        _ADD_PARENT.run(connection, *rows)
    return True


def write_evaluation(
    connection: Connection,
    campaign_id: int,
    evaluation: records.Evaluation,
    now: datetime,
    *,
    program_id: str,
    ordinal: int | None,
    plan: str,
    tasks: TaskNumbers,
) -> None:
    """Store an evaluation with its scores and the results of its tasks; `tasks` is looked into, and added to.

    Raises:
        sqlalchemy.exc.IntegrityError: there is one of this candidate (or baseline) on this plan already.
    """
    stages = {name: [score.mean, score.stderr, score.n] for name, score in evaluation.stages.items()}
    number = _ADD_EVALUATION.number(
        connection,
        {
            "campaign_id": campaign_id,
            "ordinal": ordinal,
            "program_id": program_id,
            "plan": plan,
            "outcome": evaluation.outcome.tag.value,
            "message": evaluation.outcome.message,
            "isolation": evaluation.isolation,
            "stages": stages or None,
            "log": evaluation.log,
            "finished_at": now,
        }
        | vars(evaluation.cost),
    )
    if evaluation.scores:
        rows = [
            {"evaluation_id": number, "name": name} | vars(score) for name, score in evaluation.scores.items()
        ]
        _ADD_SCORE.run(connection, *rows)
    if evaluation.results:
        rows = [
            {
                "evaluation_id": number,
                "position": position,
                "task_id": _task(connection, result, tasks),
                "points": result.curve,
                "stderr": result.stderr,
                "samples": result.samples,
                "extra": dict(result.extra) or None,
            }
            | vars(result.cost)
            for position, result in enumerate(evaluation.results)
        ]
        _ADD_TASK_RESULT.run(connection, *rows)


def replace_scores(
    connection: Connection, campaign_id: int, ordinal: int, plan: str, scores: Mapping[str, records.Score]
) -> None:
    """Replace the scores of a candidate's evaluation on a plan."""
    its = {"its_campaign_id": campaign_id, "its_ordinal": ordinal, "its_plan": plan}
    number = connection.execute(_FIND_EVALUATION, its).scalar_one()
    connection.execute(delete(_SCORES).where(_SCORES.c.evaluation_id == number))
    _ADD_SCORE.run(
        connection, *({"evaluation_id": number, "name": name} | vars(s) for name, s in scores.items())
    )


def _task(connection: Connection, result: records.TaskResult, known: TaskNumbers) -> int:
    """Return the number of a result's task, which is stored if it is new."""
    key = (result.task, result.uniform, result.floor, result.reference)
    if key not in known:
        row = vars(result.task) | {"uniform": result.uniform, "floor": result.floor}
        content = json.dumps([*row.values(), result.reference])
        row["key"] = sha256(content.encode()).hexdigest()
        _ADD_TASK.run(connection, row | {"reference": result.reference or None})
        known[key] = connection.execute(_FIND_TASK, {"its_key": row["key"]}).scalar_one()
    return known[key]


def write_held_out(connection: Connection, campaign_id: int, evaluation: HeldOutEvaluation) -> None:
    """Store what a program achieved on a task that the search did not see."""
    row: dict[str, Any] = vars(evaluation.task) | vars(evaluation)
    row |= {"task": evaluation.task.name, "outcome": evaluation.outcome.tag.value}
    del row["name"]
    _ADD_HELD_OUT.run(connection, row | {"campaign_id": campaign_id, "message": evaluation.outcome.message})


def mark_told(connection: Connection, campaign_id: int, ordinal: int, now: datetime) -> bool:
    """Mark a candidate as told; False unless it has an outcome and was not told before."""
    return _TELL.run(connection, {"its_campaign_id": campaign_id, "its_ordinal": ordinal, "now": now}) == 1
