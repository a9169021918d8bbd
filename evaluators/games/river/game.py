"""River subgames, exactly: the public tree of bets, and at each node a hand of the player's range.

Rules, fixed so that values can be compared. Both have put half of the pot in; player 0, out of position, acts first.
Deals: P(h0, h1) proportional to range0[h0] * range1[h1], for hands that share no card with the board nor each other.
Without a bet to face: check, or bet a part of the pot, or all-in. Facing one: fold, call, raise by a part of the pot
after the call, or all-in. A size that reaches what is left is the all-in; facing an all-in: fold or call; at most so
many bets and raises. Actions stand in this order, sizes as given. Utilities are in units of the initial pot and sum to
zero.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from evaluators.games.form import Floats, Ints
from evaluators.games.game import Game, Values, parse_variant
from evaluators.games.river import kernels
from evaluators.games.river.cards import CARDS, HANDS, hand_name, strengths
from evaluators.games.river.spots import Spot, named, public_bets

PLAYERS = (0, 1)


class RiverGame(Game):
    """A river subgame under a payoff variant. See `Game`.

    Information sets: a player's public nodes in order, at each all its hands, by strength. A variant draws, for each
    end of the game, a number for each hand of player 0 and one for each hand of player 1; xi is their sum / sqrt(2).

    Attributes:
        spot: what is played.
        bets: its public tree.
        hands: (H_p,) numbers of each player's hands, weakest first.
        decisions: (D_p,) each player's public nodes.
    """

    def __init__(self, name: str, spot: Spot, variant: str = "exact") -> None:
        """Start with uniform policies.

        Raises:
            GameError: unknown variant, more public histories than `spots.MAX_NODES`, or a `size` of more than
                `compile.MAX_TERMINALS`.
        """
        from evaluators.games import compile  # Here, because it imports pyspiel, which takes 100 ms.

        self.spot, self.bets = spot, public_bets(spot)
        tree, strength = self.bets.tree, strengths(spot.board)
        order = np.argsort(strength, kind="stable")
        self.hands = tuple(order[weights[order] > 0.0] for weights in spot.ranges)
        if self.size > compile.MAX_TERMINALS:
            what = f"{len(tree.leaves):,} ends times {sum(map(len, self.hands)):,} hands are {self.size:,}"
            raise compile.too_large(name, what, "Allow fewer sizes, or fewer bets (max_bets).")
        self.decisions = tuple(tree.decisions(p) for p in PLAYERS)
        widths = [np.repeat(tree.num_actions[self.decisions[p]], len(self.hands[p])) for p in PLAYERS]
        super().__init__(
            name,
            name,
            variant,
            offsets=[np.append(0, np.cumsum(own)) for own in widths],
            depth=[np.repeat(tree.depths(p), len(self.hands[p])) for p in PLAYERS],
            actions=[np.concatenate([np.arange(n, dtype=np.int32) for n in own]) for own in widths],
        )
        self._nodes = tuple(self._shape(p) for p in PLAYERS)
        self._sides = tuple(self._side(p, strength) for p in PLAYERS)
        self._payoffs, self._lanes = zip(*(self._ends(p) for p in PLAYERS), strict=True)
        # As if everybody folded at once: the mass of the opponent's hands behind each node.
        before = [tree.sequences[1 - p, self.decisions[p]] for p in PLAYERS]
        self._node_lanes = tuple(self._work(p, before[p], len(before[p])) for p in PLAYERS)
        self._plans = tuple(np.empty((len(self.hands[p]), tree.offsets(p)[-1] + 1)) for p in PLAYERS)
        self._scored_plans = tuple(map(np.empty_like, self._plans))
        self._total = tuple(np.empty(plan.shape[1]) for plan in self._plans)
        self._policy = tuple(map(np.empty, self.num_pairs))
        self._regrets = tuple(map(np.empty, self.num_pairs))
        self._reach = tuple(map(np.empty, self.num_infosets))
        for p in PLAYERS:
            self.set_policy(p, self.uniform(p))

    @property
    def size(self) -> int:
        """See `Game.size`: leaves of the public tree for each hand."""
        return len(self.bets.tree.leaves) * sum(map(len, self.hands))

    def infoset_keys(self, player: int) -> list[str]:
        """See `Game.infoset_keys`: hand and actions, such as ``AhKd: check, bet 0.5``."""
        names = [hand_name(number) for number in self.hands[player].tolist()]
        paths = [self.bets.path(node) for node in self.decisions[player].tolist()]
        return [f"{name}: {path}" for path in paths for name in names]

    def set_policy(self, player: int, policy: Floats) -> None:
        """See `Game.set_policy`."""
        own = self._policy[player]
        own[:] = self._checked(player, policy)
        kernels.realize(self._nodes[player], own, self._plans[player], self._reach[player])

    def regrets(self, player: int) -> Floats:
        """See `Game.regrets`."""
        side, lanes = self._sides[player], self._lanes[player]
        kernels.lane_values(side, self._plans[1 - player], lanes)
        kernels.regrets(
            side, self._nodes[player], self._payoffs[player], lanes, self._policy[player], self._total[player],
            self._regrets[player],
        )  # fmt: skip
        return self._regrets[player]

    def reach(self, player: int) -> Floats:
        """See `Game.reach`."""
        return self._reach[player]

    def counterfactual_reach(self, player: int) -> Floats:
        """See `Game.counterfactual_reach`."""
        side, lanes = self._sides[player], self._node_lanes[player]
        kernels.lane_values(side, self._plans[1 - player], lanes)
        return (side.weight * lanes.values.T).ravel()

    def profile_values(self, policies: Sequence[Floats]) -> Values:
        """See `Game.profile_values`."""
        plans, values = self._scored_plans, Values(np.empty(2), np.empty(2))
        for p, policy in enumerate(self._checked_profile(policies)):
            kernels.realize(self._nodes[p], policy, plans[p], np.empty(self.num_infosets[p]))
        for p in PLAYERS:
            side, lanes = self._sides[p], self._lanes[p]
            kernels.lane_values(side, plans[1 - p], lanes)
            values.expected[p], values.best[p] = kernels.expected_and_best(
                side, self._nodes[p], self._payoffs[p], lanes, plans[p], self._total[p]
            )
        return values

    def _shape(self, player: int) -> Ints:
        """(3, D) the sequence before each decision, its first sequence and its number of actions."""
        tree, nodes = self.bets.tree, self.decisions[player]
        before = tree.sequences[player, nodes]
        return np.stack([before, 1 + tree.offsets(player)[:-1], tree.num_actions[nodes]])

    def _side(self, player: int, strength: Ints) -> kernels.Side:
        own, others = self.hands[player], self.hands[1 - player]
        number = np.full(len(HANDS), -1, np.int32)
        number[others] = np.arange(len(others))
        classes = np.append(np.unique(strength[np.concatenate([own, others])]), strength.max() + 1)
        groups = np.stack([np.searchsorted(strength[hands], classes) for hands in (own, others)], axis=1)
        ranges = self.spot.ranges
        return kernels.Side(
            cards=HANDS[own],
            others_cards=HANDS[others],
            twins=number[own],
            groups=groups.astype(np.int32),
            weight=ranges[player][own] / self.spot.deals,
            others_weight=ranges[1 - player][others],
        )

    def _work(self, player: int, sequences: Ints, folds: int, factors: Floats | None = None) -> kernels.Lanes:
        """Lanes over the opponent's `sequences`, with new work arrays."""
        width, own, others = len(sequences), len(self.hands[player]), len(self.hands[1 - player])
        return kernels.Lanes(
            sequences=np.ascontiguousarray(sequences),
            folds=folds,
            factors=np.empty((0, 0)) if factors is None else factors,
            rows=np.empty((others, width)),
            whole=np.empty((CARDS + 1, width)),
            passed=np.empty((CARDS + 1, width)),
            values=np.empty((own, width)),
        )

    def _ends(self, player: int) -> tuple[kernels.Payoffs, kernels.Lanes]:
        """What a player gets at the ends of the game, as terms over lanes, one for each end.

        A variant's factor is 1 + own xi + opponent's xi: the last takes a second lane for each end.
        """
        tree, variant = self.bets.tree, parse_variant(self.variant)
        leaves = tree.leaves
        folded = self.bets.folded[leaves]
        own, others = tree.sequences[player, leaves], tree.sequences[1 - player, leaves]
        lost = self.bets.put_in[leaves].min(axis=1) / self.spot.pot * variant.factor
        pays = np.where(folded == player, -lost, lost)
        copies = 2 if variant.noise else 1
        end = np.tile(np.arange(len(leaves)), copies)
        second = np.repeat(np.arange(copies) > 0, len(leaves))
        order = np.argsort(folded[end] < 0, kind="stable")
        end, second = end[order], second[order]
        xi = np.zeros((2, len(leaves), len(HANDS)))
        if variant.noise:
            xi = np.random.default_rng(variant.seed).standard_normal(xi.shape) * variant.noise / np.sqrt(2.0)
        own_xi, others_xi = (xi[p][:, self.hands[p]].T for p in (player, 1 - player))
        # Factor 0 is 1, the others are those of the ends.
        own_factors = np.concatenate([np.ones((len(own_xi), 1)), 1.0 + own_xi], axis=1)
        factor = np.where(second, 0, 1 + end) if variant.noise else np.zeros_like(end)
        terms = np.stack([np.arange(len(end)), own[end], factor]).astype(np.int32)
        factors = np.where(second, others_xi[:, end], 1.0) if variant.noise else None
        lanes = self._work(player, others[end], copies * int((folded >= 0).sum()), factors)
        return kernels.Payoffs(terms, pays[end], own_factors), lanes


def load(name: str, variant: str = "exact") -> RiverGame:
    """The subgame of this name (see `spots.named`), ready to be played.

    Raises:
        GameError: no such subgame or variant, or one that cannot be dealt.
    """
    return RiverGame(name, named(name), variant)
