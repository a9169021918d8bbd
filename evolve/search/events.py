"""What a campaign tells its observers, as it happens: plain frozen data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from evaluators.records import Candidate, Evaluation, Metric, Score
from results.records import HeldOutEvaluation, ModelShare


@dataclass(frozen=True)
class Started:
    """The campaign begins, or goes on after `told` candidates, the best of which has the score `best`."""

    campaign: str
    domain: str
    metric: Metric
    objective: str
    candidates: int
    told: int
    best: Score | None
    workers: int
    isolation: str
    tasks: tuple[str, ...]


@dataclass(frozen=True)
class BaselineScored:
    """A baseline's evaluation on the campaign's plan; `remembered` when an earlier run had made it."""

    name: str
    program_id: str
    evaluation: Evaluation
    remembered: bool = False


@dataclass(frozen=True)
class Told:
    """A candidate was told to the population, in the order of ordinals."""

    candidate: Candidate


@dataclass(frozen=True)
class NewBest:
    """Another program is the best, as far as it is known; where tasks have seeds, one that led on a second block."""

    candidate: Candidate


@dataclass(frozen=True)
class Refined:
    """A candidate that was told before was evaluated on further seeds; it has all of its results."""

    candidate: Candidate


@dataclass(frozen=True)
class Comparing:
    """The search is over: of `total` evaluations on tasks that it did not see so many are done."""

    done: int
    total: int


@dataclass(frozen=True)
class HeldOut:
    """A program was evaluated on tasks that the search did not see; `total` counts the campaign's so far."""

    program_id: str
    evaluations: tuple[HeldOutEvaluation, ...]
    total: int


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
    """Something that observers should show; the campaign goes on."""

    message: str


Event = Started | BaselineScored | Told | NewBest | Refined | Comparing | HeldOut | Called | Warned
Observer = Callable[[Event], None]


@dataclass(frozen=True)
class Summary:
    """How a campaign stands when `run` returns.

    Attributes:
        campaign: its name.
        status: ``finished`` or ``interrupted``.
        best: program id of the best candidate, or None when no candidate ended ok.
        scores: the best program's.
        candidates: how many were told.
        outcomes: tag -> count, over those.
        ended_by: the budget that ended it early: ``usd``, ``tokens`` or "".
        reason: the same in words.
        models: what each model contributed and cost, earlier runs of the campaign included.
    """

    campaign: str
    status: str
    best: str | None
    scores: Mapping[str, Score]
    candidates: int
    outcomes: Mapping[str, int]
    ended_by: str = ""
    reason: str = ""
    models: tuple[ModelShare, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return the last line of ``evolve run --json``."""
        scores = {name: asdict(score) for name, score in self.scores.items()}
        return {
            "schema_version": 2,
            "event": "done",
            "campaign": self.campaign,
            "status": self.status,
            "best": {"program": self.best, "scores": scores} if self.best else None,
            "candidates": self.candidates,
            "outcomes": dict(self.outcomes),
            "ended_by": self.ended_by or None,
            "models": [model.as_dict() for model in self.models],
        }
