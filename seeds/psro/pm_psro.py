"""Projection matching, PM-PSRO (reconstruction): projected sums of gains in place of regret matching.

Li, Schultz, Hennes, Lanctot, arXiv 2602.16928, version 3, 2026, name it as the minimal core of SHOR-PSRO.
Reconstruction: its equations are not known to us, and what follows is made from its name and from SHOR-PSRO; it is no
evidence about the paper's rule.

An inner loop, players in order, later ones against the new mixtures of earlier ones. With v the payoffs of a player's
policies and c = v - mean(v): G = G + c / L, L the largest |c| of that player so far; x = P(G / sqrt(t)) at step t, P
the Euclidean projection to distributions: lazy projected gradients (Zinkevich, ICML 2003). Of SHOR-PSRO's parts the
optimism, the softmax, the bonus for rare policies and the annealing are gone; its numbers of steps stay, clip(1000 +
20 (n-1), 1000, 5000) in training and clip(8000 + 50 (n-1), 8000, 15000) in an evaluation, n the number of policies. The
result is the average of all steps, in both.
"""

import numpy as np


def project(weights):
    """The distribution closest to `weights` (Wang, Carreira-Perpinan, 2013, arXiv 1309.1541)."""
    falling = np.sort(weights)[::-1]
    shifts = (1.0 - np.cumsum(falling)) / np.arange(1, len(weights) + 1)
    return np.maximum(weights + shifts[np.flatnonzero(falling + shifts > 0.0)[-1]], 0.0)


def matched(game, fewest, most, more_per_policy):
    """Sums of the mixtures over all steps, a vector for each player."""
    mixtures = [np.full(n, 1.0 / n) for n in map(game.num_policies, range(game.num_players))]
    gains, totals = ([np.zeros_like(x) for x in mixtures] for _ in range(2))
    largest = [0.0 for _ in mixtures]
    most_policies = max(map(len, mixtures))
    for step in range(1, min(fewest + more_per_policy * (most_policies - 1), most) + 1):
        for p in range(len(mixtures)):
            values = game.deviation_payoffs(mixtures, player=p)
            centred = values - values.sum() / len(values)
            largest[p] = max(largest[p], np.abs(centred).max())
            if largest[p] > 0.0:
                gains[p] += centred / largest[p]
            mixtures[p] = project(gains[p] / np.sqrt(step))
            totals[p] += mixtures[p]
    return totals


class TrainMetaStrategySolver:
    """The next best responses are against the average mixture."""

    fewest, most, more_per_policy = 1000, 5000, 20

    def get_meta_strategy(self, game, policy_sets, meta_games):
        return matched(game, self.fewest, self.most, self.more_per_policy)


class EvalMetaStrategySolver:
    """The population is judged by the same average, of more steps."""

    fewest, most, more_per_policy = 8000, 15_000, 50

    def get_meta_strategy(self, game, policy_sets, meta_games):
        return matched(game, self.fewest, self.most, self.more_per_policy)
