"""Uniform mixture over the population, the seed of the PSRO domain: fictitious play with whole policies.

Brown, "Iterative Solution of Games by Fictitious Play", 1951; as a meta-strategy of policy-space response oracles in
Lanctot et al., "A Unified Game-Theoretic Approach to Multiagent Reinforcement Learning", 2017, arXiv 1711.00832.
"""

import numpy as np


def uniform(game):
    """Equal weights for all policies of each player."""
    return [np.ones(game.num_policies(p)) / game.num_policies(p) for p in range(game.num_players)]


class TrainMetaStrategySolver:
    """The next best responses are against all earlier policies alike."""

    def get_meta_strategy(self, game, policy_sets, meta_games):
        return uniform(game)


class EvalMetaStrategySolver:
    """The population is judged by its plain average."""

    def get_meta_strategy(self, game, policy_sets, meta_games):
        return uniform(game)
