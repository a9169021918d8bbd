"""What the command line and the viewer ask about campaigns. Reading only, plain dataclasses out."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Connection, Row, Select, and_, case, func, literal, select

from evaluators.records import Metric, Score, Tag
from results.errors import UnknownNameError, nearest
from results.loading import (
    LAST_BEST,
    load_calls,
    load_campaigns,
    load_evaluations,
    load_held_out,
    load_looks,
    load_programs,
    load_scores,
    unknown_campaign,
)
from results.records import (
    CallRecord,
    CampaignRecord,
    EventRecord,
    HeldOutEvaluation,
    LookRecord,
    ProgramRecord,
    Status,
    StoredEvaluation,
)
from results.schema import Campaign, Candidate, Evaluation, Event, Program
from results.schema import Score as ScoreRow
from results.store import Store

_Query = TypeVar("_Query", bound="Select[*tuple[Any, ...]]")
_Number = TypeVar("_Number", int, float)


@dataclass(frozen=True, kw_only=True)
class CampaignSummary:
    """One line about a campaign.

    `status` is ``interrupted`` also when it says running but no living process writes it; `best` is the
    best score so far by the campaign's objective, None before the first; `cpu_s` sums the evaluations.
    """

    name: str
    domain: str
    status: Status
    candidates: int
    objective: str
    metric: Metric
    best: float | None
    cpu_s: float
    created_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class RankedCandidate:
    """A place in a table: a candidate whose evaluation ended ok, and all of its scores.

    `value` is the mean of the score that it ranks by.
    """

    rank: int
    ordinal: int
    program_id: str
    value: float
    scores: Mapping[str, Score]
    operator: str
    note: str
    island: int
    cpu_s: float


def campaigns(store: Store) -> list[CampaignSummary]:
    """Every campaign, oldest first."""
    with store.reading() as connection:
        records = load_campaigns(connection)
        counts = _by_campaign(
            connection, select(Candidate.campaign_id, func.count()).group_by(Candidate.campaign_id)
        )
        cpu = _by_campaign(
            connection,
            select(Evaluation.campaign_id, func.sum(Evaluation.cpu_s)).group_by(Evaluation.campaign_id),
        )
        best = _by_campaign(
            connection,
            _scored(select(Candidate.campaign_id, func.max(ScoreRow.mean)))
            .join(Campaign, Campaign.id == Candidate.campaign_id)
            .where(Campaign.plan == Evaluation.plan, Campaign.objective == ScoreRow.name)
            .group_by(Candidate.campaign_id),
        )
        for record in records:
            if (ordinal := connection.scalar(LAST_BEST, {"campaign": record.id})) is not None:
                held = _scored(select(ScoreRow.mean)).where(
                    Candidate.campaign_id == record.id,
                    Candidate.ordinal == ordinal,
                    Evaluation.plan == record.plan,
                    ScoreRow.name == record.objective,
                )
                value = connection.execute(held).scalar_one_or_none()
                best |= {} if value is None else {record.id: value}
    return [
        CampaignSummary(
            name=record.name,
            domain=record.domain,
            status=living_status(store, record),
            candidates=counts.get(record.id, 0),
            objective=record.objective,
            metric=record.metric,
            best=best.get(record.id),
            cpu_s=cpu.get(record.id, 0.0),
            created_at=record.created_at,
            finished_at=record.finished_at,
        )
        for record in records
    ]


def top(store: Store, campaign: str, objective: str | None = None, *, n: int = 10) -> list[RankedCandidate]:
    """The best candidates of a campaign, best first; equal ones in the order of their ordinals.

    They are ranked by their score less its standard error, so that one that was measured once does not lead by luck. In
    the campaign's own ranking the first is the program that the search held for the best in the end.

    Args:
        store: where to look.
        campaign: its name.
        objective: ranks them; the campaign's own unless given.
        n: how many at most.

    Raises:
        UnknownNameError: no such campaign, or nothing in it was scored on this objective.
    """
    with store.reading() as connection:
        ranked = _ranked(connection, campaign, objective)
        held = None if objective else connection.scalar(LAST_BEST, {"campaign": ranked.id})
        rows = connection.execute(
            _scored(
                select(
                    Evaluation.id,
                    Candidate.ordinal,
                    Candidate.program_id,
                    ScoreRow.mean,
                    Candidate.operator,
                    Candidate.note,
                    Candidate.island,
                    Evaluation.cpu_s,
                )
            )
            .where(
                Candidate.campaign_id == ranked.id,
                Evaluation.plan == ranked.plan,
                ScoreRow.name == ranked.objective,
            )
            .order_by(
                case(
                    (Candidate.ordinal == held, 0),
                    else_=1,
                ),
                (ScoreRow.mean - ScoreRow.stderr).desc(),
                Candidate.ordinal,
            )
            .limit(n)
        ).all()
        scores = load_scores(connection, ScoreRow.evaluation_id.in_([row.id for row in rows]))
    return [
        RankedCandidate(
            rank=place,
            ordinal=row.ordinal,
            program_id=row.program_id,
            value=row.mean,
            scores=scores[row.id],
            operator=row.operator,
            note=row.note,
            island=row.island,
            cpu_s=row.cpu_s,
        )
        for place, row in enumerate(rows, start=1)
    ]


def told_candidates(store: Store, campaign: str) -> int:
    """How many candidates of a campaign selection has seen.

    Raises:
        UnknownNameError: no such campaign.
    """
    with store.reading_campaign(campaign) as (connection, record):
        counted = select(func.count()).where(Candidate.campaign_id == record.id)
        return connection.execute(counted.where(Candidate.told_at.is_not(None))).scalar_one()


def held_out(store: Store, campaign: str) -> list[HeldOutEvaluation]:
    """Everything that a campaign evaluated on tasks that its search did not see, oldest first."""
    with store.reading_campaign(campaign) as (connection, record):
        return load_held_out(connection, record.id)


def looks(store: Store, domain: str) -> list[LookRecord]:
    """The looks at held-out tasks of a domain by commands outside campaigns, oldest first."""
    with store.reading() as connection:
        return load_looks(connection, domain)


def calls(store: Store, campaign: str, ordinal: int | None = None) -> list[CallRecord]:
    """The calls of a campaign to models, as they were sent, with all messages; `ordinal`: of one candidate only."""
    with store.reading_campaign(campaign) as (connection, record):
        return load_calls(connection, record.id, ordinal, messages=True)


def events(store: Store, campaign: str) -> list[EventRecord]:
    """Everything worth remembering of a campaign, oldest first."""
    with store.reading_campaign(campaign) as (connection, record):
        rows = connection.execute(
            select(Event.kind, Event.payload, Event.happened_at)
            .where(Event.campaign_id == record.id)
            .order_by(Event.id)
        )
        return [EventRecord(kind=kind, payload=payload, happened_at=moment) for kind, payload, moment in rows]


def programs(store: Store, ids: Collection[str]) -> dict[str, ProgramRecord]:
    """Id -> program, of those that are stored."""
    with store.reading() as connection:
        return load_programs(connection, Program.id.in_(ids))


def baselines(store: Store, campaign: str) -> list[tuple[ProgramRecord, StoredEvaluation]]:
    """The programs that a campaign evaluated for comparison, in the order they finished."""
    with store.reading_campaign(campaign) as (connection, record):
        where = (Evaluation.campaign_id == record.id, Evaluation.ordinal.is_(None))
        evaluations = load_evaluations(connection, *where)
        ids = select(Evaluation.program_id).where(*where)
        programs = load_programs(connection, Program.id.in_(ids))
    return [(programs[one.program_id], one) for one in evaluations.values()]


def _scored(query: _Query) -> _Query:
    """A query over candidates that selection sees, their evaluations and scores."""
    return (
        query.select_from(Candidate)
        .join(
            Evaluation,
            and_(Evaluation.campaign_id == Candidate.campaign_id, Evaluation.ordinal == Candidate.ordinal),
        )
        .join(ScoreRow, ScoreRow.evaluation_id == Evaluation.id)
        .where(Candidate.outcome == Tag.OK)
    )


def _ranked(connection: Connection, campaign: str, objective: str | None) -> Row[int, str, str]:
    """Return a campaign's number, its plan, and the objective to rank by: its own, or one that something has.

    Raises:
        UnknownNameError: no such campaign, or nothing in it was scored on this objective.
    """
    own = select(Campaign.id, Campaign.plan, Campaign.objective).where(Campaign.name == campaign)
    row = connection.execute(own).one_or_none()
    if row is None:
        raise unknown_campaign(connection, campaign)
    if objective is None or objective == row.objective:
        return row
    scored = select(ScoreRow.name).distinct().join(Evaluation, Evaluation.id == ScoreRow.evaluation_id)
    known = set(connection.scalars(scored.where(Evaluation.campaign_id == row.id)))
    if objective not in known:
        raise UnknownNameError(
            f"Nothing in {campaign!r} was scored on {objective!r}.", nearest(objective, known)
        )
    other = select(Campaign.id, Campaign.plan, literal(objective).label("objective"))
    return connection.execute(other.where(Campaign.id == row.id)).one()


def _by_campaign(connection: Connection, query: Select[int, _Number]) -> dict[int, _Number]:
    return {row[0]: row[1] for row in connection.execute(query)}


def living_status(store: Store, record: CampaignRecord) -> Status:
    """A campaign's status; ``interrupted`` also when it says running but no living process writes it."""
    if record.status == "running" and store.writer_of(record.id) is None:
        return "interrupted"
    return record.status
