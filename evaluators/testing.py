"""What tests of domains and of the engine need: `FakeDomain`, a domain without a sandbox."""

from __future__ import annotations

import ast
import math
import random
from collections.abc import Mapping, Sequence

from evaluators import source as static
from evaluators.contract import Component, Gate, InvalidAnswer, ProgramError, Stage
from evaluators.records import Metric, Tag, Task, TaskResult
from evaluators.task_domain import TaskDomain
from sandbox.base import Limits, Sandbox, SandboxFault, Verdict

DISTANCE = Metric("distance", "distance to the target", "min", "linear", resolution=0.01)

_TARGETS = {"a": 3.0, "b": 4.0, "c": 3.0}
_SUITES = {"train": ("a", "b"), "test": ("c",)}
_FIRST = "a"

_VERDICTS = {
    Tag.EXCEPTION: Verdict.EXCEPTION,
    Tag.TIMEOUT: Verdict.TIMEOUT,
    Tag.CPU_LIMIT: Verdict.CPU_LIMIT,
    Tag.MEMORY: Verdict.MEMORY,
    Tag.OUTPUT_LIMIT: Verdict.OUTPUT_LIMIT,
    Tag.VIOLATION: Verdict.VIOLATION,
    Tag.CRASH: Verdict.CRASH,
    Tag.INFRASTRUCTURE: Verdict.SANDBOX_ERROR,
}


def fake_program(x: float, fate: Tag = Tag.OK) -> str:
    """Return a program of `FakeDomain`: a number, and how its evaluation is to end."""
    return f"class Answer:\n    def value(self):\n        return {x!r}, {str(fate)!r}\n"


def fake_answer(source: str) -> tuple[float, Tag]:
    """Return the number of a program of `FakeDomain`, and how its evaluation is to end.

    Raises:
        ProgramError: its method is not of the form that `fake_program` writes.
    """
    method = static.methods(static.classes(source)["Answer"])["value"]
    try:
        x, fate = ast.literal_eval(method.body[-1].value)  # type: ignore[attr-defined]
        return float(x), Tag(fate)
    except (AttributeError, TypeError, ValueError) as error:
        raise ProgramError("program: expected Answer.value to return a number and a tag.") from error


class FakeDomain(TaskDomain):
    """A domain for tests of the engine: the value is a function of the source, and no program is run.

    Programs are numbers with a fate (`fake_program`). The closer the number is to a task's target, the better: 3 on
    ``a`` and 4 on ``b``, which are searched on, and 3 on ``c``, which is held out. On ``a`` every program does well;
    its fate strikes on any other task. The sandbox is not used, and may be any.

    Args:
        name: the domain's.
        metric: its direction and scale decide what values look like.
        noise: standard deviation of the error; tasks have seeds then.
        samples: tasks of each name, where values are noisy.
        refinements: see `TaskDomain`.
        gate: of the only stage.
        seeds: name -> source of its seeds; those of 0 and 1 by default, of which the first is the search's start.

    Attributes:
        evaluated: sources that were run on ``a``, in order, once for each task.
    """

    components = (Component("Answer", "value", ()),)
    suites = ("train", "test")
    sandbox_modules = ()

    def __init__(
        self,
        name: str = "fake",
        *,
        metric: Metric = DISTANCE,
        noise: float = 0.0,
        samples: int = 4,
        refinements: int = 0,
        gate: Gate | None = None,
        seeds: Mapping[str, str] | None = None,
    ) -> None:
        self.name = self.origin = name
        self.metric = metric
        self.noise, self.samples = noise, samples
        self.refinements = refinements
        self.gate = gate
        self.sources = dict(seeds or {"zero": fake_program(0.0), "one": fake_program(1.0)})
        self.seed, *others = self.sources
        self.baselines = tuple(others)
        self.evaluated: list[str] = []

    def tasks(
        self,
        suite: str,
        tiers: Sequence[str] | None = None,
        budget: int | None = None,
        seeds: Sequence[int] | None = None,
    ) -> Sequence[Task]:
        """See `TaskDomain.tasks`."""
        if not self.noise:
            return [Task(name, name, budget=budget or 1) for name in _SUITES[suite]]
        chosen = range(self.samples) if seeds is None else seeds
        return [Task(f"{n}/{s}", n, budget=budget or 1, seed=s) for n in _SUITES[suite] for s in chosen]

    def stages(self, tasks: Sequence[Task]) -> tuple[Stage, ...]:
        """See `TaskDomain.stages`."""
        return (Stage("all", tuple(tasks), self.gate),)

    def check(self, source: str) -> None:
        """See `TaskDomain.check`."""
        super().check(source)
        fake_answer(source)

    def run(self, program: str, task: Task, sandbox: Sandbox, limits: Limits) -> TaskResult:
        """See `TaskDomain.run`.

        Raises:
            RuntimeError: where the fate of the program is a fault of ours.
        """
        x, fate = fake_answer(program)
        if task.family == _FIRST:
            self.evaluated.append(program)
        elif fate is Tag.INVALID:
            raise InvalidAnswer(f"{task.name}: expected a number; its fate is to be none")
        elif fate in _VERDICTS:
            raise SandboxFault(_VERDICTS[fate], "it is this program's fate")
        elif fate is not Tag.OK:
            raise RuntimeError(f"{task.name}: it is this program's fate to end as {fate}")
        rng = random.Random(f"{program}\0{task.seed}")
        error = abs(x - _TARGETS[task.family]) + (rng.gauss(0.0, self.noise) if self.noise else 0.0)
        value = self._value(error)
        spread = self.noise if self.metric.scale == "linear" else self.noise * value * math.log(10)
        return TaskResult(task, value, stderr=spread)

    def _value(self, error: float) -> float:
        """Return a value of the metric that is better for a smaller error: linear in it, or exponential."""
        signed = error if self.metric.direction == "min" else -error
        return signed if self.metric.scale == "linear" else 10**signed

    def seed_names(self) -> tuple[str, ...]:
        """See `TaskDomain.seed_names`."""
        return tuple(sorted(self.sources))

    def seed_source(self, name: str) -> str:
        """See `TaskDomain.seed_source`.

        Raises:
            FileNotFoundError: there is none of this name.
        """
        if name not in self.sources:
            raise FileNotFoundError(name)
        return self.sources[name]
