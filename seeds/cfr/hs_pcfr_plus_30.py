"""HS-PCFR+(30): predictive CFR+ with a hyperparameter schedule on the average.

Zhang, McAleer, Sandholm, "Faster Game Solving via Hyperparameter Schedules", 2024, arXiv 2404.09097.
Regrets and policy as PCFR+; average C_t = C_{t-1} ((t-1)/t)^g(t-1) + reach * policy, g(t) = 30 - 5 t/n.
Told the horizon: n = PLANNED_ITERATIONS.
"""

import numpy as np

PLANNED_ITERATIONS = 1000


class RegretAccumulator:
    """Regret matching+: cumulative regrets are clipped at zero."""

    def update_accumulate_regret(self, info_states, iteration_number, cfr_regrets):
        return np.maximum(info_states.cumulative_regret + cfr_regrets, 0.0)


class PolicyFromRegretAccumulator:
    """Predictive regret matching+: the last regrets are taken as a forecast of the next."""

    def get_updated_current_policy(self, info_states, iteration_number, cfr_regrets, previous_policy):
        return info_states.normalize(info_states.cumulative_regret + cfr_regrets)


class PolicyAccumulator:
    """The old average is discounted by a power that falls over the planned run."""

    def update_accumulate_policy(
        self, info_states, iteration_number, info_state_policy, cfr_regrets,
        reach_prob, counterfactual_reach_prob,
    ):
        exponent = 30.0 - 5.0 * iteration_number / PLANNED_ITERATIONS
        discount = (iteration_number / (iteration_number + 1.0)) ** exponent
        return discount * info_states.cumulative_policy + info_states.per_action(reach_prob) * info_state_policy
