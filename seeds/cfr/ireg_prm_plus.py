"""IREG-PRM+: predictive regret matching+ whose regrets never become shorter.

Zhang, Anagnostides, Sandholm, "Scale-Invariant Regret Matching and Online Learning with Optimal Convergence: Bridging
Theory and Practice in Zero-Sum Games", 2025, arXiv 2510.04407.
R_t = [R_{t-1} + r_t + c]+ with c = max(0, -<R_{t-1}, r_t> / |R_{t-1}|_1), one for all actions of an information set,
0 where R_{t-1} is; policy proportional to [R_t + r_t]+; average weight t^2.
Reconstruction: we could read the abstract alone: the Euclidean norm of the regret vector, the inverse of a learning
rate, must not decrease, without a constant to choose. Regret matching+ has that, because <R_{t-1}, r_t> = 0 there;
c is the least shift that makes the product nonnegative again, which is enough. The paper may choose another.
"""

import numpy as np


class RegretAccumulator:
    """Regret matching+, lifted where the prediction was wrong enough to shorten the regrets."""

    def update_accumulate_regret(self, info_states, iteration_number, cfr_regrets):
        old = info_states.cumulative_regret
        mass = info_states.sum_actions(old)
        agreement = info_states.sum_actions(old * cfr_regrets) / np.where(mass > 0.0, mass, 1.0)
        return np.maximum(old + cfr_regrets + info_states.per_action(np.maximum(-agreement, 0.0)), 0.0)


class PolicyFromRegretAccumulator:
    """Predictive regret matching+: the last regrets are taken as a forecast of the next."""

    def get_updated_current_policy(self, info_states, iteration_number, cfr_regrets, previous_policy):
        return info_states.normalize(info_states.cumulative_regret + cfr_regrets)


class PolicyAccumulator:
    """Quadratic averaging: iteration t weighs t^2."""

    def update_accumulate_policy(
        self, info_states, iteration_number, info_state_policy, cfr_regrets,
        reach_prob, counterfactual_reach_prob,
    ):
        weight = (iteration_number + 1.0) ** 2
        return info_states.cumulative_policy + weight * info_states.per_action(reach_prob) * info_state_policy
