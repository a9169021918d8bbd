"""What held-out evaluations say: the stored verdict of a promotion, and the evaluations themselves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from evaluators.records import Metric, Task
from results.comparison import Pair, Value, pair, standing
from results.loading import load_programs
from results.plots import Advantage
from results.progress import Trial
from results.records import EventRecord, HeldOutEvaluation
from results.schema import Program
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
        pairs: every finalist with every baseline: those of the last promotion, else of all evaluations.
        summaries: what the last promotion stored of each program; empty where there was none.
        advantages: of the first finalist over each baseline, on tasks of the search and on held-out ones.
    """

    evaluations: tuple[HeldOutEvaluation, ...]
    names: Mapping[str, str]
    finalists: tuple[str, ...]
    columns: tuple[Column, ...]
    pairs: tuple[Pair, ...]
    summaries: tuple[Mapping[str, Any], ...]
    advantages: tuple[Advantage, ...]

    @property
    def leader(self) -> str:
        """Id of the first finalist; "" where only baselines were run."""
        return next(iter(self.finalists), "")

    def leading_pair(self, baseline: str) -> Pair | None:
        """Return the leader against one baseline, or where they were not compared against the hardest one."""
        own = [one for one in self.pairs if one.finalist == self.leader and one.mean is not None]
        hardest = min(own, key=lambda one: one.mean or 0.0, default=None)
        return next((one for one in own if one.baseline == baseline), hardest)


def held_out(
    connection: Connection,
    metric: Metric,
    evaluations: Sequence[HeldOutEvaluation],
    events: Iterable[EventRecord],
    trials: Iterable[Trial],
    entries: Iterable[Entry],
) -> HeldOut | None:
    """Return the held-out evaluations of a campaign; None when there was none.

    Args:
        connection: where names of programs are.
        metric: the campaign's.
        evaluations: all of the campaign's, oldest first.
        events: the campaign's; a promotion's verdict is one.
        trials: its candidates.
        entries: the programs of its table, with their results on the tasks of the search.
    """
    if not evaluations:
        return None
    verdicts = [event.payload for event in events if event.kind == VERDICT]
    verdict = verdicts[-1] if verdicts else {}
    names, finalists = _names(connection, evaluations, verdict, trials)
    values: dict[str, dict[Task, Value]] = {key: {} for key in names}
    for one in evaluations:
        values[one.program_id].pop(one.task, None)
        if one.value is not None:
            values[one.program_id][one.task] = Value(one.value, one.stderr, one.floor)
    baselines = [key for key in names if key not in finalists]
    pairs = [pair(metric, f, b, values[f], values[b]) for f in finalists for b in baselines]
    if verdict:
        pairs = [Pair(**one) for one in verdict["pairs"]]
    return HeldOut(
        evaluations=tuple(evaluations),
        names=names,
        finalists=tuple(finalists),
        columns=tuple(_column(metric, task, values) for task in dict.fromkeys(e.task for e in evaluations)),
        pairs=tuple(pairs),
        summaries=tuple(verdict.get("summaries", ())),
        advantages=tuple(_advantages(metric, finalists[0], pairs, names, entries)) if finalists else (),
    )


def _names(
    connection: Connection,
    evaluations: Iterable[HeldOutEvaluation],
    verdict: Mapping[str, Any],
    trials: Iterable[Trial],
) -> tuple[dict[str, str], list[str]]:
    """Return id -> name, and the finalists: as the verdict has them, else candidates without a name, best first."""
    names = {one["program"]: one["name"] for one in verdict.get("programs", ())}
    finalists = [one["program"] for one in verdict.get("programs", ()) if one["candidate"] is not None]
    ids = dict.fromkeys(one.program_id for one in evaluations)
    programs = load_programs(connection, Program.id.in_(ids))
    ordinals: dict[str, int] = {}
    for trial in sorted(
        (t for t in trials if t.value is not None), key=lambda t: (-(t.value or 0.0), t.ordinal)
    ):
        if trial.program_id in ids and not programs[trial.program_id].name:
            ordinals.setdefault(trial.program_id, trial.ordinal)
    # A named program is a seed, also where a search started from it.
    finalists += [key for key in ordinals if key not in names]
    names |= {key: label(programs[key], ordinals.get(key)) for key in ids if key not in names}
    return {key: names[key] for key in dict.fromkeys((*finalists, *names))}, finalists


def _column(metric: Metric, task: Task, values: Mapping[str, Mapping[Task, Value]]) -> Column:
    own = {key: of[task] for key, of in values.items() if task in of}
    return Column(
        name=task.name, budget=task.budget, tasks=(task,), values=own, standing=standing(metric, own)
    )


def _advantages(
    metric: Metric, leader: str, pairs: Iterable[Pair], names: Mapping[str, str], entries: Iterable[Entry]
) -> list[Advantage]:
    values = {e.program_id: {r.task: Value.of(r) for r in e.evaluation.results} for e in entries}
    return [
        Advantage(
            names[one.baseline],
            pair(metric, leader, one.baseline, values.get(leader, {}), values.get(one.baseline, {})).mean,
            one.mean,
        )
        for one in pairs
        if one.finalist == leader
    ]
