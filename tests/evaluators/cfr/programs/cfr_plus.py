"""CFR+ over dictionaries. Returns the node's own dictionary, updated."""


class RegretAccumulator:
    def update_accumulate_regret(self, info_state_node, iteration_number, cfr_regrets):
        for action, regret in cfr_regrets.items():
            updated = info_state_node.cumulative_regret[action] + regret
            info_state_node.cumulative_regret[action] = max(updated, 0.0)
        return info_state_node.cumulative_regret


class PolicyFromRegretAccumulator:
    def get_updated_current_policy(self, info_state_node, iteration_number, cfr_regrets, previous_policy):
        regrets = info_state_node.cumulative_regret
        mass = sum(regrets.values())
        if mass > 0.0:
            return {action: regret / mass for action, regret in regrets.items()}
        return {action: 1.0 / len(regrets) for action in regrets}


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
        weight = (iteration_number + 1) * reach_prob
        total = info_state_node.cumulative_policy
        return {action: total[action] + weight * prob for action, prob in info_state_policy.items()}
