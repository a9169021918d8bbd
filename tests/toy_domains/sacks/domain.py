"""Fill sacks by priorities of items: maximised on a linear scale, exact."""

import random

from evaluators.contract import Component
from evaluators.functions import Function, array
from evaluators.records import Metric, Task, TaskResult
from evaluators.task_domain import TaskDomain
from sandbox.base import Limits

FAMILIES = {"train": ("light", "heavy"), "test": ("mixed",)}
WEIGHTS = {"light": (1, 20), "heavy": (10, 60), "mixed": (1, 60)}


class SacksDomain(TaskDomain):
    name = "sacks"
    metric = Metric(
        name="filled",
        label="value packed, as a share of the bound",
        direction="max",
        scale="linear",
        resolution=0.001,
        task="sack",
        budget="item",
    )
    components = (Component("Packing", "priorities", ("values", "weights", "capacity")),)
    seed = "by_value"
    baselines = ("by_value", "by_weight")
    suites = ("train", "test")
    limits = Limits(cpu_s=2.0, wall_s=20.0, call_wall_s=4.0, memory_mib=256)

    def tasks(self, suite, tiers=None, budget=None, seeds=None):
        return [Task(name, name, budget=budget or 40) for name in FAMILIES[suite]]

    def run(self, program, task, sandbox, limits):
        rng = random.Random(task.name)
        weights = [rng.randint(*WEIGHTS[task.name]) for _ in range(task.budget)]
        values = [weight + rng.randint(1, 20) for weight in weights]
        capacity = sum(weights) // 3
        ask = Function(program, self.components[0], sandbox, limits)
        priorities = array(ask(values, weights, capacity), (task.budget,), what=task.name)
        order = sorted(range(task.budget), key=lambda i: -priorities[i])
        packed = pack(order, values, weights, capacity)
        return TaskResult(task, packed / bound(values, weights, capacity), extra={"packed": packed})


def pack(order, values, weights, capacity):
    total = 0
    for i in order:
        if weights[i] <= capacity:
            capacity -= weights[i]
            total += values[i]
    return total


def bound(values, weights, capacity):
    total = 0.0
    for value, weight in sorted(zip(values, weights, strict=True), key=lambda item: -item[0] / item[1]):
        total += value * min(1.0, capacity / weight)
        capacity -= min(weight, capacity)
    return total


DOMAIN = SacksDomain()
