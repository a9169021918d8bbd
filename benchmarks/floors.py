"""How far a traversal is from what the machine allows: bytes that it cannot avoid touching / measured bandwidth."""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np

from benchmarks.timing import Work, best_s, repeated
from evaluators.games.compiled import CompiledGame
from evaluators.games.form import Floats
from evaluators.games.loading import load_tree

SMALLEST_SET = 128 * 1024
"""Bandwidth is measured on at least so many bytes; below, the measurement's own call would count."""

CALLS_PER_PLAYER = 2
"""Kernel calls of a traversal, each of which Python has to make: regrets, and the realization plan."""


class Floor(NamedTuple):
    """The floor of one traversal.

    Attributes:
        bytes: array elements that the traversal reads or writes, each counted once per kernel that needs it.
        gb_per_s: measured speed of streaming through a working set of that size, so from the cache that it fits.
        memory_ms: their quotient.
        calls_ms: measured cost of the kernel calls themselves (what the traversal of a tiny game takes).
    """

    bytes: int
    gb_per_s: float
    memory_ms: float
    calls_ms: float

    @property
    def ms(self) -> float:
        """Both together."""
        return self.memory_ms + self.calls_ms


def floor(game: CompiledGame, call_s: float) -> Floor:
    """Return the floor of a traversal of `game`.

    Args:
        game: what is traversed.
        call_s: seconds of one kernel call, from `call_seconds`.
    """
    touched = bytes_touched(game)
    speed = bandwidth(max(touched, SMALLEST_SET))
    calls = CALLS_PER_PLAYER * game.num_players * call_s
    return Floor(touched, speed / 1e9, 1e3 * touched / speed, 1e3 * calls)


def bytes_touched(game: CompiledGame) -> int:
    """Return the bytes that a traversal (regrets and realization plan of every player) reads and writes at the least.

    Gathers from plans count once per plan, though they repeat: plans stay in the first-level cache on most games.
    """
    form, players = game.form, game.num_players
    lanes = form.lanes
    batched = lanes.num_terminals
    scattered = form.num_terminals - batched
    total = 0
    for p, tree in enumerate(form.trees):
        weights = 8 * form.num_terminals
        # One by one: an index per player and terminal. In lanes: an index per row and lane, own rows twice.
        indices = 4 * players * scattered + 4 * lanes.rows.size + 4 * lanes.cells.size + 4 * lanes.header.size
        plans = sum(8 * s for q, s in enumerate(form.num_sequences) if q != p)
        sums = 2 * 8 * form.num_sequences[p]
        sweep = 8 * tree.num_infosets + 2 * 8 * tree.num_pairs
        realize = 8 * tree.num_infosets + 8 * tree.num_infosets + 8 * (tree.num_pairs + form.num_sequences[p])
        total += weights + indices + plans + sums + sweep + realize
    return total


def bandwidth(size: int) -> float:
    """Return the bytes per second at which this core reads a working set of `size` bytes again and again."""
    values = np.ones(size // 8)
    _read(values)
    return values.nbytes / best_s(repeated(lambda: _read(values)), max(1, (32 << 20) // size))


@numba.njit(cache=True, fastmath=True)
def _read(values: Floats) -> float:
    """Read everything; a library's sum might use several cores."""
    total = 0.0
    for i in range(values.shape[0]):
        total += values[i]
    return total


def traversal(game: CompiledGame) -> Work:
    """Return the work of traversing a game: regrets and realization plan of every player, without a rule."""
    players = range(game.num_players)
    profile = [game.uniform(p) for p in players]

    def traverse(units: int) -> None:
        for _ in range(units):
            for p in players:
                game.regrets(p)
                game.set_policy(p, profile[p])

    return traverse


def call_seconds() -> float:
    """Return the seconds of one kernel call: a traversal of 2-player Kuhn poker is little else."""
    game = load_tree("kuhn2")
    return best_s(traversal(game), 200) / (CALLS_PER_PLAYER * game.num_players)
