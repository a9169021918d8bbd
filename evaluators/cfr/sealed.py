"""Sealed games: drawn after a program is frozen, so that neither a search nor its author can have seen them.

Each is a *generic* copy of a game, its payoffs perturbed by ten percent from a seed that is drawn once the finalists
are fixed. The seed stands in the instances' variants (``generic-<seed>``), so a recorded look can be repeated.

Programs are not told the horizon, but a search at one horizon breeds constants that fit it; hence three of them.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from evaluators.base import GameError, Instance, Plan, Stage
from evaluators.games import suites
from sandbox.base import Limits

HORIZONS = (300, 1000, 3000)

SUITE = "sealed"

SEED_BITS = 32

_LIMITS = Limits(cpu_s=180.0, wall_s=901.0, call_wall_s=20.0, memory_mib=512)
"""Per session, for 3,000 iterations of 3-player Leduc: six times what a search allows for its games."""


def draw_seed() -> int:
    """A fresh seed that nobody can foresee. Record it with the results."""
    return secrets.randbits(SEED_BITS)


def promotion_plan(
    seed: int, *, games: Sequence[str] | None = None, horizons: Sequence[int] = HORIZONS
) -> Plan:
    """What promotion runs on sealed games: every game at every horizon, payoffs perturbed from `seed`.

    A stage per horizon, named ``K=300`` and so on, the shortest first; an instance is called
    ``<game>/generic-<seed>/K=<horizon>``. Nothing is compiled here.

    Args:
        seed: of the perturbation, a whole number from 0: `draw_seed`, or the recorded one.
        games: short names or OpenSpiel strings instead of the suite `sealed`.
        horizons: iterations of the runs.

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
    return Plan(stages, _LIMITS)
