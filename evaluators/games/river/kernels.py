"""Compiled inner loops of river subgames: everything hand by hand, all public histories of a hand side by side.

Player p has H hands, in the order of their strength; the opponent has O. A realization plan is (H, sequences), a row
per hand, over the sequences of the public tree. What p's regrets need of the opponent's plan are, for every hand of p,
sums over the opponent's hands that share no card with it: of all of them where somebody folds, of the weaker minus the
stronger ones at a showdown. Such a sum, over one of the opponent's sequences, is a *lane*; all lanes of a hand lie side
by side, so that one pass over the hands in order of strength, with a running sum for each lane and for each lane and
card, makes all of them by vector instructions: a showdown costs O(hands) and not O(hands squared).

Sums run in a fixed order and without fast-math, so equal input gives equal bits.
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np

from evaluators.games.form import Floats, Ints
from evaluators.games.river.cards import CARDS

RESIDUE = 4e-15
"""A sum below this times the lane's total is 0: differences of running sums leave as much where the truth is 0, which
scale-free rules would turn into policies."""

_jit = numba.njit(cache=True)


class Side(NamedTuple):
    """The cards, as one player sees them.

    Attributes:
        cards: (H, 2) of the player's hands.
        others_cards: (O, 2) of the opponent's.
        twins: (H,) the opponent's number of the same hand, or -1.
        groups: (G + 1, 2) where each class of equally strong hands begins among the player's and the opponent's.
        weight: (H,) the player's range, divided by the mass of all deals.
        others_weight: (O,) the opponent's range.
    """

    cards: Ints
    others_cards: Ints
    twins: Ints
    groups: Ints
    weight: Floats
    others_weight: Floats


class Lanes(NamedTuple):
    """Lanes, L of them, and work arrays.

    Attributes:
        sequences: (L,) the opponent's sequence of each lane: first those of folds, then those of showdowns.
        folds: how many are of folds.
        factors: (O, L) what multiplies the opponent's hands in a lane; (0, 0) for 1 everywhere.
        rows: (O, L) work: the opponent's hands in each lane.
        whole: (CARDS + 1, L) work: their sums over the hands with a card, and last over all.
        passed: (CARDS + 1, L) work: the same over the weaker hands so far.
        values: (H, L) the sums that are wanted.
    """

    sequences: Ints
    folds: int
    factors: Floats
    rows: Floats
    whole: Floats
    passed: Floats
    values: Floats


class Payoffs(NamedTuple):
    """What the player gets at the ends of the game: for each of K terms, pay * factor of the hand * value of a lane.

    Attributes:
        terms: (3, K) lane, own sequence and factor.
        pays: (K,).
        factors: (H, F).
    """

    terms: Ints
    pays: Floats
    factors: Floats


@_jit
def realize(nodes: Ints, policy: Floats, plan: Floats, reach: Floats) -> None:
    """Write the realization plan of a policy and its own reach of each infoset, (D * H,).

    `nodes`, (3, D), are a player's decisions, here and below: the sequence before, the first sequence, and the number
    of actions.
    """
    hands = plan.shape[0]
    for h in range(hands):
        row = plan[h]
        row[0] = 1.0
        for d in range(nodes.shape[1]):
            before = row[nodes[0, d]]
            reach[d * hands + h] = before
            first, count = nodes[1, d], nodes[2, d]
            at = (first - 1) * hands + h * count
            for a in range(count):
                row[first + a] = before * policy[at + a]


@_jit
def _gather(side: Side, others_plan: Floats, lanes: Lanes) -> None:
    """Write the opponent's hands in each lane, and their sums over all hands and over those with a card."""
    whole, width = lanes.whole, lanes.rows.shape[1]
    whole[:] = 0.0
    total = whole[CARDS]
    for o in range(others_plan.shape[0]):
        row, plan, weight = lanes.rows[o], others_plan[o], side.others_weight[o]
        first, second = whole[side.others_cards[o, 0]], whole[side.others_cards[o, 1]]
        for k in range(width):
            row[k] = weight * plan[np.uint32(lanes.sequences[k])]
        if lanes.factors.shape[0] > 0:
            row *= lanes.factors[o]
        for k in range(width):
            total[k] += row[k]
            first[k] += row[k]
            second[k] += row[k]


@_jit
def _folds(side: Side, lanes: Lanes) -> None:
    """Write the lanes of folds: all of the opponent's hands but those that share a card."""
    total = lanes.whole[CARDS]
    for h in range(lanes.values.shape[0]):
        out, first, second = lanes.values[h], lanes.whole[side.cards[h, 0]], lanes.whole[side.cards[h, 1]]
        for k in range(lanes.folds):
            out[k] = total[k] - first[k] - second[k]
        if side.twins[h] >= 0:  # Its row was taken off twice.
            row = lanes.rows[side.twins[h]]
            for k in range(lanes.folds):
                out[k] += row[k]
        for k in range(lanes.folds):
            out[k] = out[k] if abs(out[k]) >= RESIDUE * abs(total[k]) else 0.0


@_jit
def _showdowns(side: Side, lanes: Lanes) -> None:
    """Write the lanes of showdowns: the weaker hands minus the stronger ones."""
    whole, passed, groups = lanes.whole, lanes.passed, side.groups
    passed[:] = 0.0
    total, before = whole[CARDS], passed[CARDS]
    showdowns = range(lanes.folds, total.shape[0])
    for g in range(groups.shape[0] - 1):
        begin, end = groups[g, 0], groups[g + 1, 0]
        for h in range(begin, end):
            out, first, second = lanes.values[h], passed[side.cards[h, 0]], passed[side.cards[h, 1]]
            for k in showdowns:
                weaker = before[k] - first[k] - second[k]
                out[k] = weaker if abs(weaker) >= RESIDUE * abs(total[k]) else 0.0
        for o in range(groups[g, 1], groups[g + 1, 1]):
            row, first, second = (
                lanes.rows[o],
                passed[side.others_cards[o, 0]],
                passed[side.others_cards[o, 1]],
            )
            for k in showdowns:
                before[k] += row[k]
                first[k] += row[k]
                second[k] += row[k]
        for h in range(begin, end):
            a, b = side.cards[h, 0], side.cards[h, 1]
            out, first, second, whole_a, whole_b = lanes.values[h], passed[a], passed[b], whole[a], whole[b]
            for k in showdowns:
                stronger = (total[k] - before[k]) - (whole_a[k] - first[k]) - (whole_b[k] - second[k])
                out[k] -= stronger if abs(stronger) >= RESIDUE * abs(total[k]) else 0.0


@_jit
def lane_values(side: Side, others_plan: Floats, lanes: Lanes) -> None:
    """Write the lanes' sums for every hand of the player, given the opponent's plan."""
    _gather(side, others_plan, lanes)
    _folds(side, lanes)
    _showdowns(side, lanes)


@_jit
def _terminals(payoffs: Payoffs, lanes: Lanes, h: int, total: Floats) -> None:
    """Write what the ends of the game give after each own sequence of a hand."""
    total[:] = 0.0
    row, factors, terms = lanes.values[h], payoffs.factors[h], payoffs.terms
    for t in range(payoffs.pays.shape[0]):
        value = payoffs.pays[t] * factors[np.uint32(terms[2, t])] * row[np.uint32(terms[0, t])]
        total[np.uint32(terms[1, t])] += value


@_jit
def regrets(
    side: Side, nodes: Ints, payoffs: Payoffs, lanes: Lanes, policy: Floats, total: Floats, out: Floats
) -> None:
    """Write the counterfactual regret of each pair. `total`, (sequences,), is work."""
    hands = lanes.values.shape[0]
    for h in range(hands):
        _terminals(payoffs, lanes, h, total)
        weight = side.weight[h]
        for d in range(nodes.shape[1] - 1, -1, -1):
            first, count = nodes[1, d], nodes[2, d]
            at = (first - 1) * hands + h * count
            value = 0.0
            for a in range(count):
                value += policy[at + a] * total[first + a]
            for a in range(count):
                out[at + a] = weight * (total[first + a] - value)
            total[nodes[0, d]] += value


@_jit
def expected_and_best(
    side: Side, nodes: Ints, payoffs: Payoffs, lanes: Lanes, plan: Floats, total: Floats
) -> tuple[float, float]:
    """Return what a plan gets, and what the best response gets. `total`, (sequences,), is work."""
    expected = best = 0.0
    for h in range(lanes.values.shape[0]):
        _terminals(payoffs, lanes, h, total)
        value = 0.0
        for s in range(total.shape[0]):
            value += plan[h, s] * total[s]
        expected += side.weight[h] * value
        for d in range(nodes.shape[1] - 1, -1, -1):
            value = -np.inf
            for s in range(nodes[1, d], nodes[1, d] + nodes[2, d]):
                value = max(value, total[s])
            total[nodes[0, d]] += value
        best += side.weight[h] * total[0]
    return expected, best
