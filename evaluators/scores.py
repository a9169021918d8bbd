"""Objectives over exploitability: numbers that selection compares, larger is better; for any domain that plays games.

``decades`` is how many powers of ten a program gained over the uniform policy (clipped to [0, 6]: below about 1e-6
the usual small games measure their degeneracy, not the program), averaged over games and tiers.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from statistics import fmean

from evaluators.base import Instance, InstanceResult

DEFAULT = "decades"
DECADES_MAX = 6.0
_SMALLEST = 1e-16


def decades(exploitability: float, uniform: float) -> float:
    """log10(uniform / exploitability), clipped to [0, 6]; exploitability may come out as -4e-16."""
    return min(max(math.log10(uniform / max(exploitability, _SMALLEST)), 0.0), DECADES_MAX)


def score(result: InstanceResult) -> float:
    """`decades` of one instance at its last iteration."""
    return decades(result.exploitability, result.uniform)


def area(result: InstanceResult) -> float:
    """Mean of `decades` along the curve over log10(iteration): early progress counts too."""
    points = [(math.log10(k), decades(e, result.uniform)) for k, e in result.curve]
    if len(points) == 1:
        return points[0][1]
    return sum((b[0] - a[0]) * (a[1] + b[1]) / 2 for a, b in pairwise(points)) / (
        points[-1][0] - points[0][0]
    )


def tier(variant: str) -> str:
    """The tier that a payoff variant belongs to: ``generic-2`` is one seed of ``generic``."""
    return variant.partition("-")[0]


def balanced(results: Iterable[InstanceResult]) -> float:
    """Mean score in which every game counts the same in every tier, however many seeds the tier has."""
    cells: dict[tuple[str, str], list[float]] = {}
    for result in results:
        cells.setdefault((result.instance.game, tier(result.instance.variant)), []).append(score(result))
    return fmean([fmean(values) for values in cells.values()])


def names(instances: Sequence[Instance]) -> tuple[str, ...]:
    """Names of the objectives that results of these instances give."""
    games = dict.fromkeys(i.game for i in instances)
    exact = [i.game for i in instances if i.variant == "exact"]
    return (
        DEFAULT,
        *(f"{DEFAULT}/{game}" for game in games),
        *(f"{DEFAULT}_{name}" for name in dict.fromkeys(tier(i.variant) for i in instances)),
        "log_area",
        *(["neg_exploitability", *(f"neg_exploitability/{game}" for game in exact)] if exact else []),
    )


def objectives(results: Sequence[InstanceResult]) -> dict[str, float]:
    """All objectives of a complete evaluation.

    ``decades`` and ``decades/<game>``; ``decades_<tier>`` for each tier; ``log_area``; and the objectives of
    arXiv 2602.16928, ``neg_exploitability`` and ``neg_exploitability/<game>``, over exact games.
    """
    found = {DEFAULT: balanced(results)}
    games = dict.fromkeys(r.instance.game for r in results)
    for game in games:
        found[f"decades/{game}"] = balanced(r for r in results if r.instance.game == game)
    tiers = dict.fromkeys(tier(r.instance.variant) for r in results)
    for name in tiers:
        found[f"decades_{name}"] = fmean([score(r) for r in results if tier(r.instance.variant) == name])
    found["log_area"] = fmean([area(r) for r in results])
    exact = {r.instance.game: -r.exploitability for r in results if r.instance.variant == "exact"}
    if exact:
        found["neg_exploitability"] = fmean(exact.values())
        found.update({f"neg_exploitability/{game}": value for game, value in exact.items()})
    return found
