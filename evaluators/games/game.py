"""A game that a trusted loop plays: what a loop asks of it, and payoff variants.

Policies, regrets and cumulative policies are flat float64 arrays (S_p,) over player p's (infoset, action)
pairs, ordered by infoset, then action; reaches are (I_p,). A `Game` is for one thread. There are two kinds: compiled
game trees (`compiled`), and public trees whose players hold hands of cards (`river`).

Integer payoffs make small games degenerate: regrets cancel exactly and rounding decides ties. So programs are also
scored on *variants* of a game, perturbed copies.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np

from evaluators.contract import GameError, nearest
from evaluators.games import kernels
from evaluators.games.form import Floats, Ints

NOISE = {"generic": 0.1, "jitter": 1e-9}
"""Relative standard deviation: far from degenerate, and the spread that chaos alone causes."""
_FORMS = ("exact", "generic-<seed>", "jitter-<seed>", "scale-<factor>")


class Variant(NamedTuple):
    """Utilities times `factor`, then times 1 + `noise` * xi with xi ~ N(0, 1) drawn from `seed`.

    Which terminals share a xi is the game's to say. All players' utilities are multiplied by the same number, which
    keeps a zero-sum game zero-sum.
    """

    factor: float = 1.0
    noise: float = 0.0
    seed: int = 0


def parse_variant(name: str) -> Variant:
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


class PolicyError(ValueError):
    """A (cumulative) policy that no rounding explains; says where, what was expected and what came."""


class Values(NamedTuple):
    """What a profile gives each player, and what a best response to the others would: (N,) each."""

    expected: Floats
    best: Floats

    @property
    def nash_conv(self) -> float:
        """Sum over players of what a best response gains over the profile."""
        return float((self.best - self.expected).sum())


class Game(ABC):
    """A game under a payoff variant, with a current policy for each player.

    Attributes:
        name: short name, or the game string where it has none.
        game_string: canonical OpenSpiel string, or our own name for a game that OpenSpiel does not have.
        variant: name of the payoff variant.
        num_players: N.
        num_actions: (I_p,) int64 per player.
        depth: (I_p,) int64 per player, own decisions before an infoset's own.
        actions: (S_p,) int32 per player, the number that OpenSpiel (or the game's own rules) gives each action.
        num_infosets: I_p per player.
        num_pairs: S_p per player.
    """

    def __init__(
        self,
        name: str,
        game_string: str,
        variant: str,
        *,
        offsets: Sequence[Ints],
        depth: Sequence[Ints],
        actions: Sequence[Ints],
    ) -> None:
        """Take the shape of the game.

        Args:
            name: see the attributes, for all of them.
            game_string: see the attributes.
            variant: see the attributes.
            offsets: (I_p + 1,) where each infoset's pairs begin, per player.
            depth: see the attributes.
            actions: see the attributes.
        """
        self.name, self.game_string, self.variant = name, game_string, variant
        self.num_players = len(offsets)
        self.num_actions = tuple(np.diff(offset).astype(np.int64) for offset in offsets)
        self.depth = tuple(own.astype(np.int64) for own in depth)
        self.actions = tuple(actions)
        self.num_infosets = tuple(map(len, self.num_actions))
        self.num_pairs = tuple(map(len, self.actions))
        self._offsets = tuple(np.ascontiguousarray(offset, np.int32) for offset in offsets)
        self._uniform = tuple(np.repeat(1.0 / n, n) for n in self.num_actions)

    @property
    @abstractmethod
    def size(self) -> int:
        """What a traversal's time grows with: terminals of a tree, or of a public tree for each hand."""

    @abstractmethod
    def infoset_keys(self, player: int) -> list[str]:
        """Information state strings of a player, in infoset order."""

    @abstractmethod
    def set_policy(self, player: int, policy: Floats) -> None:
        """Make `policy` the player's current one. It is copied and taken as it is (see `project`).

        Raises:
            PolicyError: wrong shape.
        """

    @abstractmethod
    def regrets(self, player: int) -> Floats:
        """(S_p,) counterfactual regrets under the current policies.

        The array is the player's buffer: the next call for the same player overwrites it.
        """

    @abstractmethod
    def reach(self, player: int) -> Floats:
        """(I_p,) the player's own reach under its current policy, a buffer that `set_policy` overwrites."""

    @abstractmethod
    def counterfactual_reach(self, player: int) -> Floats:
        """(I_p,) reach of chance and the other players under their current policies, a fresh array."""

    @abstractmethod
    def profile_values(self, policies: Sequence[Floats]) -> Values:
        """What a profile gives each player, and best responses to it. The current policies stay.

        Raises:
            PolicyError: wrong number of policies, or wrong shape; so for the two methods that follow.
        """

    def nash_conv(self, policies: Sequence[Floats]) -> float:
        """Sum over players of what a best response gains over the profile."""
        return self.profile_values(policies).nash_conv

    def exploitability(self, policies: Sequence[Floats]) -> float:
        """NashConv / N, the mean gain of a unilateral best response."""
        return self.nash_conv(policies) / self.num_players

    def uniform(self, player: int) -> Floats:
        """(S_p,) the uniform policy, a fresh array."""
        return self._uniform[player].copy()

    @cached_property
    def uniform_exploitability(self) -> float:
        """Exploitability of the uniform policies."""
        return self.exploitability(self._uniform)

    def project(self, player: int, policy: Floats) -> Floats:
        """(S_p,) the distributions that `policy` is up to rounding, a fresh array.

        Entries down to -1e-9 are clipped at 0, rows whose sum is within 1e-6 of one are divided by it.

        Raises:
            PolicyError: further off than that, not finite, or wrong shape.
        """
        return self._normalized(player, policy, "policy", 1e-6)

    def average_policy(self, player: int, cumulative: Floats) -> Floats:
        """(S_p,) the normalised cumulative policy, uniform where an infoset has no mass; a fresh array.

        Raises:
            PolicyError: an entry is below -1e-9 (others are clipped at 0), not finite, or wrong shape.
        """
        return self._normalized(player, cumulative, "cumulative policy", math.inf)

    def _checked(self, player: int, policy: Floats) -> Floats:
        expected = (self.num_pairs[player],)
        if np.shape(policy) != expected:
            raise PolicyError(
                f"{self.name}: policy of player {player}: expected shape {expected}, one entry per (infoset, "
                f"action) pair; got {np.shape(policy)}."
            )
        return policy

    def _normalized(self, player: int, values: Floats, what: str, slack: float) -> Floats:
        values = plain(self._checked(player, values))
        out = np.empty(self.num_pairs[player])
        status, infoset = kernels.normalize(self._offsets[player], values, out, slack)
        if status != kernels.FINE:
            raise PolicyError(self._fault(player, values, what, status, infoset))
        return out

    def _fault(self, player: int, values: Floats, what: str, status: int, infoset: int) -> str:
        begin, end = self._offsets[player][infoset : infoset + 2].tolist()
        row = values[begin:end]
        expected, detail = {
            kernels.NOT_FINITE: ("finite numbers with a finite sum", ""),
            kernels.NEGATIVE: ("no entry below -1e-9", f" with minimum {row.min():.3g}"),
            kernels.NOT_ONE: ("a sum within 1e-6 of 1", f" with sum {row.sum():.9g}"),
        }[status]
        text = np.array2string(row, precision=6, threshold=12)
        return (
            f"{self.name}: {what} of player {player}, infoset {infoset} (entries {begin} to {end - 1}): "
            f"expected {expected}; got {text}{detail}."
        )

    def _checked_profile(self, policies: Sequence[Floats]) -> list[Floats]:
        if len(policies) != self.num_players:
            raise PolicyError(f"{self.name}: expected {self.num_players} policies; got {len(policies)}.")
        return [plain(self._checked(p, policy)) for p, policy in enumerate(policies)]


def plain(values: Floats) -> Floats:
    """A copy that is float64, contiguous and writable, the one type that the kernels are compiled for."""
    return np.array(values, np.float64, order="C")
