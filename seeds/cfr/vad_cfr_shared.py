"""VAD-CFR: volatility-adaptive discounted CFR, with the paper's shared moving average.

Li, Schultz, Hennes, Lanctot, arXiv 2602.16928, 2026; found by AlphaEvolve.
Variant: the paper's form, in which e is one scalar (one for the regrets, one for the policy) that runs on through the
information sets in first-visit order and on to the next player's. vad_cfr keeps one per information set.
With k from 0, t = k + 1, m = max_a |r|, d(s, e) = s^e / (s^e + 1): e = m at k = 0, then 0.1 m + 0.9 e, separately for
regret and policy; volatility v = min(1, e/2); r' = 1.1 r where r > 0, else r;
D(R) = d(t, 1.5 - v/2) R where R >= 0, else d(t, -0.1 - v/2) R;
R = max(-20, D(R) + r'); z = D(R) + w r' with the R just updated and w = (1 - v/2) / (1 + k/100); policy proportional
to ([z]+)^1.5; average: none while k < 500, then weight t^(2 + 1.5 min(1, m/2)) sqrt(1 + m/2) / (1 + m^1.5).
Further bounds in the listing never bind, since 0 <= v <= 1 <= 1 + m/2, and are left out. Regrets have an absolute
scale here: unlike most rules, this one plays differently when payoffs are multiplied.
"""

import numpy as np


def running_average(values, last):
    """e_i = 0.1 values_i + 0.9 e_(i-1), from e_(-1) = last, in log2(I) steps instead of I.

    With S the shift by one place and x = 0.1 values (and 0.9 last in the first place):
    e = (1 - 0.9 S)^(-1) x = ... (1 + 0.9^4 S^4) (1 + 0.9^2 S^2) (1 + 0.9 S) x.
    """
    averages = 0.1 * values
    averages[0] += 0.9 * last
    shift, factor = 1, 0.9
    while shift < len(averages) and factor > 1e-18:
        averages[shift:] += factor * averages[:-shift]
        shift, factor = 2 * shift, factor * factor
    return averages


class Volatile:
    """Discounts cumulative regrets by their sign and by the volatility of an information set."""

    last = None  # e after the last information set; set on the class, so that all players' objects share it

    def discounted(self, info_states, iteration_number, cfr_regrets):
        """(S,) D(R) and (I,) v."""
        size = info_states.max_actions(np.abs(cfr_regrets))
        averages = size if iteration_number == 0 else running_average(size, self.last)
        type(self).last = averages[-1]
        volatility = np.minimum(1.0, averages / 2.0)
        time, regret = iteration_number + 1.0, info_states.cumulative_regret
        up, down = time ** (1.5 - 0.5 * volatility), time ** (-0.1 - 0.5 * volatility)
        keep_gain, keep_loss = info_states.per_action(up / (up + 1.0)), info_states.per_action(down / (down + 1.0))
        return np.where(regret >= 0.0, keep_gain, keep_loss) * regret, volatility


class RegretAccumulator(Volatile):
    """Discounts, boosts positive regrets, and forgets what lies below -20."""

    def update_accumulate_regret(self, info_states, iteration_number, cfr_regrets):
        kept, _ = self.discounted(info_states, iteration_number, cfr_regrets)
        return np.maximum(-20.0, kept + np.where(cfr_regrets > 0.0, 1.1, 1.0) * cfr_regrets)


class PolicyFromRegretAccumulator(Volatile):
    """Expects the last regrets once more, less so with time and volatility; positive part to the power 1.5."""

    def get_updated_current_policy(self, info_states, iteration_number, cfr_regrets, previous_policy):
        kept, volatility = self.discounted(info_states, iteration_number, cfr_regrets)
        weight = info_states.per_action((1.0 - 0.5 * volatility) / (1.0 + iteration_number / 100))
        expected = kept + weight * np.where(cfr_regrets > 0.0, 1.1, 1.0) * cfr_regrets
        return info_states.normalize(np.maximum(expected, 0.0) ** 1.5)


class PolicyAccumulator:
    """Warm-up of 500 iterations, then weights by time and by the size of the last regrets."""

    def update_accumulate_policy(
        self, info_states, iteration_number, info_state_policy, cfr_regrets,
        reach_prob, counterfactual_reach_prob,
    ):
        if iteration_number < 500:
            return info_states.cumulative_policy
        size = info_states.max_actions(np.abs(cfr_regrets))
        power = (iteration_number + 1.0) ** (2.0 + 1.5 * np.minimum(1.0, size / 2.0))
        weight = power * np.sqrt(1.0 + size / 2.0) / (1.0 + size**1.5)
        return info_states.cumulative_policy + info_states.per_action(weight * reach_prob) * info_state_policy
