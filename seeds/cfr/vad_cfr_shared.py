"""VAD-CFR: volatility-adaptive discounted CFR, with the paper's shared EWMA.

Li, Schultz, Hennes, Lanctot, arXiv 2602.16928, 2026. With k from 0, t = k + 1, m = max_a |r|, d(s, e) = s^e/(s^e + 1):
volatility v = min(1, e/2) with e an EWMA of m at rate 0.1 (e = m at k = 0): one scalar per accumulator that runs
through the information sets in first-visit order, shared by all players (vad_cfr keeps one per information set);
a = max(0.1, 1.5 - v/2), b = min(a, -0.1 - v/2), d+ = d(t, a), d- = d(t, b), r' = 1.1 r where r > 0, else r;
R = max(-20, (d+ where R >= 0, else d-) R + r'); z = the same with the updated R and w r' added,
w = max(0, 1 - v/2) / (1 + k/100); policy proportional to ([z]+)^1.5; average: none while k < 500, then weight
t^min(4, 2 + 1.5 min(1, m/2)) max(0.1, sqrt(1 + m/2)) / (1 + m^1.5). It has an absolute scale: payoffs matter.
"""

import numpy as np


BLOCK = 64
POWERS = 0.9 ** np.arange(BLOCK + 1.0)
KERNEL = np.tril(0.1 * POWERS[np.subtract.outer(np.arange(BLOCK), np.arange(BLOCK)) % BLOCK])


def filtered(values, start):
    """e_i = 0.1 values_i + 0.9 e_(i-1) with e_(-1) = start, block by block."""
    padded = np.zeros((-(-len(values) // BLOCK), BLOCK))
    padded.reshape(-1)[: len(values)] = values
    blocks = padded @ KERNEL.T
    for block in blocks:
        block += POWERS[1:] * start
        start = block[-1]
    return blocks.reshape(-1)[: len(values)]


class Volatility:
    """One moving average of max |r| that runs through information sets and players; `scope` names its owner."""

    last = {}  # scope -> value after the last information set; shared by the players' objects

    def __init__(self, scope):
        self.scope = scope

    def update(self, info_states, iteration_number, cfr_regrets):
        """Per pair: discount of non-negative regret, discount of negative regret, volatility."""
        size = info_states.max_actions(np.abs(cfr_regrets))
        if iteration_number == 0:
            ewma = size
        else:
            ewma = filtered(size, self.last[self.scope])
        self.last[self.scope] = ewma[-1]
        volatility = info_states.per_action(np.minimum(1.0, ewma / 2.0))
        alpha = np.maximum(0.1, 1.5 - 0.5 * volatility)
        up = (iteration_number + 1.0) ** alpha
        down = (iteration_number + 1.0) ** np.minimum(alpha, -0.1 - 0.5 * volatility)
        return up / (up + 1.0), down / (down + 1.0), volatility


class RegretAccumulator:
    """Discounts by sign and volatility, boosts positive regrets, floor at -20."""

    def __init__(self):
        self.volatility = Volatility("regret")

    def update_accumulate_regret(self, info_states, iteration_number, cfr_regrets):
        up, down, _ = self.volatility.update(info_states, iteration_number, cfr_regrets)
        old, boosted = info_states.cumulative_regret, np.where(cfr_regrets > 0.0, 1.1, 1.0) * cfr_regrets
        return np.maximum(-20.0, np.where(old >= 0.0, up, down) * old + boosted)


class PolicyFromRegretAccumulator:
    """Optimistic step that fades with time and volatility; positive part to the power 1.5."""

    def __init__(self):
        self.volatility = Volatility("policy")

    def get_updated_current_policy(self, info_states, iteration_number, cfr_regrets, previous_policy):
        up, down, volatility = self.volatility.update(info_states, iteration_number, cfr_regrets)
        regret, boosted = info_states.cumulative_regret, np.where(cfr_regrets > 0.0, 1.1, 1.0) * cfr_regrets
        weight = np.maximum(0.0, 1.0 - 0.5 * volatility) / (1.0 + iteration_number / 100)
        optimistic = np.where(regret >= 0.0, up, down) * regret + weight * boosted
        return info_states.normalize(np.maximum(optimistic, 0.0) ** 1.5)


class PolicyAccumulator:
    """Warm-up of 500 iterations, then weights by time and by the size of the last regrets."""

    def update_accumulate_policy(
        self, info_states, iteration_number, info_state_policy, cfr_regrets,
        reach_prob, counterfactual_reach_prob,
    ):
        if iteration_number < 500:
            return info_states.cumulative_policy
        size = info_states.max_actions(np.abs(cfr_regrets))
        power = (iteration_number + 1.0) ** np.minimum(4.0, 2.0 + 1.5 * np.minimum(1.0, size / 2.0))
        weight = power * np.maximum(0.1, np.sqrt(1.0 + size / 2.0)) / (1.0 + size**1.5)
        return info_states.cumulative_policy + info_states.per_action(weight * reach_prob) * info_state_policy
