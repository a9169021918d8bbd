"""Discounted CFR, DCFR(3/2, 0, 2).

Brown, Sandholm, "Solving Imperfect-Information Games via Discounted Regret Minimization", AAAI 2019.
R_t = d R_{t-1} + r_t with d = (t-1)^a / ((t-1)^a + 1), a = 3/2 where R_{t-1} > 0 and 0 elsewhere (0 at t = 1);
policy proportional to [R_t]+; average weight t^2.
"""

import numpy as np


class RegretAccumulator:
    """Old regrets are discounted before new ones are added, positive and negative ones differently."""

    def update_accumulate_regret(self, info_states, iteration_number, cfr_regrets):
        elapsed = float(iteration_number)
        positive = elapsed**1.5 / (elapsed**1.5 + 1.0)
        negative = 0.5 if iteration_number > 0 else 0.0
        old = info_states.cumulative_regret
        return np.where(old > 0.0, positive, negative) * old + cfr_regrets


class PolicyFromRegretAccumulator:
    """Regret matching: play in proportion to positive cumulative regret."""

    def get_updated_current_policy(self, info_states, iteration_number, cfr_regrets, previous_policy):
        return info_states.normalize(info_states.cumulative_regret)


class PolicyAccumulator:
    """Quadratic averaging: iteration t weighs t^2."""

    def update_accumulate_policy(
        self, info_states, iteration_number, info_state_policy, cfr_regrets,
        reach_prob, counterfactual_reach_prob,
    ):
        weight = (iteration_number + 1.0) ** 2
        return info_states.cumulative_policy + weight * info_states.per_action(reach_prob) * info_state_policy
