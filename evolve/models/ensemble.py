"""Which of several models is asked for a candidate: a bandit on reward per cost.

A pure function of what was told and paid when the candidate's turn to ask came, so that a campaign chooses the same
models on any number of workers and when it is continued. Measured times have no say.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from evolve.search.log import LogView
from results.comparison import rewards

DEAREST_TO_CHEAPEST = 10.0
"""A candidate also costs its evaluation: no model counts as cheaper than this share of the dearest one."""

WINDOW = 1000
"""How many of the last candidates count: what helps early in a search need not help late, and the choice costs the same
however long it is. The window of SW-UCB (Garivier and Moulines, ALT 2011, arXiv 0805.3415)."""


class Paid(NamedTuple):
    """Who was asked for a candidate, and what its answers cost in USD."""

    model: str
    usd: float


class Pull(NamedTuple):
    """A candidate that was told: who was asked, its reward in [0, 1], and what its answers cost in USD."""

    model: str
    reward: float
    usd: float


@dataclass
class _Arm:
    """What is known of a model. `pulls` counts candidates that are under way, too; `reward` sums the told ones'."""

    told: int = 0
    pulls: int = 0
    reward: float = 0.0
    usd: float = 0.0

    @property
    def mean(self) -> float:
        """Mean reward, with one imaginary candidate that got a half."""
        return (self.reward + 0.5) / (self.told + 1)


def pulls(log: LogView, paid: Mapping[int, Paid]) -> list[Pull]:
    """The last candidates (`WINDOW`) of a log that a model was asked for; whatever did not end ok has reward 0.

    Args:
        log: what was told.
        paid: ordinal -> whom it was asked of and what that cost.
    """
    asked, gains = [], []
    for candidate in log[-WINDOW:]:
        if candidate.ordinal in paid:
            parent = log.scored(candidate.parents[0]) if candidate.ok and candidate.parents else None
            gains.append(candidate.mean(log.objective) - parent.mean(log.objective) if parent else 0.0)
            asked.append(paid[candidate.ordinal])
    return [Pull(p.model, r, p.usd) for p, r in zip(asked, rewards(gains), strict=True)]


def choose(models: Sequence[str], told: Iterable[Pull], *, pending: int, cost_exponent: float) -> str:
    """The model for the next candidate.

    A model that nobody was asked of is asked first. Otherwise the one with the largest index

        u / p ** cost_exponent,   u = max {q in [0, 1] : n kl(r, q) <= ln t}

    is: u is the upper confidence bound of KL-UCB (Garivier and Cappé, "The KL-UCB Algorithm for Bounded Stochastic
    Bandits and Beyond", COLT 2011, arXiv 1102.2490, Algorithm 1 with c = 0), with r the model's mean reward, n the
    candidates it was asked for, t those of all models and kl the Bernoulli divergence; p is its mean cost per
    candidate, relative to the dearest model's and at least 1 / `DEAREST_TO_CHEAPEST`. Exponent 1 is reward per dollar,
    the density of fractional KUBE (Tran-Thanh, Chapman, Rogers and Jennings, "Knapsack Based Optimal Policies for
    Budget-Limited Multi-Armed Bandits", AAAI 2012, arXiv 1204.1909); 0 ignores costs. A tie goes to the model with
    fewer candidates, then to the one that is named first. Where nothing costs anything, p is 1.

    Deviation: rewards come late. Candidates under way are counted as if this function had chosen their models one
    after the other on what is told now, at the mean reward that their models have, so that the first ones are dealt
    out in turn; a model counts one imaginary reward of a half, and as the dearest until one of its candidates is told.

    Args:
        models: their names, in the order of the configuration.
        told: what came of candidates so far; other models' are ignored.
        pending: candidates that were asked for and are not told.
        cost_exponent: from 0 to 1.
    """
    arms = {name: _Arm() for name in models}
    for pull in told:
        if (arm := arms.get(pull.model)) is not None:
            arm.told, arm.pulls = arm.told + 1, arm.pulls + 1
            arm.reward, arm.usd = arm.reward + pull.reward, arm.usd + pull.usd
    prices = _relative_prices(arms)
    chosen = models[0]
    for _ in range(pending + 1):
        total = sum(arm.pulls for arm in arms.values())
        index = {
            name: _upper_bound(arm.mean, arm.pulls, total) / prices[name] ** cost_exponent
            if arm.pulls
            else math.inf
            for name, arm in arms.items()
        }
        chosen = max(models, key=lambda name: (index[name], -arms[name].pulls))
        arms[chosen].pulls += 1
    return chosen


def _relative_prices(arms: Mapping[str, _Arm]) -> dict[str, float]:
    """Mean cost of a candidate by model, the dearest one's being 1."""
    means = {name: arm.usd / arm.told for name, arm in arms.items() if arm.told}
    dearest = max(means.values(), default=0.0)
    if dearest <= 0.0:
        return dict.fromkeys(arms, 1.0)
    return {name: max(means.get(name, dearest) / dearest, 1.0 / DEAREST_TO_CHEAPEST) for name in arms}


def _upper_bound(mean: float, pulls: int, total: int) -> float:
    """The largest q in [mean, 1] with pulls * kl(mean, q) <= ln(total), by bisection."""
    most = math.log(max(total, 1)) / pulls
    low, high = mean, 1.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if _divergence(mean, middle) <= most else (low, middle)
    return low


def _divergence(p: float, q: float) -> float:
    """Kullback-Leibler divergence of Bernoulli distributions, for 0 < p < 1 and p <= q."""
    if q >= 1.0:
        return math.inf
    return p * math.log(p / q) + (1.0 - p) * math.log((1.0 - p) / (1.0 - q))
