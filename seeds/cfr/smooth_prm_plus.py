"""Smooth predictive regret matching+ (smooth PCFR+).

Farina, Grand-Clement, Kroer, Lee, Luo, "Regret Matching+: (In)Stability and Fast Convergence in Games", NeurIPS 2023,
arXiv 2305.14709, algorithm 2. P projects, in the Euclidean norm, onto the positive orthant without its corner at the
origin, {x >= 0: sum x >= 1}: R_0 = 1/actions; R_t = P(R_{t-1} + r_t); policy proportional to P(R_t + r_t).
Average weight t^2, as Meng et al. (arXiv 2503.12770) have it in their comparison.
Deviation: the step size is 1 for every game; the paper's is small and depends on the game.
"""

import numpy as np


def project(info_states, values):
    """P: the positive part where it sums to at least 1, elsewhere the nearest distribution."""
    active = np.ones_like(values)
    while True:  # Michelot 1986: as often as an information set has actions, at most.
        lift = (1.0 - info_states.sum_actions(active * values)) / info_states.sum_actions(active)
        distribution = np.maximum(values + info_states.per_action(lift), 0.0) * active
        if (active == (distribution > 0.0)).all():
            break
        active = (distribution > 0.0).astype(float)
    positive = np.maximum(values, 0.0)
    return np.where(info_states.per_action(info_states.sum_actions(positive)) >= 1.0, positive, distribution)


class RegretAccumulator:
    """Cumulative regrets stay away from the origin, where small steps turn the policy round."""

    def update_accumulate_regret(self, info_states, iteration_number, cfr_regrets):
        start = info_states.per_action(1.0 / info_states.num_actions)
        old = info_states.cumulative_regret if iteration_number > 0 else start
        return project(info_states, old + cfr_regrets)


class PolicyFromRegretAccumulator:
    """Predictive: the last regrets are taken as a forecast of the next."""

    def get_updated_current_policy(self, info_states, iteration_number, cfr_regrets, previous_policy):
        return info_states.normalize(project(info_states, info_states.cumulative_regret + cfr_regrets))


class PolicyAccumulator:
    """Quadratic averaging: iteration t weighs t^2."""

    def update_accumulate_policy(
        self, info_states, iteration_number, info_state_policy, cfr_regrets,
        reach_prob, counterfactual_reach_prob,
    ):
        weight = (iteration_number + 1.0) ** 2
        return info_states.cumulative_policy + weight * info_states.per_action(reach_prob) * info_state_policy
