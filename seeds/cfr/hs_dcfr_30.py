"""HS-DCFR(30): discounted CFR whose three discounts follow hyperparameter schedules.

Zhang, McAleer, Sandholm, "Faster Game Solving via Hyperparameter Schedules", 2024, arXiv 2404.09097, eq. 2 to 4.
With s from 0 and d(s, e) = s^e / (s^e + 1): R_{s+1} = d(s, e) R_s + r_{s+1}, e = 1 + 3 s/n where R_s > 0 and
-1 - 2 s/n elsewhere; policy proportional to [R]+; C_{s+1} = C_s (s/(s+1))^(30 - 5 s/n) + reach * policy.
Told the horizon: n = PLANNED_ITERATIONS.
"""

import numpy as np

PLANNED_ITERATIONS = 1000


class RegretAccumulator:
    """Positive regrets are forgotten ever less, negative ones ever more."""

    def update_accumulate_regret(self, info_states, iteration_number, cfr_regrets):
        done = iteration_number / PLANNED_ITERATIONS
        elapsed = max(iteration_number, 1.0)  # In the first iteration there is nothing to discount.
        gain, loss = elapsed ** (1.0 + 3.0 * done), elapsed ** (-1.0 - 2.0 * done)
        old = info_states.cumulative_regret
        return np.where(old > 0.0, gain / (gain + 1.0), loss / (loss + 1.0)) * old + cfr_regrets


class PolicyFromRegretAccumulator:
    """Regret matching: play in proportion to positive cumulative regret."""

    def get_updated_current_policy(self, info_states, iteration_number, cfr_regrets, previous_policy):
        return info_states.normalize(info_states.cumulative_regret)


class PolicyAccumulator:
    """The old average is discounted by a power that falls over the planned run."""

    def update_accumulate_policy(
        self, info_states, iteration_number, info_state_policy, cfr_regrets,
        reach_prob, counterfactual_reach_prob,
    ):
        exponent = 30.0 - 5.0 * iteration_number / PLANNED_ITERATIONS
        discount = (iteration_number / (iteration_number + 1.0)) ** exponent
        return discount * info_states.cumulative_policy + info_states.per_action(reach_prob) * info_state_policy
