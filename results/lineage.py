"""How a program came about: the chain of first parents, from the program that its search started with."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, and_, select

from evaluators.records import Tag
from results.errors import UnknownNameError
from results.loading import get_campaign, load_programs
from results.programs import program as details_of
from results.records import CampaignRecord
from results.schema import Candidate, Evaluation, Parent, Program, Score
from results.store import Store


@dataclass(frozen=True, kw_only=True)
class Step:
    """One program of a lineage.

    Attributes:
        program_id: its id.
        name: a seed's, else "".
        source: its source.
        ordinal: the candidate that it was.
        operator: what made it.
        note: what was changed; several changes are joined by "; ".
        outcome: how its evaluation ended.
        score: the campaign's objective; None unless the outcome is ok.
        others: ids of the parents beside the first.
    """

    program_id: str
    name: str
    source: str
    ordinal: int
    operator: str
    note: str
    outcome: str | None
    score: float | None
    others: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Lineage:
    """The steps from a campaign's first program to the one asked for; `objective` is what the scores are of."""

    campaign: str
    objective: str
    steps: tuple[Step, ...]


def lineage(store: Store, ref: str) -> Lineage:
    """The chain of first parents that ends in a program, within the campaign that first proposed it.

    Args:
        store: where to look.
        ref: as `results.programs.program` takes it; ``campaign:ordinal`` chooses the campaign too.

    Raises:
        UnknownNameError: nothing of that name, or a program that no campaign proposed.
        AmbiguousError: the beginning of several ids.
    """
    details = details_of(store, ref)
    named = ref.rpartition(":")[0]
    origins = [o.campaign for o in details.origins if o.campaign == named] or [
        o.campaign for o in details.origins
    ]
    if not origins:
        raise UnknownNameError(
            f"{details.program.name or ref!r} was evaluated for comparison; no campaign proposed it.",
            "`evolve results top CAMPAIGN` lists programs that have a lineage.",
        )
    with store.reading() as connection:
        campaign = get_campaign(connection, origins[0])
        steps = _chain(connection, campaign, details.program.id)
    return Lineage(campaign=campaign.name, objective=campaign.objective, steps=steps)


def _chain(connection: Connection, campaign: CampaignRecord, key: str) -> tuple[Step, ...]:
    parents: dict[int, list[str]] = {}
    for ordinal, parent in connection.execute(
        select(Parent.ordinal, Parent.program_id)
        .where(Parent.campaign_id == campaign.id)
        .order_by(Parent.ordinal, Parent.position)
    ):
        parents.setdefault(ordinal, []).append(parent)
    # A program may be proposed again, as a duplicate: its first candidate is older than all that came of it.
    first: dict[str, int] = {}
    for ordinal, program_id in connection.execute(
        select(Candidate.ordinal, Candidate.program_id)
        .where(Candidate.campaign_id == campaign.id, Candidate.program_id.is_not(None))
        .order_by(Candidate.ordinal)
    ):
        first.setdefault(str(program_id), ordinal)
    chain = [first[key]]
    while (of := parents.get(chain[-1])) and first[of[0]] < chain[-1]:
        chain.append(first[of[0]])
    steps = {step.ordinal: step for step in _steps(connection, campaign, chain, parents)}
    return tuple(steps[ordinal] for ordinal in reversed(chain))


def _steps(
    connection: Connection, campaign: CampaignRecord, chain: list[int], parents: dict[int, list[str]]
) -> list[Step]:
    ours = (Candidate.campaign_id == campaign.id, Candidate.ordinal.in_(chain))
    scores: dict[int | None, float] = {}
    for ordinal, value in connection.execute(
        select(Evaluation.ordinal, Score.mean)
        .join(Score, Score.evaluation_id == Evaluation.id)
        .where(
            and_(Evaluation.campaign_id == campaign.id, Evaluation.ordinal.in_(chain)),
            and_(Evaluation.plan == campaign.plan, Score.name == campaign.objective),
        )
    ):
        scores[ordinal] = value
    programs = load_programs(connection, Program.id.in_(select(Candidate.program_id).where(*ours)))
    rows = connection.execute(
        select(
            Candidate.ordinal, Candidate.program_id, Candidate.operator, Candidate.note, Candidate.outcome
        ).where(*ours)
    )
    return [
        Step(
            program_id=programs[row.program_id].id,
            name=programs[row.program_id].name,
            source=programs[row.program_id].source,
            ordinal=row.ordinal,
            operator=row.operator,
            note=row.note,
            outcome=row.outcome,
            score=scores.get(row.ordinal) if row.outcome == Tag.OK else None,
            others=tuple(parents.get(row.ordinal, [])[1:]),
        )
        for row in rows
    ]
