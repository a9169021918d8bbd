"""Populations of policies and their mixtures, as realization plans: no tree is walked.

By perfect recall the mixture of policies with plans r^k and weights w_k plays like the one policy whose plan is
the sum of w_k r^k (Kuhn 1953; Koller, Megiddo, von Stengel 1996), and every payoff is multilinear in the plans.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from evaluators.games import kernels
from evaluators.games.compiled import CompiledGame, Response
from evaluators.games.form import Floats
from evaluators.games.game import Values

_NEW = 1e-12
"""A plan whose distance from a basis' span is at most this share of its length lies in it."""

_LARGEST = 100.0
"""Coordinates beyond this would lose more than two of sixteen digits."""

_ALONE = np.ones((1, 1))
"""The population of a third player who is not there."""

Mixtures = Sequence[Floats]
"""(n_p,) weights of player p's policies, for each player."""


class Populations:
    """A growing population of policies for each player of a game. Equal policies count as often as they were added.

    Attributes:
        game: what they play.
        sizes: (N,) int32, policies per player.
    """

    def __init__(self, game: CompiledGame, capacity: int = 16) -> None:
        """Start empty.

        Args:
            game: the game; its buffers are used, its current policies are not.
            capacity: policies per player that there is room for at first.
        """
        self.game = game
        self.sizes = np.zeros(game.num_players, np.int32)
        self._plans = np.zeros((game.num_players, capacity, max(game.form.num_sequences)))
        self._mixed = np.zeros((game.num_players, max(game.form.num_sequences)))

    def plans(self, player: int) -> NDArray[np.float64]:
        """(n_p, max sequences) a player's realization plans, a view; zero beyond its own sequences."""
        return self._plans[player, : self.sizes[player]]

    def add(self, player: int, plan: Floats) -> None:
        """Append a policy, given as (sequences,) realization plan, to a player's population."""
        at = self.sizes[player]
        if at == self._plans.shape[1]:
            self._plans = np.concatenate([self._plans, np.zeros_like(self._plans)], axis=1)
        self._plans[player, at, : len(plan)] = plan
        self.sizes[player] = at + 1

    def support(self, player: int, policy: int) -> tuple[int, bool]:
        """How many (infoset, action) pairs a policy plays, and whether it is pure at all infosets that it reaches."""
        played = self.plans(player)[policy] > 0.0
        reached = int(played[self.game.form.trees[player].parent].sum())
        pairs = int(played[1:].sum())
        return pairs, pairs == reached

    def mixed_plans(self, mixtures: Mixtures) -> NDArray[np.float64]:
        """(N, max sequences) realization plans of mixtures: a buffer that the next call overwrites."""
        for p, weights in enumerate(mixtures):
            kernels.mix(self._plans[p], weights, self._mixed[p])
        return self._mixed

    def values(self, mixtures: Mixtures) -> Values:
        """What mixtures give each player in the full game, and what best responses to them would."""
        return self.game.values(self.mixed_plans(mixtures))

    def exploitability(self, mixtures: Mixtures) -> float:
        """NashConv / N of mixtures in the full game."""
        return self.values(mixtures).nash_conv / self.game.num_players

    def best_responses(self, mixtures: Mixtures) -> list[Response]:
        """Each player's best response to the others' mixtures."""
        plans = self.mixed_plans(mixtures)
        return [self.game.best_response(p, plans) for p in range(self.game.num_players)]

    def best_response_payoffs(self, mixtures: Mixtures) -> list[Floats]:
        """What each policy gets where every other player plays its best response to the mixtures, (n_p,) per player."""
        plans = np.zeros_like(self._mixed)
        for p, response in enumerate(self.best_responses(mixtures)):
            plans[p, : len(response.plan)] = response.plan
        return [self.game.plan_payoffs(p, self.plans(p), plans) for p in range(self.game.num_players)]

    def deviation_payoffs(self, player: int, weights: Floats) -> Floats:
        """(n_p,) what each policy of a player gets against the others' mixtures.

        Args:
            player: the player p.
            weights: (sum of sizes,) mixtures of all players, one after the other; p's own does not matter.
        """
        return self.game.deviation_payoffs(player, self._plans, self.sizes, weights)

    def newest_payoffs(self, player: int) -> NDArray[np.float64]:
        """Payoffs of all profiles with the newest policy of `player`, in a game of two or three players.

        Returns:
            (N, n_0, ..., 1, ..., n_{N-1}), one at the place of `player`; first the player whose payoff it is.
        """
        plan, (row, *more) = self.plans(player)[-1], [q for q in range(self.game.num_players) if q != player]
        column = more[0] if more else None
        columns = _ALONE if column is None else self.plans(column)
        payoffs = self.game.profile_payoffs(plan, (player, row, column), (self.plans(row), columns))
        shape = [1 if q == player else int(n) for q, n in enumerate(self.sizes)]
        return payoffs.reshape(self.game.num_players, *shape)


class Basis:
    """Few plans of each player that all its plans are combinations of, and the coordinates of every plan.

    A player of 3-player Kuhn poker has 33 sequences, but plans span 17 dimensions: payoffs of a hundred policies of
    each player are those of 17 each, up to rounding, and take a two-hundredth of the multiplications.

    Attributes:
        vectors: the plans of the basis; best responses, not made orthogonal, since their zeros save work.
    """

    def __init__(self, game: CompiledGame) -> None:
        """Start empty."""
        self.vectors = Populations(game)
        self._spans = [_Span(max(game.form.num_sequences)) for _ in range(game.num_players)]

    def extend(self, plans: Sequence[Floats]) -> tuple[list[Floats], list[NDArray[np.float64]]]:
        """Take one more plan of every player, (sequences,) each.

        Returns:
            (1, r_p) coordinates of each plan, and the payoffs that new vectors add, player after player as in
            `Populations.newest_payoffs`, with nothing along the player's own axis where its basis did not grow.
        """
        rows, blocks = [], []
        for p, plan in enumerate(plans):
            row = self._spans[p].add(plan)
            if grew := len(row) > self.vectors.sizes[p]:
                self.vectors.add(p, plan)
            rows.append(row[None])
            sizes = [0 if q == p else int(n) for q, n in enumerate(self.vectors.sizes)]
            blocks.append(self.vectors.newest_payoffs(p) if grew else np.empty((len(sizes), *sizes)))
        return rows, blocks


class _Span:
    """What a player's plans span: an orthonormal basis of it, and the plans of a `Basis` in its terms.

    Gram-Schmidt, twice for what rounding leaves (Giraud, Langou, Rozloznik 2005).
    """

    def __init__(self, width: int) -> None:
        self._directions = np.zeros((0, width))
        self._triangle = np.zeros((0, 0))
        self._pivots: list[int] = []
        self._size = 0

    def add(self, plan: Floats) -> Floats:
        """(r,) coordinates of a plan; r is one more than before if the plan joins the basis itself.

        It does unless it lies in the span, and its coordinates are small enough not to magnify rounding.
        """
        rest = np.zeros(self._directions.shape[1])
        rest[: len(plan)] = plan
        length = float(np.sqrt(rest @ rest))
        known = np.zeros(len(self._directions))
        for _ in range(2):
            part = np.empty_like(known)
            kernels.payoffs(self._directions, rest, part)
            kernels.mix(self._directions, part, held := np.empty_like(rest))
            known, rest = known + part, rest - held
        left = float(np.sqrt(rest @ rest))
        inside = left <= _NEW * length
        if inside and np.abs(solution := self._solved(known)).max(initial=0.0) <= _LARGEST:
            row = np.zeros(self._size)
            row[self._pivots] = solution
            return row
        if not inside:
            self._directions = np.vstack([self._directions, rest / left])
            self._triangle = np.pad(self._triangle, ((0, 1), (0, 1)))
            self._triangle[-1] = [*known, left]
            self._pivots.append(self._size)
        self._size += 1
        unit = np.zeros(self._size)
        unit[-1] = 1.0
        return unit

    def _solved(self, known: Floats) -> Floats:
        """(pivots,) the combination of basis plans that has these orthonormal coordinates, by back substitution."""
        solution = np.zeros(len(known))
        for k in reversed(range(len(known))):
            solution[k] = (known[k] - solution[k + 1 :] @ self._triangle[k + 1 :, k]) / self._triangle[k, k]
        return solution
