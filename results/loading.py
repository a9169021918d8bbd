"""Rows made into records, in few queries however long the campaign is."""

from __future__ import annotations

from collections import defaultdict

from sqlalchemy import ColumnElement, Connection, and_, bindparam, select

from evaluators.records import (
    Candidate,
    Cost,
    Evaluation,
    Metric,
    Outcome,
    Provenance,
    Score,
    Tag,
    Task,
    TaskResult,
)
from results import schema
from results.errors import UnknownNameError, nearest
from results.records import (
    CallRecord,
    CampaignRecord,
    CampaignState,
    HeldOutEvaluation,
    LookRecord,
    ProgramRecord,
    StoredCandidate,
    StoredEvaluation,
)
from results.schema import Campaign, Look, ModelCall, ModelText, Parent, Program

CALL_FIELDS = tuple(
    name for name in CallRecord.__dataclass_fields__ if name not in ("number", "messages", "answer")
)
"""Those that columns of the same names hold as they are."""

BEST = "best"
"""Kind of the event that says which program a search held for the best from then on."""

LAST_BEST = (
    select(schema.Event.payload["ordinal"].as_integer())
    .where(schema.Event.campaign_id == bindparam("campaign"), schema.Event.kind == BEST)
    .order_by(schema.Event.id.desc())
    .limit(1)
)
"""The ordinal of the program that a ``campaign`` held for the best last."""


def load_campaigns(connection: Connection, *where: ColumnElement[bool]) -> list[CampaignRecord]:
    """Return the campaigns that meet the conditions, oldest first; without conditions every one."""
    columns = (getattr(Campaign, name) for name in CampaignRecord.__dataclass_fields__)
    rows = connection.execute(select(*columns).where(*where).order_by(Campaign.id))
    return [CampaignRecord(**dict(row._mapping) | {"metric": Metric(**row.metric)}) for row in rows]


def find_campaign(connection: Connection, name: str) -> CampaignRecord | None:
    """Return the campaign called `name`, if there is one."""
    return next(iter(load_campaigns(connection, Campaign.name == name)), None)


def get_campaign(connection: Connection, name: str) -> CampaignRecord:
    """Return the campaign called `name`.

    Raises:
        UnknownNameError: with the nearest names.
    """
    campaign = find_campaign(connection, name)
    if campaign is None:
        raise unknown_campaign(connection, name)
    return campaign


def unknown_campaign(connection: Connection, name: str) -> UnknownNameError:
    """Return the error that there is no campaign of this name, with the nearest names."""
    names = connection.scalars(select(Campaign.name))
    return UnknownNameError(f"There is no campaign {name!r} in this database.", nearest(name, names))


def load_programs(connection: Connection, *where: ColumnElement[bool]) -> dict[str, ProgramRecord]:
    """Return id -> program, those that meet the conditions."""
    rows = connection.execute(
        select(Program.id, Program.tree_hash, Program.name, Program.source, Program.provenance).where(*where)
    )
    return {
        row.id: ProgramRecord(
            **dict(row._mapping)
            | {"provenance": None if row.provenance is None else Provenance(**row.provenance)}
        )
        for row in rows
    }


def load_evaluations(connection: Connection, *where: ColumnElement[bool]) -> dict[int, StoredEvaluation]:
    """Return number -> evaluation with its scores and results, those that meet the conditions, as they finished."""
    rows = connection.execute(
        select(*schema.Evaluation.__table__.c).where(*where).order_by(schema.Evaluation.id)
    ).all()
    chosen = select(schema.Evaluation.id).where(*where)
    scores = load_scores(connection, schema.Score.evaluation_id.in_(chosen))
    results = _load_results(connection, schema.TaskResult.evaluation_id.in_(chosen))
    return {
        row.id: StoredEvaluation(
            ordinal=row.ordinal,
            program_id=row.program_id,
            plan=row.plan,
            evaluation=Evaluation(
                outcome=Outcome(Tag(row.outcome), row.message),
                results=tuple(results.get(row.id, ())),
                scores=scores.get(row.id, {}),
                stages={name: Score(*numbers) for name, numbers in (row.stages or {}).items()},
                isolation=row.isolation,
                cost=Cost(row.cpu_s, row.wall_s, row.candidate_cpu_s, row.oracle_calls),
                log=row.log,
            ),
        )
        for row in rows
    }


def load_scores(connection: Connection, *where: ColumnElement[bool]) -> dict[int, dict[str, Score]]:
    """Return number of an evaluation -> its scores by name, those that meet the conditions."""
    scores: dict[int, dict[str, Score]] = defaultdict(dict)
    of = schema.Score
    for number, name, mean, stderr, n in connection.execute(
        select(of.evaluation_id, of.name, of.mean, of.stderr, of.n).where(*where)
    ):
        scores[number][name] = Score(mean, stderr, n)
    return scores


def _load_results(connection: Connection, *where: ColumnElement[bool]) -> dict[int, list[TaskResult]]:
    """Return number of an evaluation -> what it achieved on its tasks, in the plan's order."""
    of = schema.TaskResult
    # Tasks are few, and their results many: one record for all results of a task.
    tasks = {
        row.id: {
            "task": Task(row.name, row.family, row.tier, row.budget, row.seed),
            "reference": row.reference or (),
            "uniform": row.uniform,
            "floor": row.floor,
        }
        for row in connection.execute(
            select(*schema.Task.__table__.c).where(
                schema.Task.id.in_(select(of.task_id).where(*where).distinct())
            )
        )
    }
    costs = (of.cpu_s, of.wall_s, of.candidate_cpu_s, of.oracle_calls)
    rows = connection.execute(
        select(of.evaluation_id, of.task_id, of.points, of.stderr, of.samples, of.extra, *costs)
        .where(*where)
        .order_by(of.evaluation_id, of.position)
    )
    results: dict[int, list[TaskResult]] = defaultdict(list)
    for number, task_id, points, stderr, samples, extra, *cost in rows:
        results[number].append(
            TaskResult(
                **tasks[task_id],
                value=points[-1][1],
                stderr=stderr,
                samples=samples,
                curve=points,
                extra=extra or {},
                cost=Cost(*cost),
            )
        )
    return results


def load_held_out(connection: Connection, campaign_id: int) -> list[HeldOutEvaluation]:
    """Return everything that a campaign evaluated on tasks that its search did not see, oldest first."""
    rows = connection.execute(
        select(*schema.HeldOut.__table__.c)
        .where(schema.HeldOut.campaign_id == campaign_id)
        .order_by(schema.HeldOut.id)
    )
    return [
        HeldOutEvaluation(
            program_id=row.program_id,
            task=Task(row.task, row.family, row.tier, row.budget, row.seed),
            outcome=Outcome(Tag(row.outcome), row.message),
            value=row.value,
            stderr=row.stderr,
            floor=row.floor,
            score=row.score,
            isolation=row.isolation,
            purpose=row.purpose,
            evaluated_at=row.evaluated_at,
        )
        for row in rows
    ]


def load_looks(connection: Connection, domain: str) -> list[LookRecord]:
    """Return the looks at held-out tasks of a domain by commands outside campaigns, oldest first."""
    columns = [column for column in Look.__table__.c if column.name != "id"]
    rows = connection.execute(select(*columns).where(Look.domain == domain).order_by(Look.id))
    return [
        LookRecord(**dict(row._mapping) | {"tasks": tuple((name, budget) for name, budget in row.tasks)})
        for row in rows
    ]


def load_calls(
    connection: Connection, campaign_id: int, ordinal: int | None = None, *, messages: bool
) -> list[CallRecord]:
    """Return the calls of a campaign, as they were sent; without `messages` only what the model said."""
    where = [ModelCall.campaign_id == campaign_id]
    if ordinal is not None:
        where.append(ModelCall.ordinal == ordinal)
    rows = connection.execute(
        select(
            ModelCall.id,
            ModelCall.messages,
            ModelText.text.label("answer"),
            *(getattr(ModelCall, n) for n in CALL_FIELDS),
        )
        .outerjoin(ModelText, ModelText.id == ModelCall.answer_id)
        .where(*where)
        .order_by(ModelCall.id)
    ).all()
    text = select(ModelText.text).where(ModelText.id == bindparam("key"))
    wanted = {key for row in rows for _, key in row.messages} if messages else set()
    texts = {key: connection.execute(text, {"key": key}).scalar_one() for key in wanted}
    return [
        CallRecord(
            number=row.id,
            messages=tuple((role, texts[key]) for role, key in row.messages) if messages else (),
            answer=row.answer or "",
            **{name: row._mapping[name] for name in CALL_FIELDS},
        )
        for row in rows
    ]


def load_parents(
    connection: Connection, *where: ColumnElement[bool]
) -> dict[tuple[int, int], tuple[str, ...]]:
    """Return (number of a campaign, ordinal) -> ids of the parents of the candidates that meet the conditions."""
    ours = and_(
        Parent.campaign_id == schema.Candidate.campaign_id, Parent.ordinal == schema.Candidate.ordinal
    )
    query = select(Parent.campaign_id, Parent.ordinal, Parent.program_id).join(schema.Candidate, ours)
    parents: dict[tuple[int, int], tuple[str, ...]] = defaultdict(tuple)
    for *key, program_id in connection.execute(query.where(*where).order_by(Parent.position)):
        parents[key[0], key[1]] += (program_id,)
    return parents


def load_state(connection: Connection, campaign_id: int) -> CampaignState:
    """Return everything that a continued campaign starts from."""
    evaluations: dict[int | None, list[StoredEvaluation]] = defaultdict(list)
    for evaluation in load_evaluations(connection, schema.Evaluation.campaign_id == campaign_id).values():
        evaluations[evaluation.ordinal].append(evaluation)
    parents = load_parents(connection, schema.Candidate.campaign_id == campaign_id)
    rows = connection.execute(
        select(*schema.Candidate.__table__.c)
        .where(schema.Candidate.campaign_id == campaign_id)
        .order_by(schema.Candidate.ordinal)
    )
    stored = [
        StoredCandidate(
            candidate=Candidate(
                ordinal=row.ordinal,
                operator=row.operator,
                program_id=row.program_id,
                parents=parents[campaign_id, row.ordinal],
                note=row.note,
                island=row.island,
                outcome=None if row.outcome is None else Outcome(Tag(row.outcome), row.message),
            ),
            evaluations=tuple(evaluations.get(row.ordinal, ())),
            told=row.told_at is not None,
        )
        for row in rows
    ]
    return CampaignState(
        told=tuple(one for one in stored if one.told),
        pending={one.candidate.ordinal: one for one in stored if not one.told},
        baselines=tuple(evaluations.get(None, ())),
        best=connection.scalar(LAST_BEST, {"campaign": campaign_id}),
    )
