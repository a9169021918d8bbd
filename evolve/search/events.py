"""What a campaign tells whoever watches it, as it happens: plain frozen data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from evaluators.base import Evaluation, Outcome
from results.records import ModelShare


@dataclass(frozen=True)
class Started:
    """The campaign begins, or goes on after `told` candidates, the best of which has the score `best`."""

    campaign: str
    domain: str
    objective: str
    candidates: int
    told: int
    best: float | None
    workers: int
    isolation: str
    games: tuple[str, ...]


@dataclass(frozen=True)
class BaselineScored:
    """A baseline's evaluation on the campaign's plan; `remembered` when an earlier run had made it."""

    name: str
    program_id: str
    evaluation: Evaluation
    remembered: bool = False


@dataclass(frozen=True)
class Told:
    """A candidate was told to the population, in its turn. `improved`: it is the best so far."""

    ordinal: int
    program_id: str | None
    operator: str
    outcome: Outcome
    objectives: Mapping[str, float] = field(default_factory=dict)
    improved: bool = False
    note: str = ""


@dataclass(frozen=True)
class Looked:
    """A program was run on games that the search did not see; the campaign's looks so far are counted."""

    program_id: str
    evaluation: Evaluation
    looks: int


@dataclass(frozen=True)
class Called:
    """A model answered. `spent_usd` and `spent_tokens` are the campaign's, earlier runs included."""

    ordinal: int
    attempt: int
    model: str
    stop: str
    input_tokens: int
    output_tokens: int
    cost_usd: float
    latency_s: float
    spent_usd: float
    spent_tokens: int


@dataclass(frozen=True)
class Warned:
    """Something that whoever watches should know; the campaign goes on."""

    message: str


Event = Started | BaselineScored | Told | Looked | Called | Warned
Observer = Callable[[Event], None]


@dataclass(frozen=True)
class Summary:
    """How a campaign stands when `run` returns.

    Attributes:
        campaign: its name.
        status: ``finished`` or ``interrupted``.
        best: program id of the best candidate, or None when no candidate ended ok.
        objectives: the best program's.
        candidates: how many were told.
        outcomes: tag -> count, over those.
        ended_by: the budget that ended it early: ``usd``, ``tokens`` or "".
        reason: the same in words.
        models: what each model contributed and cost, earlier runs of the campaign included.
    """

    campaign: str
    status: str
    best: str | None
    objectives: Mapping[str, float]
    candidates: int
    outcomes: Mapping[str, int]
    ended_by: str = ""
    reason: str = ""
    models: tuple[ModelShare, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The last line of ``evolve run --json``."""
        best = {"program": self.best, "objectives": dict(self.objectives)} if self.best else None
        return {
            "schema_version": 1,
            "event": "done",
            "campaign": self.campaign,
            "status": self.status,
            "best": best,
            "candidates": self.candidates,
            "outcomes": dict(self.outcomes),
            "ended_by": self.ended_by or None,
            "models": [model.as_dict() for model in self.models],
        }
