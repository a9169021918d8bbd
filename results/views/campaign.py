"""Everything that the views show of a campaign, read from the database as it is now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

from evaluators.records import Score
from results import progress, queries
from results.lineage import Step, load_steps
from results.loading import BEST, load_held_out, load_looks
from results.records import CampaignRecord, EventRecord, LookRecord, ModelShare, Status
from results.store import Store
from results.text import Diff, diff
from results.views import programs
from results.views.held_out import HeldOut, held_out
from results.views.structure import Kind, kind_of

BEST_SHOWN = 5
"""How many of its programs stand beside the baselines."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """One step of a lineage: what it changed in the step before, and what that gained; nothing for the first."""

    step: Step
    kind: Kind | None = None
    gain: float | None = None
    diff: Diff | None = None


class KnownBest(NamedTuple):
    """What a search held for the best from then on, and with which score: later results may have changed both.

    Attributes:
        told: candidates that it had told by then.
        ordinal: of the program.
        score: as it was known.
    """

    told: int
    ordinal: int
    score: Score

    @classmethod
    def of(cls, payload: Mapping[str, Any]) -> KnownBest:
        """Return what an event says."""
        score = Score(payload["mean"], payload["stderr"], payload["n"])
        return cls(payload["told"], payload["ordinal"], score)


@dataclass(frozen=True, kw_only=True)
class CampaignView:
    """A campaign with everything that is shown of it.

    Attributes:
        campaign: as it was stored.
        status: ``interrupted`` also when it says running but no living process writes it.
        trials: every decided candidate.
        entries: its best programs, what it started from and the baselines, best first.
        columns: what each of them reached on the tasks of the search.
        lineage: from the first program to the best; empty before anything was scored.
        calls: what calls to models cost and led to, per model.
        failures: how and why candidates failed, the most frequent message of each outcome.
        held_out: None before the first held-out evaluation.
        looks: at held-out tasks of its domain by commands outside campaigns, oldest first.
        events: oldest first.
        known_best: which programs the search held for the best, oldest first; empty for campaigns that did not say.
        isolation: level -> evaluations that ran under it.
    """

    campaign: CampaignRecord
    status: Status
    trials: tuple[progress.Trial, ...]
    entries: tuple[programs.Entry, ...]
    columns: tuple[programs.Column, ...]
    lineage: tuple[Step, ...]
    calls: tuple[ModelShare, ...]
    failures: tuple[progress.Failure, ...]
    held_out: HeldOut | None
    looks: tuple[LookRecord, ...]
    events: tuple[EventRecord, ...]
    known_best: tuple[KnownBest, ...]
    isolation: Mapping[str, int]

    @property
    def best(self) -> programs.Entry | None:
        """The first of the best candidates; None before anything was scored."""
        number = self.lineage[-1].ordinal if self.lineage else None
        return next((e for e in self.entries if number is not None and e.ordinal == number), None)

    @property
    def baseline(self) -> programs.Entry | None:
        """The baseline that has to be beaten."""
        return next((one for one in self.entries if one.baseline and one.score is not None), None)

    @property
    def planned(self) -> int | None:
        """How many candidates it is to have; None where the configuration does not say."""
        planned = self.campaign.config.get("candidates")
        return planned if isinstance(planned, int) else None

    @property
    def valid(self) -> int:
        """How many candidates were scored."""
        return sum(trial.value is not None for trial in self.trials)

    @property
    def improvements(self) -> list[progress.Trial]:
        """The candidates that raised the best, oldest first."""
        return [trial for trial in self.trials if trial.gain > 0]

    @property
    def cpu_s(self) -> float:
        """CPU time of the candidates' evaluations."""
        return self.trials[-1].total_cpu_s if self.trials else 0.0

    @property
    def cost_usd(self) -> float:
        """What calls to models cost, lost ones at what they may have cost at most."""
        return sum(model.cost_usd for model in self.calls)

    @property
    def wins(self) -> int:
        """On how many columns no baseline is better than the best candidate."""
        best = self.best
        rivals = [one for one in self.entries if one.baseline or one is best]
        own = programs.columns(self.campaign.metric, rivals)
        return sum(best is not None and column.best(best.program_id) for column in own)

    def contenders(self) -> list[programs.Entry]:
        """Return the best candidate, what the search started from and the baselines: what figures compare."""
        shown = (e for e in self.entries if e.baseline or e.ordinal == 0 or e is self.best)
        return [entry for entry in shown if entry.score is not None]


def view(store: Store, name: str) -> CampaignView:
    """Return a campaign as the database has it now.

    Raises:
        UnknownNameError: no such campaign, with the nearest names.
    """
    trials = progress.trials(store, name)
    events = queries.events(store, name)
    known_best = [KnownBest.of(event.payload) for event in events if event.kind == BEST]
    shown = _ranked(trials, known_best)[:BEST_SHOWN]
    with store.reading_campaign(name) as (connection, campaign):
        entries = programs.entries(connection, campaign, (), [0, *shown])
        lineage = load_steps(connection, campaign, progress.way_to(trials, shown[0])) if shown else ()
        evaluations = load_held_out(connection, campaign.id)
        looks = load_looks(connection, campaign.domain)
        unseen = held_out(connection, campaign.metric, evaluations, events, trials, entries, shown[:1])
    return CampaignView(
        campaign=campaign,
        status=queries.living_status(store, campaign),
        trials=tuple(trials),
        entries=tuple(entries),
        columns=tuple(programs.columns(campaign.metric, entries)),
        lineage=lineage,
        calls=tuple(progress.model_report(store, name, trials)),
        failures=tuple(progress.failures(store, name)),
        held_out=unseen,
        looks=tuple(looks),
        events=tuple(events),
        known_best=tuple(known_best),
        isolation=progress.isolation_levels(store, name),
    )


def _ranked(trials: Iterable[progress.Trial], known_best: Sequence[KnownBest]) -> list[int]:
    """Return ordinals as `queries.top` ranks them: first what the search holds for the best, then by a lower bound."""
    first = known_best[-1].ordinal if known_best else None
    scored = [t for t in trials if t.value is not None]
    scored.sort(key=lambda t: (t.ordinal != first, t.stderr - (t.value or 0.0), t.ordinal))
    return [t.ordinal for t in scored]


def changes(steps: tuple[Step, ...]) -> tuple[Change, ...]:
    """Return what each step of a lineage changed."""
    first = tuple(Change(step=step) for step in steps[:1])
    return first + tuple(
        Change(
            step=after,
            kind=kind_of(before.source, after.source),
            gain=None if before.score is None or after.score is None else after.score - before.score,
            diff=diff(before.source, after.source),
        )
        for before, after in pairwise(steps)
    )
