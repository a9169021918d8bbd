"""The sequence form of a game: everything that traversal, best response and scoring need, as arrays.

Player p's *sequences* are numbered from 0, the empty sequence. Its information sets ("infosets") stand in the
order of a depth-first walk's first visit, so a parent always precedes its children, and the actions of one
infoset have consecutive sequences: pair j of a flat policy is sequence j + 1.

Terminal histories with equal sequences of all players are merged: only their summed chance probability and
their summed chance x utility matter. They are stored in the order that the kernels stream through (see
`compile`).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int32]
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class PlayerTree:
    """Infosets of one player; I of them with S (infoset, action) pairs.

    Attributes:
        parent: (I,) the player's own sequence that leads to the infoset.
        offset: (I + 1,) where the infoset's pairs begin in a flat policy; the last entry is S.
        depth: (I,) number of own decisions before this one.
        action: (S,) OpenSpiel action of each pair.
    """

    parent: Ints
    offset: Ints
    depth: Ints
    action: Ints

    @property
    def num_infosets(self) -> int:
        """I."""
        return len(self.parent)

    @property
    def num_pairs(self) -> int:
        """S, the length of a flat policy."""
        return len(self.action)


@dataclass(frozen=True, eq=False)
class Lanes:
    """Which terminals can be summed side by side (see `compile`). B batches, N players.

    Attributes:
        header: (B, 6) first terminal, lanes, cells, where its rows begin in `rows`, first of its `cells`, and
            the number of its rows.
        bounds: (B, N + 1) first row of each player.
        rows: flat (rows, lanes) per batch, the sequence that a row is in each lane.
        cells: (C, N) the row of each player in a cell; batches with equal patterns share their cells.
    """

    header: Ints
    bounds: Ints
    rows: Ints
    cells: Ints

    @property
    def num_terminals(self) -> int:
        """Terminals inside batches: they come first, those beyond are summed one by one."""
        return int((self.header[:, 1].astype(np.int64) * self.header[:, 2]).sum())


@dataclass(frozen=True, eq=False)
class SequenceForm:
    """A compiled game of N players with Z merged terminals.

    Attributes:
        game_string: canonical OpenSpiel string (the simultaneous game's, where it was made turn-based).
        trees: infosets per player.
        sequence: (N, Z) each player's sequence at a terminal.
        chance: (Z,) summed chance probability.
        utility: (N, Z) sum of chance probability x utility.
        visit: (Z,) the terminal's number in the walk's first-visit order; does not depend on the layout.
        lanes: batches of the first terminals.
        key_bytes: UTF-8 of all infosets' information state strings, player after player.
        key_ends: (sum of I,) where each string ends in `key_bytes`.
    """

    game_string: str
    trees: tuple[PlayerTree, ...]
    sequence: Ints
    chance: Floats
    utility: Floats
    visit: Ints
    lanes: Lanes
    key_bytes: NDArray[np.uint8]
    key_ends: NDArray[np.int64]

    @property
    def num_players(self) -> int:
        """N."""
        return len(self.trees)

    @property
    def num_terminals(self) -> int:
        """Z, after merging."""
        return len(self.chance)

    @property
    def num_sequences(self) -> tuple[int, ...]:
        """Sequences per player, with the empty one."""
        return tuple(tree.num_pairs + 1 for tree in self.trees)

    def infoset_keys(self, player: int) -> list[str]:
        """OpenSpiel's information state strings of a player, in infoset order (decoded at each call)."""
        first = sum(tree.num_infosets for tree in self.trees[:player])
        count = self.trees[player].num_infosets
        ends = [0, *self.key_ends.tolist()][first : first + count + 1]
        text = self.key_bytes.tobytes()
        return [text[a:b].decode() for a, b in pairwise(ends)]
