"""The statements that put records into tables. Called by the store, inside its transactions."""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from results.records import CandidateRecord, EvaluationRecord
from results.schema import Candidate, Curve, Evaluation, Parent, Program, Score


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
    dialects: dict[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}
    statement = dialects[connection.dialect.name](Program).on_conflict_do_nothing()
    key = program_id(source)
    connection.execute(
        statement, {"id": key, "tree_hash": tree_hash, "name": name, "source": normalised(source)}
    )
    if name:
        connection.execute(update(Program).where(Program.id == key, Program.name == "").values(name=name))
    return key


def write_candidate(
    connection: Connection, campaign_id: int, candidate: CandidateRecord, now: datetime
) -> bool:
    """Store a candidate, or replace what is stored of it; False, and nothing done, if it was told."""
    key = {"campaign_id": campaign_id, "ordinal": candidate.ordinal}
    values = {name: value for name, value in vars(candidate).items() if name not in ("ordinal", "parents")}
    ours = (Candidate.campaign_id == campaign_id, Candidate.ordinal == candidate.ordinal)
    told = connection.execute(select(Candidate.told_at.is_not(None)).where(*ours)).scalar()
    if told:
        return False
    if told is None:
        connection.execute(insert(Candidate), key | values | {"created_at": now, "told_at": None})
    else:
        connection.execute(update(Candidate).where(*ours).values(**values))
        connection.execute(delete(Parent).filter_by(**key))
    if candidate.parents:
        rows = [
            key | {"position": place, "program_id": parent} for place, parent in enumerate(candidate.parents)
        ]
        connection.execute(insert(Parent), rows)
    return True


def write_evaluation(
    connection: Connection, campaign_id: int, evaluation: EvaluationRecord, now: datetime
) -> None:
    """Store an evaluation with its scores and curves.

    Raises:
        sqlalchemy.exc.IntegrityError: there is one of this candidate (or baseline) on this plan already.
    """
    number = connection.execute(
        insert(Evaluation).returning(Evaluation.id),
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
            insert(Score),
            [
                {"evaluation_id": number, "objective": objective, "value": value}
                for objective, value in evaluation.scores.items()
            ],
        )
    if evaluation.curves:
        connection.execute(
            insert(Curve),
            [
                vars(curve) | {"evaluation_id": number, "position": place}
                for place, curve in enumerate(evaluation.curves)
            ],
        )


def mark_told(connection: Connection, campaign_id: int, ordinal: int, now: datetime) -> bool:
    """Mark a candidate as told; False unless it has an outcome and was not told before."""
    result = connection.execute(
        update(Candidate)
        .where(Candidate.campaign_id == campaign_id, Candidate.ordinal == ordinal)
        .where(Candidate.outcome.is_not(None), Candidate.told_at.is_(None))
        .values(told_at=now)
    )
    return result.rowcount == 1
