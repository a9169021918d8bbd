"""Hire the best of candidates who are seen one after the other: maximised, noisy, programs may be random too."""

import math
import random

from evaluators.contract import Component, SequentialGate, Stage
from evaluators.functions import Function, number
from evaluators.records import Metric, Task, TaskResult
from evaluators.task_domain import TaskDomain
from sandbox.base import Limits

FAMILIES = {"train": ("office", "factory"), "test": ("theatre",)}
APPLICANTS = {"office": 10, "factory": 40, "theatre": 20}
TRIALS = 60


class HiringDomain(TaskDomain):
    name = "hiring"
    metric = Metric(
        name="success",
        label="share of trials in which the best is hired",
        direction="max",
        scale="linear",
        resolution=0.01,
        task="vacancy",
        budget="trial",
    )
    components = (Component("Hiring", "skipped", ("num_applicants",)),)
    seed = "patient"
    baselines = ("patient", "lucky")
    suites = ("train", "test")
    limits = Limits(cpu_s=2.0, wall_s=20.0, call_wall_s=4.0, memory_mib=256)
    refinements = 2

    def tasks(self, suite, tiers=None, budget=None, seeds=None):
        chosen = range(3) if seeds is None else seeds
        return [
            Task(f"{name}/{seed}", name, budget=budget or TRIALS, seed=seed)
            for name in FAMILIES[suite]
            for seed in chosen
        ]

    def stages(self, tasks):
        return (Stage("all", tuple(tasks), SequentialGate(alpha=0.1, max_samples=6)),)

    def run(self, program, task, sandbox, limits):
        n = APPLICANTS[task.family]
        skipped = Function(program, self.components[0], sandbox, limits)
        share = number(skipped(n), low=0.0, high=1.0, what=task.name)
        rng = random.Random(task.name)
        share = sum(hires_best(rng, n, round(share * n)) for _ in range(task.budget)) / task.budget
        return TaskResult(
            task, share, stderr=math.sqrt(share * (1 - share) / task.budget), samples=task.budget
        )


def hires_best(rng, n, skipped):
    ranks = rng.sample(range(n), n)
    best_skipped = max(ranks[:skipped], default=-1)
    return next((rank for rank in ranks[skipped:] if rank > best_skipped), -1) == n - 1


DOMAIN = HiringDomain()
