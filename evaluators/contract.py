"""Words of a problem domain: its errors, its components and mechanisms, and what an evaluation runs.

What is measured and what came of it is in `evaluators.records`; what a domain writes, in `evaluators.task_domain`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Protocol

from evaluators.records import Score, Task
from sandbox.base import Limits


class InputError(Exception):
    """Something a user named or wrote cannot be used; one line, and what to do next.

    The root of this package's errors: `hint` is a second sentence (a command, the nearest valid name) or "".
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class ProgramError(InputError):
    """Source that is no program of the domain: it does not parse or lacks part of the interface."""


class GameError(InputError):
    """A game that is unknown, or that cannot be compiled (imperfect recall, size, simultaneous moves)."""


class TaskError(InputError):
    """A task, suite or tier that the domain does not have."""


class CapabilityError(InputError):
    """The domain does not bring what a command needs."""


class InvalidAnswer(Exception):
    """A program returned something that is not what its domain asks for; the message says where and what."""


def nearest(name: str, known: Sequence[str]) -> str:
    """Return a hint that names the closest of `known`, or lists them when none is close."""
    close = get_close_matches(name, known, n=1)
    return f"Did you mean {close[0]!r}?" if close else f"Known: {', '.join(known)}."


@dataclass(frozen=True)
class Component:
    """One evolvable class: its name, its method and the method's arguments after ``self``."""

    name: str
    method: str
    arguments: tuple[str, ...]


@dataclass(frozen=True)
class Parameter:
    """A constant of a mechanism: where it starts, how it is perturbed and where it must stay.

    The value is drawn log-normally around `default` with `spread` (standard deviation of the logarithm)
    and clipped to [`low`, `high`]; `integer` rounds.
    """

    name: str
    default: float
    low: float
    high: float
    spread: float = 0.4
    integer: bool = False


@dataclass(frozen=True)
class Mechanism:
    """A named idea that the symbolic operator can insert into, and remove from, any program of a domain.

    It is a block of statements that transforms one value on its way through one method: either an input
    (`target` is an expression such as ``info_states.cumulative_regret`` or an argument's name) before the
    method's own statements see it, or what the method returns (`target` is ``return``). Blocks compose in the
    order in which they stand.

    Attributes:
        name: identifier, unique in the domain.
        component: the class that it goes into.
        target: what it transforms (see above).
        variable: the local name that holds the value; `body` rebinds it.
        summary: what it does, in words and without constants; stands above the block as a comment.
        body: statements, with ``{name}`` for each parameter.
        parameters: the constants in `body`.
        state: class attributes that the block needs, name -> initial expression (``self.name`` in `body`).
    """

    name: str
    component: str
    target: str
    variable: str
    summary: str
    body: str
    parameters: tuple[Parameter, ...] = ()
    state: Mapping[str, str] = field(default_factory=dict)


class Gate(Protocol):
    """Decides during a stage whether a candidate is hopeless beside what it is compared with, its parent."""

    def closes(self, score: Score, against: Score, *, finished: bool) -> bool:
        """Return whether the evaluation ends here, as early_stopped.

        Asked at the end of the stage, and before that whenever every family has as many seeds done, two at least:
        between those a mean over the tasks done and one over all of them are of different tasks.

        Args:
            score: the candidate's on the tasks of the stage that it has done.
            against: the parent's on the whole stage.
            finished: whether the stage is done.
        """
        ...


@dataclass(frozen=True)
class MeanGate:
    """Closes after a stage whose mean is more than `margin` below the parent's; for exact tasks."""

    margin: float

    def closes(self, score: Score, against: Score, *, finished: bool) -> bool:
        """See `Gate.closes`."""
        return finished and score.mean < against.mean - self.margin


@dataclass(frozen=True)
class SequentialGate:
    """Closes as soon as a candidate is worse than its parent beyond doubt; for noisy tasks.

    A one-sided t test of the difference of means after every round of seeds, at level `alpha` in all: each of at most
    `max_samples` tests gets an equal share (Bonferroni), so that a candidate as good as its parent is stopped with
    probability `alpha` at most. Later tasks of the stage are run without tests. A domain lists the tasks of such a
    stage seed by seed, so that there are rounds.
    """

    alpha: float = 0.05
    max_samples: int = 16

    def closes(self, score: Score, against: Score, *, finished: bool) -> bool:
        """See `Gate.closes`."""
        if not 2 <= score.n <= self.max_samples:
            return False
        from scipy.special import stdtrit

        # Standard errors are estimates from few samples: with normal quantiles alpha would be exceeded five times over.
        limit = float(stdtrit(score.n - 1, 1 - self.alpha / self.max_samples))
        return against.mean - score.mean > limit * math.hypot(score.stderr, against.stderr)


@dataclass(frozen=True)
class Stage:
    """Tasks that are evaluated together, and the gate that may end the evaluation during or after them."""

    name: str
    tasks: tuple[Task, ...]
    gate: Gate | None = None


@dataclass(frozen=True)
class Plan:
    """Everything that an evaluation runs: stages in order, and the limits of each task's session."""

    stages: tuple[Stage, ...]
    limits: Limits

    @property
    def tasks(self) -> tuple[Task, ...]:
        """All tasks, in the order in which they run."""
        return tuple(task for stage in self.stages for task in stage.tasks)

    @property
    def groups(self) -> tuple[str, ...]:
        """Groups of the tasks (`Task.group`), in the order in which they run."""
        return tuple(dict.fromkeys(task.group for task in self.tasks))

    def only(self, tasks: Sequence[Task]) -> Plan:
        """Return the part of the plan that runs these tasks."""
        kept = frozenset(tasks)
        stages = (Stage(s.name, tuple(t for t in s.tasks if t in kept), s.gate) for s in self.stages)
        return Plan(tuple(stage for stage in stages if stage.tasks), self.limits)
