"""Anytime double oracle (ADO) by RM-BR: each player's mixture that the full game exploits least.

McAleer et al., "Anytime PSRO for Two-Player Zero-Sum Games", 2022, arXiv 2201.07700.
Double oracle solves the game in which both players have their populations alone. Here one player has its population
and the opponent the full game, a game for each player: max over x of the least that x gets against any opponent. It is
solved by regret minimisation against best responses (RM-BR). With u the payoffs of a player's policies against the
opponent's best response, in the full game, to x: R = [R + u - x.u]+; x = R / sum R, uniform where there is none; step t
weighs t in the average. As populations grow the maxima can only rise, so exploitability never does; since steps are
few here, the evaluation also keeps each player's last mixture where that one gets more in its worst case.
The next best responses are against these averages, and are to be new ones. At a maximum several are equally good, of
which the oracle gives one: where that one gives the player's policies the same payoffs as a policy that the opponent
has, training takes the last x of the loop whose best response does not. Without this Kuhn ends at 0.033, not at 0.002.
The paper takes any regret minimiser. Regret matching+, the numbers of steps, within the limit of 1,000 questions a
call, and how to come by a new best response are choices of this project. For two players and zero sum alone.
"""

import numpy as np


class Loop:
    """Regret matching+ of each player against best responses to it.

    Attributes:
        mixtures: (n_p,) now.
        totals: (n_p,) sums of mixtures, weighted by the number of the step.

    Raises:
        ValueError: the game is not for two players.
    """

    def __init__(self, game):
        if game.num_players != 2:
            raise ValueError(
                "anytime_double_oracle: expected a two-player zero-sum game; "
                f"this one has {game.num_players} players"
            )
        self.mixtures = [np.full(n, 1.0 / n) for n in map(game.num_policies, range(2))]
        self.totals, self._regrets = ([np.zeros_like(x) for x in self.mixtures] for _ in range(2))

    def step(self, payoffs, number):
        """Go on, given what each policy gets against the best response to its player's mixture."""
        for p, (x, u) in enumerate(zip(self.mixtures, payoffs)):
            self.totals[p] += number * x
            self._regrets[p] = np.maximum(self._regrets[p] + u - x @ u, 0.0)
            mass = self._regrets[p].sum()
            self.mixtures[p] = self._regrets[p] / mass if mass > 0.0 else np.full(len(x), 1.0 / len(x))

    def averages(self):
        """Distributions in proportion to the sums."""
        return [total / total.sum() for total in self.totals]


def is_new(payoffs, known):
    """Whether a best response gives other payoffs, (n_p,), than each of the opponent's policies, (n_p, n_q)."""
    return np.abs(known - payoffs[:, None]).max(axis=0).min() > 1e-9 * np.abs(known).max()


class TrainMetaStrategySolver:
    """The next best responses are against the least exploitable mixtures."""

    steps = 200

    def get_meta_strategy(self, game, policy_sets, meta_games):
        loop = Loop(game)
        known = meta_games[0], meta_games[1].T
        found = [None, None]
        for number in range(1, self.steps + 1):
            payoffs = game.best_response_payoffs(loop.mixtures)
            found = [x if is_new(u, m) else y for x, u, m, y in zip(loop.mixtures, payoffs, known, found)]
            loop.step(payoffs, number)
        averages = loop.averages()
        at_end = zip(averages, game.best_response_payoffs(averages), known, found)
        return [x if y is None or is_new(u, m) else y for x, u, m, y in at_end]


class EvalMetaStrategySolver:
    """The population is judged by the least exploitable mixtures of this call or the one before."""

    steps = 998
    last = None

    def get_meta_strategy(self, game, policy_sets, meta_games):
        loop = Loop(game)
        for number in range(1, self.steps + 1):
            loop.step(game.best_response_payoffs(loop.mixtures), number)
        choices = [loop.averages()]
        if self.last is not None:
            choices.append([np.pad(x, (0, game.num_policies(p) - len(x))) for p, x in enumerate(self.last)])
        worst = [[x @ u for x, u in zip(each, game.best_response_payoffs(each))] for each in choices]
        self.last = [choices[int(np.argmax(values))][p] for p, values in enumerate(zip(*worst))]
        return self.last
