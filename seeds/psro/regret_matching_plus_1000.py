"""Regret matching+ with a thousand steps a call: the reference that scores of PSRO programs are relative to.

Tammelin, Burch, Johanson, Bowling, "Solving Heads-Up Limit Texas Hold'em", IJCAI 2015 (and arXiv 1407.5042).
With v the payoffs of a player's policies against the others' mixtures as they are now: R = [R + v - x.v]+;
x = R / sum R, uniform where there is none; step t weighs t in the average.
A tenth of the steps of `regret_matching_plus`: what more of them gain hardly shows in games that a hundred best
responses do not exhaust.
"""

import numpy as np


def regret_matching_plus(game, steps):
    """Linearly weighted averages of the mixtures, a vector for each player."""
    mixtures = [np.full(n, 1.0 / n) for n in map(game.num_policies, range(game.num_players))]
    regrets, totals = ([np.zeros_like(x) for x in mixtures] for _ in range(2))
    for step in range(steps):
        for p, x in enumerate(mixtures):
            v = game.deviation_payoffs(mixtures, player=p)
            regrets[p] = np.maximum(regrets[p] + v - x @ v, 0.0)
            mass = regrets[p].sum()
            mixtures[p] = regrets[p] / mass if mass > 0.0 else np.full(len(x), 1.0 / len(x))
            totals[p] += (step + 1) * mixtures[p]
    return totals


class TrainMetaStrategySolver:
    """The next best responses are against the average mixture."""

    steps = 1_000

    def get_meta_strategy(self, game, policy_sets, meta_games):
        return regret_matching_plus(game, self.steps)


class EvalMetaStrategySolver:
    """The population is judged by the same average."""

    steps = 1_000

    def get_meta_strategy(self, game, policy_sets, meta_games):
        return regret_matching_plus(game, self.steps)
