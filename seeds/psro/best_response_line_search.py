"""Line search by best-response values: the mixture on lines between a few that the full game exploits least.

The aim is that of McAleer et al., "Anytime PSRO for Two-Player Zero-Sum Games", 2022, arXiv 2201.07700: a mixture that
is hard to exploit in the full game, not in the population's. The search is of this project: best responses are seen by
their values alone, at most 64 times a call. Regret matching+ in the meta-game gives averages after 0, 10, 100 and more
steps, from the uniform mixture to nearly an equilibrium; from the best of them a golden-section search goes towards
each other one in turn (exploitability is convex along a line where two players' payoffs sum to zero) and the best
mixture seen is the result. That of the evaluation never gets worse from one call to the next: the last result, with no
weight on newer policies, is one of the mixtures to start from. Training has no such memory, else it would ask for the
same best responses again. Any number of players: all mixtures move together, and NashConv is what is minimised.
"""

import numpy as np

GOLDEN = 0.5 * (5.0**0.5 - 1.0)
QUERIES = 64


def averages(game, stops):
    """Linearly weighted averages of regret matching+ after each number of steps in `stops`, a profile for each."""
    mixtures = [np.full(n, 1.0 / n) for n in map(game.num_policies, range(game.num_players))]
    regrets, totals = ([np.zeros_like(x) for x in mixtures] for _ in range(2))
    found = [list(mixtures)]
    for step in range(1, max(stops) + 1):
        for p, x in enumerate(mixtures):
            v = game.deviation_payoffs(mixtures, player=p)
            regrets[p] = np.maximum(regrets[p] + v - x @ v, 0.0)
            mass = regrets[p].sum()
            mixtures[p] = regrets[p] / mass if mass > 0.0 else np.full(len(x), 1.0 / len(x))
            totals[p] += step * mixtures[p]
        if step in stops:
            found.append([total / total.sum() for total in totals])
    return found


def nash_conv(game, profile):
    """What best responses in the full game gain over a profile of mixtures, summed over players; one query."""
    own = sum(x @ v for x, v in zip(profile, game.deviation_payoffs(profile)))
    return game.best_response_values(profile).sum() - own


def search(game, start, end, queries):
    """The best (NashConv, profile) that a golden-section search between two of them comes by."""

    def at(share):
        profile = [(1.0 - share) * x + share * y for x, y in zip(start[1], end[1])]
        return nash_conv(game, profile), profile

    seen = [start, end]
    low, high = 0.0, 1.0
    left, right = at(1.0 - GOLDEN), at(GOLDEN)
    for _ in range(queries - 2):
        seen += [left, right]
        if left[0] <= right[0]:
            high, right = low + GOLDEN * (high - low), left
            left = at(high - GOLDEN * (high - low))
        else:
            low, left = high - GOLDEN * (high - low), right
            right = at(low + GOLDEN * (high - low))
    return min([*seen, left, right], key=lambda pair: pair[0])


def least_exploitable(game, profiles):
    """The best profile found from these."""
    ranked = sorted(((nash_conv(game, each), each) for each in profiles), key=lambda pair: pair[0])
    best = ranked[0]
    for other in ranked[1:]:
        best = search(game, best, other, (QUERIES - len(ranked)) // (len(ranked) - 1))
    return best[1]


class TrainMetaStrategySolver:
    """The next best responses are against the least exploitable mixture found."""

    stops = (10, 100, 1000)

    def get_meta_strategy(self, game, policy_sets, meta_games):
        return least_exploitable(game, averages(game, self.stops))


class EvalMetaStrategySolver:
    """The population is judged by the least exploitable mixture found in this call or an earlier one."""

    stops = (10, 100, 1000, 10_000)
    last = None

    def get_meta_strategy(self, game, policy_sets, meta_games):
        profiles = averages(game, self.stops)
        if self.last is not None:
            profiles.append([np.pad(x, (0, game.num_policies(p) - len(x))) for p, x in enumerate(self.last)])
        self.last = least_exploitable(game, profiles)
        return self.last
