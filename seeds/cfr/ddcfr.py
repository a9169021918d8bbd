"""DDCFR: dynamic discounted CFR, with the discounts that its network gave in the authors' own runs.

Xu, Li, Fu, Fu, Xing, Cheng, "Dynamic Discounted Counterfactual Regret Minimization", ICLR 2024; a network learned from
four small games gives DCFR's exponents from the share s of the planned iterations that are done and from the
exploitability so far. With k from 0 and d(e) = k^e / (k^e + 1): R_{k+1} = d(a) R_k + r_{k+1} where R_k > 0, else
d(b) R_k + r_{k+1}; policy proportional to [R]+; C_{k+1} = C_k (k/(k+1))^g + reach * policy.
Told the horizon: s = k / PLANNED_ITERATIONS.
Deviation: a program does not see its exploitability. a, b and g are functions of s alone, drawn through the medians
of what the authors logged in twelve games, 1,000 iterations each. Ten of these stay within 0.4 of the medians; 3-card
Goofspiel and 3-sided Liar's Dice, which are solved early, within 1.9.
"""

import numpy as np

PLANNED_ITERATIONS = 1000

SHARE = np.array([0.0, 0.1, 0.2, 0.3, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.8, 0.9, 1.0])
GAIN = np.array([1.02, 1.12, 1.35, 1.70, 2.07, 2.27, 2.45, 2.62, 2.82, 3.01, 3.21, 3.57, 3.89, 4.16])
LOSS = -np.array([0.88, 1.12, 1.41, 1.69, 1.95, 2.03, 2.09, 2.14, 2.17, 2.18, 2.17, 2.15, 2.10, 2.06])
AVERAGE = np.array([5.00, 4.99, 4.98, 4.93, 4.69, 4.35, 3.75, 2.89, 1.88, 1.07, 0.54, 0.12, 0.03, 0.01])


def learned(exponents, iteration_number):
    """a, b or g."""
    return float(np.interp(iteration_number / PLANNED_ITERATIONS, SHARE, exponents))


class RegretAccumulator:
    """Positive regrets are forgotten ever less, negative ones ever more."""

    def update_accumulate_regret(self, info_states, iteration_number, cfr_regrets):
        elapsed = max(iteration_number, 1.0)  # In the first iteration there is nothing to discount.
        gain, loss = elapsed ** learned(GAIN, iteration_number), elapsed ** learned(LOSS, iteration_number)
        old = info_states.cumulative_regret
        return np.where(old > 0.0, gain / (gain + 1.0), loss / (loss + 1.0)) * old + cfr_regrets


class PolicyFromRegretAccumulator:
    """Regret matching: play in proportion to positive cumulative regret."""

    def get_updated_current_policy(self, info_states, iteration_number, cfr_regrets, previous_policy):
        return info_states.normalize(info_states.cumulative_regret)


class PolicyAccumulator:
    """The old average is discounted by a power that falls to 0, a plain average, over the planned run."""

    def update_accumulate_policy(
        self, info_states, iteration_number, info_state_policy, cfr_regrets,
        reach_prob, counterfactual_reach_prob,
    ):
        discount = (iteration_number / (iteration_number + 1.0)) ** learned(AVERAGE, iteration_number)
        return discount * info_states.cumulative_policy + info_states.per_action(reach_prob) * info_state_policy
