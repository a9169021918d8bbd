"""What the symbolic operator knows of meta-strategies: the literature on solving meta-games, as blocks.

Each block takes `strategies`, weights for each player's population, makes distributions of them first (programs need
not return any) and rebinds it to other distributions, so that they compose in the order in which they stand: a first
guess, a few steps of some dynamics, a bias, a choice. Both solvers may have all of them; an instance lives through a
run, so a block may keep what it needs from one iteration to the next.

Sources: Lanctot et al. 2017 (replicator steps with exploration, regret matching), Tammelin 2014 (regret matching+),
Farina et al. 2021 (prediction), Zinkevich 2003 (projected gradients), Balduzzi et al. 2019 (what is not yet covered
counts more), McAleer et al. 2022 (arXiv 2201.07700: mixtures that are hard to exploit in the full game), Li et al. 2026
(arXiv 2602.16928: blending with a softmax, annealing). Defaults are what is common there with few inner steps, ranges
are wide; which of them help together is for the search to find out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from evaluators.contract import Mechanism, Parameter

_STEPS = Parameter("steps", 150, 10, 2000, 0.8, integer=True)

_DISTRIBUTIONS = "strategies = [np.divide(x, np.sum(x)) for x in strategies]"
"""The first statement of every block. It makes new arrays and a new list: what blocks write to is their own."""


def _block(
    name: str,
    summary: str,
    body: str,
    parameters: tuple[Parameter, ...] = (),
    state: Mapping[str, str] | None = None,
) -> Mechanism:
    """A transformation of what `get_meta_strategy` returns, for a component to be named later."""
    return Mechanism(
        name=name,
        component="",
        target="return",
        variable="strategies",
        summary=summary,
        body=f"\n{_DISTRIBUTIONS}{body}",
        parameters=parameters,
        state=state or {},
    )


_GUESSES = (
    _block(
        "recency",
        "weights policies by a power of how late they were added",
        """
recent = [x * np.arange(1.0, len(x) + 1.0) ** {power} for x in strategies]
strategies = [x / x.sum() for x in recent]
""",
        (Parameter("power", 1.0, 0.2, 5.0, 0.5),),
    ),
)

_DYNAMICS = (
    _block(
        "regret_matching",
        "steps of regret matching from there, players in turn; keeps the average",
        """
matching_regrets = [np.zeros(len(x)) for x in strategies]
matching_sums = [{prior} * x for x in strategies]
for matching_step in range({steps}):
    for p, r in enumerate(matching_regrets):
        matching_payoffs = game.deviation_payoffs(strategies, p)
        r += matching_payoffs - matching_payoffs @ strategies[p]
        matched = np.maximum(r, 0.0)
        strategies[p] = matched / matched.sum() if matched.sum() > 0.0 else strategies[p]
        matching_sums[p] += strategies[p]
strategies = [x / x.sum() for x in matching_sums]
""",
        (_STEPS, Parameter("prior", 1.0, 0.01, 50.0, 1.0)),
    ),
    _block(
        "regret_matching_plus",
        "steps of clipped regret matching; keeps an average that favours late steps",
        """
clipped_regrets = [{trust} * x for x in strategies]
clipped_sums = [np.zeros(len(x)) for x in strategies]
for clipped_step in range({steps}):
    for p, r in enumerate(clipped_regrets):
        clipped_payoffs = game.deviation_payoffs(strategies, p)
        r[:] = np.maximum(r + clipped_payoffs - clipped_payoffs @ strategies[p], 0.0)
        strategies[p] = r / r.sum() if r.sum() > 0.0 else strategies[p]
        clipped_sums[p] += (clipped_step + 1.0) ** {power} * strategies[p]
strategies = [x / x.sum() for x in clipped_sums]
""",
        (_STEPS, Parameter("trust", 1.0, 0.01, 50.0, 1.0), Parameter("power", 1.5, 0.2, 6.0, 0.4)),
    ),
    _block(
        "predictive_matching",
        "steps of clipped regret matching that expect the latest gains again",
        """
predictive_regrets = [{trust} * x for x in strategies]
predictive_sums = [np.zeros(len(x)) for x in strategies]
for predictive_step in range({steps}):
    for p, r in enumerate(predictive_regrets):
        predictive_gains = game.deviation_payoffs(strategies, p)
        predictive_gains = predictive_gains - predictive_gains @ strategies[p]
        r[:] = np.maximum(r + predictive_gains, 0.0)
        predicted = np.maximum(r + {weight} * predictive_gains, 0.0)
        strategies[p] = predicted / predicted.sum() if predicted.sum() > 0.0 else strategies[p]
        predictive_sums[p] += (predictive_step + 1.0) ** {power} * strategies[p]
strategies = [x / x.sum() for x in predictive_sums]
""",
        (
            _STEPS,
            Parameter("trust", 1.0, 0.01, 50.0, 1.0),
            Parameter("weight", 1.0, 0.05, 2.0, 0.4),
            Parameter("power", 1.5, 0.2, 6.0, 0.4),
        ),
    ),
    _block(
        "persistent_matching",
        "goes on with discounted regrets of the call before; keeps a late average",
        """
kept_regrets = [{keep} * r for r in self.kept_regrets or [np.zeros(0) for x in strategies]]
kept_regrets = [np.append(r, {hope} * x[len(r) :]) for r, x in zip(kept_regrets, strategies)]
kept_sums = [np.zeros(len(x)) for x in strategies]
for kept_step in range({steps}):
    for p, r in enumerate(kept_regrets):
        kept_payoffs = game.deviation_payoffs(strategies, p)
        r[:] = np.maximum(r + kept_payoffs - kept_payoffs @ strategies[p], 0.0)
        strategies[p] = r / r.sum() if r.sum() > 0.0 else strategies[p]
        kept_sums[p] += (kept_step + 1.0) ** {power} * strategies[p]
self.kept_regrets = kept_regrets
strategies = [x / x.sum() for x in kept_sums]
""",
        (
            _STEPS,
            Parameter("keep", 0.9, 0.05, 0.999, 0.2),
            Parameter("hope", 1.0, 0.01, 50.0, 1.0),
            Parameter("power", 1.5, 0.2, 6.0, 0.4),
        ),
        {"kept_regrets": "None"},
    ),
    _block(
        "replicator",
        "steps of exponential replicator dynamics, at a shrinking rate; keeps the last",
        """
for replicator_step in range({steps}):
    for p in range(game.num_players):
        growth = game.deviation_payoffs(strategies, p)
        growth = {rate} / np.sqrt(replicator_step + 1.0) * (growth - growth.max())
        replicated = np.maximum(strategies[p], {floor}) * np.exp(np.maximum(growth, -50.0))
        strategies[p] = replicated / replicated.sum()
""",
        (
            _STEPS,
            Parameter("rate", 0.5, 0.01, 20.0, 0.9),
            Parameter("floor", 0.0001, 1e-9, 0.02, 1.5),
        ),
    ),
    _block(
        "projected_gradient",
        "projected steps along the payoffs, at a shrinking rate; keeps the average",
        """
gradient_sums = [np.zeros(len(x)) for x in strategies]
for gradient_step in range({steps}):
    for p in range(game.num_players):
        moved = {rate} / np.sqrt(gradient_step + 1.0) * game.deviation_payoffs(strategies, p)
        moved = strategies[p] + moved
        heights = np.sort(moved)[::-1]
        excess = (np.cumsum(heights) - 1.0) / np.arange(1.0, len(moved) + 1.0)
        strategies[p] = np.maximum(moved - excess[np.flatnonzero(heights > excess)[-1]], 0.0)
        gradient_sums[p] += strategies[p]
strategies = [x / x.sum() for x in gradient_sums]
""",
        (_STEPS, Parameter("rate", 0.2, 0.005, 5.0, 0.8)),
    ),
)

_BIASES = (
    _block(
        "softmax_blend",
        "blends with a softmax of the payoffs, cooler and rarer as iterations pass",
        """
cooling = 1.0 / (1.0 + game.iteration / {horizon})
for p, v in enumerate([game.deviation_payoffs(strategies, p) for p in range(game.num_players)]):
    soft = np.exp((v - v.max()) / ({heat} * cooling))
    strategies[p] = strategies[p] + {share} * cooling * (soft / soft.sum() - strategies[p])
""",
        (
            Parameter("horizon", 20.0, 2.0, 400.0, 0.8),
            Parameter("heat", 0.2, 0.005, 5.0, 0.8),
            Parameter("share", 0.3, 0.01, 0.95, 0.6),
        ),
    ),
    _block(
        "exploration",
        "mixes the uniform distribution in, less and less as iterations pass",
        """
exploring = {share} / (1.0 + game.iteration / {horizon})
strategies = [(1.0 - exploring) * x + exploring / len(x) for x in strategies]
""",
        (Parameter("share", 0.1, 0.001, 0.8, 0.8), Parameter("horizon", 20.0, 1.0, 400.0, 0.8)),
    ),
    _block(
        "diversity",
        "adds weight where a policy has little, less and less as iterations pass",
        """
bonus = {weight} / (1.0 + game.iteration / {horizon})
diverse = [x + bonus * (1.0 - x) / len(x) for x in strategies]
strategies = [x / x.sum() for x in diverse]
""",
        (Parameter("weight", 0.1, 0.001, 3.0, 0.8), Parameter("horizon", 20.0, 1.0, 400.0, 0.8)),
    ),
    _block(
        "sharpen",
        "raises weights to a power",
        """
sharp = [x ** {power} for x in strategies]
strategies = [x / x.sum() for x in sharp]
""",
        (Parameter("power", 1.3, 0.4, 4.0, 0.3),),
    ),
    _block(
        "drop_small",
        "drops policies whose weight is a small part of the largest",
        """
large = [np.where(x >= {part} * x.max(), x, 0.0) for x in strategies]
strategies = [x / x.sum() for x in large]
""",
        (Parameter("part", 0.01, 1e-5, 0.5, 1.2),),
    ),
    _block(
        "prune_inferior",
        "drops policies whose payoffs fall far short of the best one's",
        """
for p, v in enumerate([game.deviation_payoffs(strategies, p) for p in range(game.num_players)]):
    kept = np.where(v >= v.max() - {slack} * (v.max() - v.min()), strategies[p], 0.0)
    strategies[p] = kept / kept.sum() if kept.sum() > 0.0 else strategies[p]
""",
        (Parameter("slack", 0.5, 0.01, 0.99, 0.4),),
    ),
    _block(
        "time_average",
        "averages the mixtures of all iterations, late ones weighted by a power of their number",
        """
timed = self.timed_sums or [np.zeros(0) for x in strategies]
timed = [np.append(s, np.zeros(len(x) - len(s))) for s, x in zip(timed, strategies)]
self.timed_sums = [s + (game.iteration + 1.0) ** {power} * x for s, x in zip(timed, strategies)]
strategies = [s / s.sum() for s in self.timed_sums]
""",
        (Parameter("power", 1.0, 0.1, 6.0, 0.5),),
        {"timed_sums": "None"},
    ),
)

_CHOICES = (
    _block(
        "hardest_to_exploit",
        "picks on the line to uniform what full-game best responses gain least from",
        """
shares = np.linspace(0.0, {reach}, {points})
lines = [[(1.0 - share) * x + share / len(x) for x in strategies] for share in shares]
values = [sum(v @ x for v, x in zip(game.deviation_payoffs(line), line)) for line in lines]
gaps = [game.best_response_values(line).sum() - value for line, value in zip(lines, values)]
strategies = lines[int(np.argmin(gaps))]
""",
        (Parameter("reach", 0.5, 0.02, 1.0, 0.6), Parameter("points", 6, 2, 14, 0.4, integer=True)),
    ),
    _block(
        "searched_matching",
        "keeps what is hardest to exploit on the way to an average of regret matching",
        """
searched_regrets = [{trust} * x for x in strategies]
searched_mixtures = list(strategies)
searched_sums = [np.zeros(len(x)) for x in strategies]
for searched_step in range({steps}):
    for p, r in enumerate(searched_regrets):
        searched_payoffs = game.deviation_payoffs(searched_mixtures, p)
        r[:] = np.maximum(r + searched_payoffs - searched_payoffs @ searched_mixtures[p], 0.0)
        searched_mixtures[p] = r / r.sum() if r.sum() > 0.0 else searched_mixtures[p]
        searched_sums[p] += (searched_step + 1.0) * searched_mixtures[p]
ways = [list(zip(strategies, searched_sums)) for share in range({points} + 1)]
ways = [[x + s / {points} * (y / y.sum() - x) for x, y in way] for s, way in enumerate(ways)]
worth = [sum(v @ x for v, x in zip(game.deviation_payoffs(way), way)) for way in ways]
worth = [game.best_response_values(way).sum() - value for way, value in zip(ways, worth)]
strategies = ways[int(np.argmin(worth))]
""",
        (
            _STEPS,
            Parameter("trust", 1.0, 0.01, 50.0, 1.0),
            Parameter("points", 6, 1, 14, 0.4, integer=True),
        ),
    ),
)

MECHANISMS = tuple(
    replace(mechanism, component=component)
    for component in ("TrainMetaStrategySolver", "EvalMetaStrategySolver")
    for mechanism in (*_GUESSES, *_DYNAMICS, *_BIASES, *_CHOICES)
)
"""All mechanisms, in the order of the components; their names are the same in both."""
