"""Trend, squared, DCFR+: the regrets of DCFR+ with two ingredients of AOD-CFR.

Ours, 2026: the trend and the exponent of AOD-CFR's policy (Li et al., arXiv 2602.16928), the regrets and the average of
DCFR+ (Xu et al., arXiv 2404.13891); none of AOD-CFR's ramps and scales.
R_t = [d(t-1) R_{t-1} + r_t]+ with d(s) = s^1.5 / (s^1.5 + 1); z = R_t + (R_t - E) / 2 with E the EMA of R before it
takes this R in at rate 0.1 (0 at first); policy proportional to ([z]+)^2; average weight t^4.
"""

import numpy as np


class RegretAccumulator:
    """Discounted regret matching+: old regrets are discounted, the sum is clipped at zero."""

    def update_accumulate_regret(self, info_states, iteration_number, cfr_regrets):
        discount = iteration_number**1.5 / (iteration_number**1.5 + 1.0)
        return np.maximum(discount * info_states.cumulative_regret + cfr_regrets, 0.0)


class PolicyFromRegretAccumulator:
    """Extrapolates the trend of the cumulative regret; plays in proportion to the square of the positive part."""

    average = 0.0  # E, (S,) after the first iteration

    def get_updated_current_policy(self, info_states, iteration_number, cfr_regrets, previous_policy):
        regret = info_states.cumulative_regret
        expected = regret + 0.5 * (regret - self.average)
        self.average = 0.1 * regret + 0.9 * self.average
        return info_states.normalize(np.maximum(expected, 0.0) ** 2)


class PolicyAccumulator:
    """Quartic averaging: iteration t weighs t^4."""

    def update_accumulate_policy(
        self, info_states, iteration_number, info_state_policy, cfr_regrets,
        reach_prob, counterfactual_reach_prob,
    ):
        weight = (iteration_number + 1.0) ** 4
        return info_states.cumulative_policy + weight * info_states.per_action(reach_prob) * info_state_policy
