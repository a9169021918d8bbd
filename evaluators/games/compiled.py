"""Compiled game trees: a game in sequence form and work arrays behind the calls of a `Game`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from evaluators.games import kernels
from evaluators.games.form import Floats, SequenceForm
from evaluators.games.game import Game, Values, Variant, parse_variant, plain


class Response(NamedTuple):
    """A best response: (sequences,) realization plan, and what it gets."""

    plan: Floats
    value: float


class CompiledGame(Game):
    """A compiled game tree under a payoff variant, with a current policy for each player. See `Game`.

    A variant draws one number per merged terminal.

    Attributes:
        form: the arrays behind it; `form.utility` is that of the exact game.
        utility: (N, Z) chance x utility under the variant, in the order of `form`'s terminals.
    """

    def __init__(self, name: str, form: SequenceForm, variant: str = "exact") -> None:
        """Start with uniform policies.

        Raises:
            GameError: unknown variant.
        """
        super().__init__(
            name,
            form.game_string,
            variant,
            offsets=[tree.offset for tree in form.trees],
            depth=[tree.depth for tree in form.trees],
            actions=[tree.action for tree in form.trees],
        )
        self.form = form
        self.utility = np.ascontiguousarray(_perturbed(form, parse_variant(variant)))
        self._trees = tuple(np.stack([np.append(t.parent, 0), t.offset]).astype(np.int32) for t in form.trees)
        self._lanes = kernels.pack_lanes(form.lanes)
        self._weight = tuple(self.utility)
        self._plans = np.zeros((self.num_players, max(form.num_sequences)))
        self._scored_plans = np.zeros_like(self._plans)
        self._policy = tuple(np.zeros(s) for s in self.num_pairs)
        self._reach = tuple(np.zeros(i) for i in self.num_infosets)
        self._regrets = tuple(np.zeros(s) for s in self.num_pairs)
        self._total = tuple(np.zeros(s) for s in form.num_sequences)
        widths = form.lanes.header[:, 1] * (form.lanes.header[:, 5] + 1)
        self._rows = np.zeros(int(widths.max(initial=0)))
        for p in range(self.num_players):
            self.set_policy(p, self.uniform(p))

    @property
    def size(self) -> int:
        """See `Game.size`: merged terminals."""
        return self.form.num_terminals

    def infoset_keys(self, player: int) -> list[str]:
        """See `Game.infoset_keys`: OpenSpiel's."""
        return self.form.infoset_keys(player)

    def set_policy(self, player: int, policy: Floats) -> None:
        """See `Game.set_policy`."""
        own = self._policy[player]
        own[:] = self._checked(player, policy)
        kernels.realize(self._trees[player], own, self._plans[player], self._reach[player])

    def regrets(self, player: int) -> Floats:
        """See `Game.regrets`."""
        kernels.regrets(
            player, self._trees[player], self._lanes, self.form.sequence, self._weight[player], self._plans,
            self._policy[player], self._total[player], self._rows, self._regrets[player],
        )  # fmt: skip
        return self._regrets[player]

    def reach(self, player: int) -> Floats:
        """See `Game.reach`."""
        return self._reach[player]

    def counterfactual_reach(self, player: int) -> Floats:
        """See `Game.counterfactual_reach`."""
        out = np.empty(self.num_infosets[player])
        self._sum(player, self.form.chance, self._plans)
        kernels.counterfactual_reach(self._trees[player], self._total[player], out)
        return out

    def profile_values(self, policies: Sequence[Floats]) -> Values:
        """See `Game.profile_values`."""
        return self.values(self._realized(policies))

    def plan(self, player: int, policy: Floats) -> Floats:
        """(sequences,) the realization plan of a policy, a fresh array.

        Raises:
            PolicyError: wrong shape.
        """
        plan = np.empty(self.form.num_sequences[player])
        own = plain(self._checked(player, policy))
        kernels.realize(self._trees[player], own, plan, np.empty(self.num_infosets[player]))
        return plan

    def values(self, plans: NDArray[np.float64]) -> Values:
        """What realization plans give, and best responses to them.

        Args:
            plans: (N, max sequences) a plan per player, so for the methods that follow.
        """
        both = Values(np.empty(self.num_players), np.empty(self.num_players))
        for p in range(self.num_players):
            both.expected[p], both.best[p] = kernels.values(
                p, self._trees[p], self._lanes, self.form.sequence, self._weight[p], plans, self._total[p], self._rows
            )  # fmt: skip
        return both

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

    def plan_payoffs(
        self, player: int, population: NDArray[np.float64], plans: NDArray[np.float64]
    ) -> Floats:
        """(n,) what each of a player's plans, (n, max sequences), gets against the others' plans."""
        out = np.empty(len(population))
        kernels.payoffs(population, self._sum(player, self._weight[player], plans), out)
        return out

    @cached_property
    def _magnitudes(self) -> tuple[Floats, ...]:
        return tuple(np.abs(weight) for weight in self._weight)

    def _sum(self, player: int, weight: Floats, plans: NDArray[np.float64]) -> Floats:
        total = self._total[player]
        kernels.terminal_sums(player, self._lanes, self.form.sequence, weight, plans, total, self._rows)
        return total

    def _realized(self, policies: Sequence[Floats]) -> NDArray[np.float64]:
        plans = self._scored_plans
        for p, policy in enumerate(self._checked_profile(policies)):
            kernels.realize(self._trees[p], policy, plans[p], np.empty(self.num_infosets[p]))
        return plans


def _perturbed(form: SequenceForm, variant: Variant) -> Floats:
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
