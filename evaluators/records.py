"""Records that every package shares: what is measured, on what, and what came of a program.

A leaf: it imports nothing of ours. Domains make these records, the engine selects by them, the results database
stores them and every table, plot, report, page and prompt reads them; there is no second form of any of them.

Selection compares `Score`s, and a larger score is always better. A `TaskResult` holds the metric's own value, for
which `Metric.direction` says what better means.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Literal

Curve = tuple[tuple[int, float], ...]
"""(budget, value) pairs, in the order in which they were measured."""

SMALLEST = 1e-16
"""On a log scale, smaller values count as this: an exploitability may come out as -4e-16."""


class NotFiniteError(ValueError):
    """A number that nobody can compare: NaN or infinity."""


class Tag(StrEnum):
    """How a candidate ended: one vocabulary in code, database and JSON. Only `OK` reaches selection."""

    OK = "ok"
    REJECTED = "rejected"
    DUPLICATE = "duplicate"
    INVALID = "invalid"
    EXCEPTION = "exception"
    TIMEOUT = "timeout"
    CPU_LIMIT = "cpu_limit"
    MEMORY = "memory"
    OUTPUT_LIMIT = "output_limit"
    VIOLATION = "violation"
    CRASH = "crash"
    EARLY_STOPPED = "early_stopped"
    INFRASTRUCTURE = "infrastructure"
    ENGINE_ERROR = "engine_error"


LIMIT_TAGS = frozenset({Tag.TIMEOUT, Tag.CPU_LIMIT, Tag.MEMORY})
"""Outcomes that may depend on the machine's load: retried once, alone, at double limits, then recorded facts."""

NOT_THE_PROGRAMS_FAULT = frozenset(
    {Tag.OK, Tag.EARLY_STOPPED, Tag.DUPLICATE, Tag.INFRASTRUCTURE, Tag.ENGINE_ERROR}
)
"""Outcomes that say nothing about what is wrong with a program; the others are shown to models as failures."""


@dataclass(frozen=True)
class Outcome:
    """A tag and a message that a person or a model can act on (empty when ok)."""

    tag: Tag
    message: str = ""

    @property
    def ok(self) -> bool:
        """Whether selection may see the scores."""
        return self.tag is Tag.OK


@dataclass(frozen=True)
class Metric:
    """What a domain measures on a task, and the words in which views speak of it.

    Attributes:
        name: identifier, such as ``exploitability``.
        label: what axes and headings say, such as ``exploitability (NashConv / N)``.
        direction: which values are better.
        scale: on ``log``, differences are decades and values are positive.
        resolution: differences below it are ties; decades on a log scale, else in the metric's unit.
        unit: on a linear scale, the difference that counts as an advantage of 1.
        task: what views call a task, in the singular, such as ``game``.
        budget: what views call a unit of a task's budget, such as ``iteration``.
    """

    name: str
    label: str
    direction: Literal["min", "max"]
    scale: Literal["linear", "log"]
    resolution: float
    unit: float = 1.0
    task: str = "task"
    budget: str = "step"

    def better(self, one: float, other: float) -> bool:
        """Return whether value `one` is better than `other`."""
        return one < other if self.direction == "min" else one > other

    def oriented(self, value: float) -> float:
        """Return a value such that larger is better: in decades on a log scale, in units on a linear one."""
        position = math.log10(max(value, SMALLEST)) if self.scale == "log" else value / self.unit
        return -position if self.direction == "min" else position

    def advantage(self, value: float, other: float, floor: float | None = None) -> float:
        """Return by how much `value` is better than `other`, in decades or units; negative where it is worse.

        Values beyond `floor` cannot be told apart: they count as the floor.
        """
        best = math.inf if floor is None else self.oriented(floor)
        return min(self.oriented(value), best) - min(self.oriented(other), best)


@dataclass(frozen=True)
class Task:
    """One thing to do once: a game variant at a horizon, a stochastic problem under one seed.

    Attributes:
        name: what tables call it; unique in a plan together with `budget`.
        family: what scores and verdicts group tasks by; tasks of a family are alike, and no evidence of each other.
        tier: which kind of task of the family, such as ``exact`` or ``generic``.
        budget: how long the program works on it, in the domain's unit (iterations, evaluations, rollouts).
        seed: what its randomness derives from; None for an exact task.
    """

    name: str
    family: str
    tier: str = "exact"
    budget: int = 1
    seed: int | None = None

    @property
    def group(self) -> str:
        """What a row or column of a table is called: the name up to a slash, without the seed of a drawn task."""
        stem = self.name.partition("/")[0]
        return stem if self.seed is None else stem.removesuffix(f"-{self.seed}")


@dataclass(frozen=True)
class Cost:
    """What a result or an evaluation cost, measured from outside; `candidate_cpu_s` is the program's share."""

    cpu_s: float = 0.0
    wall_s: float = 0.0
    candidate_cpu_s: float = 0.0
    oracle_calls: int = 0

    def __add__(self, other: Cost) -> Cost:
        """Return the sum of both."""
        return Cost(
            self.cpu_s + other.cpu_s,
            self.wall_s + other.wall_s,
            self.candidate_cpu_s + other.candidate_cpu_s,
            self.oracle_calls + other.oracle_calls,
        )


@dataclass(frozen=True)
class TaskResult:
    """What a program achieved on one task.

    Attributes:
        task: which.
        value: final value in the metric's unit; for a stochastic task the mean over its samples.
        stderr: standard error of `value`; 0 for an exact task.
        samples: how many samples `value` is the mean of.
        curve: values along the budget, the last of which is `value`; that alone when empty.
        reference: the curve of the domain's reference program on the same task, empty where there is none.
        uniform: value of a trivial program, for figures such as decades; None where the domain has none.
        floor: values beyond it cannot be told apart on this task; None where there is no such value.
        extra: further figures, shown and never selected on.
        cost: what the task cost.

    Raises:
        NotFiniteError: a number that is not finite.
        ValueError: a curve that ends elsewhere.
    """

    task: Task
    value: float
    stderr: float = 0.0
    samples: int = 1
    curve: Curve = ()
    reference: Curve = ()
    uniform: float | None = None
    floor: float | None = None
    extra: Mapping[str, float] = field(default_factory=dict)
    cost: Cost = Cost()

    def __post_init__(self) -> None:
        """Stop what selection must never see: databases would store NaN as NULL."""
        if not self.curve:
            object.__setattr__(self, "curve", ((self.task.budget, self.value),))
        numbers = [self.value, self.stderr, *self.extra.values(), self.cost.cpu_s, self.cost.wall_s]
        numbers += [value for _, value in (*self.curve, *self.reference)]
        numbers += [value for value in (self.uniform, self.floor) if value is not None]
        if not all(map(math.isfinite, numbers)):
            raise NotFiniteError(f"{self.task.name}: expected finite numbers; the value is {self.value}")
        if self.curve[-1][1] != self.value:
            raise ValueError(
                f"{self.task.name}: expected a curve that ends at {self.value}; got {self.curve[-1]}"
            )


@dataclass(frozen=True)
class Score:
    """A number that selection, tables, gates and verdicts compare; larger is better, always.

    Attributes:
        mean: the score.
        stderr: its standard error; 0 where it is exact.
        n: how many observations it is the mean of.
    """

    mean: float
    stderr: float = 0.0
    n: int = 1


@dataclass(frozen=True)
class Evaluation:
    """One program on one plan: plain data, picklable, complete in itself.

    Attributes:
        outcome: how it ended.
        results: tasks that finished, in plan order, also when a later one failed.
        scores: name -> score; empty unless the outcome is ok.
        stages: stage -> score of its tasks, by which the gates of children are set.
        isolation: label of the sandbox's level.
        cost: of all its tasks.
        log: what the program printed, and for an `engine_error` the traceback.

    Raises:
        ValueError: scores beside an outcome other than ok.
        NotFiniteError: a score that is not finite.
    """

    outcome: Outcome
    results: tuple[TaskResult, ...] = ()
    scores: Mapping[str, Score] = field(default_factory=dict)
    stages: Mapping[str, Score] = field(default_factory=dict)
    isolation: str = ""
    cost: Cost = Cost()
    log: str = ""

    def __post_init__(self) -> None:
        """See that a failure has no score, and that no score is NaN."""
        if self.scores and not self.outcome.ok:
            raise ValueError(
                f"an evaluation that ended as {self.outcome.tag} has scores: {dict(self.scores)}"
            )
        if not all(
            math.isfinite(score.mean) and math.isfinite(score.stderr) for score in self.scores.values()
        ):
            raise NotFiniteError(f"an evaluation has a score that is not finite: {dict(self.scores)}")

    def values(self) -> dict[Task, float]:
        """Return the final value of every task that finished."""
        return {result.task: result.value for result in self.results}


LEVELS = ("none", "rlimits", "kernel", "kernel+ns", "docker", "gvisor")
"""Labels of the sandbox's levels, weakest first."""

SANDBOXES = ("process", "docker", "gvisor")
"""Kinds of sandbox, weakest first."""


@dataclass(frozen=True)
class Provenance:
    """Under what a campaign ran a program that it made: whatever runs it later uses nothing weaker.

    Attributes:
        minimum: label of the weakest sandbox level that the campaign accepted.
        sandbox: kind of its sandbox: ``process``, ``docker`` or ``gvisor``.
        limits: limits that the campaign set, by the names of `sandbox.base.Limits`; the domain's for all others.
    """

    minimum: str
    sandbox: str = "process"
    limits: Mapping[str, float] = field(default_factory=dict)

    def stricter(self, other: Provenance) -> Provenance:
        """Return what is at least as strict as both: the stronger level and sandbox, and each limit's smaller value."""
        return Provenance(
            minimum=max(self.minimum, other.minimum, key=LEVELS.index),
            sandbox=max(self.sandbox, other.sandbox, key=SANDBOXES.index),
            limits={
                name: min(limits[name] for limits in (self.limits, other.limits) if name in limits)
                for name in {**self.limits, **other.limits}
            },
        )


@dataclass(frozen=True)
class Candidate:
    """What one ordinal of a campaign came to: the unit that operators read, populations keep and databases store.

    Attributes:
        ordinal: its number; 0 is the program that the search started from.
        operator: kind of the operator that was asked last.
        program_id: None when no program came of it.
        parents: program ids; the first is the one that was changed.
        note: what the operator says it did.
        island: which archive it belongs to.
        outcome: None until it is decided.
        source: the program, "" when none came of it.
        evaluation: None when it was not evaluated.
    """

    ordinal: int
    operator: str
    program_id: str | None = None
    parents: tuple[str, ...] = ()
    note: str = ""
    island: int = 0
    outcome: Outcome | None = None
    source: str = ""
    evaluation: Evaluation | None = None

    @property
    def ending(self) -> Outcome:
        """How it ended; it must be decided."""
        assert self.outcome is not None
        return self.outcome

    def evaluated(self, evaluation: Evaluation) -> Candidate:
        """Return it as an evaluation decides it."""
        return replace(self, outcome=evaluation.outcome, evaluation=evaluation)

    @property
    def ok(self) -> bool:
        """Whether it has scores."""
        return self.outcome is not None and self.outcome.ok and self.evaluation is not None

    @property
    def scores(self) -> Mapping[str, Score]:
        """Its scores by name; empty unless it ended ok."""
        return self.evaluation.scores if self.ok and self.evaluation is not None else {}

    def mean(self, score: str) -> float:
        """Return the mean of one of its scores.

        Raises:
            KeyError: it has none of this name.
        """
        return self.scores[score].mean
