"""Plain records of a campaign: what the store takes and gives back beside those of `evaluators.records`.

Frozen data without behaviour and without a database behind it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from evaluators.records import Candidate, Evaluation, Metric, Outcome, Provenance, Task

Status = Literal["running", "finished", "interrupted"]


@dataclass(frozen=True, kw_only=True)
class CampaignSpec:
    """One search as it was asked for. `config`, `versions` and `machine` are JSON objects.

    `objective` is the name of the score that decides "better", and `plan` that of the plan whose evaluations
    selection reads: tables rank by these two. `metric` says what the tasks' values are, and in which words views
    speak of them.
    """

    name: str
    domain: str
    seed: int
    objective: str
    metric: Metric
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
    """A program: `id` is the SHA-256 (hex) of `source`, `name` a seed's or baseline's, "" for evolved.

    `provenance` is the strictest under which a campaign made it; None for what no campaign made.
    """

    id: str
    tree_hash: str
    name: str
    source: str
    provenance: Provenance | None


@dataclass(frozen=True)
class StoredEvaluation:
    """An evaluation of a campaign. `ordinal` is None for a baseline, evaluated for comparison and never selected.

    A candidate has one on each plan: on the campaign's own, by which it ranks, and on others that refine it.
    """

    ordinal: int | None
    program_id: str
    plan: str
    evaluation: Evaluation


@dataclass(frozen=True, kw_only=True)
class StoredCandidate:
    """A candidate as the database has it, with the evaluations that finished. Told: selection has seen it."""

    candidate: Candidate
    evaluations: tuple[StoredEvaluation, ...]
    told: bool


@dataclass(frozen=True, kw_only=True)
class CampaignState:
    """What a continued campaign starts from.

    Attributes:
        told: candidates that selection has seen, by ordinal.
        pending: ordinal -> candidate recorded but not told, with its evaluations if they finished.
        baselines: evaluations of programs that are no candidates.
        best: ordinal of the program that was said to be the best last.
    """

    told: tuple[StoredCandidate, ...]
    pending: Mapping[int, StoredCandidate]
    baselines: tuple[StoredEvaluation, ...]
    best: int | None = None


@dataclass(frozen=True, kw_only=True)
class HeldOutEvaluation:
    """One program on one task that the search did not see. A program that failed there was evaluated all the same.

    Attributes:
        program_id: candidate or baseline.
        task: which.
        outcome: how it ended.
        value: in the metric's unit; None unless the outcome is ok.
        stderr: standard error of `value`.
        floor: values beyond it cannot be told apart; None where there is no such value.
        score: what the domain made of it, larger is better; None where there is none.
        isolation: label of the sandbox's level.
        purpose: why it was run.
        evaluated_at: when it was stored; the writer says it.
    """

    program_id: str
    task: Task
    outcome: Outcome
    value: float | None
    stderr: float
    score: float | None
    isolation: str
    purpose: str
    floor: float | None = None
    evaluated_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class LookRecord:
    """A command that ran a program on held-out tasks, outside any campaign. What it saw is not stored.

    Attributes:
        domain: of the tasks.
        suites_version: of its suites.
        program_id: SHA-256 of the source, which need not be stored.
        program: what the command called it.
        tasks: (name, budget) pairs.
        command: such as ``evaluate``.
        looked_by: the user, as the system calls them.
        looked_at: when it began; the store says it.
    """

    domain: str
    suites_version: int
    program_id: str
    program: str
    tasks: tuple[tuple[str, int], ...]
    command: str
    looked_by: str
    looked_at: datetime | None = None


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
        reward: mean reward of its candidates (`results.comparison.rewards`), by which one of several models is chosen.
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


CallState = Literal["sent", "answered", "failed", "lost"]


@dataclass(frozen=True, kw_only=True)
class CallRecord:
    """One call to a language model for a candidate.

    While it is ``sent``, tokens and cost are what it may come to at most; ``answered``, what it came to; ``lost`` (in
    flight when the process died, a time-out, a broken connection), what the server said or still the most; ``failed``
    (there is no answer), nothing was charged. A call that was tried again after a fault is another record. `stop` says
    whether the text is an answer at all.
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
