"""Stable predictive regret matching+ (stable PCFR+): restarts where regrets are small.

Farina, Grand-Clement, Kroer, Lee, Luo, "Regret Matching+: (In)Stability and Fast Convergence in Games", NeurIPS 2023,
arXiv 2305.14709, algorithm 1, with R_0 = 1. R_t = [R_{t-1} + r_t]+ from R_0 = 1 for every action; an information set
whose R_t are all at most 1 starts again: R_t = 1 for every action, and the next policy is uniform; elsewhere it is
proportional to [R_t + r_t]+. Average weight t^2, as Meng et al. (arXiv 2503.12770) have it in their comparison.
Deviation: the step size is 1 for every game; the paper's is small and depends on the game.
"""

import numpy as np


class RegretAccumulator:
    """Regret matching+ that starts again from 1 where no regret is above 1."""

    def update_accumulate_regret(self, info_states, iteration_number, cfr_regrets):
        old = info_states.cumulative_regret if iteration_number > 0 else 1.0
        regret = np.maximum(old + cfr_regrets, 0.0)
        return np.where(info_states.per_action(info_states.max_actions(regret)) > 1.0, regret, 1.0)


class PolicyFromRegretAccumulator:
    """Predictive: the last regrets are taken as a forecast of the next, except after a restart."""

    def get_updated_current_policy(self, info_states, iteration_number, cfr_regrets, previous_policy):
        regret = info_states.cumulative_regret
        kept = info_states.per_action(info_states.max_actions(regret)) > 1.0
        return info_states.normalize(regret + np.where(kept, cfr_regrets, 0.0))


class PolicyAccumulator:
    """Quadratic averaging: iteration t weighs t^2."""

    def update_accumulate_policy(
        self, info_states, iteration_number, info_state_policy, cfr_regrets,
        reach_prob, counterfactual_reach_prob,
    ):
        weight = (iteration_number + 1.0) ** 2
        return info_states.cumulative_policy + weight * info_states.per_action(reach_prob) * info_state_policy
