"""Everything that a campaign's page shows, and what two campaigns are compared by."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import Connection, func, select

from evaluators.records import Tag
from results import queries
from results.dashboard.figures import digest
from results.dashboard.live import state
from results.dashboard.standings import Standing, standings
from results.errors import UnknownNameError, nearest
from results.loading import get_campaign
from results.progress import (
    PAID,
    Share,
    Trial,
    island_bests,
    model_shares,
    operator_shares,
    outcome_counts,
    trials,
)
from results.queries import CampaignSummary
from results.records import CampaignRecord, EventRecord, HeldOutEvaluation, Status
from results.schema import ModelCall
from results.store import Store

BEST_SHOWN = 5
"""How many of its programs a campaign's page lists beside the baselines."""

COMPARED = 6
"""Campaigns that are drawn over each other, at most."""

EVENTS_SHOWN = 20
REMEMBERED = 8
"""Campaigns whose candidates are remembered."""


class Island(NamedTuple):
    """One island: how many candidates it has, how many of them are scored, and the best of these."""

    number: int
    candidates: int
    scored: int
    best: float | None


@dataclass(frozen=True, kw_only=True)
class CallTotals:
    """What the calls to models came to, those in flight included at the most they may cost."""

    calls: int
    input_tokens: int
    output_tokens: int
    cost_usd: float


@dataclass(frozen=True, kw_only=True)
class CampaignView:
    """A campaign's page.

    Attributes:
        record: the campaign as it was asked for.
        status: ``interrupted`` also where it says running and no living process writes it.
        trials: its decided candidates.
        best: the first of the best ones; None before anything was scored.
        improvements: the candidates that raised the best, latest first.
        table: its best programs and the baselines, best first.
        budget: how many candidates are planned; None where the configuration does not say.
        events: the latest, latest first.
    """

    record: CampaignRecord
    status: Status
    trials: Sequence[Trial]
    best: Trial | None
    improvements: Sequence[Trial]
    table: Sequence[Standing]
    budget: int | None
    outcomes: Mapping[str, int]
    operators: Sequence[Share]
    models: Sequence[Share]
    islands: Sequence[Island]
    calls: CallTotals
    looks: Sequence[HeldOutEvaluation]
    events: Sequence[EventRecord]

    @property
    def valid(self) -> int:
        """How many candidates were scored."""
        return self.outcomes.get(Tag.OK, 0)

    @property
    def best_baseline(self) -> Standing | None:
        """The baseline that has to be beaten."""
        return next((one for one in self.table if one.baseline and one.score is not None), None)


class Tried(NamedTuple):
    """The decided candidates of a campaign, and a word that differs when they do."""

    trials: Sequence[Trial]
    version: str


class Trials:
    """The candidates of campaigns, read again when something changed. May be used by several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[str, tuple[str, Tried]] = OrderedDict()

    def of(self, store: Store, campaign: str) -> Tried:
        """The decided candidates of a campaign.

        Raises:
            UnknownNameError: no such campaign.
        """
        now = f"{id(store)} {state(store, campaign)}"
        with self._lock:
            known = self._known.get(campaign)
            if known is None or known[0] != now:
                found = trials(store, campaign)
                known = self._known[campaign] = now, Tried(found, digest(found))
            self._known.move_to_end(campaign)
            while len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
            return known[1]

    def chosen(self, store: Store, names: Sequence[str]) -> dict[CampaignSummary, Tried]:
        """The campaigns with these names, as many as are drawn over each other, with their candidates.

        Raises:
            UnknownNameError: one of them is none.
        """
        summaries = named(queries.campaigns(store), names)[:COMPARED]
        return {one: self.of(store, one.name) for one in summaries}


def version_of(found: Iterable[Tried]) -> str:
    """A word that differs when any of them does."""
    return digest([tried.version for tried in found])


def view(store: Store, campaign: str, found: Sequence[Trial]) -> CampaignView:
    """A campaign's page, from its decided candidates.

    Raises:
        UnknownNameError: no such campaign.
    """
    with store.reading() as connection:
        record = get_campaign(connection, campaign)
        calls = _call_totals(connection, record.id)
    scored = sorted((t for t in found if t.value is not None), key=lambda t: (-(t.value or 0.0), t.ordinal))
    shown = [t.program_id for t in scored[:BEST_SHOWN] if t.program_id]
    budget = record.config.get("candidates")
    return CampaignView(
        record=record,
        status=queries.living_status(store, record),
        trials=found,
        best=scored[0] if scored else None,
        improvements=[t for t in reversed(found) if t.gain > 0],
        table=standings(store, record, shown),
        budget=budget if isinstance(budget, int) else None,
        outcomes=outcome_counts(found),
        operators=operator_shares(found),
        models=model_shares(found),
        islands=_islands(found),
        calls=calls,
        looks=queries.held_out(store, campaign),
        events=queries.events(store, campaign)[: -EVENTS_SHOWN - 1 : -1],
    )


class Compared(NamedTuple):
    """A campaign beside others: its summary, the first of its best candidates, counts and costs."""

    summary: CampaignSummary
    best_at: int | None
    decided: int
    valid: int
    improvements: int
    cpu_s: float
    cost_usd: float


def compared(summary: CampaignSummary, found: Sequence[Trial]) -> Compared:
    """A campaign's line in a comparison, from its decided candidates."""
    return Compared(
        summary=summary,
        best_at=next((t.ordinal for t in found if t.value is not None and t.value == summary.best), None),
        decided=len(found),
        valid=sum(t.value is not None for t in found),
        improvements=sum(t.gain > 0 for t in found),
        cpu_s=found[-1].total_cpu_s if found else 0.0,
        cost_usd=found[-1].total_cost_usd if found else 0.0,
    )


def named(summaries: Sequence[CampaignSummary], wanted: Sequence[str]) -> list[CampaignSummary]:
    """The campaigns with these names, in their order.

    Raises:
        UnknownNameError: one of them is none.
    """
    by_name = {one.name: one for one in summaries}
    for name in wanted:
        if name not in by_name:
            raise UnknownNameError(f"There is no campaign {name!r} in this database.", nearest(name, by_name))
    return [by_name[name] for name in dict.fromkeys(wanted)]


def _islands(found: Sequence[Trial]) -> list[Island]:
    best = island_bests(found)
    counts: dict[int, int] = {}
    for trial in found:
        counts[trial.island] = counts.get(trial.island, 0) + 1
    return [
        Island(
            number, counts[number], len(best.get(number, ())), best[number][-1][1] if number in best else None
        )
        for number in sorted(counts)
    ]


def _call_totals(connection: Connection, campaign_id: int) -> CallTotals:
    row = connection.execute(
        select(
            func.count(),
            func.coalesce(func.sum(ModelCall.input_tokens), 0),
            func.coalesce(func.sum(ModelCall.output_tokens), 0),
            func.coalesce(func.sum(ModelCall.cost_usd), 0.0),
        ).where(ModelCall.campaign_id == campaign_id, ModelCall.state.in_(PAID))
    ).one()
    return CallTotals(calls=row[0], input_tokens=int(row[1]), output_tokens=int(row[2]), cost_usd=row[3])
