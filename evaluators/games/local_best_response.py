"""A lower bound of the exploitability of an OpenSpiel policy, by play, where the game is too large to be walked.

Whatever strategy answers a policy, what it wins in the mean is at most what a best response wins. Local best response
(Lisy and Bowling 2017) is one such strategy that is strong without a search of the game: at an information state it
weighs the histories that it may stand for by Bayes' rule, and plays the action that would do best if it went on by
some fixed rule. Theirs is to check and call, which only poker has; here it is the policy itself unless another is
given, so that the answer improves on the policy by one step. Histories and what follows are sampled, which makes the
answer weaker and leaves the bound one.

The answering strategy must know no more than its player does. It sees its information state strings along a history,
also where others move, so the bound holds for games of perfect recall in OpenSpiel's sense: an information state
string contains what those before it contain.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, variance
from typing import Any

import pyspiel

from evaluators.contract import GameError, InputError
from evaluators.games.compile import load_turn_based
from evaluators.games.suites import resolve

World = tuple[Any, float]
"""A state, and how likely the player thinks that it is, up to a factor."""


@dataclass(frozen=True)
class LowerBound:
    """At most the exploitability (NashConv / 2) of a policy, up to sampling.

    Attributes:
        value: mean over episodes; below zero where the policy is hard to exploit.
        stderr: its standard error.
        episodes: games that were played in either seat.
    """

    value: float
    stderr: float
    episodes: int


def exploitability_lower_bound(
    game: Any,
    policy: Any,
    *,
    episodes: int = 1000,
    continuation: Any = None,
    rollouts: int = 50,
    worlds: int = 100,
    seed: int = 0,
) -> LowerBound:
    """Return a lower bound of a policy's exploitability: what local best responses to it win, in both seats.

    Args:
        game: a ``pyspiel.Game`` of turns with two players and a constant sum of payoffs, or the name of one.
        policy: an OpenSpiel policy for both players: ``action_probabilities(state)``.
        episodes: to play in either seat, at least two.
        continuation: the policy by which the answer expects to go on itself; `policy` if None.
        rollouts: playouts for each action of an information state.
        worlds: histories that an information state is taken to stand for, at most; drawn if there are more.
        seed: of everything that is sampled.

    Raises:
        GameError: another kind of game.
        InputError: fewer than two episodes, or no playout or world.
    """
    if isinstance(game, str):
        game = load_turn_based(resolve(game).game_string)
    kind = game.get_type()
    constant = (pyspiel.GameType.Utility.ZERO_SUM, pyspiel.GameType.Utility.CONSTANT_SUM)
    sequential = (
        kind.dynamics == pyspiel.GameType.Dynamics.SEQUENTIAL and kind.provides_information_state_string
    )
    if game.num_players() != 2 or kind.utility not in constant or not sequential:
        raise GameError(
            f"{game}: expected a game of turns with two players, a constant sum and information state strings.",
            "Give pyspiel.convert_to_turn_based(game) where moves are simultaneous.",
        )
    if episodes < 2 or rollouts < 1 or worlds < 1:
        raise InputError("lower bound: expected at least two episodes, one rollout and one world.")
    rng = random.Random(seed)
    won = []
    for player in range(2):
        answer = _Answer(game, player, policy, continuation or policy, rollouts, worlds, rng)
        won.append([answer.play() for _ in range(episodes)])
    value = (fmean(won[0]) + fmean(won[1]) - (game.utility_sum() or 0.0)) / 2
    stderr = math.sqrt((variance(won[0]) + variance(won[1])) / episodes) / 2
    return LowerBound(value, stderr, episodes)


class _Answer:
    """A local best response of one player. What it decided at an information state it keeps to."""

    def __init__(
        self,
        game: Any,
        player: int,
        policy: Any,
        continuation: Any,
        rollouts: int,
        worlds: int,
        rng: random.Random,
    ) -> None:
        self._game, self._player, self._policy, self._continuation = game, player, policy, continuation
        self._rollouts, self._worlds, self._rng = rollouts, worlds, rng
        self._decisions: dict[str, int] = {}

    def play(self) -> float:
        """Play an episode against the policy; what the player wins."""
        state = self._game.new_initial_state()
        seen: list[str] = []
        while not state.is_terminal():
            own = state.current_player() == self._player
            state = state.child(self._decision(state, seen) if own else self._drawn(state))
            if not state.is_terminal():
                seen.append(state.information_state_string(self._player))
        return float(state.returns()[self._player])

    def _decision(self, state: Any, seen: Sequence[str]) -> int:
        """The action at an information state, of which `state` is read no more than its player may."""
        key = state.information_state_string(self._player)
        if key not in self._decisions:
            worlds = self._consistent(seen)
            # Without a world, all being lost by drawing, the player goes on by the fixed rule.
            self._decisions[key] = self._best(worlds) if worlds else self._drawn(state)
        return self._decisions[key]

    def _best(self, worlds: Sequence[World]) -> int:
        states, weights = zip(*worlds, strict=True)
        drawn = self._rng.choices(states, weights, k=self._rollouts)
        actions = states[0].legal_actions()
        return int(
            max(actions, key=lambda action: fmean(self._playout(state.child(action)) for state in drawn))
        )

    def _playout(self, state: Any) -> float:
        while not state.is_terminal():
            state.apply_action(self._drawn(state))
        return float(state.returns()[self._player])

    def _consistent(self, seen: Sequence[str]) -> list[World]:
        """Histories that the player cannot tell from this one, at any of its states, with their probabilities."""
        worlds: list[World] = [(self._game.new_initial_state(), 1.0)]
        for key in seen:
            worlds = [
                (child, weight * chance)
                for state, weight in worlds
                for action, chance in self._moves(state)
                if chance > 0 and self._indistinguishable(child := state.child(action), key)
            ]
            if len(worlds) > self._worlds:
                worlds = self._rng.sample(worlds, self._worlds)
        return worlds

    def _indistinguishable(self, state: Any, key: str) -> bool:
        return not state.is_terminal() and state.information_state_string(self._player) == key

    def _moves(self, state: Any) -> list[tuple[int, float]]:
        """What may happen and how likely that is; the player's own actions, which it remembers, have probability 1."""
        if state.is_chance_node():
            return list(state.chance_outcomes())
        if state.current_player() == self._player:
            return [(action, 1.0) for action in state.legal_actions()]
        return list(self._policy.action_probabilities(state).items())

    def _drawn(self, state: Any) -> int:
        if state.is_chance_node():
            outcomes = state.chance_outcomes()
        else:
            own = state.current_player() == self._player
            outcomes = (self._continuation if own else self._policy).action_probabilities(state).items()
        actions, chances = zip(*outcomes, strict=True)
        return int(self._rng.choices(actions, chances)[0])
