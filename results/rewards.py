"""What a child is worth beside its parent: one definition for the choice of models and for what is reported of them."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median


def rewards(gains: Sequence[float]) -> list[float]:
    """A reward from 0 to 1 for each gain, in the same order: g / (g + m) for g > 0, else 0.

    m is the median of the positive gains, so that a typical improvement is worth a half whatever the objective's
    unit, and one lucky jump does not make all others worthless.

    Args:
        gains: child's objective minus that of its first parent; 0 for a child that was not scored.
    """
    positive = [gain for gain in gains if gain > 0]
    typical = median(positive) if positive else 1.0
    return [gain / (gain + typical) if gain > 0 else 0.0 for gain in gains]
