"""Regularized replicator dynamics (RRD): dynamics that stop when little is left to regret in the meta-game.

Wang, Wellman, "Regularization for Strategy Exploration in Empirical Game-Theoretic Analysis", 2023, arXiv 2302.04928.
With v the payoffs of a player's policies against the others' mixtures, all players at once: x = P(x + dt x (v - x.v)),
P the Euclidean projection to distributions, from uniform mixtures; their averages are the targets of best responses as
soon as regret, max (v - x.v) summed over players, is at most 0.35. As in the first author's code regret is looked at
after 10 units of time, and the dynamics end after 100. The threshold has an absolute scale.
The population is judged by an equilibrium of it, as the authors judge strategy exploration (Wang, Ma, Wellman 2021,
arXiv 2105.10423): averages of regret matching+ with linear weights.
Deviation: dt = 1e-2 where that code has 1e-3, a tenth of its steps for the same time (see `prd`), and regret is looked
at every 100 steps.
"""

import numpy as np


def project(weights):
    """The distribution closest to `weights` (Wang, Carreira-Perpinan, 2013, arXiv 1309.1541)."""
    falling = np.sort(weights)[::-1]
    shifts = (1.0 - np.cumsum(falling)) / np.arange(1, len(weights) + 1)
    return np.maximum(weights + shifts[np.flatnonzero(falling + shifts > 0.0)[-1]], 0.0)


def regret(game, mixtures):
    """What players could gain within the meta-game, summed."""
    return sum(v.max() - x @ v for x, v in zip(mixtures, game.deviation_payoffs(mixtures)))


def truncated(game, threshold, dt, fewest, most, every):
    """Sums over the dynamics, a vector for each player, after `fewest` to `most` steps."""
    mixtures = [np.full(n, 1.0 / n) for n in map(game.num_policies, range(game.num_players))]
    totals = [np.zeros_like(x) for x in mixtures]
    for step in range(1, most + 1):
        payoffs = game.deviation_payoffs(mixtures)
        for p, (x, v) in enumerate(zip(mixtures, payoffs)):
            moved = x + dt * x * (v - x @ v)
            mixtures[p] = moved if moved.min() >= 0.0 else project(moved)
            totals[p] += mixtures[p]
        due = step >= fewest and step % every == 0
        if due and regret(game, [total / step for total in totals]) <= threshold:
            break
    return totals


class TrainMetaStrategySolver:
    """The next best responses are against mixtures that are some way from an equilibrium, and regret a little."""

    fewest, most = 1000, 10_000

    def get_meta_strategy(self, game, policy_sets, meta_games):
        return truncated(game, threshold=0.35, dt=1e-2, fewest=self.fewest, most=self.most, every=100)


class EvalMetaStrategySolver:
    """The population is judged by nearly an equilibrium of it."""

    steps = 10_000

    def get_meta_strategy(self, game, policy_sets, meta_games):
        mixtures = [np.full(n, 1.0 / n) for n in map(game.num_policies, range(game.num_players))]
        regrets, totals = ([np.zeros_like(x) for x in mixtures] for _ in range(2))
        for step in range(self.steps):
            for p, x in enumerate(mixtures):
                v = game.deviation_payoffs(mixtures, player=p)
                regrets[p] = np.maximum(regrets[p] + v - x @ v, 0.0)
                mass = regrets[p].sum()
                mixtures[p] = regrets[p] / mass if mass > 0.0 else np.full(len(x), 1.0 / len(x))
                totals[p] += (step + 1) * mixtures[p]
        return totals
