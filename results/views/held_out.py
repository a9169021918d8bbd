"""What held-out evaluations say: the stored verdict of a promotion, and the evaluations themselves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from evaluators.records import Metric, Task
from results.comparison import Comparison, Value, compare, standing, summarized
from results.loading import load_programs
from results.plots import Advantage
from results.progress import Trial
from results.records import EventRecord, HeldOutEvaluation
from results.schema import Program
from results.text import RECONSTRUCTED
from results.views.programs import Column, Entry, label

VERDICT = "verdict"
"""Kind of the event that holds what a promotion says."""


@dataclass(frozen=True, kw_only=True)
class HeldOut:
    """Programs on tasks that the search never saw. Of repeated evaluations the last one counts; all are listed.

    Attributes:
        evaluations: every one, oldest first.
        names: program id -> what it is called, finalists first.
        finalists: ids of the campaign's own programs, best first.
        columns: what each program reached, task by task.
        comparisons: every finalist with every other program, the strongest first: the verdict of the last promotion
            if that has all of these programs, else over all evaluations.
        summaries: what the last promotion stored of each program; empty where there was none.
        advantages: of the first finalist over each baseline, on tasks of the search and on held-out ones.
    """

    evaluations: tuple[HeldOutEvaluation, ...]
    names: Mapping[str, str]
    finalists: tuple[str, ...]
    columns: tuple[Column, ...]
    comparisons: tuple[Comparison, ...]
    summaries: tuple[Mapping[str, Any], ...]
    advantages: tuple[Advantage, ...]

    @property
    def leader(self) -> str:
        """Id of the first finalist; "" where only baselines were run."""
        return next(iter(self.finalists), "")

    def of(self, finalist: str) -> list[Comparison]:
        """Return the comparisons of one finalist."""
        return [one for one in self.comparisons if one.program == finalist]

    def summarized(self, finalist: str) -> str:
        """Return in words what a finalist is ahead of; a table has all names."""
        return summarized(self.of(finalist), self.names, most=6)


def held_out(
    connection: Connection,
    metric: Metric,
    evaluations: Sequence[HeldOutEvaluation],
    events: Iterable[EventRecord],
    trials: Iterable[Trial],
    entries: Iterable[Entry],
    best: Sequence[int] = (),
) -> HeldOut | None:
    """Return the held-out evaluations of a campaign; None when there was none.

    Args:
        connection: where names of programs are.
        metric: the campaign's.
        evaluations: all of the campaign's, oldest first.
        events: the campaign's; a promotion's verdict is one.
        trials: its candidates.
        entries: the programs of its table, with their results on the tasks of the search.
        best: ordinals of the candidates that stand before the others.
    """
    if not evaluations:
        return None
    verdicts = [event.payload for event in events if event.kind == VERDICT]
    verdict = verdicts[-1] if verdicts else {}
    names, finalists = _names(connection, evaluations, verdict, trials, best)
    values: dict[str, dict[Task, Value]] = {key: {} for key in names}
    for one in evaluations:
        values[one.program_id].pop(one.task, None)
        if one.value is not None:
            values[one.program_id][one.task] = Value(one.value, one.stderr, one.floor)
    comparisons = [Comparison(**one) for one in verdict.get("comparisons", ())]
    if not {(f, b) for f in finalists for b in names if b not in finalists} <= {
        (one.program, one.other) for one in comparisons
    }:
        comparisons = _compared(metric, values, names, finalists)
    return HeldOut(
        evaluations=tuple(evaluations),
        names=names,
        finalists=tuple(finalists),
        columns=tuple(_column(metric, task, values) for task in dict.fromkeys(e.task for e in evaluations)),
        comparisons=tuple(comparisons),
        summaries=tuple(verdict.get("summaries", ())),
        advantages=tuple(_advantages(metric, finalists[0], comparisons, names, entries)) if finalists else (),
    )


def _names(
    connection: Connection,
    evaluations: Iterable[HeldOutEvaluation],
    verdict: Mapping[str, Any],
    trials: Iterable[Trial],
    best: Sequence[int],
) -> tuple[dict[str, str], list[str]]:
    """Return id -> name, and the finalists: as the verdict has them, else candidates without a name, best first."""
    names = {one["program"]: one["name"] for one in verdict.get("programs", ())}
    finalists = [one["program"] for one in verdict.get("programs", ()) if one["candidate"] is not None]
    ids = dict.fromkeys(one.program_id for one in evaluations)
    programs = load_programs(connection, Program.id.in_(ids))
    ordinals: dict[str, int] = {}
    for trial in sorted(
        (t for t in trials if t.value is not None),
        key=lambda t: (t.ordinal not in best, -(t.value or 0.0), t.ordinal),
    ):
        if trial.program_id in ids and not programs[trial.program_id].name:
            ordinals.setdefault(trial.program_id, trial.ordinal)
    # A named program is a seed, also where a search started from it.
    finalists += [key for key in ordinals if key not in names]
    names |= {
        key: label(programs[key], ordinals.get(key)) for key in ids if key not in names or programs[key].name
    }
    return {key: names[key] for key in dict.fromkeys((*finalists, *names))}, finalists


def _compared(
    metric: Metric,
    values: Mapping[str, Mapping[Task, Value]],
    names: Mapping[str, str],
    finalists: Sequence[str],
) -> list[Comparison]:
    uncounted = {key for key, name in names.items() if RECONSTRUCTED in name}
    return [
        one
        for finalist in finalists
        for one in compare(
            metric,
            finalist,
            {key: own for key, own in values.items() if key == finalist or key not in finalists},
            uncounted=uncounted,
        )
    ]


def _column(metric: Metric, task: Task, values: Mapping[str, Mapping[Task, Value]]) -> Column:
    own = {key: of[task] for key, of in values.items() if task in of}
    return Column(
        name=task.name, budget=task.budget, tasks=(task,), values=own, standing=standing(metric, own)
    )


def _advantages(
    metric: Metric,
    leader: str,
    comparisons: Iterable[Comparison],
    names: Mapping[str, str],
    entries: Iterable[Entry],
) -> list[Advantage]:
    values: dict[str, dict[Task, Value]] = {leader: {}}
    values |= {e.program_id: {r.task: Value.of(r) for r in e.evaluation.results} for e in entries}
    searched = {one.other: one for one in compare(metric, leader, values)}
    return [
        Advantage(names[one.other], searched.get(one.other), one)
        for one in comparisons
        if one.program == leader
    ]
