"""AOD-CFR over dictionaries; what it remembers stands under `index_in_tabular_policy`."""


def discount(time, exponent):
    return time**exponent / (time**exponent + 1.0)


class RegretAccumulator:
    def update_accumulate_regret(self, info_state_node, iteration_number, cfr_regrets):
        ramp = min(1.0, iteration_number / 500)
        updated = {}
        for action, regret in cfr_regrets.items():
            old = info_state_node.cumulative_regret[action]
            if abs(old) <= 1e-9 or abs(regret) <= 1e-9:
                scale = 1.0
            elif old > 0:
                scale = 1.1 if regret > 0 else 0.9
            else:
                scale = 0.7 if regret > 0 else 1.2
            exponent = 1.0 + 1.5 * ramp if old > 0 else 0.5 - 0.5 * ramp
            updated[action] = discount(iteration_number + 1, exponent) * old + scale * regret
        return updated


class PolicyFromRegretAccumulator:
    def __init__(self):
        self.averages = {}

    def get_updated_current_policy(self, info_state_node, iteration_number, cfr_regrets, previous_policy):
        average = self.averages.setdefault(info_state_node.index_in_tabular_policy, {})
        weights = {}
        for action, regret in info_state_node.cumulative_regret.items():
            before = average.get(action, 0.0)
            weights[action] = max(regret + 0.5 * (regret - before), 0.0) ** 2
            average[action] = 0.1 * regret + 0.9 * before
        mass = sum(weights.values())
        if mass <= 1e-12:
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
        time, power = iteration_number + 1, 1.0 + 4.0 * min(1.0, iteration_number / 500)
        return {
            action: discount(time, power) * info_state_node.cumulative_policy[action]
            + time**power * reach_prob * prob
            for action, prob in info_state_policy.items()
        }
