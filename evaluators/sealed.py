"""Sealed games: drawn after a program is frozen, so that neither a search nor its author can have seen them.

Each is a *generic* copy of a game, its payoffs perturbed by ten percent from a seed that is drawn once the finalists
are fixed. The seed stands in the instances' variants (``generic-<seed>``), so a recorded look can be repeated.

Programs are not told the horizon, but a search at one horizon breeds constants that fit it; hence several of them.
"""

from __future__ import annotations

from collections.abc import Sequence

from evaluators.base import GameError, Instance, Plan, Stage
from evaluators.games import suites
from sandbox.base import Limits

SUITE = "sealed"


def promotion_plan(
    seed: int, *, horizons: Sequence[int], limits: Limits, games: Sequence[str] | None = None
) -> Plan:
    """What promotion runs on sealed games: every game at every horizon, payoffs perturbed from `seed`.

    A stage per horizon, named ``K=300`` and so on, the shortest first; an instance is called
    ``<game>/generic-<seed>/K=<horizon>``. Nothing is compiled here.

    Args:
        seed: of the perturbation, a whole number from 0, drawn when nobody can foresee it, or a recorded one.
        horizons: iterations of the runs.
        limits: of each run.
        games: short names or OpenSpiel strings instead of the suite `sealed`.

    Raises:
        GameError: unknown game, or a seed below 0.
    """
    if seed < 0:
        raise GameError(f"seed: expected a whole number from 0; got {seed}.")
    names = [suites.resolve(game).name for game in games or suites.suite(SUITE)]
    stages = tuple(
        Stage(
            f"K={k}",
            tuple(Instance(f"{name}/generic-{seed}/K={k}", name, f"generic-{seed}", k) for name in names),
        )
        for k in sorted(horizons)
    )
    return Plan(stages, limits)
