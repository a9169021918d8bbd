"""HS-PDCFR+(30): predictive discounted CFR+ with a hyperparameter schedule on the average.

The schedule: Zhang, McAleer, Sandholm, "Faster Game Solving via Hyperparameter Schedules", 2024, arXiv 2404.09097;
PDCFR+: Xu et al., "Minimizing Weighted Counterfactual Regret with Optimistic Online Mirror Descent", 2024,
arXiv 2404.13891. Regrets and policy as PDCFR+; average C_t = C_{t-1} ((t-1)/t)^g(t-1) + reach * policy,
g(s) = 30 - 5 s/n. Told the horizon: n = PLANNED_ITERATIONS.
Reconstruction: what we could read of the first paper schedules DCFR and PCFR+, in PCFR+ the average alone; this is
PDCFR+ treated likewise, its discount of regrets left at the exponent 2.3.
"""

import numpy as np

PLANNED_ITERATIONS = 1000


class RegretAccumulator:
    """Discounted regret matching+: old regrets are discounted, the sum is clipped at zero."""

    def update_accumulate_regret(self, info_states, iteration_number, cfr_regrets):
        discount = iteration_number**2.3 / (iteration_number**2.3 + 1.0)
        return np.maximum(discount * info_states.cumulative_regret + cfr_regrets, 0.0)


class PolicyFromRegretAccumulator:
    """Predictive: the next regrets are forecast by the last, the cumulative ones discounted as they will be."""

    def get_updated_current_policy(self, info_states, iteration_number, cfr_regrets, previous_policy):
        time = iteration_number + 1.0
        discount = time**2.3 / (time**2.3 + 1.0)
        return info_states.normalize(discount * info_states.cumulative_regret + cfr_regrets)


class PolicyAccumulator:
    """The old average is discounted by a power that falls over the planned run."""

    def update_accumulate_policy(
        self, info_states, iteration_number, info_state_policy, cfr_regrets,
        reach_prob, counterfactual_reach_prob,
    ):
        exponent = 30.0 - 5.0 * iteration_number / PLANNED_ITERATIONS
        discount = (iteration_number / (iteration_number + 1.0)) ** exponent
        return discount * info_states.cumulative_policy + info_states.per_action(reach_prob) * info_state_policy
