"""Public trees: games in which every action is seen by all, and only what each player was dealt is private.

Poker is of this kind once the board lies there, and so are Liar's Dice and our random games. Such a game is a tree of
public histories, a joint law of private types, and payoffs at the tree's leaves that depend on the types. A player's
information set is a node of its own and its type.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from evaluators.games.form import Ints, PlayerTree, SequenceForm

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

    def depths(self, player: int) -> Ints:
        """(D,) own decisions before each of a player's nodes."""
        depth = np.zeros(len(self.player), np.int32)
        for node in range(1, len(self.player)):
            before = self.parent[node]
            depth[node] = depth[before] + (self.player[before] == player)
        own: Ints = depth[self.decisions(player)]
        return own

    def history(self, node: int) -> list[int]:
        """Actions that lead to a node, from the root on."""
        actions: list[int] = []
        while node:
            actions.append(int(self.action[node]))
            node = int(self.parent[node])
        return actions[::-1]

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


def compile_public_tree(
    name: str, tree: PublicTree, law: NDArray[np.float64], payoffs: NDArray[np.float64]
) -> SequenceForm:
    """Return the sequence form of a game on a public tree.

    A player's infosets stand by node, in the tree's order, then by type; so a parent stands before its children. Types
    without probability have no infosets, and profiles of types without probability no terminals. Terminals are
    numbered by leaf, then by profile in the order of `law`; where a player never acts before a leaf, terminals that
    differ in its type only are one.

    Args:
        name: what stands for the game string.
        tree: who acts after which public history.
        law: (T_0, ..., T_{N-1}) joint probabilities of the private types; they sum to one.
        payoffs: (N, L, T_0, ..., T_{N-1}) each player's payoff at each leaf for each profile of types.

    Raises:
        GameError: more terminals than `compile.MAX_TERMINALS`.
    """
    from evaluators.games import compile  # Here, because it imports pyspiel, which takes 100 ms.

    profiles = np.nonzero(law)
    leaves, count = tree.leaves, len(profiles[0])
    if len(leaves) * count > compile.MAX_TERMINALS:
        raise compile.too_large(
            name, f"{len(leaves):,} leaves times {count:,} deals are {len(leaves) * count:,}"
        )
    players = [_Types(tree, p, np.unique(types)) for p, types in enumerate(profiles)]
    sequence = np.stack([own.sequences(types) for own, types in zip(players, profiles, strict=True)])
    # Profiles that nobody can tell apart at a leaf: alike in the types of all who have acted.
    shown = [
        np.where(s > 0, types, 0) for s, types in zip(tree.sequences[:, leaves, None], profiles, strict=True)
    ]
    deal = np.ravel_multi_index(tuple(np.broadcast_arrays(*shown)), law.shape)
    first, member = compile.by_first_visit((np.arange(len(leaves))[:, None] * law.size + deal).ravel())
    order, lanes = compile.arrange(sequence[:, first], first // count)
    chance = np.tile(law[profiles], len(leaves))
    keys = [key.encode() for own in players for key in own.infoset_keys()]
    return SequenceForm(
        game_string=name,
        trees=tuple(own.infosets() for own in players),
        sequence=np.ascontiguousarray(sequence[:, first[order]]),
        chance=np.bincount(member, chance)[order].astype(np.float64),
        utility=np.stack([np.bincount(member, chance * of[:, *profiles].ravel())[order] for of in payoffs]),
        visit=order.astype(np.int32),
        lanes=lanes,
        key_bytes=np.frombuffer(b"".join(keys), np.uint8),
        key_ends=np.cumsum([len(key) for key in keys], dtype=np.int64),
    )


def to_efg(name: str, tree: PublicTree, law: NDArray[np.float64], payoffs: NDArray[np.float64]) -> str:
    """Return a game on a public tree as Gambit's text, which ``pyspiel.load_efg_game`` reads.

    Infosets have the numbers, plus one, and the names of `compile_public_tree`, which takes the same arguments.
    """
    title = name.replace('"', "'")
    lines = [f'EFG 2 R "{title}" {{ ' + " ".join(f'"p{p}"' for p in range(tree.num_players)) + ' } ""']
    profiles = np.argwhere(law).tolist()
    deals = " ".join(f'"{",".join(map(str, deal))}" {float(law[tuple(deal)])!r}' for deal in profiles)
    lines.append(f'c "" 1 "" {{ {deals} }} 0')
    numbers = []
    for p, types in enumerate(np.nonzero(law)):
        keys = _Types(tree, p, np.unique(types)).infoset_keys()
        numbers.append({key: f'{p + 1} {i + 1} "{key}"' for i, key in enumerate(keys)})
    leaf = np.cumsum(tree.player == LEAF) - 1
    for k, deal in enumerate(profiles):
        for node, player in enumerate(tree.player.tolist()):
            if player == LEAF:
                outcome = " ".join(repr(float(u)) for u in payoffs[:, leaf[node], *deal])
                lines.append(f't "" {k * (leaf[-1] + 1) + leaf[node] + 1} "" {{ {outcome} }}')
            else:
                actions = " ".join(f'"{a}"' for a in range(tree.num_actions[node]))
                infoset = numbers[player][_infoset_key(player, deal[player], tree.history(node))]
                lines.append(f'p "" {infoset} {{ {actions} }} 0')
    return "\n".join(lines) + "\n"


def _infoset_key(player: int, own: int, history: Sequence[int]) -> str:
    return f"p{player} type {own}" + (f" after {','.join(map(str, history))}" if history else "")


class _Types:
    """One player's nodes, times the types that it may have."""

    def __init__(self, tree: PublicTree, player: int, types: NDArray[np.int64]) -> None:
        self._tree, self._player, self._types = tree, player, types
        self._nodes, self._offsets = tree.decisions(player), tree.offsets(player)
        self._width = np.diff(self._offsets)
        node = np.repeat(np.arange(len(self._nodes)), self._width)
        begin, own = self._offsets[:-1][node, None], np.arange(len(types))
        action = np.arange(len(node))[:, None] - begin
        taken = 1 + begin * len(types) + self._width[node, None] * own + action
        self._sequence = np.vstack([np.zeros((1, len(types)), np.int32), taken]).astype(np.int32)
        """Last own public action, 0 for none, and type -> the player's sequence."""

    def sequences(self, types: NDArray[np.int64]) -> Ints:
        """(L * len(types),) the player's sequence at every leaf for each of `types`."""
        columns = np.searchsorted(self._types, types)
        taken = self._tree.sequences[self._player, self._tree.leaves]
        sequences: Ints = self._sequence[np.ix_(taken, columns)].ravel()
        return sequences

    def infosets(self) -> PlayerTree:
        """The player's infosets, of every node and type."""
        count = len(self._types)
        before = self._tree.sequences[self._player, self._nodes]
        action = [np.tile(np.arange(n, dtype=np.int32), count) for n in self._width]
        return PlayerTree(
            parent=self._sequence[before].ravel(),
            offset=np.append(0, np.cumsum(np.repeat(self._width, count))).astype(np.int32),
            depth=np.repeat(self._tree.depths(self._player), count),
            action=np.concatenate([np.empty(0, np.int32), *action]),
        )

    def infoset_keys(self) -> list[str]:
        """Information state strings, such as ``p0 type 3 after 0,2,1``."""
        return [
            _infoset_key(self._player, own, history)
            for history in map(self._tree.history, self._nodes.tolist())
            for own in self._types.tolist()
        ]
