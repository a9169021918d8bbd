"""Linear CFR (LCFR).

Brown, Sandholm, "Solving Imperfect-Information Games via Discounted Regret Minimization", AAAI 2019.
R_t = R_{t-1} + t r_t; policy proportional to [R_t]+; average weight t.
"""

import numpy as np


class RegretAccumulator:
    """Iteration t's regrets weigh t."""

    def update_accumulate_regret(self, info_states, iteration_number, cfr_regrets):
        return info_states.cumulative_regret + (iteration_number + 1) * cfr_regrets


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
