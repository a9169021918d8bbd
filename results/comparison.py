"""The one meaning of better: which programs are ahead on a task, which are tied, and what that says in all.

Pure functions over `evaluators.records`. The command line, the report, the dashboard and the promotion of a campaign
all compare by them, so that no two views name different winners of the same results.

On a task. Two values are *tied* when they differ by less than the metric's resolution or than the 95 % interval of
their difference, or when both are beyond the task's floor, where values cannot be told apart.

Over tasks. `compare` says of a program and several others whether it is *ahead* of each, *level* with it or *behind*:

* The unit of observation is the task instance (`Task.name`): its budgets are one observation, their mean. On a log
  scale an advantage counts for a decade at the most, at each budget. Instances where both programs are beyond the floor
  count 0 and keep their weight.
* The estimate is the mean over families of the mean over their instances. Families are the sample, since instances of a
  family are alike: the standard error is that of a bootstrap that resamples families, in closed form (the standard
  deviation of the families' means over the root of their number), and never less than what the values' own standard
  errors come to. With one family, its instances are the sample.
* Intervals are Student's, with one degree of freedom less than there are families: percentiles of a bootstrap over
  three to six families exclude the truth in 14 to 26 % of cases, these in 5 %. They suppose that means of families are
  about normal, so that with few families they are approximate, and wide.
* A single task has no spread. If it is exact, the verdict is about that task alone; if it has a seed and its value no
  standard error, nothing is known and the verdict is level.
* Two-sided p are adjusted for the number of programs that it is compared with (Holm). Ahead and behind take an adjusted
  p below 0.05 and a mean beyond the metric's resolution; all else is level, which says that the tasks do not tell the
  two apart and not that they are equal.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean, median, stdev, variance
from typing import Literal, NamedTuple

from evaluators.records import Metric, Score, Task, TaskResult

Z95 = 1.96
"""Half the width of a 95 % interval, in standard errors."""

SIGNIFICANCE = 0.05
"""Adjusted p below which a difference counts."""

CLIP = 1.0
"""Decades that an advantage on a task counts for at the most: one game alone decides nothing."""

Verdict = Literal["ahead", "level", "behind"]


class Value(NamedTuple):
    """What a program achieved on a task.

    Attributes:
        value: in the metric's unit.
        stderr: its standard error; of an exact value, what is known of its chaos, else 0.
        floor: values beyond it cannot be told apart; None where there is no such value.
    """

    value: float
    stderr: float = 0.0
    floor: float | None = None

    @classmethod
    def of(cls, result: TaskResult) -> Value:
        """Return the value of a result."""
        return cls(result.value, result.stderr, result.floor)

    def position(self, metric: Metric) -> float:
        """Return the value such that larger is better, in decades or units, and no better than the floor."""
        best = math.inf if self.floor is None else metric.oriented(self.floor)
        return min(metric.oriented(self.value), best)

    def spread(self, metric: Metric) -> float:
        """Return the standard error in decades or units; no value beyond the floor counts on a log scale.

        On a log scale it is by how many decades the error can move the value: as good as the relative error where that
        is small, where it is large no more than its order of magnitude. Otherwise a value that rounding took to 1e-16,
        with an error of 1e-11, would be tied with everything.
        """
        if metric.scale == "linear":
            return self.stderr / metric.unit
        decades = self.position(metric)
        return math.log10(1 + self.stderr / 10 ** (decades if metric.direction == "max" else -decades))


class Standing(NamedTuple):
    """The best program on a task, and those that are tied with it."""

    winner: str
    tied: tuple[str, ...]


def advantage(metric: Metric, one: Value, other: Value) -> float:
    """Return by how much one value is better than another, in decades or units; beyond the floor nothing counts."""
    floor = _floor(metric, one, other)
    one, other = one._replace(floor=floor), other._replace(floor=floor)
    return one.position(metric) - other.position(metric)


def _floor(metric: Metric, one: Value, other: Value) -> float | None:
    """Return the task's floor, whichever of the values brings it: the nearer one of two."""
    floors = [value.floor for value in (one, other) if value.floor is not None]
    if not floors:
        return None
    return floors[0] if len(floors) == 1 or not metric.better(floors[0], floors[1]) else floors[1]


def _resolution(metric: Metric) -> float:
    """Return the metric's resolution in decades or units."""
    return metric.resolution / (metric.unit if metric.scale == "linear" else 1.0)


def tied(metric: Metric, one: Value, other: Value) -> bool:
    """Return whether two values on a task cannot be told apart."""
    return tied_over(metric, [one], [other])


def tied_over(metric: Metric, ones: Sequence[Value], others: Sequence[Value]) -> bool:
    """Return whether the means of two programs over the same tasks, in the same order, cannot be told apart.

    The differences are paired: how much harder one task is than another does not count.
    """
    differences = [advantage(metric, one, other) for one, other in zip(ones, others, strict=True)]
    n = len(differences)
    within = math.hypot(*(value.spread(metric) for value in (*ones, *others))) / n
    between = stdev(differences) / math.sqrt(n) if n > 1 else 0.0
    return abs(fmean(differences)) <= max(_resolution(metric), Z95 * max(within, between))


def standing(metric: Metric, values: Mapping[str, Value]) -> Standing | None:
    """Return who is best on a task; None where fewer than two programs have a value."""
    return standing_over(metric, {name: [value] for name, value in values.items()})


def standing_over(metric: Metric, values: Mapping[str, Sequence[Value]]) -> Standing | None:
    """Return who is best on average over the same tasks; None where fewer than two programs have values."""
    if len(values) < 2:
        return None
    winner = max(values, key=lambda name: fmean(metric.oriented(one.value) for one in values[name]))
    others = (name for name in values if name != winner)
    return Standing(winner, tuple(name for name in others if tied_over(metric, values[name], values[winner])))


def mean(metric: Metric, values: Sequence[Value]) -> Value:
    """Return the mean of values, the geometric one on a log scale, with its standard error; one value as it is.

    The standard error is that of the values, or their spread where that is larger, as in a domain's scores.
    """
    if len(values) == 1:
        return values[0]
    log, n = metric.scale == "log", len(values)
    # Positions count units, and more of them is better.
    positions = [metric.oriented(one.value) for one in values]
    sign = -1 if metric.direction == "min" else 1
    middle = sign * fmean(positions)
    within = math.hypot(*(one.spread(metric) for one in values)) / n
    error = max(within, math.sqrt(variance(positions) / n))
    if log:
        return Value(10**middle, error * math.log(10) * 10**middle)
    return Value(middle * metric.unit, error * metric.unit)


def ranking(scores: Mapping[str, Score | None]) -> list[str]:
    """Return names, the best score first; those without one last, in their order: a failure is no score of 0."""
    known = {name: score.mean for name, score in scores.items() if score is not None}
    return [*sorted(known, key=lambda name: -known[name]), *(name for name in scores if name not in known)]


def rewards(gains: Sequence[float]) -> list[float]:
    """Return a reward from 0 to 1 for each gain, in the same order: g / (g + m) for g > 0, else 0.

    m is the median of the positive gains, so that a typical improvement is worth a half whatever the objective's
    unit, and one lucky jump does not make all others worthless. The choice among several models goes by it, and
    reports show it.

    Args:
        gains: child's objective minus that of its first parent; 0 for a child that was not scored.
    """
    positive = [gain for gain in gains if gain > 0]
    typical = median(positive) if positive else 1.0
    return [gain / (gain + typical) if gain > 0 else 0.0 for gain in gains]


def with_chaos(result: TaskResult, copies: Sequence[TaskResult]) -> Value:
    """Return an exact value with the standard deviation over it and copies of the task that differ by next to nothing.

    Integer payoffs make small games degenerate, so that rounding decides some of them: what such copies spread by is
    what chaos alone causes.
    """
    values = [result.value, *(copy.value for copy in copies)]
    return Value(result.value, stdev(values) if len(values) > 1 else 0.0, result.floor)


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """A program against another one, over the tasks that both finished.

    Attributes:
        program: its name or id.
        other: likewise.
        mean: mean advantage in decades or units; None where there is no common task.
        stderr: its standard error; None where nothing is known of it.
        low: lower end of its 95 % interval; None where a single task has none.
        high: upper end.
        p: two-sided, adjusted for the number of others; None for one that is not counted.
        wins: instances on which it is better; those on which the two are tied are `ties`.
        ties: likewise.
        losses: likewise.
        families: kinds of tasks that it is the mean of.
        beyond_floor: instances on which both are beyond the floor, of the ties.
        unpaired: tasks that only one of them finished, which do not count.
        verdict: None where there is nothing to compare, or the other one is shown and not counted.
    """

    program: str
    other: str
    mean: float | None = None
    stderr: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    wins: int = 0
    ties: int = 0
    losses: int = 0
    families: int = 0
    beyond_floor: int = 0
    unpaired: int = 0
    verdict: Verdict | None = None


def compare(
    metric: Metric,
    program: str,
    values: Mapping[str, Mapping[Task, Value]],
    *,
    uncounted: Collection[str] = (),
) -> list[Comparison]:
    """Return a program against every other one, the strongest first: that which it is least ahead of.

    Args:
        metric: of the values.
        program: its name or id.
        values: name or id of every program -> what it achieved on the tasks that it finished.
        uncounted: others that are shown without a verdict.
    """
    made = {
        other: _paired(metric, program, other, values[program], theirs)
        for other, theirs in values.items()
        if other != program
    }
    counted = {o: c.p for o, c in made.items() if c.p is not None and o not in uncounted}
    adjusted = holm(counted)
    resolution = _resolution(metric)
    judged = [
        replace(one, p=adjusted.get(other), verdict=_verdict(one.mean, adjusted.get(other), resolution))
        for other, one in made.items()
    ]
    return sorted(judged, key=lambda one: (one.mean is None, one.mean or 0.0))


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Return adjusted p-values: whichever null hypotheses are true, one of them is below 0.05 in at most 5 % of cases.

    S. Holm, A simple sequentially rejective multiple test procedure, Scandinavian Journal of Statistics 6 (1979).
    """
    adjusted: dict[str, float] = {}
    least = 0.0
    for rank, name in enumerate(sorted(p_values, key=lambda name: p_values[name])):
        least = max(least, min(1.0, (len(p_values) - rank) * p_values[name]))
        adjusted[name] = least
    return adjusted


def summarized(comparisons: Sequence[Comparison], names: Mapping[str, str], *, most: int = 99) -> str:
    """Return verdicts in words, such as "ahead of 9 of 14, level with 3 (a, b, c), behind 2 (d, e)".

    Args:
        comparisons: of one program.
        names: what the others are called, by what `Comparison.other` has.
        most: how many names are listed of a kind; more than that are only counted.
    """
    by_verdict: dict[str, list[str]] = {"ahead": [], "level": [], "behind": []}
    for one in comparisons:
        if one.verdict is not None:
            by_verdict[one.verdict].append(names[one.other])
    total = sum(map(len, by_verdict.values()))
    if not total:
        return "compared with nothing"
    rest = [
        f"{words} {len(own)}" + (f" ({', '.join(own)})" if len(own) <= most else "")
        for verdict, words in (("level", "level with"), ("behind", "behind"))
        if (own := by_verdict[verdict])
    ]
    return ", ".join([f"ahead of {len(by_verdict['ahead'])} of {total}", *rest])


class _Instance(NamedTuple):
    """A task instance: the mean advantage over its budgets, what its values' errors come to, and on what it stands."""

    advantage: float
    error: float
    beyond_floor: bool
    exact: bool


class _Estimate(NamedTuple):
    mean: float
    stderr: float
    df: float


def _paired(
    metric: Metric, program: str, other: str, mine: Mapping[Task, Value], theirs: Mapping[Task, Value]
) -> Comparison:
    """Return a comparison whose p is not adjusted yet, without a verdict."""
    unpaired = len(mine.keys() ^ theirs.keys())
    by_name: dict[tuple[str, str], list[Task]] = {}
    for task in mine:
        if task in theirs:
            by_name.setdefault((task.family, task.name), []).append(task)
    if not by_name:
        return Comparison(program=program, other=other, unpaired=unpaired)
    families: dict[str, list[_Instance]] = {}
    for (family, _), tasks in by_name.items():
        families.setdefault(family, []).append(_instance(metric, tasks, mine, theirs))
    estimate = _estimate(list(families.values()))
    low, high = _interval(estimate)
    instances = [one for own in families.values() for one in own]
    resolution = _resolution(metric)
    apart = [one for one in instances if abs(one.advantage) > max(resolution, Z95 * one.error)]
    wins = sum(one.advantage > 0 for one in apart)
    return Comparison(
        program=program,
        other=other,
        mean=estimate.mean,
        stderr=estimate.stderr if math.isfinite(estimate.stderr) else None,
        low=low,
        high=high,
        p=_p_value(estimate),
        wins=wins,
        ties=len(instances) - len(apart),
        losses=len(apart) - wins,
        families=len(families),
        beyond_floor=sum(one.beyond_floor for one in instances),
        unpaired=unpaired,
    )


def _instance(
    metric: Metric, tasks: Sequence[Task], mine: Mapping[Task, Value], theirs: Mapping[Task, Value]
) -> _Instance:
    clip = CLIP if metric.scale == "log" else math.inf
    both = [(mine[task], theirs[task]) for task in tasks]
    gains = [max(-clip, min(advantage(metric, a, b), clip)) for a, b in both]
    errors = [value.spread(metric) for pair in both for value in pair]
    floors = [_floor(metric, *pair) for pair in both]
    return _Instance(
        advantage=fmean(gains),
        error=math.hypot(*errors) / len(both),
        beyond_floor=all(
            floor is not None and not any(metric.better(floor, value.value) for value in pair)
            for floor, pair in zip(floors, both, strict=True)
        ),
        exact=tasks[0].seed is None,
    )


def _estimate(families: Sequence[Sequence[_Instance]]) -> _Estimate:
    """Return the mean over families of the means over their instances; see the module for its error."""
    means = [fmean(one.advantage for one in own) for own in families]
    own_error = math.hypot(*(one.error / len(own) for own in families for one in own)) / len(families)
    sample = means if len(means) > 1 else [one.advantage for one in families[0]]
    n = len(sample)
    if n == 1:
        unknown = not families[0][0].exact and not own_error
        return _Estimate(means[0], math.inf if unknown else own_error, math.inf)
    spread = stdev(sample) / math.sqrt(n)
    return _Estimate(fmean(means), max(spread, own_error), n - 1 if spread >= own_error else math.inf)


def _p_value(estimate: _Estimate) -> float:
    from scipy.special import stdtr

    if not estimate.stderr:
        return 1.0 if estimate.mean == 0 else 0.0
    return float(2 * stdtr(estimate.df, -abs(estimate.mean) / estimate.stderr))


def _interval(estimate: _Estimate) -> tuple[float, float] | tuple[None, None]:
    from scipy.special import stdtrit

    if not 0 < estimate.stderr < math.inf:
        return None, None
    half = float(stdtrit(estimate.df, 1 - SIGNIFICANCE / 2)) * estimate.stderr
    return estimate.mean - half, estimate.mean + half


def _verdict(mean: float | None, p: float | None, resolution: float) -> Verdict | None:
    if mean is None or p is None:
        return None
    if p >= SIGNIFICANCE or abs(mean) <= resolution:
        return "level"
    return "ahead" if mean > 0 else "behind"
