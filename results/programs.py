"""Which program a person means, and everything known of it. Reading only, plain dataclasses out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from difflib import SequenceMatcher
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, func, select

from results.errors import AmbiguousError, UnknownNameError, nearest
from results.loading import get_campaign, load_evaluations, load_parents, load_programs
from results.queries import RankedCandidate, top
from results.records import CampaignRecord, ProgramRecord, StoredEvaluation
from results.schema import Campaign, Candidate, Evaluation, Parent, Program
from results.store import Store

BEST = "best"
"""Stands for an ordinal: ``campaign:best``."""

SHOWN_ID = 10
"""How many characters of a program's id are shown."""

SHORTEST_ID = 4
"""How many characters of a program's id must be given at least."""

_ALIKE = 0.6
"""From which likeness on an id is suggested for another: `difflib`'s own default."""

_SAME_CANDIDATE = and_(Parent.campaign_id == Candidate.campaign_id, Parent.ordinal == Candidate.ordinal)


@dataclass(frozen=True, kw_only=True)
class Origin:
    """A candidate: where a program was proposed, and from what; `program_id` is None when no program came of it."""

    campaign: str
    ordinal: int
    program_id: str | None
    operator: str
    note: str
    island: int
    outcome: str | None
    message: str
    parents: tuple[str, ...]
    created_at: datetime


class Child(NamedTuple):
    """A candidate that was made from a program; `program_id` is None when no program came of it."""

    campaign: str
    ordinal: int
    program_id: str | None
    outcome: str | None


@dataclass(frozen=True, kw_only=True)
class ProgramDetails:
    """Everything known of a program; `evaluations` are (campaign's name, evaluation) pairs."""

    program: ProgramRecord
    evaluations: tuple[tuple[str, StoredEvaluation], ...]
    origins: tuple[Origin, ...]
    children: tuple[Child, ...]


def program(store: Store, ref: str) -> ProgramDetails:
    """Return everything about one program.

    Args:
        store: where to look.
        ref: its id, the beginning of it (4 characters or more), its name, ``campaign:ordinal``, or
            ``campaign:best``, the best by the campaign's own objective.

    Raises:
        UnknownNameError: nothing of that name, or a candidate that never became a program.
        AmbiguousError: the beginning of several ids.
    """
    campaign, colon, word = ref.rpartition(":")
    if colon and word == BEST:
        ref = best(store, campaign).program_id
    with store.reading() as connection:
        key = _resolve(connection, ref)
        numbers = connection.execute(
            select(Evaluation.id, Campaign.name)
            .join(Campaign, Campaign.id == Evaluation.campaign_id)
            .where(Evaluation.program_id == key)
        )
        campaign_of = {number: name for number, name in numbers}  # noqa: C416 - rows are no tuples to mypy
        evaluations = load_evaluations(connection, Evaluation.program_id == key)
        return ProgramDetails(
            program=load_programs(connection, Program.id == key)[key],
            evaluations=tuple((campaign_of[number], one) for number, one in evaluations.items()),
            origins=tuple(load_origins(connection, Candidate.program_id == key)),
            children=_children(connection, key),
        )


def best(store: Store, campaign: str) -> RankedCandidate:
    """Return the best candidate of a campaign, by the campaign's own objective.

    Raises:
        UnknownNameError: no such campaign, or nothing scored yet.
    """
    ranked = top(store, campaign, n=1)
    if not ranked:
        raise UnknownNameError(f"No candidate of {campaign!r} has been scored yet.", "Continue the campaign.")
    return ranked[0]


def check_candidate(store: Store, campaign: str, ordinal: int) -> None:
    """See that a campaign has a candidate.

    Raises:
        UnknownNameError: it has none of this ordinal, or there is no such campaign.
    """
    with store.reading_campaign(campaign) as (connection, record):
        load_origin(connection, record, ordinal)


def _resolve(connection: Connection, ref: str) -> str:
    campaign, colon, ordinal = ref.rpartition(":")
    if colon and ordinal.isdecimal():
        return _of_ordinal(connection, get_campaign(connection, campaign), int(ordinal))
    named = connection.scalars(select(Program.id).where(Program.name == ref).order_by(Program.id)).all()
    if named and ref:
        return _only(named, ref)
    if re.fullmatch(rf"[0-9a-fA-F]{{{SHORTEST_ID},64}}", ref):
        start = ref.lower()
        # A range, unlike LIKE, uses the primary key; "g" is the first letter after the hexadecimal digits.
        between = (Program.id >= start, Program.id < start + "g")
        matches = connection.scalars(select(Program.id).where(*between).order_by(Program.id).limit(9)).all()
        if matches:
            return _only(matches, ref)
    raise UnknownNameError(
        f"Expected a program's id (its first {SHORTEST_ID} characters or more), name or campaign:ordinal;"
        f" nothing fits {ref!r}.",
        _nearest(connection, ref),
    )


def _nearest(connection: Connection, ref: str) -> str:
    """Return a hint with the names or the beginnings of ids that come closest to `ref`."""
    names = connection.scalars(select(Program.name).where(Program.name != "")).all()
    if re.fullmatch(r"[0-9a-fA-F]+", ref) is None:
        return nearest(ref, names)
    length = max(SHOWN_ID, len(ref))
    likeness = {
        key[:length]: SequenceMatcher(None, ref.lower(), key[: len(ref) + 1], autojunk=False).ratio()
        for key in connection.scalars(select(Program.id))
    }
    close = sorted((key for key in likeness if likeness[key] >= _ALIKE), key=lambda key: -likeness[key])
    return f"Did you mean {' or '.join(map(repr, close[:3]))}?" if close else nearest(ref, names)


def _of_ordinal(connection: Connection, campaign: CampaignRecord, ordinal: int) -> str:
    origin = load_origin(connection, campaign, ordinal)
    if origin.program_id is None:
        state = origin.outcome or "still being proposed"
        raise UnknownNameError(
            f"Candidate {ordinal} of {campaign.name!r} never became a program ({state}).", origin.message
        )
    return origin.program_id


def _only(matches: Sequence[str], ref: str) -> str:
    if len(matches) > 1:
        shown = ", ".join(key[: max(12, len(ref) + 4)] for key in matches[:4])
        more = ", ..." if len(matches) > 4 else ""
        raise AmbiguousError(f"{ref!r} fits more than one program.", f"Say more of its id: {shown}{more}.")
    return str(matches[0])


def load_origin(connection: Connection, campaign: CampaignRecord, ordinal: int) -> Origin:
    """Return a candidate of a campaign.

    Raises:
        UnknownNameError: it has none of this ordinal.
    """
    ours = Candidate.campaign_id == campaign.id
    origins = load_origins(connection, ours, Candidate.ordinal == ordinal)
    if not origins:
        last = connection.scalar(select(func.max(Candidate.ordinal)).where(ours))
        hint = "It has none yet." if last is None else f"Its last one is {last}."
        raise UnknownNameError(f"The campaign {campaign.name!r} has no candidate {ordinal}.", hint)
    return origins[0]


def load_origins(connection: Connection, *where: ColumnElement[bool]) -> list[Origin]:
    """Return the candidates that meet the conditions, by campaign and ordinal."""
    parents = load_parents(connection, *where)
    names = [name for name in Origin.__dataclass_fields__ if name not in ("campaign", "parents")]
    rows = connection.execute(
        select(
            Candidate.campaign_id,
            Campaign.name.label("campaign"),
            *(getattr(Candidate, name) for name in names),
        )
        .join(Campaign, Campaign.id == Candidate.campaign_id)
        .where(*where)
        .order_by(Candidate.campaign_id, Candidate.ordinal)
    )
    return [
        Origin(
            campaign=row.campaign,
            parents=parents[row.campaign_id, row.ordinal],
            **{name: row._mapping[name] for name in names},
        )
        for row in rows
    ]


def _children(connection: Connection, key: str) -> tuple[Child, ...]:
    rows = connection.execute(
        select(
            Candidate.campaign_id,
            Campaign.name,
            Candidate.ordinal,
            Candidate.program_id,
            Candidate.outcome,
        )
        .join(Parent, _SAME_CANDIDATE)
        .join(Campaign, Campaign.id == Candidate.campaign_id)
        .where(Parent.program_id == key)
        .distinct()
        .order_by(Candidate.campaign_id, Candidate.ordinal)
    )
    return tuple(Child(row.name, row.ordinal, row.program_id, row.outcome) for row in rows)
