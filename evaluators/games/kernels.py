# ruff: noqa: PLR0913, PLR0917 - kernels take plain arrays, and a bundle of arrays would cost more per call
"""Compiled inner loops on the sequence form, and over populations of realization plans.

Common arguments, for a game of N players (see `form`):

* ``player``: the player p whose values are wanted.
* ``tree``: (2, I + 1) int32 of one player, parent sequence and policy offset of each infoset.
* ``lanes``: int32, the batches of terminals, packed by `pack_lanes`.
* ``sequence``, ``weight``: (N, Z) int32 and (Z,) float64, terminals; weight is p's chance x utility.
* ``plans``: (N, max sequences) float64, realization plan of each player.
* ``policy``, ``out``: (S,) float64, a pair per (infoset, action).
* ``total``: (sequences of p,) float64, work: g_p, the summed weight x others' reach at each own sequence.
* ``rows``: float64 work array for the rows of one batch and one more.
* ``population``: (n, sequences) float64, a realization plan per row.

Sums run in a fixed order and without fast-math, so equal input gives equal bits, which a matrix product of a threaded
library does not promise. Indices are unsigned where
it matters: a signed one costs a test for negative (from-the-end) indexing on every access and stops
vectorisation. Infosets with one or two actions, the most of them, skip the set-up of a loop, which takes a
third off a sweep.
"""

from __future__ import annotations

import numba
import numpy as np

from evaluators.games.form import Floats, Ints, Lanes

TIE = 1e-10
"""Two actions tie when their values differ by less than this times what is at stake below their infoset.

Absolute tolerances merge real preferences where the others hardly ever lead; none at all breaks true ties by
rounding. Nash over 100 policies of Leduc: exploitability 0.079 so, 0.090 with none.
"""

_jit = numba.njit(cache=True)


def pack_lanes(lanes: Lanes) -> Ints:
    """All of `lanes` in one array (a call pays for every array that it passes).

    Layout: batches, N, scattered terminals' start, then per batch (first terminal, lanes, cells, where its
    rows begin, where its cells begin, rows, N + 1 first rows), then cells and rows.
    """
    count, num_players = len(lanes.header), lanes.cells.shape[1]
    head = 3 + count * (7 + num_players)
    header = lanes.header.copy()
    header[:, 4] = head + header[:, 4] * num_players
    header[:, 3] += head + lanes.cells.size
    table = np.concatenate([header, lanes.bounds], axis=1)
    start = np.array([count, num_players, lanes.num_terminals], np.int32)
    return np.concatenate([start, table.ravel(), lanes.cells.ravel(), lanes.rows], dtype=np.int32)


@_jit
def realize(tree: Ints, policy: Floats, plan: Floats, reach: Floats) -> None:
    """Write the realization plan of a policy, (sequences,), and its own reach of each infoset, (I,)."""
    plan[0] = 1.0
    one = np.uint64(1)
    begin = np.uint64(0)
    for i in range(reach.shape[0]):
        end = np.uint64(tree[1, i + 1])
        r = plan[np.uint32(tree[0, i])]
        reach[i] = r
        if end - begin == one:
            plan[end] = r * policy[begin]
        elif end - begin == np.uint64(2):
            plan[begin + one] = r * policy[begin]
            plan[end] = r * policy[begin + one]
        else:
            for j in range(begin, end):
                plan[j + one] = r * policy[j]
        begin = end


@_jit
def _gather(player: int, lanes: Ints, at: int, num_players: int, plans: Floats, rows: Floats) -> None:
    """Fill a batch's rows: the plans of the others, zero for `player`."""
    width, where = lanes[at + 1], lanes[at + 3]
    for q in range(num_players):
        begin, end = lanes[at + 6 + q] * width, lanes[at + 7 + q] * width
        if q == player:
            rows[begin:end] = 0.0
        else:
            plan = plans[q]
            source = lanes[where + begin : where + end]
            target = rows[begin:end]
            for k in range(source.shape[0]):
                target[k] = plan[np.uint32(source[k])]


@_jit
def _multiply(player: int, lanes: Ints, at: int, num_players: int, weight: Floats, rows: Floats) -> None:
    """Add weight x product of the others' rows to the own row, over all cells of a batch.

    One loop over lanes per cell for two and three players; a row of products in between for more.
    """
    z, width, cell = np.uint64(lanes[at]), np.uint64(lanes[at + 1]), lanes[at + 4]
    a = 1 if player == 0 else 0
    b = 1 if player == 2 else 2
    product = np.uint64(lanes[at + 5]) * width
    for _ in range(lanes[at + 2]):
        i, x = np.uint64(lanes[cell + player]) * width, np.uint64(lanes[cell + a]) * width
        if num_players == 2:
            for k in range(width):
                rows[i + k] += weight[z + k] * rows[x + k]
        elif num_players == 3:
            y = np.uint64(lanes[cell + b]) * width
            for k in range(width):
                rows[i + k] += weight[z + k] * rows[x + k] * rows[y + k]
        else:
            for k in range(width):
                rows[product + k] = weight[z + k] * rows[x + k]
            for q in range(a + 1, num_players):
                if q != player:
                    y = np.uint64(lanes[cell + q]) * width
                    for k in range(width):
                        rows[product + k] *= rows[y + k]
            for k in range(width):
                rows[i + k] += rows[product + k]
        z += width
        cell += num_players


@_jit
def _scattered(player: int, first: int, sequence: Ints, weight: Floats, plans: Floats, total: Floats) -> None:
    """Add the terminals that belong to no batch, one by one."""
    num_players = sequence.shape[0]
    own = sequence[player]
    a = 1 if player == 0 else 0
    b = 1 if player == 2 else 2
    x, plan_x = sequence[a], plans[a]
    if num_players == 2:
        for z in range(first, weight.shape[0]):
            total[np.uint32(own[z])] += weight[z] * plan_x[np.uint32(x[z])]
    elif num_players == 3:
        y, plan_y = sequence[b], plans[b]
        for z in range(first, weight.shape[0]):
            total[np.uint32(own[z])] += weight[z] * plan_x[np.uint32(x[z])] * plan_y[np.uint32(y[z])]
    else:
        for z in range(first, weight.shape[0]):
            product = weight[z]
            for q in range(num_players):
                if q != player:
                    product *= plans[q, np.uint32(sequence[q, z])]
            total[np.uint32(own[z])] += product


@_jit
def terminal_sums(
    player: int, lanes: Ints, sequence: Ints, weight: Floats, plans: Floats, total: Floats, rows: Floats
) -> None:
    """Write g_p: for each own sequence, the sum over its terminals of weight x the others' plans."""
    total[:] = 0.0
    num_players = lanes[1]
    for batch in range(lanes[0]):
        at = 3 + batch * (7 + num_players)
        _gather(player, lanes, at, num_players, plans, rows)
        _multiply(player, lanes, at, num_players, weight, rows)
        width, where = lanes[at + 1], lanes[at + 3]
        begin, end = lanes[at + 6 + player] * width, lanes[at + 7 + player] * width
        target = lanes[where + begin : where + end]
        source = rows[begin:end]
        for k in range(target.shape[0]):
            total[np.uint32(target[k])] += source[k]
    _scattered(player, lanes[2], sequence, weight, plans, total)


@_jit
def regrets(
    player: int, tree: Ints, lanes: Ints, sequence: Ints, weight: Floats, plans: Floats, policy: Floats,
    total: Floats, rows: Floats, out: Floats,
) -> None:  # fmt: skip
    """Write the counterfactual regret of each pair: q[I, a] - v[I], leaves to root."""
    terminal_sums(player, lanes, sequence, weight, plans, total, rows)
    one = np.uint64(1)
    end = np.uint64(out.shape[0])
    for i in range(tree.shape[1] - 2, -1, -1):
        begin = np.uint64(tree[1, i])
        value = 0.0
        if end - begin == one:
            q = total[end]
            value = policy[begin] * q
            out[begin] = q - value
        elif end - begin == np.uint64(2):
            q, other = total[begin + one], total[end]
            value = policy[begin] * q + policy[begin + one] * other
            out[begin] = q - value
            out[begin + one] = other - value
        else:
            for j in range(begin, end):
                value += policy[j] * total[j + one]
            for j in range(begin, end):
                out[j] = total[j + one] - value
        total[np.uint32(tree[0, i])] += value
        end = begin


@_jit
def values(
    player: int, tree: Ints, lanes: Ints, sequence: Ints, weight: Floats, plans: Floats, total: Floats, rows: Floats
) -> tuple[float, float]:  # fmt: skip
    """The player's expected utility, its own plan times g_p, and what a best response to the others gets."""
    terminal_sums(player, lanes, sequence, weight, plans, total, rows)
    plan, expected = plans[player], 0.0
    for s in range(total.shape[0]):
        expected += plan[s] * total[s]
    for i in range(tree.shape[1] - 2, -1, -1):
        best = -np.inf
        for j in range(np.uint64(tree[1, i]), np.uint64(tree[1, i + 1])):
            best = max(best, total[j + np.uint64(1)])
        total[np.uint32(tree[0, i])] += best
    return expected, float(total[0])


@_jit
def counterfactual_reach(tree: Ints, total: Floats, out: Floats) -> None:
    """Write the reach of chance and the others, (I,), given g_p with the chance probabilities as weight.

    The others reach an infoset as often as they reach the ends of the game below it while p plays one action
    throughout, here the first of each infoset.
    """
    for i in range(out.shape[0] - 1, -1, -1):
        out[i] = total[np.uint32(tree[1, i]) + np.uint64(1)]
        total[np.uint32(tree[0, i])] += out[i]


FINE, NOT_FINITE, NEGATIVE, NOT_ONE = 0, 1, 2, 3
"""What `normalize` found wrong with an infoset's numbers."""


@_jit
def normalize(offset: Ints, values: Floats, out: Floats, slack: float) -> tuple[int, int]:
    """Write each infoset's distribution, uniform where there is no mass; or say what is wrong and in which infoset.

    Entries may be negative by 1e-9; they are clipped at 0 and divided by their sum, which may differ from one by
    `slack`, infinity for values that need not be distributions already. `offset`, (I + 1,), is where infosets begin.
    """
    for i in range(offset.shape[0] - 1):
        begin, end = np.uint64(offset[i]), np.uint64(offset[i + 1])
        raw = mass = 0.0
        for j in range(begin, end):
            x = values[j]
            if x < -1e-9:
                return NEGATIVE, i
            raw += x
            out[j] = max(x, 0.0)
            mass += out[j]
        if not np.isfinite(raw):  # The mass may have lost a NaN.
            return NOT_FINITE, i
        if abs(raw - 1.0) > slack:
            return NOT_ONE, i
        for j in range(begin, end):
            out[j] = out[j] / mass if mass > 0.0 else 1.0 / (end - begin)
    return FINE, 0


@_jit
def mix(population: Floats, weights: Floats, plan: Floats) -> None:
    """Write the realization plan of a mixture, (sequences,): exact, by perfect recall."""
    plan[:] = 0.0
    for k in range(weights.shape[0]):
        w = weights[k]
        if w != 0.0:
            for s in range(plan.shape[0]):
                plan[s] += w * population[k, s]


@_jit
def payoffs(population: Floats, total: Floats, out: Floats) -> None:
    """Write the product of each plan with g_p, (n,)."""
    whole = total.shape[0] // 8 * 8
    for k in range(out.shape[0]):
        plan = population[k]
        # Eight sums in turn: a single one would wait for each addition.
        a = b = c = d = e = f = g = h = 0.0
        for s in range(0, whole, 8):
            a += plan[s] * total[s]
            b += plan[s + 1] * total[s + 1]
            c += plan[s + 2] * total[s + 2]
            d += plan[s + 3] * total[s + 3]
            e += plan[s + 4] * total[s + 4]
            f += plan[s + 5] * total[s + 5]
            g += plan[s + 6] * total[s + 6]
            h += plan[s + 7] * total[s + 7]
        for s in range(whole, total.shape[0]):
            a += plan[s] * total[s]
        out[k] = ((a + b) + (c + d)) + ((e + f) + (g + h))


@_jit
def profile_payoffs(
    sequence: tuple[Ints, Ints, Ints], weight: Floats, plan: Floats, columns: Floats, population: Floats,
    below: Floats, out: Floats,
) -> None:  # fmt: skip
    """Write the payoffs of one plan against all pairs of a row player's and a column player's, (rows, columns).

    Best responses play few actions, so few terminals and few entries of a population's plans count at all.
    `sequence` holds those of the plan's player, the row player and the column player at each terminal, `columns` the
    column player's population turned, (sequences, columns); `below`, (sequences of the row player, columns), is work.
    """
    own, row, column = sequence
    below[:] = 0.0
    for z in range(weight.shape[0]):
        reach = plan[np.uint32(own[z])]
        if reach != 0.0:
            value = weight[z] * reach
            target, source = below[np.uint32(row[z])], columns[np.uint32(column[z])]
            for k in range(target.shape[0]):
                target[k] += value * source[k]
    for i in range(out.shape[0]):
        out[i] = 0.0
        for s in range(below.shape[0]):
            x = population[i, s]
            if x != 0.0:
                for k in range(out.shape[1]):
                    out[i, k] += x * below[s, k]


@_jit
def deviation_payoffs(
    player: int, lanes: Ints, sequence: Ints, weight: Floats, populations: Floats, sizes: Ints, weights: Floats,
    plans: Floats, total: Floats, rows: Floats, out: Floats,
) -> None:  # fmt: skip
    """Write what each policy of a player gets against mixtures, (n_p,).

    `populations` is (N, capacity, max sequences), of which the first ``sizes[q]`` rows are filled; `weights` are the
    mixtures, player after player, (sum of sizes,), the own does not matter; `plans` is work.
    """
    begin = 0
    for q in range(sizes.shape[0]):
        end = begin + sizes[q]
        if q != player:
            mix(populations[q], weights[begin:end], plans[q])
        begin = end
    terminal_sums(player, lanes, sequence, weight, plans, total, rows)
    payoffs(populations[player], total, out)


@_jit
def best_response(
    tree: Ints, total: Floats, magnitude: Floats, policy: Floats, plan: Floats, reach: Floats
) -> float:
    """Write the best response that plays all tied actions alike, as policy and as plan; its value.

    Values go up the tree as maxima, so those of tied actions below do not blur. `total` and `magnitude`,
    (sequences of p,), g_p with |chance x utility| as weight, are overwritten. Infosets that the others never lead to
    are ties of all actions.
    """
    for i in range(tree.shape[1] - 2, -1, -1):
        begin, end = np.uint64(tree[1, i]), np.uint64(tree[1, i + 1])
        best, stake = -np.inf, 0.0
        for j in range(begin, end):
            best = max(best, total[j + np.uint64(1)])
            stake = max(stake, magnitude[j + np.uint64(1)])
        tied = 0.0
        for j in range(begin, end):
            policy[j] = 1.0 if best - total[j + np.uint64(1)] <= TIE * stake else 0.0
            tied += policy[j]
        for j in range(begin, end):
            policy[j] /= tied
        total[np.uint32(tree[0, i])] += best
        magnitude[np.uint32(tree[0, i])] += stake
    realize(tree, policy, plan, reach)
    return float(total[0])
