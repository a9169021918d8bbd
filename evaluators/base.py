"""Contract of a problem domain: what programs are, how they are run and scored.

A domain is a package under `evaluators/` whose ``domain`` module has a constant ``DOMAIN``; it is found by
listing the package, so that a new one edits nothing here. The engine sees only what this file names.
"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from enum import StrEnum
from functools import cache
from typing import Protocol

from sandbox.base import Limits, Sandbox


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


class InvalidAnswer(Exception):
    """A program returned something that is not what its domain asks for; the message says where and what."""


def nearest(name: str, known: Sequence[str]) -> str:
    """A hint that names the closest of `known`, or lists them when none is close."""
    close = get_close_matches(name, known, n=1)
    return f"Did you mean {close[0]!r}?" if close else f"Known: {', '.join(known)}."


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


LIMIT_TAGS = frozenset({Tag.TIMEOUT, Tag.CPU_LIMIT, Tag.MEMORY})
"""Outcomes that may be the machine's mood: retried once, alone, at double limits, then recorded facts."""


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


@dataclass(frozen=True)
class Instance:
    """One game at one tier, played for a number of iterations: the unit that a sandbox session serves.

    Attributes:
        name: unique within a tier, such as ``leduc2`` or ``leduc2/generic-0``.
        game: short name or OpenSpiel game string.
        variant: ``exact``, ``generic-<seed>``, ``jitter-<seed>`` or ``scale-<factor>``.
        iterations: iterations of the trusted loop.
    """

    name: str
    game: str
    variant: str
    iterations: int


@dataclass(frozen=True)
class InstanceResult:
    """What one instance gave: a curve measured by the trusted loop, and what it cost.

    `curve` holds (iteration, exploitability) pairs; its last entry is the final value. `cpu_s` and `wall_s` are
    the whole evaluation's (candidate and trusted loop) in seconds; `candidate_cpu_s` the candidate's share.
    """

    instance: Instance
    game_string: str
    curve: tuple[tuple[int, float], ...]
    uniform: float
    """Exploitability of the uniform policy, the zero of `decades`."""
    cpu_s: float
    wall_s: float
    candidate_cpu_s: float

    @property
    def exploitability(self) -> float:
        """The value after the last iteration."""
        return self.curve[-1][1]


@dataclass(frozen=True)
class Evaluation:
    """One program on one plan: plain data, picklable, complete in itself.

    `results` holds the instances that finished, in plan order, also when a later one failed. `objectives` is empty
    unless the outcome is ok.
    """

    outcome: Outcome
    results: tuple[InstanceResult, ...]
    objectives: Mapping[str, float]
    isolation: str
    cpu_s: float
    wall_s: float
    log: str = ""


@dataclass(frozen=True)
class Stage:
    """Instances that are evaluated together, and the gate before the next stage.

    After the stage the mean score of its instances must reach the `floor` that the engine passes (the parent's mean
    on the same stage less `margin`), else the evaluation ends as early_stopped.
    """

    name: str
    instances: tuple[Instance, ...]
    margin: float | None = None


@dataclass(frozen=True)
class Plan:
    """Everything that an evaluation runs: stages in order, limits of each session, objectives to compute."""

    stages: tuple[Stage, ...]
    limits: Limits

    @property
    def instances(self) -> tuple[Instance, ...]:
        """All instances, in the order in which they run."""
        return tuple(i for stage in self.stages for i in stage.instances)


class Domain(Protocol):
    """What the engine knows of a problem domain."""

    @property
    def name(self) -> str:
        """Identifier, also the folder name under ``seeds/`` and ``prompts/``."""
        ...

    @property
    def components(self) -> tuple[Component, ...]:
        """The evolvable classes."""
        ...

    @property
    def mechanisms(self) -> tuple[Mechanism, ...]:
        """What the symbolic operator may insert."""
        ...

    @property
    def seed(self) -> str:
        """Name of the seed program."""
        ...

    @property
    def baselines(self) -> tuple[str, ...]:
        """Names of the seed files that every table shows, in order."""
        ...

    @property
    def default_objective(self) -> str:
        """The objective that decides "better" unless a campaign says otherwise; larger is better."""
        ...

    @property
    def holdout(self) -> tuple[str, ...]:
        """Games of the test suite, small ones, that the end of a campaign looks at (each look is recorded)."""
        ...

    @property
    def sandbox_modules(self) -> tuple[str, ...]:
        """Libraries that a sandbox runner of this domain loads beforehand."""
        ...

    @property
    def tiers(self) -> tuple[str, ...]:
        """Names of the tiers that `plan` takes."""
        ...

    def check(self, source: str) -> None:
        """Static check of a program's source.

        Raises:
            ProgramError: with a message that a person or a model can act on.
        """
        ...

    def plan(
        self,
        games: Sequence[str] | None = None,
        *,
        suite: str = "train",
        tiers: Sequence[str] | None = None,
        iterations: int | None = None,
    ) -> Plan:
        """The plan of an evaluation on a suite or on named games; by default the domain's tiers for a search.

        Raises:
            GameError: unknown game or suite.
        """
        ...

    def promotion_plan(self, seed: int) -> Plan:
        """The plan of a look at sealed games, which are drawn from `seed` after the programs are frozen."""
        ...

    def objectives(self, plan: Plan) -> tuple[str, ...]:
        """Names of the objectives that an evaluation on `plan` has."""
        ...

    def score(self, plan: Plan, results: Sequence[InstanceResult]) -> Mapping[str, float]:
        """The objectives of a plan that was played to its end, from results in its order; runs nothing.

        What `evaluate` gives with an outcome of ok, for evaluations that are put together from parts.
        """
        ...

    def evaluate(
        self,
        source: str,
        plan: Plan,
        sandbox: Sandbox,
        *,
        floors: Mapping[str, float] | None = None,
        progress: Callable[[InstanceResult], None] | None = None,
    ) -> Evaluation:
        """Run a program through a plan. A candidate's fault is an outcome; ours is an exception.

        Args:
            source: the program.
            plan: what to run.
            sandbox: where the program runs.
            floors: stage name -> mean score that the stage must reach.
            progress: called after each finished instance.
        """
        ...


def domains() -> dict[str, Domain]:
    """All domains, by name: every package below `evaluators` that has a ``domain`` module."""
    import evaluators

    found: dict[str, Domain] = {}
    for module in pkgutil.iter_modules(evaluators.__path__):
        if module.ispkg and importlib.util.find_spec(f"evaluators.{module.name}.domain"):
            domain: Domain = importlib.import_module(f"evaluators.{module.name}.domain").DOMAIN
            found[domain.name] = domain
    return found


@cache
def get_domain(name: str) -> Domain:
    """The domain called `name`, which is looked for once.

    Raises:
        InputError: with the nearest name.
    """
    found = domains()
    if name not in found:
        raise InputError(
            f"domain: expected the name of a domain; got {name!r}.", nearest(name, sorted(found))
        )
    return found[name]
