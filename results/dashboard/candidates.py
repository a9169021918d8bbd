"""Everything that the page of one program, or of a candidate that never became one, shows."""

from __future__ import annotations

from dataclasses import dataclass

from results.loading import get_campaign, load_calls, load_programs
from results.programs import Origin, ProgramDetails, load_origin, program
from results.records import CallRecord, CampaignRecord, ProgramRecord
from results.schema import Program
from results.store import Store
from results.text import Diff, diff
from results.views.document import Figure, Table
from results.views.figures import convergence
from results.views.programs import Entry, columns, entries
from results.views.sections import program_table

DRAWN_BASELINES = 4
"""Baselines that a program's figure shows: the best ones, because a dozen lines cannot be told apart."""


@dataclass(frozen=True, kw_only=True)
class CandidateView:
    """A program as one campaign has it; what is None there is none of.

    Attributes:
        campaign: the campaign whose scores are shown; None for a program that none evaluated.
        origin: the candidate that it was there; None for a baseline.
        details: the program and all that is known of it; None when none came of the candidate.
        parent: the program that it was made of.
        change: what it changed in its parent.
        entries: itself, its parent and the baselines, best first.
        calls: the conversations with models that led to it.
    """

    campaign: CampaignRecord | None
    origin: Origin | None
    details: ProgramDetails | None
    parent: ProgramRecord | None
    change: Diff | None
    entries: tuple[Entry, ...]
    calls: tuple[CallRecord, ...]

    @property
    def program(self) -> ProgramRecord | None:
        """The program itself."""
        return self.details.program if self.details else None

    @property
    def roles(self) -> dict[str, str]:
        """Program id -> what it is on this page."""
        roles = {self.parent.id: "parent"} if self.parent else {}
        return roles | ({self.program.id: "this program"} if self.program else {})

    def entry(self, program: ProgramRecord | None) -> Entry | None:
        """Return a program's line in the table."""
        return next((one for one in self.entries if program and one.program_id == program.id), None)

    def table(self) -> Table | None:
        """Return the programs beside each other."""
        if self.campaign is None or not self.entries:
            return None
        metric, objective = self.campaign.metric, self.campaign.objective
        return program_table(metric, objective, self.entries, columns(metric, self.entries), self.roles)

    def figure(self) -> Figure | None:
        """Return the curves of the program, its parent and the best baselines."""
        own = [one for one in (self.entry(self.program), self.entry(self.parent)) if one]
        others = [one for one in self.entries if one not in own][:DRAWN_BASELINES]
        highlight = [one.label for one in own[:1]]
        return convergence(self.campaign.metric, [*own, *others], highlight) if self.campaign else None


def of_program(store: Store, ref: str, campaign: str = "") -> CandidateView:
    """Return a program as the campaign that proposed it first has it, or as the named one has.

    Raises:
        UnknownNameError: nothing of that name.
        AmbiguousError: the beginning of several ids.
    """
    details = program(store, ref)
    wanted = campaign or ref.rpartition(":")[0]
    origins = sorted(details.origins, key=lambda origin: origin.campaign != wanted)
    names = [origin.campaign for origin in origins] + [name for name, _ in details.evaluations]
    chosen = wanted if wanted in names else next(iter(names), None)
    origin = next((one for one in origins if one.campaign == chosen), None)
    return _view(store, chosen, origin, details)


def of_candidate(store: Store, campaign: str, ordinal: int) -> CandidateView:
    """Return a candidate of a campaign.

    Raises:
        UnknownNameError: no such campaign or candidate.
    """
    with store.reading_campaign(campaign) as (connection, record):
        origin = load_origin(connection, record, ordinal)
    details = program(store, origin.program_id) if origin.program_id else None
    return _view(store, campaign, origin, details)


def _view(
    store: Store, campaign: str | None, origin: Origin | None, details: ProgramDetails | None
) -> CandidateView:
    parent_id = origin.parents[0] if origin and origin.parents else None
    calls: list[CallRecord] = []
    parent, record, shown = None, None, []
    with store.reading() as connection:
        if parent_id:
            parent = load_programs(connection, Program.id == parent_id)[parent_id]
        if campaign is not None:
            record = get_campaign(connection, campaign)
        if origin and record:
            calls = load_calls(connection, record.id, origin.ordinal, messages=True)
        if record and details:
            shown = entries(connection, record, [key for key in (parent_id, details.program.id) if key])
    return CandidateView(
        campaign=record,
        origin=origin,
        details=details,
        parent=parent,
        change=diff(parent.source, details.program.source) if parent and details else None,
        entries=tuple(shown),
        calls=tuple(calls),
    )
