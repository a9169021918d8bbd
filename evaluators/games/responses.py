# ruff: noqa: PLR0913, PLR0917 - kernels take plain arrays, as in `kernels`
"""Compiled inner loops over populations of realization plans: mixtures, payoffs and best responses.

Arguments beside those of `kernels`:

* ``population``: (n, sequences) float64, a realization plan per row.
* ``magnitude``: (sequences of p,) float64, work: g_p with |chance x utility| as weight.

Sums run in a fixed order here too, which a matrix product of a threaded library does not promise.
"""

from __future__ import annotations

import numba
import numpy as np

from evaluators.games.form import Floats, Ints
from evaluators.games.kernels import realize, terminal_sums

TIE = 1e-10
"""Two actions tie when their values differ by less than this times what is at stake below their infoset.

Absolute tolerances merge real preferences where the others hardly ever lead; none at all breaks true ties by
rounding. Nash over 100 policies of Leduc: exploitability 0.079 so, 0.090 with none.
"""

_jit = numba.njit(cache=True)


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

    Values go up the tree as maxima, so those of tied actions below do not blur. `total` and `magnitude` are
    overwritten. Infosets that the others never lead to are ties of all actions.
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
