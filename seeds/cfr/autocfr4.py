"""AutoCFR4, a rule that evolution found.

Xu, Li, Fu, Fu, Xing, "AutoCFR: Learning to Design Counterfactual Regret Minimization Algorithms", AAAI 2022; learned
with CFR, CFR+, linear CFR and DCFR in the first population; equations from the released solver.
With d = t^1.5 / (t^1.5 + 1) and h the share of an information set's R_{t-1} that are not negative:
R_t = d R_{t-1} + r_t where R_{t-1} >= 0, else h d R_{t-1} + r_t; policy proportional to [R_t]+;
C_t = ((t-1)/t)^2 C_{t-1} + t policy, without the reach that other rules weigh a policy with.
"""

import numpy as np


class RegretAccumulator:
    """Old regrets are discounted; negative ones the more, the more of the actions have one."""

    def update_accumulate_regret(self, info_states, iteration_number, cfr_regrets):
        time, old = iteration_number + 1.0, info_states.cumulative_regret
        discount = time**1.5 / (time**1.5 + 1.0)
        share = info_states.sum_actions(old >= 0.0) / info_states.num_actions
        return discount * np.where(old >= 0.0, 1.0, info_states.per_action(share)) * old + cfr_regrets


class PolicyFromRegretAccumulator:
    """Regret matching: play in proportion to positive cumulative regret."""

    def get_updated_current_policy(self, info_states, iteration_number, cfr_regrets, previous_policy):
        return info_states.normalize(info_states.cumulative_regret)


class PolicyAccumulator:
    """Averages policies themselves: an information set that is hardly reached counts as well."""

    def update_accumulate_policy(
        self, info_states, iteration_number, info_state_policy, cfr_regrets,
        reach_prob, counterfactual_reach_prob,
    ):
        time = iteration_number + 1.0
        return (iteration_number / time) ** 2 * info_states.cumulative_policy + time * info_state_policy
