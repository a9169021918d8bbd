"""What a report says, as plain records without any markup."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from results.lineage import Step
from results.plots import Advantage, Curve
from results.progress import Failure, Share, Trial
from results.records import CampaignRecord, ModelShare, Status
from results.report.structure import Kind, Split

DISCOVERED = "discovered"
"""What the best candidate is called beside the baselines."""


class Contender(NamedTuple):
    """A program in the comparison; `ordinal` is None for a baseline, `score` for one that failed."""

    label: str
    program_id: str
    ordinal: int | None
    score: float | None
    outcome: str


@dataclass(frozen=True, kw_only=True)
class Row:
    """One game in a table of final values.

    Attributes:
        game: its name.
        variant: "" for the game's own payoffs, else what was done to them.
        copies: over how many instances values are geometric means.
        iterations: of each run.
        uniform: exploitability of the uniform policy; None where it was not stored.
        values: label -> exploitability; missing where the program failed.
        winners: labels with the smallest value, more than one if they are equal.
    """

    game: str
    variant: str
    copies: int
    iterations: int
    uniform: float | None
    values: Mapping[str, float]
    winners: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Change:
    """One step of the best program's lineage: what it changed in the step before, and what that gave."""

    step: Step
    kind: Kind | None
    gain: float | None
    previous: str
    """Source of the step before; "" for the first."""


class Pair(NamedTuple):
    """A finalist against a baseline on the sealed runs that both have.

    `mean` is in orders of magnitude of exploitability; differences of about one percent are ties.
    """

    finalist: str
    baseline: str
    mean: float
    wins: int
    ties: int
    losses: int


class Look(NamedTuple):
    """One look at a sealed game."""

    looked_at: datetime
    label: str
    game: str
    iterations: int
    exploitability: float | None
    purpose: str


@dataclass(frozen=True, kw_only=True)
class Sealed:
    """What the sealed games said. Of repeated runs the last one counts; all of them are looks.

    Attributes:
        labels: programs that were run on them, finalists first.
        rows: a game at a number of iterations each.
        pairs: every finalist with every baseline.
        advantages: the best finalist's, on training games and on sealed ones; [] without a baseline.
        leader: the label of the finalist whose they are.
        looks: every look, oldest first.
    """

    labels: tuple[str, ...]
    rows: tuple[Row, ...]
    pairs: tuple[Pair, ...]
    advantages: tuple[Advantage, ...]
    leader: str
    looks: tuple[Look, ...]


@dataclass(frozen=True, kw_only=True)
class Best:
    """The best candidate."""

    ordinal: int
    program_id: str
    score: float
    operator: str
    source: str
    log: str


@dataclass(frozen=True, kw_only=True)
class Report:
    """Everything that a report shows.

    Attributes:
        campaign: as it was stored.
        status: ``interrupted`` also when it says running but no living process writes it.
        planned: how many candidates it is to have, None when its configuration does not say.
        trials: every decided candidate.
        best: None before the first valid one.
        contenders: the best candidate, then what the search started from and the baselines, best first.
        rows: final values on the games of the search.
        curves: of the contenders on the games' own payoffs.
        operators: what each operator contributed.
        models: likewise, [] when no model wrote a program.
        calls: what calls to models came to and led to, per model.
        failures: how and why candidates failed, the most frequent message of each outcome.
        changes: the lineage of the best.
        splits: how much of its gain is structure.
        sealed: None when no sealed game was looked at.
        isolation: level -> evaluations that ran under it.
        cpu_s: of all evaluations, baselines' included.
        wall_s: from its start until it last stopped, None while it runs.
        command: how to repeat it, "" when unknown.
        settings: its configuration as a file, "" when unknown.
    """

    campaign: CampaignRecord
    status: Status
    planned: int | None
    trials: tuple[Trial, ...]
    best: Best | None
    contenders: tuple[Contender, ...]
    rows: tuple[Row, ...]
    curves: tuple[Curve, ...]
    operators: tuple[Share, ...]
    models: tuple[Share, ...]
    calls: tuple[ModelShare, ...]
    failures: tuple[Failure, ...]
    changes: tuple[Change, ...]
    splits: tuple[Split, ...]
    sealed: Sealed | None
    isolation: Mapping[str, int]
    cpu_s: float
    wall_s: float | None
    command: str
    settings: str

    @property
    def baseline(self) -> Contender | None:
        """The best baseline that has a score."""
        scored = [c for c in self.contenders if c.ordinal is None and c.score is not None]
        return max(scored, key=lambda c: c.score or 0.0, default=None)

    @property
    def start(self) -> float | None:
        """The score of what the search started from."""
        return next((t.value for t in self.trials if t.ordinal == 0), None)

    @property
    def paid_usd(self) -> float:
        """What calls to models cost, lost ones at what they may have cost at most."""
        return sum(total.cost_usd for total in self.calls)

    @property
    def wins(self) -> int:
        """Games on which the best candidate has the smallest value, alone or with others."""
        return sum(DISCOVERED in row.winners for row in self.rows)

    @property
    def versions(self) -> Mapping[str, Any]:
        """What decided its numbers: package versions and the machine."""
        return {**self.campaign.versions, **self.campaign.machine}
