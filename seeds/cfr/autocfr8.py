"""AutoCFR8, also AutoCFRS: a rule that evolution found from an empty program.

Xu, Li, Fu, Fu, Xing, "AutoCFR: Learning to Design Counterfactual Regret Minimization Algorithms", AAAI 2022; equations
from the released solver, whose code has it as AutoCFRS (from scratch) and whose manual as AutoCFR8.
N(x) is x over its sum, uniform where that is 0; with the player's reach p, a = r_t + p and b = max(a, -0.1) + 2:
R_t = min(N(N(b)^t), N(-0.01 a^2) b - 0.01 a^2), which needs no earlier R; with g = N([r_t]+), which alone is averaged:
C_t = g + max(C_{t-1}, 1 where g >= 3/4, else 0); policy proportional to 1000 max(C_t, R_t) + 0.1.
Deviation: the solver adds up p over the histories of an information set, of which a program does not know the number.
"""

import numpy as np


def share(info_states, values):
    """N(x), negative entries too."""
    mass = info_states.per_action(info_states.sum_actions(values))
    uniform = info_states.per_action(1.0 / info_states.num_actions)
    return np.where(mass == 0.0, uniform, values / np.where(mass == 0.0, 1.0, mass))


class RegretAccumulator:
    """Hands the last regrets on; those before are in the average, which the policy is made from."""

    def update_accumulate_regret(self, info_states, iteration_number, cfr_regrets):
        return cfr_regrets


class PolicyFromRegretAccumulator:
    """The average itself, moved by R where that is larger."""

    def get_updated_current_policy(self, info_states, iteration_number, cfr_regrets, previous_policy):
        shifted = cfr_regrets + info_states.per_action(info_states.own_reach)
        bounded, cost = np.maximum(shifted, -0.1) + 2.0, -0.01 * shifted**2
        sharp = share(info_states, share(info_states, bounded) ** (iteration_number + 1.0))
        regret = np.minimum(sharp, share(info_states, cost) * bounded + cost)
        return info_states.normalize(1000.0 * np.maximum(info_states.cumulative_policy, regret) + 0.1)


class PolicyAccumulator:
    """Averages regret matching on the last regrets; an action that has most of them counts once at least."""

    def update_accumulate_policy(
        self, info_states, iteration_number, info_state_policy, cfr_regrets,
        reach_prob, counterfactual_reach_prob,
    ):
        info_states.own_reach = reach_prob
        matched = share(info_states, np.maximum(cfr_regrets, 0.0))
        return matched + np.maximum(info_states.cumulative_policy, matched >= 0.75)
