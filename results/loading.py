"""Rows into records, in few queries however long the campaign is."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, select

from results.errors import UnknownNameError, nearest
from results.records import (
    CampaignRecord,
    CampaignState,
    CandidateRecord,
    CurveRecord,
    EvaluationRecord,
    ProgramRecord,
    PromotionRecord,
    StoredCandidate,
)
from results.schema import (
    Campaign,
    Candidate,
    Curve,
    Evaluation,
    Instance,
    Parent,
    Program,
    Promotion,
    Score,
)

_CAMPAIGN_FIELDS = tuple(CampaignRecord.__dataclass_fields__)
_CURVE_FIELDS = tuple(CurveRecord.__dataclass_fields__)
_CURVE_COLUMNS = [getattr(Instance if hasattr(Instance, name) else Curve, name) for name in _CURVE_FIELDS]
_LOOK_FIELDS = tuple(PromotionRecord.__dataclass_fields__)


def find_campaign(connection: Connection, name: str) -> CampaignRecord | None:
    """The campaign called `name`, if there is one."""
    row = connection.execute(_campaigns().where(Campaign.name == name)).one_or_none()
    return None if row is None else _campaign(row)


def load_campaign(connection: Connection, campaign_id: int) -> CampaignRecord:
    """The campaign with this number, which must exist."""
    return _campaign(connection.execute(_campaigns().where(Campaign.id == campaign_id)).one())


def get_campaign(connection: Connection, name: str) -> CampaignRecord:
    """The campaign called `name`.

    Raises:
        UnknownNameError: with the nearest names.
    """
    found = find_campaign(connection, name)
    if found is None:
        names = connection.scalars(select(Campaign.name))
        raise UnknownNameError(f"There is no campaign {name!r} in this database.", nearest(name, names))
    return found


def all_campaigns(connection: Connection) -> list[CampaignRecord]:
    """Every campaign, oldest first."""
    return [_campaign(row) for row in connection.execute(_campaigns().order_by(Campaign.id))]


def load_programs(connection: Connection, *where: ColumnElement[bool]) -> dict[str, ProgramRecord]:
    """Id -> program, those that meet the conditions."""
    rows = connection.execute(
        select(Program.id, Program.tree_hash, Program.name, Program.source).where(*where)
    )
    return {
        row.id: ProgramRecord(id=row.id, tree_hash=row.tree_hash, name=row.name, source=row.source)
        for row in rows
    }


def load_evaluations(connection: Connection, *where: ColumnElement[bool]) -> dict[int, EvaluationRecord]:
    """Number -> evaluation with scores and curves, those that meet the conditions, as they finished."""
    chosen = select(Evaluation.id).where(*where)
    scores: dict[int, dict[str, float]] = defaultdict(dict)
    for number, objective, value in connection.execute(
        select(Score.evaluation_id, Score.objective, Score.value).where(Score.evaluation_id.in_(chosen))
    ):
        scores[number][objective] = value
    curves: dict[int, list[CurveRecord]] = defaultdict(list)
    for row in connection.execute(
        select(Curve.evaluation_id, *_CURVE_COLUMNS)
        .join(Instance, Instance.id == Curve.instance_id)
        .where(Curve.evaluation_id.in_(chosen))
        .order_by(Curve.evaluation_id, Curve.position)
    ):
        curves[row[0]].append(CurveRecord(**dict(zip(_CURVE_FIELDS, row[1:], strict=True))))
    rows = connection.execute(
        select(
            Evaluation.id,
            Evaluation.ordinal,
            Evaluation.program_id,
            Evaluation.plan,
            Evaluation.outcome,
            Evaluation.message,
            Evaluation.isolation,
            Evaluation.cpu_s,
            Evaluation.wall_s,
            Evaluation.log,
        )
        .where(*where)
        .order_by(Evaluation.id)
    )
    return {
        row.id: EvaluationRecord(
            ordinal=row.ordinal,
            program_id=row.program_id,
            plan=row.plan,
            outcome=row.outcome,
            message=row.message,
            isolation=row.isolation,
            cpu_s=row.cpu_s,
            wall_s=row.wall_s,
            log=row.log,
            scores=scores.get(row.id, {}),
            curves=tuple(curves.get(row.id, ())),
        )
        for row in rows
    }


def load_looks(connection: Connection, campaign_id: int) -> list[PromotionRecord]:
    """Every look of a campaign at a sealed game, oldest first."""
    rows = connection.execute(
        select(*(getattr(Promotion, name) for name in _LOOK_FIELDS))
        .where(Promotion.campaign_id == campaign_id)
        .order_by(Promotion.id)
    )
    return [PromotionRecord(**row._mapping) for row in rows]


def load_state(connection: Connection, campaign_id: int) -> CampaignState:
    """Everything that a continued campaign starts from."""
    evaluations: dict[int | None, list[EvaluationRecord]] = defaultdict(list)
    for evaluation in load_evaluations(connection, Evaluation.campaign_id == campaign_id).values():
        evaluations[evaluation.ordinal].append(evaluation)
    parents: dict[int, list[str]] = defaultdict(list)
    for ordinal, program_id in connection.execute(
        select(Parent.ordinal, Parent.program_id)
        .where(Parent.campaign_id == campaign_id)
        .order_by(Parent.ordinal, Parent.position)
    ):
        parents[ordinal].append(program_id)
    stored = [
        StoredCandidate(
            candidate=CandidateRecord(
                ordinal=row.ordinal,
                operator=row.operator,
                program_id=row.program_id,
                parents=tuple(parents.get(row.ordinal, ())),
                note=row.note,
                island=row.island,
                outcome=row.outcome,
                message=row.message,
            ),
            evaluations=tuple(evaluations.get(row.ordinal, ())),
            told=row.told_at is not None,
        )
        for row in connection.execute(
            select(
                Candidate.ordinal,
                Candidate.operator,
                Candidate.program_id,
                Candidate.note,
                Candidate.island,
                Candidate.outcome,
                Candidate.message,
                Candidate.told_at,
            )
            .where(Candidate.campaign_id == campaign_id)
            .order_by(Candidate.ordinal)
        )
    ]
    return CampaignState(
        told=tuple(one for one in stored if one.told),
        pending={one.candidate.ordinal: one for one in stored if not one.told},
        baselines=tuple(evaluations.get(None, ())),
    )


def _campaigns() -> Select[Any]:
    return select(*(getattr(Campaign, name) for name in _CAMPAIGN_FIELDS))


def _campaign(row: Row[Any]) -> CampaignRecord:
    return CampaignRecord(**row._mapping)
