"""Programs beside each other on a plan, a job for each program and group of tasks.

An evaluation ends at the first task that a program fails on, which is right for a search: selection sees no mean over
half of the tasks. In a table of programs it would hide what one that is made for two players does on all games of two.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from evaluators.contract import Plan
from evaluators.records import Cost, Evaluation, Outcome, Tag, Task, TaskResult
from evaluators.task_domain import TaskDomain
from evolve.evaluation.service import EvaluationService
from results.costs import at_cpu

REFUSALS = frozenset({Tag.EXCEPTION, Tag.INVALID})
"""How a program ends that does not take a task: it says so by an exception, or what it gives is no answer to it."""


@dataclass(frozen=True)
class Row:
    """A program on all groups of a plan.

    Attributes:
        evaluation: the tasks that it finished, as if they had been one evaluation; scores only if it finished all. Its
            outcome is the gravest: one that is no refusal, if there is any, else the plan's first.
        failures: group -> how the program ended there, in the plan's order.
    """

    evaluation: Evaluation
    failures: Mapping[str, Outcome]


async def evaluate_all(
    service: EvaluationService,
    domain: TaskDomain,
    sources: Sequence[str],
    plan: Plan,
    *,
    told: Callable[[], None],
) -> list[Row]:
    """Evaluate every program on every group, the plan's last first: it is the costliest, and runs beside the others.

    Args:
        service: where jobs run, in the order in which it is asked.
        domain: what the programs are of.
        sources: the programs.
        plan: what to run; the tasks of one group are one job.
        told: is called after each job, of which there are as many as programs times groups.
    """
    parts = by_group(plan)

    async def job(source: str, part: Plan) -> Evaluation:
        evaluation = await service.evaluate(source, part)
        told()
        return evaluation

    jobs = [(source, group) for group in reversed(parts) for source in range(len(sources))]
    evaluations = await asyncio.gather(*(job(sources[source], parts[group]) for source, group in jobs))
    ended = dict(zip(jobs, evaluations, strict=True))
    return [
        joined(domain, plan, {group: ended[source, group] for group in parts})
        for source in range(len(sources))
    ]


def at_equal_cpu(domain: TaskDomain, rows: Mapping[str, Row]) -> tuple[dict[str, Row], dict[Task, float]]:
    """Return programs as they were after as much CPU time as the cheapest took on each task, and these times.

    Scores are made anew of these values; where they are relative, to the reference program after the same time.

    Args:
        domain: of the programs.
        rows: name -> program on the plan.
    """
    by_task: dict[Task, dict[str, TaskResult]] = {}
    for name, row in rows.items():
        for result in row.evaluation.results:
            by_task.setdefault(result.task, {})[name] = result
    read = {task: at_cpu(domain.metric, results) for task, results in by_task.items()}
    references = {task: values.get(domain.reference) for task, (values, _) in read.items()}
    return {
        name: replace(row, evaluation=_read_off(domain, name, row.evaluation, read, references))
        for name, row in rows.items()
    }, {task: seconds for task, (_, seconds) in read.items()}


def _read_off(
    domain: TaskDomain,
    name: str,
    evaluation: Evaluation,
    read: Mapping[Task, tuple[Mapping[str, float], float]],
    references: Mapping[Task, float | None],
) -> Evaluation:
    known = [
        (result, read[result.task][0][name]) for result in evaluation.results if name in read[result.task][0]
    ]
    results = []
    for result, value in known:
        task, reference = result.task, references[result.task]
        curve = ((task.budget, value),)
        against = () if reference is None else ((task.budget, reference),)
        results.append(replace(result, value=value, curve=curve, reference=against))
    whole = bool(evaluation.scores) and len(results) == len(evaluation.results)
    scored = whole and (not domain.reference or all(result.reference for result in results))
    return replace(evaluation, results=tuple(results), scores=domain.scores(results) if scored else {})


def by_group(plan: Plan) -> dict[str, Plan]:
    """Return the part of the plan that each group is, in the plan's order."""
    return {group: plan.only([task for task in plan.tasks if task.group == group]) for group in plan.groups}


def joined(domain: TaskDomain, plan: Plan, parts: Mapping[str, Evaluation]) -> Row:
    """Return the evaluations of one program on the parts of a plan as one; costs are added."""
    failures = {group: part.outcome for group, part in parts.items() if not part.outcome.ok}
    position = {task: number for number, task in enumerate(plan.tasks)}
    results = [result for part in parts.values() for result in part.results]
    results.sort(key=lambda result: position[result.task])
    whole = Evaluation(
        outcome=min(failures.values(), key=lambda one: one.tag in REFUSALS, default=Outcome(Tag.OK)),
        results=tuple(results),
        scores={} if failures else domain.scores(results),
        isolation=next((part.isolation for part in parts.values() if part.isolation), ""),
        cost=sum((part.cost for part in parts.values()), Cost()),
        log="\n".join(dict.fromkeys(part.log for part in parts.values() if part.log)),
    )
    return Row(whole, failures)
