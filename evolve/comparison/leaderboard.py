"""The discovered program beside every seed, from the held-out evaluations at the end of a campaign."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from evaluators.records import Metric, Score, Task
from evolve.comparison.verdicts import mean_score
from results.comparison import Comparison, Value, compare, summarized
from results.records import HeldOutEvaluation
from results.text import RECONSTRUCTED


@dataclass(frozen=True)
class Row:
    """A program of the table.

    Attributes:
        name: what it is called, with its marks.
        fresh: mean score on fresh tasks of the groups that the search had; None where one is not finished.
        sealed: on tasks of other groups.
        comparison: of the discovered program against it; None for the discovered one.
    """

    name: str
    fresh: Score | None
    sealed: Score | None
    comparison: Comparison | None


@dataclass(frozen=True)
class Leaderboard:
    """Programs beside each other.

    Attributes:
        rows: the strongest first, last those that did not finish all tasks.
        words: what the discovered program is ahead of.
        instances: task instances that were evaluated.
        families: families of these.
        failures: name -> groups of tasks that a program did not finish.
        seeds: from which tasks were drawn, in order.
    """

    rows: tuple[Row, ...]
    words: str
    instances: int
    families: int
    failures: Mapping[str, Sequence[str]]
    seeds: tuple[int, ...]

    @classmethod
    def of(
        cls,
        metric: Metric,
        discovered: str,
        names: Mapping[str, str],
        runs: Iterable[HeldOutEvaluation],
        groups: Collection[str],
    ) -> Leaderboard:
        """Return how the discovered program stands.

        Args:
            metric: of the values.
            discovered: its id.
            names: id -> what a program is called, with its marks; others are left out.
            runs: evaluations of the programs. Of repeated ones the last counts, and of tasks those that all of the
                programs were run on: a campaign that goes on may have seen others before.
            groups: of the tasks that the search had.
        """
        last = {(run.program_id, run.task): run for run in runs if run.program_id in names}
        own = {key: [run for run in last.values() if run.program_id == key] for key in names}
        own = {key: evaluated for key, evaluated in own.items() if evaluated}
        tasks = (
            set.intersection(*({run.task for run in evaluated} for evaluated in own.values()))
            if own
            else set()
        )
        own = {key: [run for run in evaluated if run.task in tasks] for key, evaluated in own.items()}
        values: dict[str, Mapping[Task, Value]] = {discovered: {}}
        values |= {key: _values(evaluated) for key, evaluated in own.items()}
        uncounted = {key for key in own if RECONSTRUCTED in names[key]}
        compared = compare(metric, discovered, values, uncounted=uncounted)
        against = {one.other: one for one in compared}
        means = {key: mean_score(metric, evaluated) for key, evaluated in own.items()}
        ordered = sorted(own, key=lambda key: -score.mean if (score := means[key]) else float("inf"))
        return cls(
            rows=tuple(_row(metric, names[key], own[key], groups, against.get(key)) for key in ordered),
            words=summarized(compared, names),
            instances=len({task.name for task in tasks}),
            families=len({task.family for task in tasks}),
            failures={names[key]: failed for key in ordered if (failed := _failed(own[key]))},
            seeds=tuple(sorted({task.seed for task in tasks if task.seed is not None})),
        )

    @property
    def discovered(self) -> Row | None:
        """The row of the discovered program; None where it was not evaluated."""
        return next((row for row in self.rows if row.comparison is None), None)


def ranges(numbers: Iterable[int]) -> str:
    """Return numbers that rise, in few words: "3, 7 to 9"."""
    runs = [list(run) for _, run in groupby(enumerate(numbers), key=lambda pair: pair[1] - pair[0])]
    ends = [(run[0][1], run[-1][1]) for run in runs]
    return ", ".join(f"{first} to {last}" if first < last else f"{first}" for first, last in ends)


def _row(
    metric: Metric,
    name: str,
    runs: Sequence[HeldOutEvaluation],
    groups: Collection[str],
    comparison: Comparison | None,
) -> Row:
    fresh, sealed = (
        [run for run in runs if (run.task.group in groups) is inside] for inside in (True, False)
    )
    return Row(name, mean_score(metric, fresh), mean_score(metric, sealed), comparison)


def _values(runs: Iterable[HeldOutEvaluation]) -> dict[Task, Value]:
    return {run.task: Value(run.value, run.stderr, run.floor) for run in runs if run.value is not None}


def _failed(runs: Iterable[HeldOutEvaluation]) -> list[str]:
    return list(dict.fromkeys(run.task.group for run in runs if not run.outcome.ok))
