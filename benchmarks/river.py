"""The river benchmark: traversals of a subgame by our kernels, by a straightforward form, and by the compiled tree.

The straightforward form is what one writes first: node by node, at each end a compiled pass over the sorted hands with
running sums, arrays allocated as they are needed. The compiled tree enumerates pairs of hands, so that it can be
compared only where ranges are trimmed. No river solver that could be measured beside these is on the package index
(November 2026: postflop-solver, poker-solver, texassolver and robopoker are not there).
"""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numba
import numpy as np

from benchmarks.timing import (
    Measurement,
    Spread,
    Work,
    describe,
    interleave,
    machine,
    pinned,
    ratio,
    repeated,
    short,
)
from evaluators.games.compiled import CompiledGame
from evaluators.games.form import Floats, Ints
from evaluators.games.game import Game
from evaluators.games.public_tree import LEAF, compile_public_tree
from evaluators.games.river.cards import HANDS, strengths
from evaluators.games.river.game import PLAYERS, RiverGame
from evaluators.games.river.spots import named
from evolve.cli.output import console
from evolve.cli.tables import plain_table

KERNELS, PLAIN, TREE = "kernels", "plain", "tree"
SPOT = "libratus3"
TRIMMED_HANDS = 60
TARGET = 0.6
"""Of the straightforward form's time."""


class Straightforward:
    """Counterfactual values of a river subgame node by node: for comparison, and as a second opinion."""

    def __init__(self, game: RiverGame) -> None:
        """Take the subgame's public tree, hands and ranges."""
        self.game, self.tree, self.spot = game, game.bets.tree, game.spot
        strength = strengths(self.spot.board)
        self.strength = [strength[hands] for hands in game.hands]
        self.cards = [HANDS[hands] for hands in game.hands]
        self.children = [
            np.flatnonzero(self.tree.parent == node).tolist() for node in range(len(self.tree.player))
        ]
        self.twins = []
        for p in PLAYERS:
            number = np.full(len(HANDS), -1, np.int32)
            number[game.hands[1 - p]] = np.arange(len(game.hands[1 - p]))
            self.twins.append(number[game.hands[p]])
        self.weight = [self.spot.ranges[p][game.hands[p]] for p in PLAYERS]

    def regrets(self, player: int, policies: Sequence[Floats]) -> Floats:
        """(S_p,) counterfactual regrets of a player, in the order of `RiverGame.regrets`."""
        rows: dict[int, list[Floats]] = {p: [] for p in PLAYERS}
        for p in PLAYERS:
            begin, count = 0, len(self.game.hands[p])
            for node in self.game.decisions[p]:
                width = int(self.tree.num_actions[node])
                rows[p].append(policies[p][begin : begin + width * count].reshape(count, width))
                begin += width * count
        policy = {int(node): rows[p][k] for p in PLAYERS for k, node in enumerate(self.game.decisions[p])}
        out: dict[int, Floats] = {}

        def values(node: int, reach: Floats) -> Any:
            """(H,) the player's value of each hand at a node that the opponent reaches like this."""
            actor = self.tree.player[node]
            if actor == LEAF:
                return self._payoff(player, node, reach)
            if actor != player:
                return np.sum(
                    [values(c, reach * policy[node][:, k]) for k, c in enumerate(self.children[node])], axis=0
                )
            below = np.stack([values(c, reach) for c in self.children[node]], axis=1)
            value = (policy[node] * below).sum(axis=1)
            out[node] = below - value[:, None]
            return value

        values(0, self.weight[1 - player])
        scale = self.weight[player][:, None] / self.spot.deals
        return np.concatenate([(out[int(node)] * scale).ravel() for node in self.game.decisions[player]])

    def _payoff(self, player: int, node: int, reach: Floats) -> Any:
        folded, lost = self.game.bets.folded[node], self.game.bets.put_in[node].min() / self.spot.pot
        own, others = self.cards[player], self.cards[1 - player]
        if folded < 0:
            return lost * _showdown(own, others, self.strength[player], self.strength[1 - player], reach)
        return (-lost if folded == player else lost) * _fold(own, others, self.twins[player], reach)


@numba.njit(cache=True)
def _fold(own: Ints, others: Ints, twins: Ints, reach: Floats) -> Floats:
    """(H,) what the opponent's hands weigh that share no card with each own hand."""
    total, by_card = 0.0, np.zeros(52)
    for o in range(len(reach)):
        total += reach[o]
        by_card[others[o, 0]] += reach[o]
        by_card[others[o, 1]] += reach[o]
    out = np.empty(len(own))
    for h in range(len(own)):
        out[h] = total - by_card[own[h, 0]] - by_card[own[h, 1]]
        if twins[h] >= 0:
            out[h] += reach[twins[h]]
    return out


@numba.njit(cache=True)
def _showdown(own: Ints, others: Ints, strength: Ints, others_strength: Ints, reach: Floats) -> Floats:
    """(H,) the opponent's weaker hands minus the stronger ones, of those that share no card with each own hand."""
    out, total, by_card, o = np.empty(len(own)), 0.0, np.zeros(52), 0
    for h in range(len(own)):
        while o < len(reach) and others_strength[o] < strength[h]:
            total += reach[o]
            by_card[others[o, 0]] += reach[o]
            by_card[others[o, 1]] += reach[o]
            o += 1
        out[h] = total - by_card[own[h, 0]] - by_card[own[h, 1]]
    total, by_card, o = 0.0, np.zeros(52), len(reach) - 1
    for h in range(len(own) - 1, -1, -1):
        while o >= 0 and others_strength[o] > strength[h]:
            total += reach[o]
            by_card[others[o, 0]] += reach[o]
            by_card[others[o, 1]] += reach[o]
            o -= 1
        out[h] -= total - by_card[own[h, 0]] - by_card[own[h, 1]]
    return out


def explicit(game: RiverGame) -> CompiledGame:
    """Return the same subgame as a tree over pairs of hands."""
    first, second = game.hands
    shared = (HANDS[first][:, None, :, None] == HANDS[second][None, :, None, :]).any(axis=(2, 3))
    law = np.where(shared, 0.0, np.outer(game.spot.ranges[0, first], game.spot.ranges[1, second]))
    strength, bets = strengths(game.spot.board), game.bets
    order = strength[first][:, None] - strength[second][None, :]
    signs = [
        np.sign(order),
        np.full_like(order, -1),
        np.ones_like(order),
    ]  # Nobody folded, player 0, player 1.
    wins = np.stack(
        [bets.put_in[leaf].min() / game.spot.pot * signs[bets.folded[leaf] + 1] for leaf in bets.tree.leaves]
    )
    form = compile_public_tree(game.name, bets.tree, law / law.sum(), np.stack([wins, -wins]))
    return CompiledGame(game.name, form)


def trimmed(game: RiverGame, hands: int) -> RiverGame:
    """Return the subgame with so many hands a side, evenly by strength."""
    ranges = np.zeros_like(game.spot.ranges)
    for p in PLAYERS:
        kept = game.hands[p][np.linspace(0, len(game.hands[p]) - 1, hands).astype(int)]
        ranges[p, kept] = game.spot.ranges[p, kept]
    return RiverGame(f"{game.name}, {hands} hands", replace(game.spot, ranges=ranges))


class Compared(NamedTuple):
    """A spot: what was measured of each form, in milliseconds, and how they differ.

    Attributes:
        spot: its name.
        hands: of each player.
        pairs: (information set, action) pairs of each player.
        measured: form -> a traversal of both players: regrets, given policies.
        share: our kernels' time as a part of each other form's.
        difference: largest difference of regrets between the forms, relative to the largest regret.
        memory_mib: what building and traversing the subgame takes at its peak.
    """

    spot: str
    hands: tuple[int, ...]
    pairs: tuple[int, ...]
    measured: dict[str, Measurement]
    share: dict[str, Spread]
    difference: float
    memory_mib: float

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        measured = {name: list(measurement.ms) for name, measurement in self.measured.items()}
        return self._asdict() | {"measured": measured, "share": {k: list(v) for k, v in self.share.items()}}


@dataclass(frozen=True)
class RiverBench:
    """What was measured: the spot, and the same with trimmed ranges beside the compiled tree."""

    machine: dict[str, Any]
    spots: Sequence[Compared]

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {"machine": self.machine, "spots": [spot.to_json() for spot in self.spots], "target": TARGET}

    def show(self) -> None:
        """Print it for a person."""
        out = console()
        out.print(describe(self.machine))
        table = plain_table("spot", "form", right=["hands", "ms, both players", "kernels / form"])
        for spot in self.spots:
            for name, measurement in spot.measured.items():
                share = "" if name == KERNELS else f"{spot.share[name].median:.2f}"
                table.add_row(
                    spot.spot, name, " + ".join(map(str, spot.hands)), short(measurement.ms.median), share
                )
        out.print(table)
        for spot in self.spots:
            out.print(
                f"{spot.spot}: regrets differ by {spot.difference:.1e}, {spot.memory_mib:.0f} MiB at the peak."
            )
        out.print(f"plain: the straightforward form; target: at most {TARGET} of it.")


def measure(name: str = SPOT, *, repeats: int, slice_s: float) -> RiverBench:
    """Measure a spot, and the same with trimmed ranges beside the compiled tree, interleaved on one core."""
    with pinned() as core:
        tracemalloc.start()
        whole = RiverGame(name, named(name))
        whole.regrets(0)
        memory = tracemalloc.get_traced_memory()[1] / 2**20
        tracemalloc.stop()
        small = trimmed(whole, TRIMMED_HANDS)
        spots = [
            _compare(whole, {}, memory, repeats, slice_s),
            _compare(small, {TREE: explicit(small)}, memory, repeats, slice_s),
        ]
        return RiverBench(machine() | {"core": core}, spots)


def _compare(
    game: RiverGame, others: dict[str, Game], memory_mib: float, repeats: int, slice_s: float
) -> Compared:
    rng, plain = np.random.default_rng(0), Straightforward(game)
    policies = [game.average_policy(p, rng.uniform(0.0, 1.0, game.num_pairs[p])) for p in PLAYERS]
    forms: dict[str, Callable[[int], Floats]] = {PLAIN: lambda p: plain.regrets(p, policies)}
    for name, other in {KERNELS: game, **others}.items():
        for p in PLAYERS:
            other.set_policy(p, policies[p])
        forms[name] = other.regrets
    expected = np.concatenate([forms[PLAIN](p) for p in PLAYERS])
    differences = [
        abs(np.concatenate([regrets(p).copy() for p in PLAYERS]) - expected).max() / abs(expected).max()
        for regrets in forms.values()
    ]

    def traversal(regrets: Callable[[int], Floats]) -> Work:
        return repeated(lambda: [regrets(p) for p in PLAYERS])

    measured = interleave(
        {name: traversal(regrets) for name, regrets in forms.items()}, repeats=repeats, slice_s=slice_s
    )
    share = {name: ratio(measured[KERNELS], measured[name]) for name in forms if name != KERNELS}
    hands = tuple(map(len, game.hands))
    return Compared(game.name, hands, game.num_pairs, measured, share, float(max(differences)), memory_mib)
