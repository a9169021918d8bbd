"""SHOR-PSRO: smoothed hybrid optimistic regret.

Li, Schultz, Hennes, Lanctot, arXiv 2602.16928, 2026; found by AlphaEvolve.
An inner loop, players in order, later ones against the new mixtures of earlier ones. With v the payoffs of a player's
policies, c = v - mean(v), c' the c of the step before (0 at first), x uniform and R = 0 at first:
g = (1 + m) c - m c' + d (1 - x), divided by max |g| where that exceeds 1e-8; R = [R + g]+; o = R / sum R, uniform
where the sum is at most 1e-12; x = (1 - b) o + b softmax(v / T).
Training: the average of clip(1000 + 20 (n-1), 1000, 5000) steps, n the number of policies; m = 0.5; linearly in
min(1, call / 75), which is 1/75 in the first call, b 0.3 -> 0.05, T 0.5 -> 0.01, d 0.05 -> 0.001. Evaluation: the last
of clip(8000 + 50 (n-1), 8000, 15000) steps; m = 0.2, b = 0.01, T = 0.001, d = 0. Temperatures have an absolute scale:
unlike most meta-strategies, this one plays differently when payoffs are multiplied.
"""

import numpy as np


def softmax(values):
    """Distribution in proportion to the exponentials of `values`."""
    weights = np.exp(values - values.max())
    return weights / weights.sum()


def hybrid(game, steps, momentum, blend, temperature, diversity):
    """The last mixtures and the sums over all steps, each a vector per player."""
    mixtures = [np.full(n, 1.0 / n) for n in map(game.num_policies, range(game.num_players))]
    regrets, previous, totals = ([np.zeros_like(x) for x in mixtures] for _ in range(3))
    for _ in range(steps):
        for p, x in enumerate(mixtures):
            values = game.deviation_payoffs(mixtures, player=p)
            centred = values - values.sum() / len(values)
            gain = (1.0 + momentum) * centred - momentum * previous[p] + diversity * (1.0 - x)
            previous[p] = centred
            largest = np.abs(gain).max()
            if largest > 1e-8:
                gain /= largest
            regrets[p] = np.maximum(regrets[p] + gain, 0.0)
            mass = regrets[p].sum()
            optimistic = regrets[p] / mass if mass > 1e-12 else 1.0 / len(x)
            mixtures[p] = (1.0 - blend) * optimistic + blend * softmax(values / temperature)
            totals[p] += mixtures[p]
    return mixtures, totals


class TrainMetaStrategySolver:
    """Averages the inner loop; its smoothing and its taste for rare policies fade over the run."""

    fewest, most, more_per_policy = 1000, 5000, 20
    calls = 0

    def get_meta_strategy(self, game, policy_sets, meta_games):
        self.calls += 1
        done = min(1.0, self.calls / 75)
        largest = max(game.num_policies(p) for p in range(game.num_players))
        _, totals = hybrid(
            game, min(self.fewest + self.more_per_policy * (largest - 1), self.most), momentum=0.5,
            blend=0.3 + done * (0.05 - 0.3), temperature=0.5 + done * (0.01 - 0.5),
            diversity=0.05 + done * (0.001 - 0.05),
        )
        return totals


class EvalMetaStrategySolver:
    """The last mixture of a longer and nearly greedy inner loop."""

    fewest, most, more_per_policy = 8000, 15_000, 50

    def get_meta_strategy(self, game, policy_sets, meta_games):
        largest = max(game.num_policies(p) for p in range(game.num_players))
        last, _ = hybrid(
            game, min(self.fewest + self.more_per_policy * (largest - 1), self.most), momentum=0.2,
            blend=0.01, temperature=0.001, diversity=0.0,
        )
        return last
