"""The statements that put records into tables. Called by the store, inside its transactions."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import cache
from hashlib import sha256
from typing import Any

from sqlalchemy import ColumnElement, Connection, Insert, Table, bindparam, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from results.records import CandidateRecord, CurveRecord, EvaluationRecord
from results.schema import Base, Candidate, Curve, Evaluation, Instance, Parent, Program, Score

Instances = dict[tuple[Any, ...], int]
"""What is known of an instance -> its number."""


def table(entity: type[Base]) -> Table:
    """The table of an entity. Statements on it cost a third less to run than those on the entity."""
    return Base.metadata.tables[entity.__tablename__]


def of(source: Table, columns: Iterable[str]) -> tuple[ColumnElement[bool], ...]:
    """Conditions on columns, whose values are given with each run as ``its_<column>``."""
    return tuple(source.c[name] == bindparam(f"its_{name}") for name in columns)


@cache
def insert_new(dialect: str, source: Table) -> Insert:
    """An insertion that does nothing where the key is there already."""
    dialects: dict[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}
    made: Insert = dialects[dialect](source).on_conflict_do_nothing()
    return made


# Made once: building a statement takes as long as running it.
_PROGRAMS, _CANDIDATES, _PARENTS = map(table, (Program, Candidate, Parent))
_EVALUATIONS, _SCORES, _CURVES, _INSTANCES = map(table, (Evaluation, Score, Curve, Instance))
_KEY = ("campaign_id", "ordinal")
_OURS = of(_CANDIDATES, _KEY)
_NAME_PROGRAM = update(_PROGRAMS).where(*of(_PROGRAMS, ["id"]), _PROGRAMS.c.name == "")
_WAS_TOLD = select(_CANDIDATES.c.told_at.is_not(None)).where(*_OURS)
_CHANGE_CANDIDATE = update(_CANDIDATES).where(*_OURS)
_DROP_PARENTS = delete(_PARENTS).where(*of(_PARENTS, _KEY))
_TELL = (
    update(_CANDIDATES)
    .where(*_OURS, _CANDIDATES.c.outcome.is_not(None), _CANDIDATES.c.told_at.is_(None))
    .values(told_at=bindparam("now"))
)
_ADD_CANDIDATE, _ADD_PARENT, _ADD_SCORE, _ADD_CURVE = map(insert, (_CANDIDATES, _PARENTS, _SCORES, _CURVES))
_INSTANCE_COLUMNS = ("instance", "game", "variant", "iterations", "game_string", "uniform")
_CURVE_COLUMNS = ("points", "cpu_s", "wall_s", "candidate_cpu_s")
_FIND_INSTANCE = select(_INSTANCES.c.id).where(*of(_INSTANCES, _INSTANCE_COLUMNS))
_ADD_EVALUATION = insert(_EVALUATIONS).returning(_EVALUATIONS.c.id)


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
    connection.execute(insert_new(connection.dialect.name, _PROGRAMS), row)
    if name:
        connection.execute(_NAME_PROGRAM, {"its_id": key, "name": name})
    return key


def write_candidate(
    connection: Connection, campaign_id: int, candidate: CandidateRecord, now: datetime
) -> bool:
    """Store a candidate, or replace what is stored of it; False, and nothing done, if it was told."""
    key = {"campaign_id": campaign_id, "ordinal": candidate.ordinal}
    values = {name: value for name, value in vars(candidate).items() if name not in ("ordinal", "parents")}
    its = {f"its_{name}": value for name, value in key.items()}
    told = connection.execute(_WAS_TOLD, its).scalar()
    if told:
        return False
    if told is None:
        connection.execute(_ADD_CANDIDATE, key | values | {"created_at": now, "told_at": None})
    else:
        connection.execute(_CHANGE_CANDIDATE, its | values)
        connection.execute(_DROP_PARENTS, its)
    if candidate.parents:
        rows = [
            key | {"position": place, "program_id": parent} for place, parent in enumerate(candidate.parents)
        ]
        connection.execute(_ADD_PARENT, rows)
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
    number = connection.execute(
        _ADD_EVALUATION,
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
    ).scalar_one()
    if evaluation.scores:
        connection.execute(
            _ADD_SCORE,
            [
                {"evaluation_id": number, "objective": objective, "value": value}
                for objective, value in evaluation.scores.items()
            ],
        )
    if evaluation.curves:
        connection.execute(
            _ADD_CURVE,
            [
                {name: getattr(curve, name) for name in _CURVE_COLUMNS}
                | {
                    "evaluation_id": number,
                    "position": place,
                    "instance_id": _instance(connection, curve, instances),
                }
                for place, curve in enumerate(evaluation.curves)
            ],
        )


def _instance(connection: Connection, curve: CurveRecord, known: Instances) -> int:
    """The number of the instance that a curve is of, which is stored if it is new."""
    key = tuple(getattr(curve, name) for name in _INSTANCE_COLUMNS)
    if key not in known:
        row = dict(zip(_INSTANCE_COLUMNS, key, strict=True))
        connection.execute(insert_new(connection.dialect.name, _INSTANCES), row)
        its = {f"its_{name}": value for name, value in row.items()}
        known[key] = connection.execute(_FIND_INSTANCE, its).scalar_one()
    return known[key]


def mark_told(connection: Connection, campaign_id: int, ordinal: int, now: datetime) -> bool:
    """Mark a candidate as told; False unless it has an outcome and was not told before."""
    result = connection.execute(_TELL, {"its_campaign_id": campaign_id, "its_ordinal": ordinal, "now": now})
    return result.rowcount == 1
