"""Reg-CFR: regularised CFR, entropy at each information set, last iterate.

Liu, Ozdaglar, Yu, Zhang, "The Power of Regularization in Solving Extensive-Form Games", ICLR 2023, arXiv 2206.09495;
constants and order as in the baselines of the first author's LiteEFG. Optimistic mirror descent in every information
set, with b the point that steps start from, log b_0 = 0 and temperature 1/1000, up to constants:
log b_t = (h_t / h_{t-1}) log b_{t-1} + h_t (r_t - log b_{t-1} / 1000); the next policy is proportional to
exp(log b_t + h_t (r_t - log b_t / 1000)); h_t = 1 / sqrt(1 + the sum over 2 <= s <= t of |r_s - r_{s-1}|^2), h_0 = 1.
Reconstruction: in Reg-CFR the entropy of an information set is also part of the values of those above it. A program
sees counterfactual regrets of the game alone, so here it acts where it arises. The temperature stays as it is.
Deviation: what counts after iteration t is the policy that was played in it.
"""

import numpy as np

TEMPERATURE = 0.001


class RegretAccumulator:
    """Steps get shorter where regrets change; a shorter step also draws back to the uniform policy."""

    last_regrets, change, step = None, 0.0, 1.0

    def update_accumulate_regret(self, info_states, iteration_number, cfr_regrets):
        if self.last_regrets is not None:
            self.change += info_states.sum_actions((cfr_regrets - self.last_regrets) ** 2)
        self.last_regrets, last_step = cfr_regrets, self.step
        self.step = 1.0 / np.sqrt(1.0 + self.change + np.zeros(len(info_states.num_actions)))
        info_states.step = info_states.per_action(self.step)
        old = info_states.cumulative_regret
        kept = info_states.per_action(self.step / last_step) * old
        moved = kept + info_states.step * (cfr_regrets - TEMPERATURE * old)
        return moved - info_states.per_action(info_states.max_actions(moved))


class PolicyFromRegretAccumulator:
    """One more step, on the last regrets as a forecast of the next."""

    def get_updated_current_policy(self, info_states, iteration_number, cfr_regrets, previous_policy):
        start = info_states.cumulative_regret
        energy = start + info_states.step * (cfr_regrets - TEMPERATURE * start)
        return info_states.normalize(np.exp(energy - info_states.per_action(info_states.max_actions(energy))))


class PolicyAccumulator:
    """The last policy stands for all."""

    def update_accumulate_policy(
        self, info_states, iteration_number, info_state_policy, cfr_regrets,
        reach_prob, counterfactual_reach_prob,
    ):
        return info_state_policy
