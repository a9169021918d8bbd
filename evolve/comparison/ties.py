"""Who wins a game, and who only seems to lose it: differences within the jitter interval are ties.

Integer payoffs make small games degenerate, so that rounding decides some of them: payoffs that differ by 1e-9 give
another value. The interval that a few such copies span, with the exact value, is what chaos alone causes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from evaluators.base import Evaluation, InstanceResult

TIER = "jitter"
"""The tier whose copies span the interval."""

SMALLEST = 1e-16
DECADES_MAX = 6.0
"""As in the score: what is more than six decades below the uniform policy measures the game, not the program."""


class Span(NamedTuple):
    """A program's exploitability on a game.

    Attributes:
        value: with exact payoffs, at least 1e-16.
        low: smallest of the exact and the jittered values.
        high: largest.
        floor: where scores stop to count; everything below is equal.
    """

    value: float
    low: float
    high: float
    floor: float

    def overlaps(self, other: Span) -> bool:
        """Whether the two cannot be told apart."""
        floor = max(self.floor, other.floor)
        return max(self.low, floor) <= max(other.high, floor) and max(other.low, floor) <= max(
            self.high, floor
        )


class Standing(NamedTuple):
    """The program with the smallest value on a game, and those that cannot be told from it."""

    winner: str
    tied: tuple[str, ...]


def spans(exact: Evaluation, jittered: Evaluation) -> dict[str, Span]:
    """Game -> span, for the games that both evaluations have."""
    values: dict[str, list[float]] = {}
    for result in jittered.results:
        values.setdefault(result.instance.game, []).append(_clipped(result))
    found = {}
    for result in exact.results:
        game = result.instance.game
        if result.instance.variant == "exact" and game in values:
            value = _clipped(result)
            low, high = min(value, *values[game]), max(value, *values[game])
            found[game] = Span(value, low, high, result.uniform * 10**-DECADES_MAX)
    return found


def standings(programs: Mapping[str, Mapping[str, Span]]) -> dict[str, Standing]:
    """Game -> standing, over programs with their spans."""
    found = {}
    for game in _games(programs.values()):
        here = {name: spans[game] for name, spans in programs.items() if game in spans}
        winner = min(here, key=lambda name: here[name].value)
        tied = tuple(name for name, span in here.items() if name != winner and span.overlaps(here[winner]))
        found[game] = Standing(winner, tied)
    return found


def _games(programs: Iterable[Mapping[str, Span]]) -> list[str]:
    return list(dict.fromkeys(game for spans in programs for game in spans))


def _clipped(result: InstanceResult) -> float:
    return max(result.exploitability, SMALLEST)
