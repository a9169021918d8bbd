"""Magnetic mirror descent (MMD), behavioural form with annealed temperature, last iterate.

Sokota, D'Orazio, Kolter, Loizou, Lanctot, Mitliagkas, Brown, Kroer, "A Unified Approach to Reinforcement Learning,
Quantal Response Equilibria, and Two-Player Zero-Sum Games", ICLR 2023, arXiv 2206.05825; the form that its authors run
on extensive-form games. In every information set log p_{t+1} = (log p_t + h q) / (1 + h b) up to a constant, with step
h and temperature b both 1/sqrt(t), the magnet uniform, and no probability below 1e-10. q is the value of the actions
given that the information set is reached: counterfactual regret over counterfactual reach, up to a constant.
Deviations: players are updated in turn, the authors' both at once; what counts after iteration t is the policy that
was played in it. The authors choose h and b for each game; these are the ones for Kuhn poker.
"""

import numpy as np


class RegretAccumulator:
    """Keeps nothing: the memory of this rule is its policy."""

    def update_accumulate_regret(self, info_states, iteration_number, cfr_regrets):
        return cfr_regrets


class PolicyFromRegretAccumulator:
    """A step up the values of the actions, and a step back towards the uniform policy."""

    def get_updated_current_policy(self, info_states, iteration_number, cfr_regrets, previous_policy):
        step = temperature = (iteration_number + 1.0) ** -0.5
        reached = np.maximum(info_states.counterfactual_reach, np.finfo(float).tiny)
        energy = np.log(previous_policy) + step * cfr_regrets / info_states.per_action(reached)
        energy /= 1.0 + step * temperature
        weights = np.exp(energy - info_states.per_action(info_states.max_actions(energy)))
        return info_states.normalize(np.maximum(weights, 1e-10))


class PolicyAccumulator:
    """The last policy stands for all; hands the counterfactual reach on."""

    def update_accumulate_policy(
        self, info_states, iteration_number, info_state_policy, cfr_regrets,
        reach_prob, counterfactual_reach_prob,
    ):
        info_states.counterfactual_reach = counterfactual_reach_prob
        return info_state_policy
