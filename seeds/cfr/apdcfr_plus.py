"""APDCFR+: asymmetric predictive discounted CFR+, PDCFR+ with the adaptive step of APCFR+.

Meng, Yang, Zhang, Ge, Gao, "Faster Game Solving via Asymmetry of Step Sizes", AAAI 2026, arXiv 2503.12770.
With d(s) = s^2.3 / (s^2.3 + 1): R_{t+1} = [d(t-1) R_t + r_t]+ with R_1 = r_0 = 0. Per information set
S1 += |r_t - r_{t-1}|^2, S2 += |R_{t+1} - R_t|^2, a = min(sqrt(S1 / S2), 5), and 5 where S2 = 0;
policy proportional to [d(t) R_{t+1} + r_t / (1 + a)]+; average weight t^5.
Reconstruction: the text says that it combines APCFR+ with DCFR; the equations are in an appendix that we could not
read, nor its code. This is PDCFR+ (arXiv 2404.13891, also its constants) with APCFR+'s step. After 5,000 iterations on
Leduc poker with 5 and 9 ranks it is two to three times better than with DCFR's exponent of 1.5, yet not as far ahead
of DCFR+ as in the paper: with 9 ranks it is behind.
"""

import numpy as np


def discount(elapsed):
    """d(s)."""
    return elapsed**2.3 / (elapsed**2.3 + 1.0)


class RegretAccumulator:
    """Discounted regret matching+: old regrets are discounted, the sum is clipped at zero."""

    def update_accumulate_regret(self, info_states, iteration_number, cfr_regrets):
        return np.maximum(discount(iteration_number) * info_states.cumulative_regret + cfr_regrets, 0.0)


class PolicyFromRegretAccumulator:
    """The forecast's step shrinks where regrets change faster than the cumulative regrets move."""

    def __init__(self):
        self.last_regrets = self.last_cumulative = 0.0
        self.surprise = self.movement = 0.0

    def get_updated_current_policy(self, info_states, iteration_number, cfr_regrets, previous_policy):
        regret = info_states.cumulative_regret
        self.surprise += info_states.sum_actions((cfr_regrets - self.last_regrets) ** 2)
        self.movement += info_states.sum_actions((regret - self.last_cumulative) ** 2)
        self.last_regrets, self.last_cumulative = cfr_regrets, regret
        moved = self.movement > 0.0
        ratio = np.sqrt(self.surprise / np.where(moved, self.movement, 1.0))
        step = 1.0 / (1.0 + np.where(moved, np.minimum(ratio, 5.0), 5.0))
        expected = discount(iteration_number + 1.0) * regret + info_states.per_action(step) * cfr_regrets
        return info_states.normalize(expected)


class PolicyAccumulator:
    """Quintic averaging: iteration t weighs t^5."""

    def update_accumulate_policy(
        self, info_states, iteration_number, info_state_policy, cfr_regrets,
        reach_prob, counterfactual_reach_prob,
    ):
        weight = (iteration_number + 1.0) ** 5
        return info_states.cumulative_policy + weight * info_states.per_action(reach_prob) * info_state_policy
