"""What the symbolic operator knows of counterfactual regret minimisation: its literature as blocks.

Arrays are flat over a player's (information set, action) pairs, ``(S,)``, or over information sets,
``(I,)``. ``iteration_number`` counts from 0, so that it is t - 1 in the papers. Sources: Brown and Sandholm
2019 (discounting, linear weights), Farina et al. 2021 (prediction), Xu et al. 2024 (discounted prediction),
Li et al. 2026 (arXiv 2602.16928: trend, policy exponent, boosting, volatility, delayed averaging). Defaults
are what is common in those papers, ranges are wide, and which of them help together is for the search to
find out.
"""

from __future__ import annotations

from evaluators.contract import Mechanism, Parameter

_REGRET = "RegretAccumulator"
_POLICY = "PolicyFromRegretAccumulator"
_AVERAGE = "PolicyAccumulator"
_CUMULATIVE = "info_states.cumulative_regret"

_REGRET_MECHANISMS = (
    Mechanism(
        name="discount",
        component=_REGRET,
        target=_CUMULATIVE,
        variable="cumulative_regret",
        summary="discounts old regret by a factor that tends to one",
        body="""
keep_old = iteration_number**{alpha} / (iteration_number**{alpha} + 1.0)
cumulative_regret = keep_old * cumulative_regret
""",
        parameters=(Parameter("alpha", 1.8, 0.3, 6.0, 0.35),),
    ),
    Mechanism(
        name="signed_discount",
        component=_REGRET,
        target=_CUMULATIVE,
        variable="cumulative_regret",
        summary="discounts old regret, positive and negative at rates of their own",
        body="""
keep_positive = iteration_number**{alpha} / (iteration_number**{alpha} + 1.0)
keep_negative = iteration_number**{beta} / (iteration_number**{beta} + 1.0)
keep_by_sign = np.where(cumulative_regret > 0.0, keep_positive, keep_negative)
cumulative_regret = keep_by_sign * cumulative_regret
""",
        parameters=(Parameter("alpha", 1.8, 0.3, 6.0, 0.35), Parameter("beta", 0.3, 0.02, 3.0, 0.8)),
    ),
    Mechanism(
        name="growing_weight",
        component=_REGRET,
        target="cfr_regrets",
        variable="cfr_regrets",
        summary="weights the regrets of an iteration by a power of its number",
        body="cfr_regrets = (iteration_number + 1.0) ** {power} * cfr_regrets",
        parameters=(Parameter("power", 1.0, 0.2, 4.0, 0.5),),
    ),
    Mechanism(
        name="positive_boost",
        component=_REGRET,
        target="cfr_regrets",
        variable="cfr_regrets",
        summary="scales positive regrets of this iteration against negative ones",
        body="cfr_regrets = np.where(cfr_regrets > 0.0, {gain} * cfr_regrets, cfr_regrets)",
        parameters=(Parameter("gain", 1.1, 0.5, 2.0, 0.15),),
    ),
    Mechanism(
        name="sign_agreement",
        component=_REGRET,
        target="cfr_regrets",
        variable="cfr_regrets",
        summary="scales regrets by whether their sign agrees with the cumulative regret's",
        body="""
agrees = cfr_regrets * info_states.cumulative_regret > 0.0
cfr_regrets = np.where(agrees, {agreeing}, {opposing}) * cfr_regrets
""",
        parameters=(Parameter("agreeing", 1.1, 0.5, 2.0, 0.15), Parameter("opposing", 0.9, 0.3, 2.0, 0.2)),
    ),
    Mechanism(
        name="volatility_scaling",
        component=_REGRET,
        target="cfr_regrets",
        variable="cfr_regrets",
        summary="damps regrets where their running magnitude is large",
        body="""
largest_regret = info_states.max_actions(np.abs(cfr_regrets))
self.volatility = self.volatility + {rate} * (largest_regret - self.volatility)
cfr_regrets = cfr_regrets / (1e-9 + info_states.per_action(self.volatility)) ** {power}
""",
        parameters=(Parameter("rate", 0.1, 0.01, 0.9, 0.7), Parameter("power", 0.3, 0.05, 1.0, 0.5)),
        state={"volatility": "0.0"},
    ),
    Mechanism(
        name="floor",
        component=_REGRET,
        target="return",
        variable="updated",
        summary="keeps cumulative regrets above a negative bound",
        body="updated = np.maximum(updated, -{bound})",
        parameters=(Parameter("bound", 5.0, 0.01, 100.0, 1.0),),
    ),
)

_POLICY_MECHANISMS = (
    Mechanism(
        name="prediction",
        component=_POLICY,
        target=_CUMULATIVE,
        variable="cumulative_regret",
        summary="expects the latest regrets once more",
        body="cumulative_regret = cumulative_regret + {weight} * cfr_regrets",
        parameters=(Parameter("weight", 1.0, 0.1, 5.0, 0.5),),
    ),
    Mechanism(
        name="fading_prediction",
        component=_POLICY,
        target=_CUMULATIVE,
        variable="cumulative_regret",
        summary="expects the latest regrets once more, less so as iterations pass",
        body="""
confidence = {weight} / (1.0 + iteration_number / {horizon})
cumulative_regret = cumulative_regret + confidence * cfr_regrets
""",
        parameters=(Parameter("weight", 1.5, 0.1, 8.0, 0.5), Parameter("horizon", 200.0, 10.0, 2000.0, 0.8)),
    ),
    Mechanism(
        name="discounted_prediction",
        component=_POLICY,
        target=_CUMULATIVE,
        variable="cumulative_regret",
        summary="expects the latest regrets once more on top of discounted old ones",
        body="""
keep_past = (iteration_number + 1.0) ** {alpha} / ((iteration_number + 1.0) ** {alpha} + 1.0)
cumulative_regret = keep_past * cumulative_regret + cfr_regrets
""",
        parameters=(Parameter("alpha", 2.0, 0.3, 6.0, 0.35),),
    ),
    Mechanism(
        name="trend",
        component=_POLICY,
        target=_CUMULATIVE,
        variable="cumulative_regret",
        summary="extrapolates cumulative regrets away from their moving average",
        body="""
trend_gap = cumulative_regret - self.trend_average
self.trend_average = self.trend_average + {rate} * trend_gap
cumulative_regret = cumulative_regret + {weight} * trend_gap
""",
        parameters=(Parameter("rate", 0.15, 0.01, 0.9, 0.7), Parameter("weight", 0.5, 0.05, 4.0, 0.6)),
        state={"trend_average": "0.0"},
    ),
    Mechanism(
        name="exponent",
        component=_POLICY,
        target="return",
        variable="policy",
        summary="raises the policy to a power and normalises it again",
        body="policy = info_states.normalize(policy**{power})",
        parameters=(Parameter("power", 1.5, 0.5, 4.0, 0.3),),
    ),
    Mechanism(
        name="inertia",
        component=_POLICY,
        target="return",
        variable="policy",
        summary="mixes the previous policy in",
        body="policy = policy + {share} * (previous_policy - policy)",
        parameters=(Parameter("share", 0.1, 0.01, 0.8, 0.8),),
    ),
)

_AVERAGE_MECHANISMS = (
    Mechanism(
        name="polynomial_averaging",
        component=_AVERAGE,
        target="reach_prob",
        variable="reach_prob",
        summary="weights the policy of an iteration by a power of its number",
        body="reach_prob = (iteration_number + 1.0) ** {power} * reach_prob",
        parameters=(Parameter("power", 2.0, 0.3, 8.0, 0.5),),
    ),
    Mechanism(
        name="delayed_averaging",
        component=_AVERAGE,
        target="reach_prob",
        variable="reach_prob",
        summary="leaves the first iterations out of the average",
        body="reach_prob = (iteration_number >= {start}) * reach_prob",
        parameters=(Parameter("start", 40, 2, 400, 1.0, integer=True),),
    ),
    Mechanism(
        name="discounted_averaging",
        component=_AVERAGE,
        target="info_states.cumulative_policy",
        variable="cumulative_policy",
        summary="discounts the policies accumulated so far, which forgets the early ones",
        body="""
keep_average = (iteration_number + 1.0) ** {power} / ((iteration_number + 1.0) ** {power} + 1.0)
cumulative_policy = keep_average * cumulative_policy
""",
        parameters=(Parameter("power", 0.9, 0.4, 3.0, 0.25),),
    ),
    Mechanism(
        name="steady_averaging",
        component=_AVERAGE,
        target="reach_prob",
        variable="reach_prob",
        summary="gives less weight to iterations with large regrets in an information set",
        body="reach_prob = reach_prob / (1.0 + {strength} * info_states.max_actions(np.abs(cfr_regrets)))",
        parameters=(Parameter("strength", 1.0, 0.05, 20.0, 0.8),),
    ),
)

MECHANISMS = (*_REGRET_MECHANISMS, *_POLICY_MECHANISMS, *_AVERAGE_MECHANISMS)
"""All mechanisms, in the order of the components."""
