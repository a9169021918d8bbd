"""The statements that put records into tables. Called by the store, inside its transactions."""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from results.records import CandidateRecord, CurveRecord, EvaluationRecord
from results.schema import Candidate, Curve, Evaluation, Instance, Parent, Program, Score
from results.statements import Change, insert_new, of, table

Instances = dict[tuple[Any, ...], int]
"""What is known of an instance -> its number."""


_PROGRAMS, _CANDIDATES, _PARENTS = map(table, (Program, Candidate, Parent))
_EVALUATIONS, _SCORES, _CURVES, _INSTANCES = map(table, (Evaluation, Score, Curve, Instance))
_KEY = ("campaign_id", "ordinal")
_OURS = of(_CANDIDATES, _KEY)
_ADD_PROGRAM, _ADD_CANDIDATE, _ADD_INSTANCE = map(insert_new, (_PROGRAMS, _CANDIDATES, _INSTANCES))
_NAME_PROGRAM = update(_PROGRAMS).where(*of(_PROGRAMS, ["id"]), _PROGRAMS.c.name == "")
_CHANGE_CANDIDATE = Change(update(_CANDIDATES).where(*_OURS, _CANDIDATES.c.told_at.is_(None)))
_DROP_PARENTS = delete(_PARENTS).where(*of(_PARENTS, _KEY))
_TELL = Change(
    update(_CANDIDATES)
    .where(*_OURS, _CANDIDATES.c.outcome.is_not(None), _CANDIDATES.c.told_at.is_(None))
    .values(told_at=bindparam("now"))
)
_ADD_PARENT, _ADD_SCORE, _ADD_CURVE = (Change(insert(one)) for one in (_PARENTS, _SCORES, _CURVES))
_INSTANCE_COLUMNS = ("instance", "game", "variant", "iterations", "game_string", "uniform")
_CURVE_COLUMNS = ("points", "cpu_s", "wall_s", "candidate_cpu_s")
_FIND_INSTANCE = select(_INSTANCES.c.id).where(*of(_INSTANCES, _INSTANCE_COLUMNS))
_ADD_EVALUATION = Change(insert(_EVALUATIONS).returning(_EVALUATIONS.c.id))


def normalised(source: str) -> str:
    """`source` as it is stored and hashed: newlines as Python reads them, and exactly one at the end.

    Nothing else may change: blanks at the end of a line can be part of a string.
    """
    return source.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n") + "\n"


def program_id(source: str) -> str:
    """SHA-256 (hex) of the normalised source."""
    return sha256(normalised(source).encode("utf-8", "surrogatepass")).hexdigest()


def write_program(connection: Connection, source: str, *, tree_hash: str, name: str) -> str:
    """Store a program unless it is known, and give its id. A name fills the place of an empty one only."""
    key = program_id(source)
    row = {"id": key, "tree_hash": tree_hash, "name": name, "source": normalised(source)}
    _ADD_PROGRAM.run(connection, row)
    if name:
        connection.execute(_NAME_PROGRAM, {"its_id": key, "name": name})
    return key


def write_candidate(
    connection: Connection, campaign_id: int, candidate: CandidateRecord, now: datetime
) -> bool:
    """Store a candidate, or replace what is stored of it; False, and nothing done, if it was told."""
    key = {"campaign_id": campaign_id, "ordinal": candidate.ordinal}
    values = {name: value for name, value in vars(candidate).items() if name not in ("ordinal", "parents")}
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
    evaluation: EvaluationRecord,
    now: datetime,
    *,
    instances: Instances,
) -> None:
    """Store an evaluation with its scores and curves; `instances` is looked into, and added to.

    Raises:
        sqlalchemy.exc.IntegrityError: there is one of this candidate (or baseline) on this plan already.
    """
    number = _ADD_EVALUATION.number(
        connection,
        {
            "campaign_id": campaign_id,
            "ordinal": evaluation.ordinal,
            "program_id": evaluation.program_id,
            "plan": evaluation.plan,
            "outcome": evaluation.outcome,
            "message": evaluation.message,
            "isolation": evaluation.isolation,
            "cpu_s": evaluation.cpu_s,
            "wall_s": evaluation.wall_s,
            "log": evaluation.log,
            "finished_at": now,
        },
    )
    if evaluation.scores:
        rows = [
            {"evaluation_id": number, "objective": objective, "value": value}
            for objective, value in evaluation.scores.items()
        ]
        _ADD_SCORE.run(connection, *rows)
    if evaluation.curves:
        rows = [
            {name: getattr(curve, name) for name in _CURVE_COLUMNS}
            | {
                "evaluation_id": number,
                "position": place,
                "instance_id": _instance(connection, curve, instances),
            }
            for place, curve in enumerate(evaluation.curves)
        ]
        _ADD_CURVE.run(connection, *rows)


def _instance(connection: Connection, curve: CurveRecord, known: Instances) -> int:
    """The number of the instance that a curve is of, which is stored if it is new."""
    key = tuple(getattr(curve, name) for name in _INSTANCE_COLUMNS)
    if key not in known:
        row = dict(zip(_INSTANCE_COLUMNS, key, strict=True))
        _ADD_INSTANCE.run(connection, row)
        its = {f"its_{name}": value for name, value in row.items()}
        known[key] = connection.execute(_FIND_INSTANCE, its).scalar_one()
    return known[key]


def mark_told(connection: Connection, campaign_id: int, ordinal: int, now: datetime) -> bool:
    """Mark a candidate as told; False unless it has an outcome and was not told before."""
    return _TELL.run(connection, {"its_campaign_id": campaign_id, "its_ordinal": ordinal, "now": now}) == 1
