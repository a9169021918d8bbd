"""What a promotion's runs say: means, the training-test gap, checks, and programs against each other in pairs."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from evaluators.base import Instance
from evolve.comparison.held_out import Contender, Promotion, Run


@dataclass(frozen=True)
class Verdict:
    """One program's summary, in units of the score; None where nothing was run or the program failed.

    Attributes:
        program_id: whose.
        training: mean on the training games with exact payoffs.
        test: mean on the test suite at the horizon that is closest to the training runs'.
        gap: training less test. Games differ in difficulty, so it says something beside the baselines' only.
        drawn: mean on the freshly drawn copies at the same horizon.
        generic: what generic payoffs cost on the training games: exact less generic.
        jitter: largest change that perturbing payoffs by 1e-9 makes on a training game: chaos alone.
        scale: largest change that payoffs x 0.1 or x 10 make on a training game; a rule should not care.
    """

    program_id: str
    training: float | None
    test: float | None
    gap: float | None
    drawn: float | None
    generic: float | None
    jitter: float | None
    scale: float | None


@dataclass(frozen=True)
class Pair:
    """A finalist against a baseline on the same sealed runs.

    `mean` is the mean difference in score. With exact payoffs, differences within the larger `jitter` of the two are
    ties: rounding decides them. Perturbed payoffs are not degenerate, and the better program wins.
    """

    finalist: str
    baseline: str
    mean: float | None
    wins: int
    ties: int
    losses: int


def horizon(promotion: Promotion) -> int:
    """The horizon of the sealed runs that is closest to the iterations of the training runs."""
    return min(promotion.horizons, key=lambda k: (abs(math.log(k / promotion.iterations)), k))


def verdict(promotion: Promotion, contender: Contender) -> Verdict:
    """The summary of one program."""
    own = [r for r in promotion.runs if r.program_id == contender.program_id]
    training = [r for r in own if not r.sealed]
    sealed = [r for r in own if r.sealed and r.instance.iterations == horizon(promotion)]
    exact = mean_score(r for r in training if r.instance.variant == "exact")
    generic = mean_score(r for r in training if _tier(r) == "generic")
    test = mean_score(r for r in sealed if r.instance.variant == "exact")
    return Verdict(
        program_id=contender.program_id,
        training=exact,
        test=test,
        gap=_difference(exact, test),
        drawn=mean_score(r for r in sealed if r.instance.variant != "exact"),
        generic=_difference(exact, generic),
        jitter=_widest(training, "jitter"),
        scale=_widest(training, "scale"),
    )


def pair(promotion: Promotion, finalist: Contender, baseline: Contender) -> Pair:
    """A finalist and a baseline on every sealed run that both finished."""
    mine, theirs = (_sealed_scores(promotion, c) for c in (finalist, baseline))
    intervals = (verdict(promotion, c).jitter for c in (finalist, baseline))
    chaos = max((interval for interval in intervals if interval is not None), default=0.0)
    found = [(mine[i] - theirs[i], chaos if i.variant == "exact" else 0.0) for i in mine if i in theirs]
    return Pair(
        finalist=finalist.program_id,
        baseline=baseline.program_id,
        mean=fmean(difference for difference, _ in found) if found else None,
        wins=sum(difference > tie for difference, tie in found),
        ties=sum(abs(difference) <= tie for difference, tie in found),
        losses=sum(difference < -tie for difference, tie in found),
    )


def _sealed_scores(promotion: Promotion, contender: Contender) -> dict[Instance, float]:
    return {
        r.instance: r.score
        for r in promotion.runs
        if r.sealed and r.program_id == contender.program_id and r.score is not None
    }


def _tier(run: Run) -> str:
    return run.instance.variant.partition("-")[0]


def mean_score(runs: Iterable[Run]) -> float | None:
    """Mean score; None without runs, and when one of them failed, which no mean could show."""
    scores = [r.score for r in runs]
    known = [score for score in scores if score is not None]
    return fmean(known) if known and len(known) == len(scores) else None


def _difference(a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None else a - b


def _widest(training: list[Run], tier: str) -> float | None:
    """Largest distance, over games, between the exact score and those of a tier."""
    exact = {r.instance.game: r.score for r in training if r.instance.variant == "exact"}
    found = [_difference(r.score, exact.get(r.instance.game)) for r in training if _tier(r) == tier]
    known = [abs(d) for d in found if d is not None]
    return max(known) if known else None


def as_json(promotion: Promotion) -> dict[str, Any]:
    """Everything that was run, as JSON has it."""
    fields = {k: v for k, v in vars(promotion).items() if k not in ("contenders", "runs", "horizons")}
    return fields | {
        "horizons": list(promotion.horizons),
        "programs": [
            {"program": c.program_id, "name": c.name, "candidate": c.ordinal} for c in promotion.contenders
        ],
        "runs": [
            {
                "program": r.program_id,
                "game": r.instance.game,
                "variant": r.instance.variant,
                "iterations": r.instance.iterations,
                "sealed": r.sealed,
                "outcome": r.outcome,
                "exploitability": r.exploitability,
                "score": r.score,
            }
            for r in promotion.runs
        ],
    }
