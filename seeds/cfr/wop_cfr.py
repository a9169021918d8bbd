"""WOP-CFR: warm-started optimistic predictive CFR.

Named in version 3 of Li, Schultz, Hennes, Lanctot, arXiv 2602.16928, 2026, as what remains of VAD-CFR.
R_t = [R_{t-1} + r_t]+; policy proportional to [R_t + r_t]+; average: none in the first half of the planned run,
then weight t^2. Told the horizon: n = PLANNED_ITERATIONS.
Reconstruction: from the name alone, as we could read no equations: PCFR+ (Farina, Kroer, Sandholm 2021), whose
average starts late. VAD-CFR starts its own after 500 of 1,000 iterations; half of the run is the same there.
"""

import numpy as np

PLANNED_ITERATIONS = 1000


class RegretAccumulator:
    """Regret matching+: cumulative regrets are clipped at zero."""

    def update_accumulate_regret(self, info_states, iteration_number, cfr_regrets):
        return np.maximum(info_states.cumulative_regret + cfr_regrets, 0.0)


class PolicyFromRegretAccumulator:
    """Predictive regret matching+: the last regrets are taken as a forecast of the next."""

    def get_updated_current_policy(self, info_states, iteration_number, cfr_regrets, previous_policy):
        return info_states.normalize(info_states.cumulative_regret + cfr_regrets)


class PolicyAccumulator:
    """Quadratic averaging after a warm-up: iteration t weighs t^2, or nothing."""

    def update_accumulate_policy(
        self, info_states, iteration_number, info_state_policy, cfr_regrets,
        reach_prob, counterfactual_reach_prob,
    ):
        if 2 * iteration_number < PLANNED_ITERATIONS:
            return info_states.cumulative_policy
        weight = (iteration_number + 1.0) ** 2
        return info_states.cumulative_policy + weight * info_states.per_action(reach_prob) * info_state_policy
