"""Projected replicator dynamics (PRD), averaged over time.

Lanctot et al., "A Unified Game-Theoretic Approach to Multiagent Reinforcement Learning", 2017, arXiv 1711.00832,
section 3.2. With v the payoffs of a player's policies against the others' mixtures, all players at once:
x = P(x + dt x (v - x.v)), P the Euclidean projection to the distributions with every weight at least gamma. The
result is the average of all mixtures, the initial uniform one included.
dt = 1e-3, gamma = 1e-10; OpenSpiel's function has 1e-6 for gamma by default, and takes 100,000 steps where this takes
10,000.
"""

import numpy as np


def project(weights, floor):
    """The distribution closest to `weights` among those with no entry below `floor`.

    All entries move by the same amount, except those that the floor holds; on which it does is found by sorting
    (Wang, Carreira-Perpinan, "Projection onto the Probability Simplex", 2013, arXiv 1309.1541).
    """
    size = len(weights)
    moved = weights + (1.0 - weights.sum()) / size
    if moved.min() >= floor:
        return moved
    falling = np.sort(weights)[::-1]
    above = np.arange(1, size + 1)
    shifts = (1.0 - floor * (size - above) - np.cumsum(falling)) / above
    return np.maximum(weights + shifts[np.flatnonzero(falling + shifts > floor)[-1]], floor)


def replicator(game, steps, dt, floor):
    """Time averages of the dynamics, a vector for each player."""
    mixtures = [np.full(n, 1.0 / n) for n in map(game.num_policies, range(game.num_players))]
    totals = [x.copy() for x in mixtures]
    for _ in range(steps):
        payoffs = game.deviation_payoffs(mixtures)
        mixtures = [project(x + dt * x * (v - x @ v), floor) for x, v in zip(mixtures, payoffs)]
        for p, x in enumerate(mixtures):
            totals[p] += x
    return totals


class TrainMetaStrategySolver:
    """The next best responses are against the average of the dynamics, which keeps some of every policy."""

    steps = 10_000

    def get_meta_strategy(self, game, policy_sets, meta_games):
        return replicator(game, self.steps, dt=1e-3, floor=1e-10)


class EvalMetaStrategySolver:
    """The population is judged by the same average."""

    steps = 10_000

    def get_meta_strategy(self, game, policy_sets, meta_games):
        return replicator(game, self.steps, dt=1e-3, floor=1e-10)
