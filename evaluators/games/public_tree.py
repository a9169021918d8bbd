"""Public trees: games in which every action is seen by all, and only what each player was dealt is private.

Poker is of this kind once the board lies there, and so are Liar's Dice and our random games. Such a game is a tree of
public histories, a joint law of private types, and payoffs at the tree's leaves that depend on the types. A player's
information set is a node of its own and its type.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from evaluators.games.form import Ints

LEAF = -1
"""Who acts where the game has ended: nobody."""


@dataclass(frozen=True, eq=False)
class PublicTree:
    """Public histories, M of them, in the order of a depth-first walk: a node stands before its children.

    Attributes:
        num_players: N.
        player: (M,) who acts; `LEAF` where the game has ended.
        parent: (M,) the history before; -1 of the root.
        action: (M,) which of the parent's actions led here, from 0; -1 of the root.
    """

    num_players: int
    player: Ints
    parent: Ints
    action: Ints

    @property
    def leaves(self) -> Ints:
        """Nodes where the game has ended, in order; L of them."""
        return np.flatnonzero(self.player == LEAF).astype(np.int32)

    def decisions(self, player: int) -> Ints:
        """Nodes of a player, in order; D of them."""
        return np.flatnonzero(self.player == player).astype(np.int32)

    @cached_property
    def num_actions(self) -> Ints:
        """(M,) actions at each node, 0 at leaves."""
        return np.bincount(self.parent[1:], minlength=len(self.player)).astype(np.int32)

    def offsets(self, player: int) -> Ints:
        """(D + 1,) where the actions of each of a player's nodes begin when they stand one after the other."""
        return np.append(0, np.cumsum(self.num_actions[self.decisions(player)])).astype(np.int32)

    @cached_property
    def sequences(self) -> Ints:
        """(N, M) each player's last own action at a node: 0 for none, else 1 + its place in the order of `offsets`."""
        out = np.zeros((self.num_players, len(self.player)), np.int32)
        first = np.zeros(len(self.player), np.int32)
        for p in range(self.num_players):
            first[self.decisions(p)] = 1 + self.offsets(p)[:-1]
        for node in range(1, len(self.player)):
            before = self.parent[node]
            out[:, node] = out[:, before]
            out[self.player[before], node] = first[before] + self.action[node]
        return out


class Builder:
    """Collects a public tree, node by node, in the order of a depth-first walk."""

    def __init__(self, num_players: int) -> None:
        """Start without a node."""
        self._num_players = num_players
        self._nodes: list[tuple[int, int, int]] = []
        self._children: list[int] = []

    def add(self, player: int, parent: int = -1) -> int:
        """Append a node, the next child of its parent, and return its number.

        Args:
            player: who acts there, or `LEAF`.
            parent: -1 for the root, which comes first.
        """
        action = -1
        if parent >= 0:
            action, self._children[parent] = self._children[parent], self._children[parent] + 1
        self._nodes.append((player, parent, action))
        self._children.append(0)
        return len(self._nodes) - 1

    def __len__(self) -> int:
        """Return the number of nodes so far."""
        return len(self._nodes)

    def tree(self) -> PublicTree:
        """Return the tree of the nodes so far."""
        player, parent, action = np.array(self._nodes, np.int32).reshape(-1, 3).T
        return PublicTree(self._num_players, *map(np.ascontiguousarray, (player, parent, action)))
