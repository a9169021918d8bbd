"""CFR+, the seed of the CFR domain.

Tammelin, "Solving Large Imperfect Information Games Using CFR+", arXiv 1407.5042, 2014.
R_t = [R_{t-1} + r_t]+; policy proportional to R_t; average weight t.
"""

import numpy as np


class RegretAccumulator:
    """Regret matching+: cumulative regrets are clipped at zero."""

    def update_accumulate_regret(self, info_states, iteration_number, cfr_regrets):
        return np.maximum(info_states.cumulative_regret + cfr_regrets, 0.0)


class PolicyFromRegretAccumulator:
    """Regret matching: play in proportion to positive cumulative regret."""

    def get_updated_current_policy(self, info_states, iteration_number, cfr_regrets, previous_policy):
        return info_states.normalize(info_states.cumulative_regret)


class PolicyAccumulator:
    """Linear averaging: iteration t weighs t."""

    def update_accumulate_policy(
        self, info_states, iteration_number, info_state_policy, cfr_regrets,
        reach_prob, counterfactual_reach_prob,
    ):
        weight = iteration_number + 1
        return info_states.cumulative_policy + weight * info_states.per_action(reach_prob) * info_state_policy
