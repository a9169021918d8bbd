"""How a program came about: the chain of first parents, from the program that its search started with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from results.errors import UnknownNameError
from results.loading import load_programs
from results.programs import load_origins
from results.programs import program as details_of
from results.progress import Trial, trials, way_to
from results.records import CampaignRecord
from results.schema import Candidate, Program
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
    outcome: str
    score: float | None
    others: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Lineage:
    """The steps from a campaign's first program to the one asked for; `objective` is what the scores are of."""

    campaign: str
    objective: str
    steps: tuple[Step, ...]


def lineage(store: Store, ref: str) -> Lineage:
    """Return the chain of first parents that ends in a program, within the campaign that first proposed it.

    Args:
        store: where to look.
        ref: as `results.programs.program` takes it; ``campaign:ordinal`` chooses the campaign too.

    Raises:
        UnknownNameError: nothing of that name, or a program that no campaign proposed.
        AmbiguousError: the beginning of several ids.
    """
    details = details_of(store, ref)
    names = [origin.campaign for origin in details.origins]
    if not names:
        raise UnknownNameError(
            f"{details.program.name or ref!r} was evaluated for comparison; no campaign proposed it.",
            "`evolve results top CAMPAIGN` lists programs that have a lineage.",
        )
    wanted = ref.rpartition(":")[0]
    chosen = wanted if wanted in names else names[0]
    tried = trials(store, chosen)
    # A program may be proposed again, as a duplicate: its first candidate is older than all that was made of it.
    decided = (trial.ordinal for trial in tried if trial.program_id == details.program.id)
    ordinal = next(decided, None)
    if ordinal is None:
        raise UnknownNameError(f"{ref!r} is still being evaluated.", "Try again later.")
    with store.reading_campaign(chosen) as (connection, campaign):
        steps = load_steps(connection, campaign, way_to(tried, ordinal))
    return Lineage(campaign=campaign.name, objective=campaign.objective, steps=steps)


def load_steps(connection: Connection, campaign: CampaignRecord, chain: Sequence[Trial]) -> tuple[Step, ...]:
    """Return these candidates, all of which have programs, as the steps of a lineage."""
    wanted = Candidate.ordinal.in_([trial.ordinal for trial in chain])
    origins = load_origins(connection, Candidate.campaign_id == campaign.id, wanted)
    programs = load_programs(connection, Program.id.in_([trial.program_id for trial in chain]))
    scores = {trial.ordinal: trial.value for trial in chain}
    return tuple(
        Step(
            program_id=str(origin.program_id),
            name=programs[str(origin.program_id)].name,
            source=programs[str(origin.program_id)].source,
            ordinal=origin.ordinal,
            operator=origin.operator,
            note=origin.note,
            outcome=str(origin.outcome),
            score=scores[origin.ordinal],
            others=origin.parents[1:],
        )
        for origin in origins
    )
