"""DCFR+.

DCFR's discount on the clipped regrets of CFR+ (Xu et al., "Minimizing Weighted Counterfactual Regret with
Optimistic Online Mirror Descent", IJCAI 2024, arXiv 2404.13891).
R_t = [d R_{t-1} + r_t]+ with d = (t-1)^1.5 / ((t-1)^1.5 + 1); policy proportional to R_t; average weight t^4.
The paper has 1 below the line; the code released with it, and with AutoCFR (Xu et al., AAAI 2022), which found the
rule, has 1.5.
"""

import numpy as np


class RegretAccumulator:
    """Discounted regret matching+: old regrets are discounted, the sum is clipped at zero."""

    def update_accumulate_regret(self, info_states, iteration_number, cfr_regrets):
        discount = iteration_number**1.5 / (iteration_number**1.5 + 1.0)
        return np.maximum(discount * info_states.cumulative_regret + cfr_regrets, 0.0)


class PolicyFromRegretAccumulator:
    """Regret matching: play in proportion to positive cumulative regret."""

    def get_updated_current_policy(self, info_states, iteration_number, cfr_regrets, previous_policy):
        return info_states.normalize(info_states.cumulative_regret)


class PolicyAccumulator:
    """Quartic averaging: iteration t weighs t^4."""

    def update_accumulate_policy(
        self, info_states, iteration_number, info_state_policy, cfr_regrets,
        reach_prob, counterfactual_reach_prob,
    ):
        weight = (iteration_number + 1.0) ** 4
        return info_states.cumulative_policy + weight * info_states.per_action(reach_prob) * info_state_policy
