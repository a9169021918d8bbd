"""Approximate square roots by a rule that is applied again and again: minimised on a log scale, exact."""

from evaluators.contract import Component, Mechanism, Parameter
from evaluators.functions import Function, number
from evaluators.records import Metric, Task, TaskResult
from evaluators.task_domain import TaskDomain
from sandbox.base import Limits

TARGETS = {"train": {"two": 2.0, "ten": 10.0}, "test": {"ninety": 90.0}}
SMALLEST_ERROR = 1e-15


class RootsDomain(TaskDomain):
    name = "roots"
    metric = Metric(
        name="error",
        label="relative error of the root",
        direction="min",
        scale="log",
        resolution=0.05,
        task="equation",
        budget="step",
    )
    components = (Component("Rule", "step", ("x", "target")),)
    seed = "relaxed"
    baselines = ("relaxed", "gradient")
    suites = ("train", "test")
    limits = Limits(cpu_s=2.0, wall_s=20.0, call_wall_s=4.0, memory_mib=256)
    mechanisms = (
        Mechanism(
            name="overshoot",
            component="Rule",
            target="return",
            variable="result",
            summary="goes a little further in the direction of the step",
            body="result = result + {share} * (result - x)",
            parameters=(Parameter("share", 0.2, 0.01, 2.0),),
        ),
    )

    def tasks(self, suite, tiers=None, budget=None, seeds=None):
        return [Task(name, name, budget=budget or 6) for name in TARGETS[suite]]

    def run(self, program, task, sandbox, limits):
        target = {**TARGETS["train"], **TARGETS["test"]}[task.name]
        step = Function(program, self.components[0], sandbox, limits)
        x, curve = target, []
        for k in range(1, task.budget + 1):
            x = number(step(x, target), what=f"{task.name}, step {k}")
            curve.append((k, max(abs(x / target**0.5 - 1), SMALLEST_ERROR)))
        return TaskResult(task, curve[-1][1], curve=tuple(curve), floor=SMALLEST_ERROR)


DOMAIN = RootsDomain()
