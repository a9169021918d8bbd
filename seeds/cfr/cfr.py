"""Counterfactual regret minimisation (CFR).

Zinkevich, Johanson, Bowling, Piccione, "Regret Minimization in Games with Incomplete Information", NIPS 2007.
R_t = R_{t-1} + r_t; policy proportional to [R_t]+; average weight 1.
"""

import numpy as np


class RegretAccumulator:
    """Cumulative regret is the plain sum."""

    def update_accumulate_regret(self, info_states, iteration_number, cfr_regrets):
        return info_states.cumulative_regret + cfr_regrets


class PolicyFromRegretAccumulator:
    """Regret matching: play in proportion to positive cumulative regret."""

    def get_updated_current_policy(self, info_states, iteration_number, cfr_regrets, previous_policy):
        return info_states.normalize(info_states.cumulative_regret)


class PolicyAccumulator:
    """Unweighted average of the policies that were played."""

    def update_accumulate_policy(
        self, info_states, iteration_number, info_state_policy, cfr_regrets,
        reach_prob, counterfactual_reach_prob,
    ):
        return info_states.cumulative_policy + info_states.per_action(reach_prob) * info_state_policy
