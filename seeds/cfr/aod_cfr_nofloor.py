"""AOD-CFR: asymmetric optimistic discounted CFR, without the listing's floor.

Li, Schultz, Hennes, Lanctot, arXiv 2602.16928, 2026; found by AlphaEvolve, whose training games were 2-player Kuhn,
2-player Leduc, 4-card Goofspiel and 4-sided Liar's Dice.
With k from 0, t = k + 1, u = min(1, k/500), d(s, e) = s^e / (s^e + 1):
R = d(t, a) R + s r; a = 1 + 1.5 u where R > 0, else 0.5 - 0.5 u; s by the signs of R and r: 1.1 (+ +), 0.9 (+ -),
0.7 (- +), 1.2 (- -), and 1 where either is within 1e-9 of zero;
z = R + (R - E) / 2 with E the EMA of R before it takes this R in at rate 0.1 (0 at first); policy
proportional to ([z]+)^2. Deviation: the listing (aod_cfr) plays uniformly where the sum of ([z]+)^2 is at most 1e-12,
an absolute floor that decides large games, in which counterfactual regrets are small;
C = d(t, g) C + t^g reach policy with g = 1 + 4 u.
"""

import numpy as np


def discount(time, exponent):
    """d(t, e)."""
    return time**exponent / (time**exponent + 1.0)


class RegretAccumulator:
    """Old regrets are discounted by their sign, new ones weighed by whether they agree with the old."""

    def update_accumulate_regret(self, info_states, iteration_number, cfr_regrets):
        old, time, ramp = info_states.cumulative_regret, iteration_number + 1.0, min(1.0, iteration_number / 500)
        kept = np.where(old > 0.0, discount(time, 1.0 + 1.5 * ramp), discount(time, 0.5 - 0.5 * ramp)) * old
        after_gain, after_loss = np.where(old > 0.0, 1.1, 0.7), np.where(old > 0.0, 0.9, 1.2)
        scale = np.where(cfr_regrets > 0.0, after_gain, after_loss)
        signless = np.minimum(np.abs(old), np.abs(cfr_regrets)) <= 1e-9
        return kept + np.where(signless, 1.0, scale) * cfr_regrets


class PolicyFromRegretAccumulator:
    """Extrapolates the trend of the cumulative regret; plays in proportion to the square of the positive part."""

    average = 0.0  # E, (S,) after the first iteration

    def get_updated_current_policy(self, info_states, iteration_number, cfr_regrets, previous_policy):
        regret = info_states.cumulative_regret
        weights = np.maximum(regret + 0.5 * (regret - self.average), 0.0) ** 2
        self.average = 0.1 * regret + 0.9 * self.average
        return info_states.normalize(weights)


class PolicyAccumulator:
    """The average forgets, and weighs an iteration by a power of its number that rises from 1 to 5."""

    def update_accumulate_policy(
        self, info_states, iteration_number, info_state_policy, cfr_regrets,
        reach_prob, counterfactual_reach_prob,
    ):
        time, power = iteration_number + 1.0, 1.0 + 4.0 * min(1.0, iteration_number / 500)
        new = time**power * info_states.per_action(reach_prob) * info_state_policy
        return discount(time, power) * info_states.cumulative_policy + new
