"""Plain records of a campaign: what the store takes and gives back.

Frozen data without behaviour and without a database behind it. Outcomes are the engine's words (``ok``,
``timeout``, ...), stored as they come; the only one that means something here is ``ok``: scores need it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from math import isfinite
from typing import Any, Literal

OK = "ok"

Status = Literal["running", "finished", "interrupted"]


@dataclass(frozen=True, kw_only=True)
class CampaignSpec:
    """One search as it was asked for. `config`, `versions` and `machine` are JSON objects.

    `objective` is the one that decides "better", and `plan` the name of the plan whose evaluations
    selection reads: tables rank by these two.
    """

    name: str
    domain: str
    seed: int
    objective: str
    plan: str
    config: Mapping[str, Any]
    versions: Mapping[str, Any]
    machine: Mapping[str, Any]
    git_commit: str | None = None


@dataclass(frozen=True, kw_only=True)
class CampaignRecord(CampaignSpec):
    """A stored campaign. `finished_at` is when it last stopped, None while its status is ``running``."""

    id: int
    status: Status
    created_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class ProgramRecord:
    """A program: `id` is the SHA-256 (hex) of `source`, `name` a seed's or baseline's, "" for evolved."""

    id: str
    tree_hash: str
    name: str
    source: str


@dataclass(frozen=True, kw_only=True)
class CandidateRecord:
    """The program that one ordinal of a campaign stands for, and how it came about.

    `program_id` is None when no program came of it (its operator failed); `parents` are program ids, the
    first one being the one that was changed; `outcome` is None until it is decided.
    """

    ordinal: int
    operator: str
    program_id: str | None = None
    parents: tuple[str, ...] = ()
    note: str = ""
    island: int = 0
    outcome: str | None = None
    message: str = ""


@dataclass(frozen=True, kw_only=True)
class CurveRecord:
    """One instance of an evaluation: (iteration, exploitability) pairs, the last one final; costs."""

    instance: str
    game: str
    variant: str
    iterations: int
    game_string: str
    uniform: float
    points: tuple[tuple[int, float], ...]
    cpu_s: float
    wall_s: float
    candidate_cpu_s: float


@dataclass(frozen=True, kw_only=True)
class EvaluationRecord:
    """One program on one plan. `ordinal` is None for a baseline, evaluated for comparison and never selected.

    Raises:
        ValueError: a number that is not finite, or scores beside an outcome other than ok.
    """

    ordinal: int | None
    program_id: str
    plan: str
    outcome: str
    isolation: str
    cpu_s: float
    wall_s: float
    message: str = ""
    log: str = ""
    scores: Mapping[str, float] = field(default_factory=dict)
    curves: tuple[CurveRecord, ...] = ()

    def __post_init__(self) -> None:
        """Stop what selection must never see: SQLite would store NaN as NULL, and a failure has no score."""
        if self.scores and self.outcome != OK:
            raise ValueError(f"an evaluation that ended as {self.outcome!r} has scores: {dict(self.scores)}")
        numbers = [self.cpu_s, self.wall_s, *self.scores.values()]
        for curve in self.curves:
            numbers += [curve.uniform, curve.cpu_s, curve.wall_s, curve.candidate_cpu_s]
            numbers += [value for _, value in curve.points]
        if not all(map(isfinite, numbers)):
            raise ValueError("an evaluation has a number that is not finite")


@dataclass(frozen=True, kw_only=True)
class StoredCandidate:
    """A candidate as the database has it, with the evaluations that finished. Told: selection has seen it."""

    candidate: CandidateRecord
    evaluations: tuple[EvaluationRecord, ...]
    told: bool


@dataclass(frozen=True, kw_only=True)
class CampaignState:
    """What a continued campaign starts from.

    Attributes:
        told: candidates that selection has seen, by ordinal.
        pending: ordinal -> candidate recorded but not told, with its evaluations if they finished.
        baselines: evaluations of programs that are no candidates.
    """

    told: tuple[StoredCandidate, ...]
    pending: Mapping[int, StoredCandidate]
    baselines: tuple[EvaluationRecord, ...]


@dataclass(frozen=True, kw_only=True)
class PromotionRecord:
    """One look at a sealed game. `exploitability` is None when the program failed there: still a look."""

    program_id: str
    game: str
    iterations: int
    exploitability: float | None
    purpose: str
    looked_at: datetime


@dataclass(frozen=True, kw_only=True)
class EventRecord:
    """Something worth remembering that happened to a campaign; `payload` is a JSON object."""

    kind: str
    payload: Mapping[str, Any]
    happened_at: datetime


@dataclass(frozen=True, kw_only=True)
class ModelShare:
    """What one language model contributed to a campaign, and what it cost.

    Attributes:
        model: its name as the configuration has it.
        calls: requests that were sent, repairs and those tried again after a fault included.
        unanswered: those of them that no answer came to.
        candidates: decided candidates that it answered for.
        valid: those whose evaluation ended ok.
        improved: those that are better than their first parent.
        records: those that were the best of the campaign when they came.
        reward: mean reward of its candidates (`results.rewards`), which the choice among several models goes by.
        input_tokens: of calls that are paid for.
        output_tokens: likewise.
        cost_usd: likewise; of lost calls, what they may have cost at most.
    """

    model: str
    calls: int
    unanswered: int
    candidates: int
    valid: int
    improved: int
    records: int
    reward: float
    input_tokens: int
    output_tokens: int
    cost_usd: float

    @property
    def usd_per_improvement(self) -> float | None:
        """Dollars for each candidate that is better than its parent; None where there is none."""
        return self.cost_usd / self.improved if self.improved else None

    def as_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return vars(self) | {"usd_per_improvement": self.usd_per_improvement}


@dataclass(frozen=True, kw_only=True)
class CallAnswer:
    """What came of a call to a language model. `stop` says whether the text is an answer at all.

    A lost call has one, without text, where the server said what it charges.
    """

    text: str
    stop: str
    answered_by: str
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    cost_usd: float
    latency_s: float


CallState = Literal["sent", "answered", "failed", "lost"]


@dataclass(frozen=True, kw_only=True)
class CallRecord:
    """One call to a language model for a candidate.

    While it is ``sent``, tokens and cost are what it may come to at most; ``answered``, what it came to; ``lost`` (in
    flight when the process died, a time-out, a broken connection), what the server said or still the most; ``failed``
    (no answer came), nothing was charged. A call that was tried again after a fault is another record.
    `messages` are (role, text) pairs, empty where they were not asked for.
    """

    number: int = 0
    ordinal: int
    attempt: int
    state: CallState = "sent"
    model: str
    request_hash: str
    messages: tuple[tuple[str, str], ...] = ()
    answer: str = ""
    stop: str = ""
    answered_by: str = ""
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    cost_usd: float = 0.0
    latency_s: float = 0.0
    message: str = ""
    sent_at: datetime | None = None
    ended_at: datetime | None = None
