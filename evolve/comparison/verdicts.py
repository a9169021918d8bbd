"""What a promotion says: means, the gap to the tasks of the search, checks, and programs in pairs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Any

from evaluators.records import Metric, Task
from results.comparison import Pair, Value, pair
from results.records import HeldOutEvaluation


@dataclass(frozen=True)
class Contender:
    """A program in the comparison; `ordinal` is None for a baseline."""

    name: str
    program_id: str
    source: str
    ordinal: int | None


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
        checks: every contender on the campaign's own tasks, in all tiers.
        total: held-out evaluations that the campaign has had so far.
        drawn: names of the held-out tasks that were drawn after the finalists were fixed.
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

    @property
    def finalists(self) -> list[Contender]:
        """The campaign's programs."""
        return [contender for contender in self.contenders if contender.ordinal is not None]

    @property
    def baselines(self) -> list[Contender]:
        """The programs that they are compared with."""
        return [contender for contender in self.contenders if contender.ordinal is None]

    @property
    def horizon(self) -> int:
        """The budget of the held-out tasks that is closest to that of the checks."""
        return min(self.horizons, key=lambda k: (abs(math.log(k / self.budget)), k))


@dataclass(frozen=True)
class Summary:
    """One program's means, in units of the score; None where nothing was run or the program failed.

    Attributes:
        program_id: whose.
        training: mean on the tasks of the search, in the first tier.
        test: mean on the test suite at the horizon that is closest to the checks'.
        gap: training less test. Tasks differ in difficulty, so it says something beside the baselines' only.
        drawn: mean on the freshly drawn tasks at the same horizon.
        tiers: tier -> largest change against the first tier on a task of the search.
    """

    program_id: str
    training: float | None
    test: float | None
    gap: float | None
    drawn: float | None
    tiers: dict[str, float | None]


def summary(promotion: Promotion, contender: Contender) -> Summary:
    """Return the summary of one program."""
    checks = [r for r in promotion.checks if r.program_id == contender.program_id]
    held_out = [r for r in promotion.held_out if r.program_id == contender.program_id]
    near = [r for r in held_out if r.task.budget == promotion.horizon]
    first = checks[0].task.tier if checks else ""
    training = mean_score(r for r in checks if r.task.tier == first)
    test = mean_score(r for r in near if r.task.name not in promotion.drawn)
    return Summary(
        program_id=contender.program_id,
        training=training,
        test=test,
        gap=None if training is None or test is None else training - test,
        drawn=mean_score(r for r in near if r.task.name in promotion.drawn),
        tiers={
            tier: _largest_change(checks, first, tier)
            for tier in dict.fromkeys(r.task.tier for r in checks)
            if tier != first
        },
    )


def pairs(promotion: Promotion) -> list[Pair]:
    """Return every finalist against every baseline, over all held-out tasks that both finished."""
    values = {c.program_id: _values(promotion, c) for c in promotion.contenders}
    return [
        pair(promotion.metric, f.program_id, b.program_id, values[f.program_id], values[b.program_id])
        for f in promotion.finalists
        for b in promotion.baselines
    ]


def verdict(promotion: Promotion) -> dict[str, Any]:
    """Return what is stored of a promotion: who was compared, the summaries, and the pairs."""
    return {
        "seed": promotion.seed,
        "objective": promotion.objective,
        "budget": promotion.budget,
        "horizons": list(promotion.horizons),
        "programs": [
            {"program": c.program_id, "name": c.name, "candidate": c.ordinal} for c in promotion.contenders
        ],
        "summaries": [asdict(summary(promotion, c)) for c in promotion.contenders],
        "pairs": [asdict(one) for one in pairs(promotion)],
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


def mean_score(runs: Iterable[HeldOutEvaluation]) -> float | None:
    """Return the mean score; None without runs, and when one of them failed, which no mean could show."""
    scores = [run.score for run in runs]
    known = [score for score in scores if score is not None]
    return fmean(known) if known and len(known) == len(scores) else None


def _values(promotion: Promotion, contender: Contender) -> dict[Task, Value]:
    return {
        run.task: Value(run.value, run.stderr, run.floor)
        for run in promotion.held_out
        if run.program_id == contender.program_id and run.value is not None
    }


def _largest_change(checks: Sequence[HeldOutEvaluation], first: str, tier: str) -> float | None:
    """Return the largest distance, over groups, between scores of the first tier and those of another."""
    base = {r.task.group: r.score for r in checks if r.task.tier == first}
    pairs = [(r.score, base.get(r.task.group)) for r in checks if r.task.tier == tier]
    changes = [abs(one - other) for one, other in pairs if one is not None and other is not None]
    return max(changes, default=None)
