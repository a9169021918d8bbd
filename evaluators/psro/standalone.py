"""Plays a PSRO program in OpenSpiel's psro_v2, with nothing but OpenSpiel and what that needs.

Its text stands at the end of every exported program (see `evaluators.scripts`), after that of the guest. It shares
no code with the engine: best responses, payoffs and exploitability are OpenSpiel's own.
"""

import contextlib
import io
import random
import sys
from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any, ClassVar

import numpy as np
import pyspiel
from numpy.typing import NDArray
from open_spiel.python import policy
from open_spiel.python.algorithms.psro_v2 import psro_v2, utils

TIE = 1e-10
TENSOR_PLAYERS = 3


class MetaStrategyMethod:
    """A PSRO program for one run of ``PSROSolver``; `start` is the guest's function, `program` the module."""

    at_work: ClassVar["MetaStrategyMethod | None"] = None

    def __init__(
        self, start: Callable[[Any], Any], program: Any, which: str, *, wants_support: bool = False
    ) -> None:
        random.seed(0)
        np.random.seed(0)  # A program that draws finds it in this state in the sandbox too.
        self._call, self._which, self._wants_support = start(program), which, wants_support
        self._solver: Any = None
        self._sent: list[int] = []
        self._meta_games: list[NDArray[Any]] = []
        self._tables: dict[tuple[int, int], Any] = {}

    def __call__(self, solver: Any, return_joint: bool = False) -> Any:
        """The mixtures for the solver's populations; with `return_joint` a pair of them and their joint, flat."""
        if self._solver is None:
            self._solver, self._sent = solver, [0] * len(solver.get_meta_game())
            self._call["begin"]((len(self._sent),), ())
        if solver is not self._solver:
            raise ValueError("expected the same solver at every call; make a method for each")
        MetaStrategyMethod.at_work = self
        self._meta_games = [np.asarray(game, np.float64) for game in solver.get_meta_game()]
        sizes = list(self._meta_games[0].shape)
        while self._sent != sizes:
            self._extend([min(a + 1, n) for a, n in zip(self._sent, sizes, strict=True)])
        mixtures = [distribution(weights) for weights in self._call[self._which]((max(sizes) - 1,), ())]
        return (mixtures, reduce(np.multiply.outer, mixtures).reshape(-1)) if return_joint else mixtures

    def answer(self, name: str, scalars: Sequence[int], arrays: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        """What the program asks for with mixtures, one after the other in one array."""
        mixtures = np.split(arrays[0], np.cumsum(self._meta_games[0].shape)[:-1])
        if name == "best_response_values":
            return [self._best_values(mixtures)]
        if name == "best_response_payoffs":
            return self._best_payoffs([distribution(weights) for weights in mixtures])
        players = range(len(mixtures)) if scalars[0] < 0 else [int(scalars[0])]
        return [self._deviations(player, mixtures) for player in players]

    def _extend(self, new: list[int]) -> None:
        """Tell of the next policy of every player that has one."""
        old, self._sent = self._sent, new
        policies = self._solver.get_policies()
        rows = [[self._record(p, k, policies[p][k]) for k in range(old[p], new[p])] for p in range(len(new))]
        self._call["extend"]((), [np.array(own, np.int64).reshape(-1, 3) for own in rows])
        if len(new) <= TENSOR_PLAYERS:
            blocks = []
            for p in range(len(new)):
                ranges = (*map(slice, new[:p]), slice(old[p], new[p]), *map(slice, old[p + 1 :]))
                blocks.append(np.stack([game[ranges] for game in self._meta_games]))
            self._call["meta_games"]((), blocks)

    def _record(self, player: int, k: int, own: Any) -> tuple[int, int, int]:
        if not self._wants_support:
            return k, -1, -1
        played: dict[str, int] = {}
        _supports(self._game().new_initial_state(), player, own, played)
        return k, int(all(n == 1 for n in played.values())), sum(played.values())

    def _deviations(self, player: int, mixtures: Sequence[NDArray[Any]]) -> NDArray[Any]:
        payoffs = self._meta_games[player]
        for q in reversed(range(len(mixtures))):
            if q != player:
                payoffs = np.tensordot(payoffs, mixtures[q], axes=(q, 0))
        return payoffs

    def _best_values(self, mixtures: Sequence[NDArray[Any]]) -> NDArray[Any]:
        game = self._game()
        table, root = mixed(game, self._solver.get_policies(), mixtures), game.new_initial_state()
        players = range(game.num_players())
        return np.array([pyspiel.TabularBestResponse(game, p, table).value_from_state(root) for p in players])

    def _best_payoffs(self, mixtures: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        """What each policy gets against the others' best responses to the mixtures; a walk of the tree for each."""
        game = self._game()
        responses = best_tables(game, mixed(game, self._solver.get_policies(), mixtures))
        payoffs = []
        for p, weights in enumerate(mixtures):
            root, joint = game.new_initial_state(), list(responses)
            payoffs.append(np.empty(len(weights)))
            for k in range(len(weights)):
                joint[p] = self._alone(p, k)
                payoffs[p][k] = pyspiel.expected_returns(root, joint, -1, True)[p]
        return payoffs

    def _alone(self, player: int, k: int) -> Any:
        """One policy of a population as OpenSpiel's compiled table, where the other players have their first."""
        if (player, k) not in self._tables:
            policies = self._solver.get_policies()
            chosen = [np.eye(len(own))[k if p == player else 0] for p, own in enumerate(policies)]
            self._tables[player, k] = pyspiel.TabularPolicy(mixed(self._game(), policies, chosen))
        return self._tables[player, k]

    def _game(self) -> Any:
        return self._solver.get_policies()[0][0].game


def distribution(weights: NDArray[Any]) -> NDArray[Any]:
    """The distribution that non-negative weights stand for."""
    if not np.isfinite(weights).all() or weights.min() < -1e-9 or weights.max() <= 0.0:
        raise ValueError(f"expected finite weights, none below zero, not all zero; got {weights}")
    scaled = np.maximum(weights, 0.0) / weights.max()
    return np.asarray(scaled / scaled.sum())


def _supports(state: Any, player: int, own: Any, played: dict[str, int]) -> None:
    """Information states that a policy itself reaches -> how many actions it plays there."""
    if state.is_terminal():
        return
    actions = state.legal_actions()
    if not state.is_chance_node() and state.current_player() == player:
        chances = own.action_probabilities(state, player)
        actions = [action for action in actions if chances.get(action, 0.0) > 0.0]
        played[state.information_state_string(player)] = len(actions)
    for action in actions:
        _supports(state.child(action), player, own, played)


class Table(policy.Policy):  # type: ignore[misc]
    """One of OpenSpiel's compiled tables with the calls of its Python policies."""

    def __init__(self, game: Any, table: Any) -> None:
        super().__init__(game, list(range(game.num_players())))
        self.table = table

    def action_probabilities(self, state: Any, player_id: int | None = None) -> dict[int, float]:
        """Action -> probability."""
        player = state.current_player() if player_id is None else player_id
        return dict(self.table.action_probabilities(state.information_state_string(player)))


class Exact(psro_v2.PSROSolver):  # type: ignore[misc]
    """OpenSpiel's solver with expected payoffs instead of sampled ones."""

    def sample_episodes(self, policies: Sequence[Table], num_episodes: int) -> NDArray[Any]:
        """(N,) expected returns."""
        root = self._game.new_initial_state()
        return np.array(pyspiel.expected_returns(root, [p.table for p in policies], -1, True))


def mixed(game: Any, policies: Any, mixtures: Any) -> dict[str, list[tuple[int, float]]]:
    """Information state -> (action, probability): the policy that plays like the populations' mixtures."""
    tables = utils.aggregate_policies(game, policies, mixtures).policy
    return {key: list(row.items()) for table in tables for key, row in table.items()}


def best_responses(game: Any, parameters: Any, **_: Any) -> list[list[Table]]:
    """OpenSpiel's best responses to the mixtures."""
    chosen = parameters[0][0]
    table = mixed(game, chosen["total_policies"], chosen["probabilities_of_playing_policies"])
    return [[Table(game, response)] for response in best_tables(game, table)]


def best_tables(game: Any, table: dict[str, list[tuple[int, float]]]) -> list[Any]:
    """Every player's best response to a policy of all, which plays all actions of equal value alike."""
    responses = [pyspiel.TabularBestResponse(game, p, table, -1.0, TIE) for p in range(game.num_players())]
    return [one.get_best_response_policy() for one in responses]


def solve(name: str, train: MetaStrategyMethod) -> Any:
    """A PSRO solver on a game, with exact payoffs and best responses, at its beginning."""
    game = pyspiel.load_game_as_turn_based(name)
    start = [Table(game, pyspiel.UniformRandomPolicy(game))] * game.num_players()
    with contextlib.redirect_stdout(io.StringIO()):
        return Exact(
            game,
            best_responses,
            1,
            initial_policies=start,
            meta_strategy_method=train,
            training_strategy_selector="probabilistic",
            sample_from_marginals=True,
        )


def main(method: Callable[[str], MetaStrategyMethod]) -> None:
    """Command line: an OpenSpiel string and a number of iterations; prints the exploitability on the way."""
    name = sys.argv[1] if len(sys.argv) > 1 else "kuhn_poker(players=2)"
    iterations = int(sys.argv[2]) if len(sys.argv) > 2 else 20
    solver, judge = solve(name, method("train")), method("eval")
    game = pyspiel.load_game_as_turn_based(name)
    for k in range(1, iterations + 1):
        solver.iteration()
        if k == iterations or str(k).rstrip("0") in ("1", "2", "5"):
            table = mixed(game, solver.get_policies(), judge(solver))
            print(k, pyspiel.nash_conv(game, table) / game.num_players(), flush=True)
