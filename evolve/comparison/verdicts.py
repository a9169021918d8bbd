"""What a promotion says: mean scores, checks on tasks of the search, and the verdict on each finalist."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from evaluators.records import Metric, Score, Task, TaskResult
from evaluators.scores import family_score
from results.comparison import Comparison, Value, compare
from results.records import HeldOutEvaluation
from results.text import RECONSTRUCTED, marks


@dataclass(frozen=True)
class Contender:
    """A program in the comparison; `ordinal` is None for a baseline."""

    name: str
    program_id: str
    source: str
    ordinal: int | None

    @property
    def label(self) -> str:
        """What tables call it: a seed's name with its marks."""
        return self.name + ("" if self.ordinal is not None else marks(self.name, self.source))

    @property
    def counted(self) -> bool:
        """Whether verdicts count it."""
        return RECONSTRUCTED not in self.label


@dataclass(frozen=True)
class Promotion:
    """What a promotion ran.

    Attributes:
        campaign: whose.
        objective: name of the score.
        metric: what values mean.
        seed: of the freshly drawn tasks.
        budget: of the checks.
        horizons: budgets of the held-out tasks.
        contenders: finalists, best first, then baselines.
        held_out: every contender on every held-out task.
        checks: every contender on the campaign's own tasks, and on those like them in other tiers.
        total: held-out evaluations that the campaign has had so far.
        drawn: names of the held-out tasks that were drawn after the finalists were fixed.
        searched: those of the checks' tasks that the search followed.
        base_tier: what the other tiers' scores are compared with.
    """

    campaign: str
    objective: str
    metric: Metric
    seed: int
    budget: int
    horizons: tuple[int, ...]
    contenders: tuple[Contender, ...]
    held_out: tuple[HeldOutEvaluation, ...]
    checks: tuple[HeldOutEvaluation, ...]
    total: int
    drawn: frozenset[str] = frozenset()
    searched: frozenset[Task] = frozenset()
    base_tier: str = "exact"

    @property
    def finalists(self) -> list[Contender]:
        """The campaign's programs."""
        return [contender for contender in self.contenders if contender.ordinal is not None]

    @property
    def baselines(self) -> list[Contender]:
        """The programs that they are compared with."""
        return [contender for contender in self.contenders if contender.ordinal is None]

    @property
    def families(self) -> frozenset[str]:
        """Families of the search's tasks: held-out tasks of these have a sibling there."""
        return frozenset(task.family for task in self.searched)

    @property
    def horizon(self) -> int:
        """The budget of the held-out tasks that is closest to that of the checks."""
        return min(self.horizons, key=lambda k: (abs(math.log(k / self.budget)), k))


@dataclass(frozen=True)
class Summary:
    """One program's mean scores; None where nothing was run or the program failed.

    Attributes:
        program_id: whose.
        training: on the tasks of the search.
        sibling: on held-out tasks of families that the search has, at the horizon that is closest to the checks'.
        new: on held-out tasks of other families, at the same horizon.
        tiers: tier -> largest change against the base tier on a kind of task.
    """

    program_id: str
    training: Score | None
    sibling: Score | None
    new: Score | None
    tiers: dict[str, float]


def summary(promotion: Promotion, contender: Contender) -> Summary:
    """Return the summary of one program."""
    checks = [r for r in promotion.checks if r.program_id == contender.program_id]
    held_out = [r for r in promotion.held_out if r.program_id == contender.program_id]
    near = [r for r in held_out if r.task.budget == promotion.horizon]
    base, metric, families = promotion.base_tier, promotion.metric, promotion.families
    tiers = [tier for tier in dict.fromkeys(r.task.tier for r in checks) if tier != base]
    changes = {tier: _largest_change(checks, base, tier) for tier in tiers}
    return Summary(
        program_id=contender.program_id,
        training=mean_score(metric, [r for r in checks if r.task in promotion.searched]),
        sibling=mean_score(metric, [r for r in near if r.task.family in families]),
        new=mean_score(metric, [r for r in near if r.task.family not in families]),
        tiers={tier: change for tier, change in changes.items() if change is not None},
    )


def comparisons(promotion: Promotion, finalist: Contender) -> list[Comparison]:
    """Return a finalist against every baseline over the held-out tasks, the strongest first."""
    values = {c.program_id: _values(promotion, c) for c in (finalist, *promotion.baselines)}
    uncounted = {c.program_id for c in promotion.baselines if not c.counted}
    return compare(promotion.metric, finalist.program_id, values, uncounted=uncounted)


def verdict(promotion: Promotion) -> dict[str, Any]:
    """Return what is stored of a promotion: who was compared, the summaries, and the comparisons."""
    return {
        "seed": promotion.seed,
        "objective": promotion.objective,
        "budget": promotion.budget,
        "horizons": list(promotion.horizons),
        "programs": [
            {"program": c.program_id, "name": c.name, "candidate": c.ordinal} for c in promotion.contenders
        ],
        "summaries": [asdict(summary(promotion, c)) for c in promotion.contenders],
        "comparisons": [asdict(one) for f in promotion.finalists for one in comparisons(promotion, f)],
    }


def as_json(promotion: Promotion) -> dict[str, Any]:
    """Return everything that was run, as JSON has it."""
    return {
        "campaign": promotion.campaign,
        "metric": asdict(promotion.metric),
        "total": promotion.total,
        **verdict(promotion),
        "runs": [
            {
                "program": r.program_id,
                "task": asdict(r.task),
                "held_out": held_out,
                "outcome": {"tag": r.outcome.tag.value, "message": r.outcome.message},
                "value": r.value,
                "stderr": r.stderr,
                "score": r.score,
            }
            for held_out, runs in ((True, promotion.held_out), (False, promotion.checks))
            for r in runs
        ],
    }


def mean_score(metric: Metric, runs: Iterable[HeldOutEvaluation]) -> Score | None:
    """Return the mean score over families; None without runs, and when one failed, which no mean could show."""
    own = list(runs)
    scores = {run.task: run.score for run in own if run.score is not None}
    results = [TaskResult(r.task, r.value, r.stderr) for r in own if r.value is not None and r.task in scores]
    if not own or len(results) < len(own):
        return None
    return family_score(results, metric, lambda result: scores[result.task])


def _values(promotion: Promotion, contender: Contender) -> dict[Task, Value]:
    return {
        run.task: Value(run.value, run.stderr, run.floor)
        for run in promotion.held_out
        if run.program_id == contender.program_id and run.value is not None
    }


def _largest_change(checks: Sequence[HeldOutEvaluation], first: str, tier: str) -> float | None:
    """Return the largest distance, over groups, between scores of the base tier and those of another."""
    base = {r.task.group: r.score for r in checks if r.task.tier == first}
    pairs = [(r.score, base.get(r.task.group)) for r in checks if r.task.tier == tier]
    changes = [abs(one - other) for one, other in pairs if one is not None and other is not None]
    return max(changes, default=None)
