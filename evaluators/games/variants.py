"""Variants of a game's payoffs, by name.

Integer payoffs make small games degenerate: regrets cancel exactly and rounding decides ties. So programs
are also scored on perturbed copies of a game. One number per merged terminal multiplies the utilities of
all players, which keeps a zero-sum game zero-sum.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from evaluators.contract import GameError, nearest
from evaluators.games.form import Floats, SequenceForm

NOISE = {"generic": 0.1, "jitter": 1e-9}
"""Relative standard deviation: far from degenerate, and the spread that chaos alone causes."""
_FORMS = ("exact", "generic-<seed>", "jitter-<seed>", "scale-<factor>")


class Variant(NamedTuple):
    """Utilities times `factor`, then times 1 + `noise` * xi with xi ~ N(0, 1) drawn from `seed`."""

    factor: float = 1.0
    noise: float = 0.0
    seed: int = 0


def parse(name: str) -> Variant:
    """The variant called `name`: ``exact``, ``generic-<seed>``, ``jitter-<seed>`` or ``scale-<factor>``.

    Raises:
        GameError: no such variant, a seed that is no whole number from 0, a factor that is not positive.
    """
    kind, _, value = name.partition("-")
    if name == "exact":
        return Variant()
    if kind in NOISE:
        if value.isascii() and value.isdigit():
            return Variant(noise=NOISE[kind], seed=int(value))
        raise GameError(f"variant: expected {kind}-<seed> with a whole number from 0; got {name!r}.")
    if kind == "scale":
        try:
            factor = float(value)
        except ValueError:
            factor = math.nan
        if 0 < factor < math.inf:
            return Variant(factor=factor)
        raise GameError(f"variant: expected scale-<factor> with a positive number; got {name!r}.")
    raise GameError(f"variant: expected one of {', '.join(_FORMS)}; got {name!r}.", nearest(kind, _FORMS))


def apply(form: SequenceForm, variant: Variant) -> Floats:
    """(N, Z) chance x utility under a variant; the form's own array where nothing changes.

    Terminals draw their xi in the walk's first-visit order, so it does not depend on the memory layout.
    """
    utility = form.utility
    if variant.factor != 1.0:
        utility = utility * variant.factor
    if variant.noise:
        xi = np.random.default_rng(variant.seed).standard_normal(form.num_terminals)
        utility = utility * (1.0 + variant.noise * xi[form.visit])
    return utility
