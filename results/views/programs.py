"""Programs of a campaign beside each other: their scores, and what they reached on each kind of task."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from sqlalchemy import Connection

from evaluators.records import Evaluation, Metric, Score, Task, TaskResult
from results import schema
from results.comparison import Standing, Value, mean, ranking, standing_over
from results.costs import cpu_seconds
from results.loading import load_evaluations, load_programs
from results.plots import Curve
from results.programs import SHOWN_ID
from results.records import CampaignRecord, ProgramRecord
from results.text import marks

LABEL_CHARS = 32
"""Of a longer name, this much is shown."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A program in a comparison.

    Attributes:
        program_id: its id.
        label: its name, the number of the candidate that it was, or the beginning of its id.
        ordinal: the candidate that it was; None for a program that is a baseline only.
        baseline: whether it was evaluated for comparison.
        score: the campaign's objective; None unless the evaluation ended ok.
        evaluation: on the campaign's own plan.
    """

    program_id: str
    label: str
    ordinal: int | None
    baseline: bool
    score: Score | None
    evaluation: Evaluation


@dataclass(frozen=True, kw_only=True)
class Column:
    """Tasks that are taken together: those of a group, a tier and a budget, or a single one.

    Attributes:
        name: what tables call them.
        budget: of each of them.
        tasks: which.
        values: program id -> mean over the tasks, of programs that finished all of them.
        standing: the best program whose evaluation ended ok, and those that are tied with it.
        uniform: what a trivial program reaches; None where that was not stored.
    """

    name: str
    budget: int
    tasks: tuple[Task, ...]
    values: Mapping[str, Value]
    standing: Standing | None
    uniform: float | None = None

    def best(self, program_id: str) -> bool:
        """Return whether a program is the best here, or tied with it."""
        return self.standing is not None and program_id in (self.standing.winner, *self.standing.tied)


def label(program: ProgramRecord, ordinal: int | None = None) -> str:
    """Return what a program is called beside others: a name has its marks (`results.text.MARKS`)."""
    number = program.id[:SHOWN_ID] if ordinal is None else f"#{ordinal}"
    return program.name[:LABEL_CHARS] + marks(program.name, program.source) or number


def entries(
    connection: Connection,
    campaign: CampaignRecord,
    program_ids: Collection[str],
    ordinals: Collection[int] = (),
) -> list[Entry]:
    """Return some programs, some candidates and all baselines of a campaign, best first, those without a score last."""
    of = schema.Evaluation
    wanted = of.ordinal.is_(None) | of.program_id.in_(program_ids) | of.ordinal.in_(ordinals)
    where = (of.campaign_id == campaign.id, of.plan == campaign.plan, wanted)
    evaluations = list(load_evaluations(connection, *where).values())
    ids = {one.program_id for one in evaluations}
    programs = load_programs(connection, schema.Program.id.in_(ids))
    baselines = {one.program_id for one in evaluations if one.ordinal is None}
    # A seed may be a baseline and what the search started from.
    by_id = {one.program_id: one for one in sorted(evaluations, key=lambda one: one.ordinal is not None)}
    made = {
        key: Entry(
            program_id=key,
            label=label(programs[key], one.ordinal),
            ordinal=one.ordinal,
            baseline=key in baselines,
            score=one.evaluation.scores.get(campaign.objective),
            evaluation=one.evaluation,
        )
        for key, one in by_id.items()
    }
    return [made[key] for key in ranking({key: entry.score for key, entry in made.items()})]


def columns(metric: Metric, rows: Iterable[Entry]) -> list[Column]:
    """Return the tasks on which any of these programs was run: each group's first tier, then the others."""
    groups: dict[tuple[str, str, int], dict[str, list[TaskResult]]] = {}
    shown = list(rows)
    for entry in shown:
        for result in entry.evaluation.results:
            task = result.task
            by_program = groups.setdefault((task.group, task.tier, task.budget), {})
            by_program.setdefault(entry.program_id, []).append(result)
    first = first_tiers(result.task for entry in shown for result in entry.evaluation.results)
    scored = {entry.program_id for entry in shown if entry.score is not None}
    made = []
    for group, tier, budget in sorted(groups, key=lambda key: key[1] != first[key[0]]):
        by_program = groups[group, tier, budget]
        tasks = max((tuple(r.task for r in own) for own in by_program.values()), key=len)
        values = {
            key: [Value.of(r) for r in own] for key, own in by_program.items() if len(own) == len(tasks)
        }
        notes = [tier] * (tier != first[group]) + [f"mean of {len(tasks)}"] * (len(tasks) > 1)
        trivial = [r.uniform for r in next(iter(by_program.values())) if r.uniform is not None]
        made.append(
            Column(
                name=f"{group} ({', '.join(notes)})" if notes else group,
                budget=budget,
                tasks=tasks,
                values={key: mean(metric, own) for key, own in values.items()},
                standing=standing_over(metric, {key: own for key, own in values.items() if key in scored}),
                uniform=mean(metric, [Value(one) for one in trivial]).value if trivial else None,
            )
        )
    return made


def first_tiers(tasks: Iterable[Task]) -> dict[str, str]:
    """Return group -> its first tier, which stands for it."""
    first: dict[str, str] = {}
    for task in tasks:
        first.setdefault(task.group, task.tier)
    return first


def curves(metric: Metric, rows: Iterable[Entry]) -> list[Curve]:
    """Return a curve per program and group: the mean over the tasks of the group's first tier."""
    shown = list(rows)
    first = first_tiers(result.task for entry in shown for result in entry.evaluation.results)
    made = []
    for entry in shown:
        for group, tier in first.items():
            own = [r for r in entry.evaluation.results if (r.task.group, r.task.tier) == (group, tier)]
            if own:
                made.append(_curve(metric, f"{entry.label}", own))
    return made


def curves_by_cpu(metric: Metric, rows: Iterable[Entry]) -> list[Curve]:
    """Return the same curves against CPU seconds (`results.costs.cpu_seconds`), means over the tasks of a group."""
    shown = list(rows)
    by_task: dict[Task, dict[str, TaskResult]] = {}
    for entry in shown:
        for result in entry.evaluation.results:
            by_task.setdefault(result.task, {})[entry.label] = result
    seconds = {task: cpu_seconds(results) for task, results in by_task.items()}
    first = first_tiers(by_task)
    made = []
    for curve in curves(metric, shown):
        own = [
            (task, used[curve.label])
            for task, used in seconds.items()
            if (task.group, task.tier) == (curve.panel, first[curve.panel]) and curve.label in used
        ]
        per_unit = fmean(used / task.budget for task, used in own)
        if per_unit > 0:
            made.append(replace(curve, points=[(k * per_unit, value) for k, value in curve.points]))
    return made


def _curve(metric: Metric, name: str, results: Sequence[TaskResult]) -> Curve:
    group, floors = results[0].task.group, {result.floor for result in results}
    floor = floors.pop() if len(floors) == 1 else None
    if len(results) == 1:
        return Curve(name, group, results[0].curve, (results[0].stderr,), floor)
    by_budget: dict[int, list[Value]] = {}
    for result in results:
        for budget, value in result.curve:
            error = result.stderr if budget == result.curve[-1][0] else 0.0
            by_budget.setdefault(budget, []).append(Value(value, error))
    means = {k: mean(metric, own) for k, own in sorted(by_budget.items()) if len(own) == len(results)}
    points = [(budget, value.value) for budget, value in means.items()]
    return Curve(name, group, points, [value.stderr for value in means.values()], floor)
