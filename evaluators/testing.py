"""What tests of domains and of the engine need: `DomainContract`, which every domain keeps, and `FakeDomain`.

>>> class TestMine(DomainContract):        # in a file test_domain.py; pytest runs what the class inherits
...     domain = DOMAIN
"""

from __future__ import annotations

import ast
import math
import pickle
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import ClassVar, get_args, get_type_hints

import pytest

from evaluators import source as static
from evaluators.contract import Component, Gate, InvalidAnswer, Plan, ProgramError, Stage
from evaluators.records import (
    NOT_THE_PROGRAMS_FAULT,
    Evaluation,
    Metric,
    Outcome,
    Tag,
    Task,
    TaskResult,
)
from evaluators.task_domain import TaskDomain
from sandbox.base import Limits, Sandbox, SandboxFault, Verdict
from sandbox.process import make

BAD_ANSWERS = {
    "a list": "return []",
    "None": "return None",
    "a string": "return 'good'",
    "NaN": "return float('nan')",
    "an object": "return self",
    "a deep list": "x = []\n        for _ in range(100_000):\n            x = [x]\n        return x",
}
"""Name -> body of a method whose answer is none of any of our domains."""

BAD_ENDS = {
    "raises": ("raise ValueError('on purpose')", (Tag.EXCEPTION,)),
    "loops forever": ("while True:\n            pass", (Tag.CPU_LIMIT, Tag.TIMEOUT)),
    "prints a flood": ("while True:\n            print('x' * 10_000)", (Tag.OUTPUT_LIMIT,)),
    "exits": ("raise SystemExit(0)", (Tag.EXCEPTION, Tag.CRASH)),
}
"""Name -> body of a method that does not answer, and how an evaluation of it may end."""

_SHORT_S = 1.0


class DomainContract:
    """What engine, commands and views rely on. A domain's tests inherit it.

    Attributes:
        domain: the domain.
        accepted: names of `BAD_ANSWERS` that are answers to this domain, so that such a program may be ok.
        first: how many training tasks are run, of those that come first.
        budget: of these tasks, where the domain's own takes long.
    """

    domain: ClassVar[TaskDomain]
    accepted: ClassVar[frozenset[str]] = frozenset()
    first: ClassVar[int] = 1
    budget: ClassVar[int | None] = None

    @pytest.fixture(scope="class")
    @classmethod
    def sandbox(cls) -> Iterator[Sandbox]:
        """The real sandbox in which programs are run."""
        with make("process", cls.domain.sandbox_modules) as sandbox:
            yield sandbox

    @pytest.fixture(scope="class")
    @classmethod
    def evaluation(cls, sandbox: Sandbox) -> Evaluation:
        """The evaluation of the seed that a search starts from."""
        return cls.evaluate(cls.domain.seed_source(cls.domain.seed), sandbox)

    @classmethod
    def plan(cls) -> Plan:
        """Return the tasks that are run, in their stages, without gates."""
        plan = cls.domain.plan(budget=cls.budget)
        stages = (replace(stage, gate=None) for stage in plan.only(plan.tasks[: cls.first]).stages)
        return Plan(tuple(stages), plan.limits)

    @classmethod
    def evaluate(cls, program: str, sandbox: Sandbox, *, short: bool = False) -> Evaluation:
        """Check a program as a search does, and evaluate it; `short`: under limits of a second."""
        try:
            cls.domain.check(program)
        except ProgramError as error:
            return Evaluation(Outcome(Tag.REJECTED, error.message))
        plan = cls.plan()
        if short:
            limits = replace(plan.limits, cpu_s=_SHORT_S, wall_s=20 * _SHORT_S, call_wall_s=4 * _SHORT_S)
            plan = Plan(plan.stages, limits)
        return cls.domain.evaluate(program, plan, sandbox)

    # What it declares.

    def test_the_metric_is_complete(self) -> None:
        """A view needs each of its words."""
        metric, hints = self.domain.metric, get_type_hints(Metric)
        assert metric.name.isidentifier()
        assert metric.label and metric.task and metric.budget
        assert metric.direction in get_args(hints["direction"])
        assert metric.scale in get_args(hints["scale"])
        assert metric.resolution > 0
        assert metric.unit > 0

    def test_the_components_are_named(self) -> None:
        """Operators look for classes and methods by these names."""
        components = self.domain.components
        assert components
        assert len({component.name for component in components}) == len(components)
        for component in components:
            assert all(map(str.isidentifier, (component.name, component.method, *component.arguments)))

    def test_the_mechanisms_fit_the_components(self) -> None:
        """A mechanism goes into a component, and its constants start where they may be."""
        names = [(mechanism.component, mechanism.name) for mechanism in self.domain.mechanisms]
        assert len(set(names)) == len(names)
        for mechanism in self.domain.mechanisms:
            assert mechanism.component in {component.name for component in self.domain.components}
            assert all(p.low <= p.default <= p.high for p in mechanism.parameters), mechanism.name
            # Operators make no line longer than 110 characters, and so would never insert it.
            lines = [f"# {mechanism.name}: {mechanism.summary}", *mechanism.body.splitlines()]
            assert max(map(len, lines)) <= 102, mechanism.name

    def test_the_seeds_exist(self) -> None:
        """Seed, baselines and reference name seeds, all of which are programs of the domain."""
        known = self.domain.seed_names()
        reference = [self.domain.reference] if self.domain.reference else []
        assert {self.domain.seed, *self.domain.baselines, *reference} <= set(known)
        for name in known:
            self.domain.check(self.domain.seed_source(name))

    def test_what_lacks_a_component_is_no_program(self) -> None:
        """Screening relies on that."""
        for source in ("", "x = 1\n", "class Other:\n    pass\n", "def (\n"):
            with pytest.raises(ProgramError):
                self.domain.check(source)

    def test_the_prompt_is_of_these_programs(self) -> None:
        """A search with a model tells it what programs are; without a prompt there is no such search."""
        prompt = self.domain.resources("prompts") / "system.md.j2"
        text = prompt.read_text(encoding="utf-8") if prompt.is_file() else None
        for component in self.domain.components:
            assert text is None or (component.name in text and component.method in text)

    # Its tasks.

    def test_tasks_can_be_told_apart(self) -> None:
        """Tables and databases tell them apart by name and budget."""
        for suite in self.domain.suites:
            tasks = self.domain.tasks(suite, None, None, None)
            assert len({(task.name, task.budget) for task in tasks}) == len(tasks) > 0
            assert all(task.name and task.family and task.tier in self.domain.tiers for task in tasks)

    def test_the_same_tasks_every_time(self) -> None:
        """Campaigns continue, and workers make tasks of their own."""
        for suite in self.domain.suites:
            assert self.domain.tasks(suite, None, None, None) == self.domain.tasks(suite, None, None, None)

    def test_a_tier_can_be_chosen(self) -> None:
        """All tasks of a choice are of its tier, and every tier has tasks in some suite."""
        for tier in self.domain.tiers:
            chosen = [task for suite in self.domain.suites for task in self.domain.tasks(suite, (tier,))]
            assert {task.tier for task in chosen} == {tier}

    def test_a_budget_can_be_chosen(self) -> None:
        """Every task of a choice has it."""
        assert {task.budget for task in self.domain.plan(budget=7).tasks} == {7}

    def test_seeds_can_be_chosen(self) -> None:
        """Tasks with a seed are made anew for other seeds: refinements and held-out evaluations rely on that."""
        seeded = [task for task in self.domain.plan().tasks if task.seed is not None]
        fresh = [task for task in self.domain.plan(seeds=(101, 102)).tasks if task.seed is not None]
        assert {task.seed for task in fresh} == ({101, 102} if seeded else set())
        assert not {task.name for task in seeded} & {task.name for task in fresh}
        assert not self.domain.refinements or seeded

    def test_tasks_are_chosen_by_name_and_by_group(self) -> None:
        """Options of commands name them."""
        task = self.domain.plan().tasks[0]
        assert task in self.domain.plan([task.name]).tasks
        assert {other.group for other in self.domain.plan([task.group]).tasks} == {task.group}

    def test_fresh_tasks_are_drawn_from_a_seed(self) -> None:
        """Where there are any, another seed gives others."""
        drawn = self.domain.draw(1)
        assert self.domain.draw(1) == drawn
        if drawn:
            assert not set(drawn) & set(self.domain.draw(2))

    # Its evaluations.

    def test_seeds_run(self, sandbox: Sandbox) -> None:
        """The seed and the baselines end ok, each on the tasks that it was given."""
        names = dict.fromkeys([self.domain.seed, *self.domain.baselines])
        for name in names:
            evaluation = self.evaluate(self.domain.seed_source(name), sandbox)
            assert evaluation.outcome == Outcome(Tag.OK), name
            assert tuple(result.task for result in evaluation.results) == self.plan().tasks

    def test_scores_are_those_that_were_announced(self, evaluation: Evaluation) -> None:
        """An objective is chosen before anything is scored."""
        assert set(evaluation.scores) == set(self.domain.score_names(self.plan()))
        assert self.domain.objective in evaluation.scores

    def test_a_better_value_has_a_larger_score(self, evaluation: Evaluation) -> None:
        """As the metric's direction says."""
        metric = self.domain.metric
        for result in evaluation.results:
            step = metric.unit if metric.scale == "linear" else 0.0
            values = (result.value / 1.5 - step, result.value * 1.5 + step)
            low, high = (replace(result, value=value, curve=()) for value in values)
            better, worse = (high, low) if metric.better(high.value, low.value) else (low, high)
            assert self.domain.task_score(better) > self.domain.task_score(worse)

    def test_an_evaluation_travels(self, evaluation: Evaluation) -> None:
        """From a worker to the campaign."""
        assert pickle.loads(pickle.dumps(evaluation)) == evaluation

    def test_values_are_repeatable(self, sandbox: Sandbox, evaluation: Evaluation) -> None:
        """The same program on the same task, seed included, has the same value."""
        again = self.evaluate(self.domain.seed_source(self.domain.seed), sandbox)
        assert again.values() == evaluation.values()
        assert [r.curve for r in again.results] == [r.curve for r in evaluation.results]
        objective = self.domain.objective
        assert again.scores[objective] == evaluation.scores[objective]

    @pytest.mark.parametrize("name", BAD_ANSWERS)
    def test_what_is_no_answer_is_the_programs_fault(self, sandbox: Sandbox, name: str) -> None:
        """It is a typed outcome, neither an exception of ours nor ok by luck."""
        evaluation = self.evaluate(self.program(BAD_ANSWERS[name]), sandbox, short=True)
        tag = evaluation.outcome.tag
        assert tag not in NOT_THE_PROGRAMS_FAULT or (tag is Tag.OK and name in self.accepted)
        assert evaluation.outcome.message or tag is Tag.OK

    @pytest.mark.parametrize("name", BAD_ENDS)
    def test_not_to_answer_is_the_programs_fault(self, sandbox: Sandbox, name: str) -> None:
        """It is the outcome that says what it did."""
        body, tags = BAD_ENDS[name]
        assert self.evaluate(self.program(body), sandbox, short=True).outcome.tag in tags

    def program(self, body: str) -> str:
        """Return a program in which every component's method has this body."""
        return "\n\n".join(
            f"class {component.name}:\n"
            f"    def {component.method}({', '.join(('self', *component.arguments))}):\n        {body}\n"
            for component in self.domain.components
        )


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
        return [Task(f"{n}/{s}", n, budget=budget or 1, seed=s) for s in chosen for n in _SUITES[suite]]

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
