"""What a domain writes: what its tasks are, and how a program is run on one of them. Everything else is here.

>>> class MyDomain(TaskDomain):
...     name = "mine"
...     metric = Metric("loss", "loss", "min", "linear", resolution=0.01)
...     components = (Component("Solver", "solve", ("problem",)),)
...     seed = "baseline"
...     def tasks(self, suite, tiers, budget, seeds): ...
...     def run(self, program, task, sandbox, limits): ...

`run` is trusted code: it stays outside the sandbox, calls the program through a session, and measures by itself what
the program's answers are worth. A program's fault is an outcome (`SandboxFault`, `InvalidAnswer`); any other exception
is the domain's own fault, which the engine records as `engine_error`.
"""

from __future__ import annotations

import hashlib
import importlib.resources
import math
import sys
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from importlib.resources.abc import Traversable
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from evaluators import source as static
from evaluators.contract import (
    CapabilityError,
    Component,
    InvalidAnswer,
    Mechanism,
    Plan,
    ProgramError,
    Stage,
    TaskError,
    nearest,
)
from evaluators.records import (
    Cost,
    Curve,
    Evaluation,
    Metric,
    NotFiniteError,
    Outcome,
    Score,
    Tag,
    Task,
    TaskResult,
)
from evaluators.scores import family_score
from sandbox.base import Callback, Level, Limits, Sandbox, SandboxFault, Session, Verdict

if TYPE_CHECKING:
    from evaluators.scripts import Exporter

_TAGS = {
    Verdict.LOG_FLOOD: Tag.OUTPUT_LIMIT,
    Verdict.NO_RESULT: Tag.CRASH,
    Verdict.BAD_RESULT: Tag.INVALID,
    Verdict.SANDBOX_ERROR: Tag.INFRASTRUCTURE,
}
"""Verdicts of the sandbox that outcomes have other words for."""


class TaskDomain(ABC):
    """A problem domain. The class attributes are its declarations; the methods below `run` may be overridden.

    Attributes:
        name: identifier; ours have their seeds in ``seeds/<name>/`` and their prompts in ``prompts/<name>/``.
        origin: what `evaluators.registry.get_domain` takes for it: its name, or the folder that it lies in.
        metric: what `run` measures.
        components: the evolvable classes. Programs have each of them, with the method and its arguments.
        seed: name of the seed that a search starts from.
        baselines: names of the seeds that every table shows, in order.
        reference: name of the seed that scores are relative to; "" where they are not.
        readings: shares of a task's budget at which its curve is read off for the score, the last of them 1.
        clip: largest advantage that one reading counts for, in decades or units.
        ruler_version: raised when scores of the same results become others; scores of two versions are never ranked
            together.
        objective: name of the score that decides "better" unless a campaign says otherwise.
        suites: names of the suites that `tasks` takes; ``train`` is searched on, ``test`` is held out.
        suites_version: raised when a suite gets other tasks; stored with every record that names one.
        tiers: names of the tiers that `tasks` takes, all of them.
        limits: of the session of one task.
        sandbox_modules: libraries that a sandbox runner of this domain loads beforehand.
        refinements: how many times an island's leader is evaluated on further seeds; for noisy tasks.
        mechanisms: what the symbolic operator may insert beside what it changes by itself.
        horizons: budgets of held-out evaluations in a promotion; the tasks' own when empty.
    """

    name: str
    origin: str = ""
    metric: Metric
    components: tuple[Component, ...] = ()
    seed: str
    baselines: tuple[str, ...] = ()
    reference: str = ""
    readings: tuple[float, ...] = (1.0,)
    clip: float = math.inf
    ruler_version: int = 1
    objective: str = "score"
    suites: tuple[str, ...] = ("train",)
    suites_version: int = 1
    tiers: tuple[str, ...] = ("exact",)
    limits: Limits = Limits()
    sandbox_modules: tuple[str, ...] = ("numpy",)
    refinements: int = 0
    mechanisms: tuple[Mechanism, ...] = ()
    horizons: tuple[int, ...] = ()

    # What a domain writes.

    @abstractmethod
    def tasks(
        self,
        suite: str,
        tiers: Sequence[str] | None = None,
        budget: int | None = None,
        seeds: Sequence[int] | None = None,
    ) -> Sequence[Task]:
        """Return the tasks of a suite, in the order in which they run.

        Args:
            suite: one of `suites`.
            tiers: some of `tiers`; those of a search when None.
            budget: of each task; the domain's own when None.
            seeds: of stochastic tasks; those of a search when None.
        """

    @abstractmethod
    def run(self, program: str, task: Task, sandbox: Sandbox, limits: Limits) -> TaskResult:
        """Run a program on a task. Costs are measured, and sessions closed, by the caller.

        Raises:
            SandboxFault: the program failed.
            InvalidAnswer: what it returned is no answer.
            ProgramError: it is none of this domain, which `check` did not see.
        """

    # Capabilities: what only some domains can do. A command that needs one asks for it.

    @property
    def exporter(self) -> Exporter | None:
        """What makes a file of a program that runs on its own (`evaluators.scripts.Exporter`)."""
        return None

    @property
    def solver(self) -> type[Any] | None:
        """A class that makes a running solver of (source, game), with the calls of OpenSpiel's CFRSolver."""
        return None

    @property
    def meta_strategy_method(self) -> type[Any] | None:
        """A class that makes a ``meta_strategy_method`` of OpenSpiel's ``psro_v2.PSROSolver`` of (source, which)."""
        return None

    @property
    def psro_solver(self) -> type[Any] | None:
        """A class that makes a running PSRO solver, populations and mixtures, of (source, game, iterations)."""
        return None

    def draw(self, seed: int) -> Sequence[Task]:
        """Return tasks that are drawn from `seed` once programs are frozen; none where the domain has no such tasks."""
        return ()

    # What every domain can do; override what is different.

    def check(self, source: str) -> None:
        """See that a source implements the interface: all components with their methods and arguments.

        Raises:
            ProgramError: with a message that a person or a model can act on.
        """
        classes = static.classes(source)
        hint = "A program has the classes " + ", ".join(c.name for c in self.components) + "."
        for component in self.components:
            node = static.require_class(classes, component.name, hint=hint)
            static.require_method(node, component.method, component.arguments)

    def resembles(self, source: str) -> int:
        """Return how many components a source seems to have: by that the domain of a file is seen."""
        return sum(f"class {component.name}" in source for component in self.components)

    def select(
        self,
        names: Sequence[str],
        tiers: Sequence[str] | None = None,
        budget: int | None = None,
        seeds: Sequence[int] | None = None,
    ) -> Sequence[Task]:
        """Return the tasks of these names, groups or families, of whichever suite.

        The name of a task stands for it whatever `seeds` are.

        Raises:
            TaskError: an unknown name.
        """
        known, usual = (
            {task: None for suite in self.suites for task in self.tasks(suite, tiers, budget, own)}
            for own in (seeds, None)
        )
        chosen: dict[Task, None] = {}
        for name in names:
            own = [task for task in known if name in (task.group, task.family)]
            own = own or [task for task in usual if task.name == name]
            if not own:
                raise TaskError(
                    f"{self.metric.task}: expected a name; got {name!r}.",
                    nearest(name, sorted({task.group for task in known})),
                )
            chosen |= dict.fromkeys(own)
        return list(chosen)

    def plan(
        self,
        names: Sequence[str] | None = None,
        *,
        suite: str = "train",
        tiers: Sequence[str] | None = None,
        budget: int | None = None,
        seeds: Sequence[int] | None = None,
    ) -> Plan:
        """Return the plan of an evaluation on a suite or on named tasks.

        Raises:
            InputError: an unknown task, suite or tier, or a suite without tasks.
        """
        for tier in tiers or ():
            if tier not in self.tiers:
                raise TaskError(f"tier: expected a name; got {tier!r}.", nearest(tier, self.tiers))
        if not names and suite not in self.suites:
            raise TaskError(f"suite: expected a name; got {suite!r}.", nearest(suite, self.suites))
        tasks = self.select(names, tiers, budget, seeds) if names else self.tasks(suite, tiers, budget, seeds)
        if not tasks:
            raise TaskError(f"plan: expected at least one {self.metric.task}; the choice has none.")
        return Plan(self.stages(tasks), self.limits_for(tasks))

    def stages(self, tasks: Sequence[Task]) -> tuple[Stage, ...]:
        """Return the stages in which tasks are evaluated; one, without a gate, by default."""
        return (Stage("all", tuple(tasks)),)

    def limits_for(self, tasks: Sequence[Task]) -> Limits:
        """Return the limits of a session on any of these tasks."""
        return self.limits

    def held_out(self, seed: int, budget: int | None = None) -> Sequence[Task]:
        """Return the tasks, a few cheap ones that no search sees, on which the end of a campaign compares programs.

        Args:
            seed: what is drawn is drawn from it.
            budget: of each task; the domain's own when None.
        """
        return self.tasks("test", None, budget, None) if "test" in self.suites else ()

    def read_at(self, budget: int) -> tuple[int, ...]:
        """Return the budgets at which the curve of a task is read off for the score (`readings`), the last its own."""
        return tuple(sorted({max(1, round(share * budget)) for share in self.readings}))

    def task_score(self, result: TaskResult) -> float:
        """Return the score of one task: its advantage over the reference program, else its value, larger is better.

        The advantage is the mean over the readings that both curves have, the last one at their ends, each clipped to
        `clip`.
        """
        if not result.reference:
            return self.metric.oriented(result.value)
        own, other = dict(result.curve), dict(result.reference)
        pairs = [(own[k], other[k]) for k in self.read_at(result.task.budget)[:-1] if k in own and k in other]
        pairs.append((result.value, result.reference[-1][1]))
        gains = (self.metric.advantage(value, reference, result.floor) for value, reference in pairs)
        return fmean(max(-self.clip, min(gain, self.clip)) for gain in gains)

    def score(self, results: Iterable[TaskResult]) -> Score:
        """Return the score of some tasks: see `evaluators.scores.family_score`."""
        return family_score(results, self.metric, self.task_score)

    def scores(self, results: Sequence[TaskResult]) -> dict[str, Score]:
        """Return all scores of tasks that were run to their end: the objective, and ``<objective>/<group>``."""
        groups = dict.fromkeys(result.task.group for result in results)
        parts = {group: self.score([r for r in results if r.task.group == group]) for group in groups}
        return {self.objective: self.score(results)} | {
            f"{self.objective}/{group}": part for group, part in parts.items()
        }

    def score_names(self, plan: Plan) -> tuple[str, ...]:
        """Return the names of the scores that an evaluation on `plan` has."""
        return (self.objective, *(f"{self.objective}/{group}" for group in plan.groups))

    def stage_score(self, results: Sequence[TaskResult]) -> Score:
        """Return what a gate compares: the score of the tasks of a stage."""
        return self.score(results)

    # Where a domain's programs are.

    @property
    def folder(self) -> Path | None:
        """The folder of a domain that is none of ours: ``seeds/`` and ``prompts/`` lie in it."""
        module = type(self).__module__
        file = (
            None if module.startswith("evaluators.") else getattr(sys.modules.get(module), "__file__", None)
        )
        return None if file is None else Path(file).parent

    def resources(self, kind: str) -> Traversable:
        """Return the folder of the domain's ``seeds`` or ``prompts``, which need not exist."""
        return self.folder / kind if self.folder else importlib.resources.files(kind) / self.name

    def seed_names(self) -> tuple[str, ...]:
        """Return the names of the domain's seed programs, sorted."""
        folder = self.resources("seeds")
        files = folder.iterdir() if folder.is_dir() else ()
        return tuple(sorted(file.name[:-3] for file in files if file.name.endswith(".py")))

    def seed_source(self, name: str) -> str:
        """Return the source of a seed program.

        Raises:
            FileNotFoundError: there is no such file.
        """
        return (self.resources("seeds") / f"{name}.py").read_text(encoding="utf-8")

    def require(self, capability: str, *, command: str) -> Any:
        """Return what the domain brings for a command.

        Raises:
            CapabilityError: it does not.
        """
        brought = getattr(self, capability)
        if not brought:
            raise CapabilityError(f"{command}: the domain {self.name} has no {capability}.")
        return brought

    # The evaluation.

    def evaluate(
        self,
        source: str,
        plan: Plan,
        sandbox: Sandbox,
        *,
        against: Mapping[str, Score] | None = None,
        progress: Callable[[TaskResult], None] | None = None,
    ) -> Evaluation:
        """Run a program through a plan, until a task fails, a gate closes or all are done.

        Args:
            source: the program.
            plan: what to run.
            sandbox: where the program runs.
            against: stage -> score that the stage's gate compares with, the parent's.
            progress: called after each finished task.
        """
        results: list[TaskResult] = []
        stages: dict[str, Score] = {}
        meter = _Meter(sandbox, source)
        outcome = self._run_stages(source, plan, meter, against or {}, progress, results, stages)
        return Evaluation(
            outcome=outcome,
            results=tuple(results),
            scores=self.scores(results) if outcome.ok else {},
            stages=stages,
            isolation=sandbox.level.label,
            cost=replace(meter.cost(), oracle_calls=sum(result.cost.oracle_calls for result in results)),
            log="\n".join(meter.logs),
        )

    def _run_stages(
        self,
        source: str,
        plan: Plan,
        meter: _Meter,
        against: Mapping[str, Score],
        progress: Callable[[TaskResult], None] | None,
        results: list[TaskResult],
        stages: dict[str, Score],
    ) -> Outcome:
        """Fill `results` and `stages`; return how the evaluation ended."""
        for stage in plan.stages:
            first = len(results)
            for task in stage.tasks:
                try:
                    result = meter.measure(self, task, plan.limits)
                except SandboxFault as fault:
                    tag = _TAGS.get(fault.verdict) or Tag(fault.verdict.value)
                    return Outcome(tag, f"{task.name}: {fault.message}")
                except (InvalidAnswer, NotFiniteError) as error:
                    return Outcome(Tag.INVALID, str(error))
                except ProgramError as error:
                    return Outcome(Tag.REJECTED, f"{error.message} {error.hint}".strip())
                results.append(result)
                if progress:
                    progress(result)
                stages[stage.name] = score = self.stage_score(results[first:])
                parent, finished = against.get(stage.name), task is stage.tasks[-1]
                if not stage.gate or not parent or not (finished or _is_level(stage, results[first:])):
                    continue
                if stage.gate.closes(score, parent, finished=finished):
                    message = (
                        f"{stage.name}: a score of {score.mean:.3f}, beside {parent.mean:.3f} of its parent"
                    )
                    return Outcome(Tag.EARLY_STOPPED, message)
        return Outcome(Tag.OK)

    def reference_curve(self, task: Task, sandbox: Sandbox, limits: Limits) -> Curve:
        """Return the reference program's curve on a task, which is run once.

        Raises:
            TaskError: the reference program fails on it.
            SandboxFault: the machine does.
        """
        if not self.reference:
            return ()
        known = self.__dict__.setdefault("_references", {})
        if task not in known:
            program = self.seed_source(self.reference)
            try:
                known[task] = _Meter(sandbox, program).measure(self, task, limits, reference=False).curve
            except (SandboxFault, InvalidAnswer) as fault:
                if isinstance(fault, SandboxFault) and fault.verdict is Verdict.SANDBOX_ERROR:
                    raise
                raise TaskError(
                    f"{task.name}: expected a {self.metric.task} that the reference program {self.reference} takes, to"
                    f" which scores are relative; it failed: {fault}.",
                    f"Leave this {self.metric.task} out.",
                ) from fault
        curve: Curve = known[task]
        return curve


class _Meter(Sandbox):
    """The sandbox that `TaskDomain.run` is given: it seeds sessions, closes them, and adds up what they cost."""

    def __init__(self, sandbox: Sandbox, program: str) -> None:
        self._sandbox, self._program = sandbox, program
        self._seed: int | None = None
        self._sessions: list[Session] = []
        self._wall, self._cpu = time.perf_counter(), time.process_time()
        self._inside = self._charged = 0.0
        self.logs: dict[str, None] = {}

    @property
    def level(self) -> Level:
        """See `Sandbox.level`."""
        return self._sandbox.level

    def open(
        self,
        guest: str,
        program: str,
        *,
        limits: Limits,
        shared_bytes: int,
        callbacks: Mapping[str, Callback] | None = None,
        seed: int | None = None,
    ) -> Session:
        """See `Sandbox.open`; unless it is given, the seed derives from the program and the task's seed."""
        session = self._sandbox.open(
            guest,
            program,
            limits=limits,
            shared_bytes=shared_bytes,
            callbacks=callbacks,
            seed=self._seed if seed is None else seed,
        )
        self._sessions.append(session)
        return session

    def measure(
        self, domain: TaskDomain, task: Task, limits: Limits, *, reference: bool = True
    ) -> TaskResult:
        """Return the program's result on a task, with its cost and, where the domain has one, the reference's curve."""
        before = self.cost()
        self._seed = None if task.seed is None else _session_seed(self._program, task.seed)
        try:
            result = domain.run(self._program, task, self, limits)
        finally:
            self.close()
        after = self.cost()
        cost = Cost(
            after.cpu_s - before.cpu_s,
            after.wall_s - before.wall_s,
            after.candidate_cpu_s - before.candidate_cpu_s,
            result.cost.oracle_calls,
        )
        if not reference:
            return replace(result, cost=cost)
        wall_s, cpu_s = time.perf_counter(), time.process_time()
        curve = domain.reference_curve(task, self._sandbox, limits)
        self._wall += time.perf_counter() - wall_s  # What the reference costs is not the program's to pay.
        self._cpu += time.process_time() - cpu_s
        return replace(result, cost=cost, reference=curve)

    def cost(self) -> Cost:
        """Return what was spent so far: this process's CPU, and of the program's what this process did not spend."""
        wall_s, cpu_s = time.perf_counter() - self._wall, time.process_time() - self._cpu
        return Cost(cpu_s + self._inside, wall_s, self._charged)

    def close(self) -> None:
        """Close the sessions that are open, and charge for them."""
        while self._sessions:
            usage = self._sessions.pop().close()
            self._inside += usage.cpu_s - usage.caller_cpu_s
            self._charged += usage.cpu_s
            if usage.log:
                self.logs[usage.log] = None


def _is_level(stage: Stage, done: Sequence[TaskResult]) -> bool:
    """Return whether a mean over the tasks done stands for the whole stage: no family has more or fewer seeds done."""
    planned, finished = (
        Counter((task.group, task.tier) for task in tasks if task.seed is not None)
        for tasks in (stage.tasks, [result.task for result in done])
    )
    exact = sum(task.seed is None for task in stage.tasks)
    return (
        exact == sum(result.task.seed is None for result in done)
        and planned.keys() == finished.keys()
        and len(set(finished.values())) == 1
        and min(finished.values()) > 1
    )


def _session_seed(program: str, seed: int) -> int:
    """Return the random state of a session: programs and task seeds differ, and one pair is repeatable."""
    key = f"{program}\0{seed}".encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.sha256(key).digest()[:4])
