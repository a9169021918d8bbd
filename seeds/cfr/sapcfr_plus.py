"""SAPCFR+: simple asymmetric predictive CFR+.

Meng, Yang, Zhang, Ge, Gao, "Faster Game Solving via Asymmetry of Step Sizes", AAAI 2026, arXiv 2503.12770.
As PCFR+, with a third of the forecast:
R_t = [R_{t-1} + r_t]+; policy proportional to [R_t + r_t / 3]+; average weight t^2.
"""

import numpy as np


class RegretAccumulator:
    """Regret matching+: cumulative regrets are clipped at zero."""

    def update_accumulate_regret(self, info_states, iteration_number, cfr_regrets):
        return np.maximum(info_states.cumulative_regret + cfr_regrets, 0.0)


class PolicyFromRegretAccumulator:
    """Asymmetric prediction: a third of the last regrets is taken as a forecast of the next."""

    def get_updated_current_policy(self, info_states, iteration_number, cfr_regrets, previous_policy):
        return info_states.normalize(info_states.cumulative_regret + cfr_regrets / 3.0)


class PolicyAccumulator:
    """Quadratic averaging: iteration t weighs t^2."""

    def update_accumulate_policy(
        self, info_states, iteration_number, info_state_policy, cfr_regrets,
        reach_prob, counterfactual_reach_prob,
    ):
        weight = (iteration_number + 1.0) ** 2
        return info_states.cumulative_policy + weight * info_states.per_action(reach_prob) * info_state_policy
