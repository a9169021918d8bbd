"""The whole loop against OpenSpiel's ``psro_v2`` with exact payoffs and an oracle of the same tie rule.

The oracle here walks OpenSpiel's tree and plays uniformly over actions whose values differ by at most 1e-10 of what is
at stake, which OpenSpiel's own best responders cannot.
"""

from collections import defaultdict

import numpy as np
import pyspiel
import pytest

import seeds
from evaluators.games.loading import load_tree
from evaluators.psro.domain import DOMAIN
from evaluators.psro.loop import PsroRun
from sandbox.base import Limits
from sandbox.inprocess import InProcessSandbox

pytestmark = pytest.mark.slow

TIE = 1e-10


class Responder:
    """Best responses of one player on OpenSpiel's tree; infosets and chances are gathered from the policies."""

    def __init__(self, game, player, policy):
        self.player, self.policy = player, policy
        self.nodes = defaultdict(list)
        self.gather(game.new_initial_state(), 1.0)
        self.rows = {}
        self.values = {}

    def gather(self, state, reach):
        if state.is_terminal():
            return
        own = not state.is_chance_node() and state.current_player() == self.player
        if own:
            self.nodes[state.information_state_string()].append((state, reach))
        for action, chance in [(a, 1.0) for a in state.legal_actions()] if own else self.transitions(state):
            self.gather(state.child(action), reach * chance)

    def transitions(self, state):
        if state.is_chance_node():
            return state.chance_outcomes()
        return list(self.policy.action_probabilities(state, state.current_player()).items())

    def value(self, state):
        """The value of a history under the best response, and what is at stake there, |u| in place of u."""
        key = state.history_str()
        if key not in self.values:
            if state.is_terminal():
                u = state.player_return(self.player)
                found = u, abs(u)
            elif not state.is_chance_node() and state.current_player() == self.player:
                best, most = self.row(state.information_state_string())[:2]
                found = self.value(state.child(best))[0], self.value(state.child(most))[1]
            else:
                pairs = [(c, *self.value(state.child(a))) for a, c in self.transitions(state)]
                found = sum(c * v for c, v, _ in pairs), sum(c * m for c, _, m in pairs)
            self.values[key] = found
        return self.values[key]

    def row(self, key):
        """The actions of the greatest value and of the greatest stake, and the best response's distribution."""
        if key not in self.rows:
            nodes = self.nodes[key]
            q, m = {}, {}
            for action in nodes[0][0].legal_actions():
                below = [(reach, *self.value(state.child(action))) for state, reach in nodes]
                q[action] = sum(reach * v for reach, v, _ in below)
                m[action] = sum(reach * stake for reach, _, stake in below)
            slack = TIE * max(m.values())
            tied = [a for a in q if max(q.values()) - q[a] <= slack]
            self.rows[key] = max(q, key=q.get), max(m, key=m.get), {a: 1.0 / len(tied) for a in tied}
        return self.rows[key]

    def as_policy(self):
        return pyspiel.TabularPolicy({key: list(self.row(key)[2].items()) for key in self.nodes})


class CppPolicy:
    """One player's policy from a table: Python's calls over OpenSpiel's compiled class."""

    def __init__(self, table):
        self.table = table

    def action_probabilities(self, state, player_id=None):
        return self.table.action_probabilities(state.information_state_string())


def oracle(game, training_parameters, strategy_sampler, using_joint_strategies):
    from open_spiel.python.algorithms.psro_v2 import utils

    assert not using_joint_strategies
    # The same mixtures for all players: aggregated once, since that is most of a run's time.
    first = training_parameters[0][0]
    policies, weights = first["total_policies"], first["probabilities_of_playing_policies"]
    policy = utils.aggregate_policies(game, policies, weights)
    return [[CppPolicy(Responder(game, p, policy).as_policy())] for p in range(len(training_parameters))]


def exact(state, policies):
    """(N,) expected returns, as ``expected_game_score.policy_value`` has them."""
    if state.is_terminal():
        return np.array(state.returns())
    if state.is_chance_node():
        return sum(
            chance * exact(state.child(action), policies) for action, chance in state.chance_outcomes()
        )
    chances = policies[state.current_player()].action_probabilities(state)
    return sum(chance * exact(state.child(action), policies) for action, chance in chances.items() if chance)


def psro_v2_run(game_string, iterations, payoffs):
    """OpenSpiel's solver after some iterations of the uniform method; without `payoffs` its tables are zeros."""
    from open_spiel.python.algorithms.psro_v2 import psro_v2

    class Exact(psro_v2.PSROSolver):
        def sample_episodes(self, policies, num_episodes):
            return exact(self._game.new_initial_state(), policies) if payoffs else np.zeros(self._num_players)

    game = pyspiel.load_game(game_string)
    solver = Exact(
        game,
        oracle,
        1,
        meta_strategy_method="uniform",
        training_strategy_selector="probabilistic",
        sample_from_marginals=True,
    )
    for _ in range(iterations):
        solver.iteration()
    return solver


def our_run(game, iterations):
    """Populations after the same."""
    prepared = DOMAIN.prepare(seeds.source("psro", "uniform"))
    with InProcessSandbox() as sandbox:
        play = PsroRun(prepared, load_tree(game), iterations + 1, sandbox, Limits())
        for _ in range(iterations):
            play.iterate()
    return play.populations


@pytest.mark.parametrize(
    ("name", "payoffs"),
    [("kuhn2", True), ("kuhn3", False), ("leduc2", False)],
)
def test_ten_iterations_of_the_uniform_solver(name, payoffs):
    from open_spiel.python.algorithms.exploitability import nash_conv
    from open_spiel.python.algorithms.psro_v2 import utils

    ours = our_run(name, 10)
    game = ours.game
    solver = psro_v2_run(game.game_string, 10, payoffs)
    weights = solver.get_meta_strategies()
    policy = utils.aggregate_policies(pyspiel.load_game(game.game_string), solver.get_policies(), weights)
    expected = nash_conv(pyspiel.load_game(game.game_string), policy) / game.num_players
    assert ours.exploitability(weights) == pytest.approx(expected, abs=1e-9)
    if payoffs:
        for p, theirs in enumerate(solver.get_meta_game()):
            for j in range(11):
                units = [np.eye(11)[j]] * 2
                column = theirs[:, j] if p == 0 else theirs[j]
                assert ours.deviation_payoffs(p, np.concatenate(units)) == pytest.approx(column, abs=1e-9)
