"""Nash equilibrium of the meta-game by linear programming: double oracle.

McMahan, Gordon, Blum, "Planning in the Presence of Cost Functions Controlled by an Adversary", ICML 2003; as PSRO's
meta-strategy in Lanctot et al., 2017, arXiv 1711.00832.
For two players and zero sum alone: payoffs A of the first player are scaled and shifted to B > 0, then u = x / value
solves min sum(u) with B'u >= 1, u >= 0 (von Neumann 1928 in Dantzig's form), and its dual is y / value. Where a
meta-game has several equilibria, the solution is whichever vertex the simplex method (HiGHS) ends at.
"""

import numpy as np
from scipy.optimize import linprog


def nash(game, meta_games):
    """Both players' equilibrium mixtures, (n_0,) and (n_1,).

    Raises:
        ValueError: the meta-game is not one of two players with zero sum.
    """
    if game.num_players != 2:
        raise ValueError(f"nash: expected a two-player zero-sum game; this one has {game.num_players} players")
    payoffs, others = np.asarray(meta_games[0]), np.asarray(meta_games[1])
    size = np.abs(payoffs).max()
    if np.abs(payoffs + others).max() > 1e-6 * size:
        raise ValueError("nash: expected a two-player zero-sum game; in this one payoffs do not sum to zero")
    shifted = payoffs / (size or 1.0) + 2.0
    ones = np.ones(shifted.shape[0]), np.ones(shifted.shape[1])
    tolerances = {"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10}
    solved = linprog(ones[0], -shifted.T, -ones[1], method="highs-ds", options=tolerances)
    if not solved.success:
        raise ValueError(f"nash: expected an optimum of the linear program; got: {solved.message}")
    return [np.maximum(solved.x, 0.0), np.maximum(-solved.ineqlin.marginals, 0.0)]


class TrainMetaStrategySolver:
    """The next best responses are against an equilibrium of the population."""

    def get_meta_strategy(self, game, policy_sets, meta_games):
        return nash(game, meta_games)


class EvalMetaStrategySolver:
    """The population is judged by its equilibrium."""

    def get_meta_strategy(self, game, policy_sets, meta_games):
        return nash(game, meta_games)
