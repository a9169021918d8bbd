"""AOD-CFR: asymmetric, optimistic, discounted CFR without the listing's absolute floor.

Li, Schultz, Hennes, Lanctot, arXiv 2602.16928, 2026; found by AlphaEvolve on 2-player Kuhn, 2-player Leduc, 4-card
Goofspiel and 4-sided Liar's Dice. With k from 0, t = k + 1, u = min(1, k/500), d(s, e) = s^e / (s^e + 1):
R = d(t, a) R + s r with a = 1 + 1.5 u where R > 0 and 0.5 - 0.5 u elsewhere, and s by the signs of (R, r):
1.1 (+, +), 0.9 (+, -), 0.7 (-, +), 1.2 (-, -), 1 where either is within 1e-9 of zero;
z = R + (R - E) / 2 with E the previous EMA of R at rate 0.1; policy proportional to ([z]+)^2.
The listing plays uniformly where the sum of ([z]+)^2 is at most 1e-12, a floor that decides large games; not here;
C = C d(t, g) + t^g reach policy with g = 1 + 4 u.
"""

import numpy as np


class RegretAccumulator:
    """Old regrets are discounted by sign, new ones weighed by whether they agree with the old."""

    def update_accumulate_regret(self, info_states, iteration_number, cfr_regrets):
        old, time, ramp = info_states.cumulative_regret, iteration_number + 1.0, min(1.0, iteration_number / 500)
        exponent = np.where(old > 0.0, 1.0 + 1.5 * ramp, 0.5 - 0.5 * ramp)
        discount = time**exponent / (time**exponent + 1.0)
        gain, loss = np.where(old > 0.0, 1.1, 0.7), np.where(old > 0.0, 0.9, 1.2)
        weight = np.where(cfr_regrets > 0.0, gain, loss)
        weight[(np.abs(old) <= 1e-9) | (np.abs(cfr_regrets) <= 1e-9)] = 1.0
        return discount * old + weight * cfr_regrets


class PolicyFromRegretAccumulator:
    """Optimistic along the trend of the cumulative regret; squared positive part."""

    average = 0.0  # exponential moving average of the cumulative regret, rate 0.1

    def get_updated_current_policy(self, info_states, iteration_number, cfr_regrets, previous_policy):
        regret = info_states.cumulative_regret
        optimistic = regret + 0.5 * (regret - self.average)
        self.average = 0.1 * regret + 0.9 * self.average
        weights = np.maximum(optimistic, 0.0) ** 2
        return info_states.normalize(weights)


class PolicyAccumulator:
    """The average forgets and weighs by a power of time that rises from 1 to 5."""

    def update_accumulate_policy(
        self, info_states, iteration_number, info_state_policy, cfr_regrets,
        reach_prob, counterfactual_reach_prob,
    ):
        time = iteration_number + 1.0
        power = time ** (1.0 + 4.0 * min(1.0, iteration_number / 500))
        new = power * info_states.per_action(reach_prob) * info_state_policy
        return power / (power + 1.0) * info_states.cumulative_policy + new
