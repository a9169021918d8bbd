"""Predictive discounted CFR+ (PDCFR+, also written DPCFR+).

Xu et al., "Minimizing Weighted Counterfactual Regret with Optimistic Online Mirror Descent", IJCAI 2024,
arXiv 2404.13891.
With d(s) = s^2.3 / (s^2.3 + 1): R_t = [d(t-1) R_{t-1} + r_t]+; policy proportional to [d(t) R_t + r_t]+;
average weight t^5.
"""

import numpy as np


class RegretAccumulator:
    """Discounted regret matching+: old regrets are discounted, the sum is clipped at zero."""

    def update_accumulate_regret(self, info_states, iteration_number, cfr_regrets):
        discount = iteration_number**2.3 / (iteration_number**2.3 + 1.0)
        return np.maximum(discount * info_states.cumulative_regret + cfr_regrets, 0.0)


class PolicyFromRegretAccumulator:
    """Predictive: the next regrets are forecast by the last, the cumulative ones discounted as they will be."""

    def get_updated_current_policy(self, info_states, iteration_number, cfr_regrets, previous_policy):
        time = iteration_number + 1.0
        discount = time**2.3 / (time**2.3 + 1.0)
        return info_states.normalize(discount * info_states.cumulative_regret + cfr_regrets)


class PolicyAccumulator:
    """Quintic averaging: iteration t weighs t^5."""

    def update_accumulate_policy(
        self, info_states, iteration_number, info_state_policy, cfr_regrets,
        reach_prob, counterfactual_reach_prob,
    ):
        weight = (iteration_number + 1.0) ** 5
        return info_states.cumulative_policy + weight * info_states.per_action(reach_prob) * info_state_policy
