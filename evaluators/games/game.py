"""A game that a trusted loop plays: compiled form, payoff variant and work arrays behind a few calls.

Policies, regrets and cumulative policies are flat float64 arrays (S_p,) over player p's (infoset, action)
pairs, ordered by infoset, then action; reaches are (I_p,). A `Game` is for one thread.

Integer payoffs make small games degenerate: regrets cancel exactly and rounding decides ties. So programs are also
scored on *variants* of a game, perturbed copies. One number per merged terminal multiplies the utilities of all
players, which keeps a zero-sum game zero-sum.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from evaluators.contract import GameError, nearest
from evaluators.games import cache, kernels
from evaluators.games.form import Floats, SequenceForm
from evaluators.games.suites import resolve

NOISE = {"generic": 0.1, "jitter": 1e-9}
"""Relative standard deviation: far from degenerate, and the spread that chaos alone causes."""
_FORMS = ("exact", "generic-<seed>", "jitter-<seed>", "scale-<factor>")


class Variant(NamedTuple):
    """Utilities times `factor`, then times 1 + `noise` * xi with xi ~ N(0, 1) drawn from `seed`."""

    factor: float = 1.0
    noise: float = 0.0
    seed: int = 0

    def apply(self, form: SequenceForm) -> Floats:
        """(N, Z) chance x utility under the variant; the form's own array where nothing changes.

        Terminals draw their xi in the walk's first-visit order, so it does not depend on the memory layout.
        """
        utility = form.utility
        if self.factor != 1.0:
            utility = utility * self.factor
        if self.noise:
            xi = np.random.default_rng(self.seed).standard_normal(form.num_terminals)
            utility = utility * (1.0 + self.noise * xi[form.visit])
        return utility


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


class Response(NamedTuple):
    """A best response: (sequences,) realization plan, and what it gets."""

    plan: Floats
    value: float


class Game:
    """A compiled game under a payoff variant, with a current policy for each player.

    Attributes:
        name: short name, or the game string where it has none.
        game_string: canonical OpenSpiel string.
        variant: name of the payoff variant.
        form: the arrays behind it; `form.utility` is that of the exact game.
        utility: (N, Z) chance x utility under the variant, in the order of `form`'s terminals.
        num_players: N.
        num_infosets: I_p per player.
        num_pairs: S_p per player.
        num_actions: (I_p,) int64 per player.
        depth: (I_p,) int64 per player, own decisions before an infoset's own.
    """

    def __init__(self, name: str, form: SequenceForm, variant: str = "exact") -> None:
        """Start with uniform policies.

        Raises:
            GameError: unknown variant.
        """
        self.name, self.game_string, self.variant, self.form = name, form.game_string, variant, form
        self.utility = np.ascontiguousarray(parse_variant(variant).apply(form))
        self.num_players = form.num_players
        self.num_infosets = tuple(tree.num_infosets for tree in form.trees)
        self.num_pairs = tuple(tree.num_pairs for tree in form.trees)
        self.num_actions = tuple(np.diff(tree.offset).astype(np.int64) for tree in form.trees)
        self.depth = tuple(tree.depth.astype(np.int64) for tree in form.trees)
        self._trees = tuple(np.stack([np.append(t.parent, 0), t.offset]).astype(np.int32) for t in form.trees)
        self._lanes = kernels.pack_lanes(form.lanes)
        self._weight = tuple(self.utility)
        self._plans = np.zeros((self.num_players, max(form.num_sequences)))
        self._scored_plans = np.zeros_like(self._plans)
        self._uniform = tuple(np.repeat(1.0 / n, n) for n in self.num_actions)
        self._policy = tuple(np.zeros(s) for s in self.num_pairs)
        self._reach = tuple(np.zeros(i) for i in self.num_infosets)
        self._regrets = tuple(np.zeros(s) for s in self.num_pairs)
        self._total = tuple(np.zeros(s) for s in form.num_sequences)
        widths = form.lanes.header[:, 1] * (form.lanes.header[:, 5] + 1)
        self._rows = np.zeros(int(widths.max(initial=0)))
        for p in range(self.num_players):
            self.set_policy(p, self.uniform(p))

    def uniform(self, player: int) -> Floats:
        """(S_p,) the uniform policy, a fresh array."""
        return self._uniform[player].copy()

    def set_policy(self, player: int, policy: Floats) -> None:
        """Make `policy` the player's current one. It is copied and taken as it is (see `project`).

        Raises:
            PolicyError: wrong shape.
        """
        own = self._policy[player]
        own[:] = self._checked(player, policy)
        kernels.realize(self._trees[player], own, self._plans[player], self._reach[player])

    def regrets(self, player: int) -> Floats:
        """(S_p,) counterfactual regrets under the current policies.

        The array is the player's buffer: the next call for the same player overwrites it.
        """
        kernels.regrets(
            player, self._trees[player], self._lanes, self.form.sequence, self._weight[player], self._plans,
            self._policy[player], self._total[player], self._rows, self._regrets[player],
        )  # fmt: skip
        return self._regrets[player]

    def reach(self, player: int) -> Floats:
        """(I_p,) the player's own reach under its current policy, a buffer that `set_policy` overwrites."""
        return self._reach[player]

    def counterfactual_reach(self, player: int) -> Floats:
        """(I_p,) reach of chance and the other players under their current policies, a fresh array."""
        out = np.empty(self.num_infosets[player])
        self._sum(player, self.form.chance, self._plans)
        kernels.counterfactual_reach(self._trees[player], self._total[player], out)
        return out

    def profile_values(self, policies: Sequence[Floats]) -> Values:
        """What a profile gives each player, and best responses to it. The current policies stay.

        Raises:
            PolicyError: wrong number of policies, or wrong shape; so for the two methods that follow.
        """
        return self.values(self._realized(policies))

    def nash_conv(self, policies: Sequence[Floats]) -> float:
        """Sum over players of what a best response gains over the profile."""
        return self.profile_values(policies).nash_conv

    def exploitability(self, policies: Sequence[Floats]) -> float:
        """NashConv / N, the mean gain of a unilateral best response."""
        return self.nash_conv(policies) / self.num_players

    def plan(self, player: int, policy: Floats) -> Floats:
        """(sequences,) the realization plan of a policy, a fresh array.

        Raises:
            PolicyError: wrong shape.
        """
        plan = np.empty(self.form.num_sequences[player])
        own = _plain(self._checked(player, policy))
        kernels.realize(self._trees[player], own, plan, np.empty(self.num_infosets[player]))
        return plan

    def values(self, plans: NDArray[np.float64]) -> Values:
        """What realization plans give, and best responses to them.

        Args:
            plans: (N, max sequences) a plan per player, so for the methods that follow.
        """
        found = Values(np.empty(self.num_players), np.empty(self.num_players))
        for p in range(self.num_players):
            found.expected[p], found.best[p] = kernels.values(
                p, self._trees[p], self._lanes, self.form.sequence, self._weight[p], plans, self._total[p], self._rows
            )  # fmt: skip
        return found

    def best_response(self, player: int, plans: NDArray[np.float64]) -> Response:
        """The best response to the others' plans that plays all tied actions alike (see `kernels.TIE`).

        It is defined at every infoset of its own, also at those that the others never lead to.
        """
        magnitude = self._sum(player, self._magnitudes[player], plans).copy()
        total = self._sum(player, self._weight[player], plans)
        plan = np.empty(self.form.num_sequences[player])
        policy, reach = np.empty(self.num_pairs[player]), np.empty(self.num_infosets[player])
        value = kernels.best_response(self._trees[player], total, magnitude, policy, plan, reach)
        return Response(plan, value)

    def profile_payoffs(
        self, plan: Floats, players: tuple[int, int, int | None], populations: Sequence[NDArray[np.float64]]
    ) -> NDArray[np.float64]:
        """(N, rows, columns) payoffs of a plan against all pairs of plans of two other players, for everybody.

        Args:
            plan: (max sequences,) a plan of the first of `players`.
            players: who plays it, who plays the rows, and who the columns; None for nobody, in a game of two.
            populations: (rows, max sequences) and (columns, max sequences) plans of the last two; one column for None.
        """
        own, row, column = players
        rows, columns = populations[0], np.ascontiguousarray(populations[1].T)
        nobody = np.zeros(self.form.num_terminals, np.int32)
        sequence = (
            self.form.sequence[own],
            self.form.sequence[row],
            nobody if column is None else self.form.sequence[column],
        )
        out = np.empty((self.num_players, len(rows), columns.shape[1]))
        below = np.empty((self.form.num_sequences[row], columns.shape[1]))
        for p, weight in enumerate(self._weight):
            kernels.profile_payoffs(sequence, weight, plan, columns, rows, below, out[p])
        return out

    def deviation_payoffs(
        self, player: int, populations: NDArray[np.float64], sizes: NDArray[np.int32], weights: Floats
    ) -> Floats:
        """(n_p,) what each policy of a player's population gets against mixtures of the others'.

        Args:
            player: the player p.
            populations: (N, capacity, max sequences) plans, ``sizes[q]`` of player q.
            sizes: (N,) policies per player.
            weights: (sum of sizes,) the mixtures, player after player.
        """
        out = np.empty(sizes[player])
        kernels.deviation_payoffs(
            player, self._lanes, self.form.sequence, self._weight[player], populations, sizes, weights,
            self._scored_plans, self._total[player], self._rows, out,
        )  # fmt: skip
        return out

    @cached_property
    def _magnitudes(self) -> tuple[Floats, ...]:
        return tuple(np.abs(weight) for weight in self._weight)

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
        values = _plain(self._checked(player, values))
        out = np.empty(self.num_pairs[player])
        status, infoset = kernels.normalize(self._trees[player], values, out, slack)
        if status != kernels.FINE:
            raise PolicyError(self._fault(player, values, what, status, infoset))
        return out

    def _fault(self, player: int, values: Floats, what: str, status: int, infoset: int) -> str:
        begin, end = self.form.trees[player].offset[infoset : infoset + 2].tolist()
        row = values[begin:end]
        expected, came = {
            kernels.NOT_FINITE: ("finite numbers with a finite sum", ""),
            kernels.NEGATIVE: ("no entry below -1e-9", f" with minimum {row.min():.3g}"),
            kernels.NOT_ONE: ("a sum within 1e-6 of 1", f" with sum {row.sum():.9g}"),
        }[status]
        text = np.array2string(row, precision=6, threshold=12)
        return (
            f"{self.name}: {what} of player {player}, infoset {infoset} (entries {begin} to {end - 1}): "
            f"expected {expected}; got {text}{came}."
        )

    def _sum(self, player: int, weight: Floats, plans: NDArray[np.float64]) -> Floats:
        total = self._total[player]
        kernels.terminal_sums(player, self._lanes, self.form.sequence, weight, plans, total, self._rows)
        return total

    def _realized(self, policies: Sequence[Floats]) -> NDArray[np.float64]:
        if len(policies) != self.num_players:
            raise PolicyError(f"{self.name}: expected {self.num_players} policies; got {len(policies)}.")
        plans = self._scored_plans
        for p, policy in enumerate(policies):
            own = _plain(self._checked(p, policy))
            kernels.realize(self._trees[p], own, plans[p], np.empty(self.num_infosets[p]))
        return plans


def _plain(values: Floats) -> Floats:
    """A copy that is float64, contiguous and writable, the one type that the kernels are compiled for."""
    return np.array(values, np.float64, order="C")


def load(name_or_string: str, variant: str = "exact") -> Game:
    """The game ready to be played, compiled at its first use and from the cache afterwards.

    Raises:
        GameError: unknown game or variant, or a game that cannot be compiled.
    """
    parse_variant(variant)
    name, game_string = resolve(name_or_string)
    return Game(name, cache.load(game_string), variant)
