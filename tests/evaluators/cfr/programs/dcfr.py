"""DCFR(3/2, 0, 2) over dictionaries, annotated, in another order of actions and with defaultdicts."""

# ruff: noqa: UP006, UP035 - annotated as older listings are
import collections
from typing import Any, Dict, Mapping

ALPHA, BETA, GAMMA = 1.5, 0.0, 2.0


def discount(steps: float, exponent: float) -> float:
    return steps**exponent / (steps**exponent + 1.0) if steps > 0 else 0.0


class RegretAccumulator:
    def update_accumulate_regret(
        self, info_state_node: Any, iteration_number: int, cfr_regrets: Dict[int, float]
    ) -> Dict[int, float]:
        updated = {}
        for action in reversed(info_state_node.legal_actions):
            old = info_state_node.cumulative_regret[action]
            exponent = ALPHA if old > 0 else BETA
            updated[action] = discount(iteration_number, exponent) * old + cfr_regrets[action]
        return updated


class PolicyFromRegretAccumulator:
    def get_updated_current_policy(
        self,
        info_state_node: Any,
        iteration_number: int,
        cfr_regrets: Dict[int, float],
        previous_policy: Mapping[int, float],
    ) -> Dict[int, float]:
        positive = {a: r for a, r in info_state_node.cumulative_regret.items() if r > 0}
        if not positive:
            return dict.fromkeys(info_state_node.legal_actions, 1 / len(info_state_node.legal_actions))
        policy = collections.defaultdict(float)
        for action, regret in positive.items():
            policy[action] = regret / sum(positive.values())
        return policy


class PolicyAccumulator:
    def update_accumulate_policy(
        self,
        info_state_node: Any,
        iteration_number: int,
        info_state_policy: Dict[int, float],
        cfr_regrets: Dict[int, float],
        reach_prob: float,
        counterfactual_reach_prob: float,
    ) -> Dict[int, float]:
        time = iteration_number + 1
        for action in info_state_node.legal_actions:
            new = time**GAMMA * reach_prob * info_state_policy[action]
            info_state_node.cumulative_policy[action] += new
        return info_state_node.cumulative_policy
