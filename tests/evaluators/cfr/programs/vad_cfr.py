"""VAD-CFR over dictionaries: each accumulator's EWMA runs through all information sets of all players."""

import math

WARM_UP = 500


def largest(cfr_regrets):
    return max(abs(regret) for regret in cfr_regrets.values())


def boosted(regret):
    return 1.1 * regret if regret > 0 else regret


def discount(time, exponent):
    return time**exponent / (time**exponent + 1.0)


class Volatile:
    def __init__(self):
        self.ewma = 0.0

    def discounts(self, info_state_node, iteration_number, cfr_regrets):
        size = largest(cfr_regrets)
        if iteration_number == 0:
            self.ewma = size
        else:
            self.ewma = 0.1 * size + 0.9 * self.ewma
        volatility = min(1.0, self.ewma / 2.0)
        alpha = max(0.1, 1.5 - 0.5 * volatility)
        beta = min(alpha, -0.1 - 0.5 * volatility)
        time = iteration_number + 1
        return discount(time, alpha), discount(time, beta), volatility


class RegretAccumulator(Volatile):
    def update_accumulate_regret(self, info_state_node, iteration_number, cfr_regrets):
        up, down, _ = self.discounts(info_state_node, iteration_number, cfr_regrets)
        updated = {}
        for action, regret in cfr_regrets.items():
            old = info_state_node.cumulative_regret[action]
            updated[action] = max(-20.0, (up if old >= 0 else down) * old + boosted(regret))
        return updated


class PolicyFromRegretAccumulator(Volatile):
    def get_updated_current_policy(self, info_state_node, iteration_number, cfr_regrets, previous_policy):
        up, down, volatility = self.discounts(info_state_node, iteration_number, cfr_regrets)
        optimism = max(0.0, 1.0 - 0.5 * volatility) / (1.0 + iteration_number / 100)
        weights = {}
        for action, regret in info_state_node.cumulative_regret.items():
            expected = (up if regret >= 0 else down) * regret + optimism * boosted(cfr_regrets[action])
            weights[action] = max(expected, 0.0) ** 1.5
        mass = sum(weights.values())
        if mass <= 0.0:
            return {action: 1.0 / len(weights) for action in weights}
        return {action: weight / mass for action, weight in weights.items()}


class PolicyAccumulator:
    def update_accumulate_policy(
        self,
        info_state_node,
        iteration_number,
        info_state_policy,
        cfr_regrets,
        reach_prob,
        counterfactual_reach_prob,
    ):
        total = dict.fromkeys(info_state_node.legal_actions, 0.0) | info_state_node.cumulative_policy
        if iteration_number < WARM_UP:
            return total
        size = largest(cfr_regrets)
        power = min(4.0, 2.0 + 1.5 * min(1.0, size / 2.0))
        weight = (iteration_number + 1) ** power / (1.0 + size**1.5) * max(0.1, math.sqrt(1.0 + size / 2.0))
        return {a: total[a] + weight * reach_prob * prob for a, prob in info_state_policy.items()}
