"""Plays a CFR program on an OpenSpiel game with nothing but numpy and OpenSpiel.

Its text stands at the end of every exported program (see `evaluators.scripts`), after that of the guest. It shares
no code with the engine: it walks OpenSpiel's tree once and computes regrets with whole arrays, level by level.
"""

import random
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pyspiel
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Side:
    """One player's information sets, in the order of a depth-first walk's first visit.

    Arrays are flat over (information set, action) pairs. Pair j is the player's sequence j + 1; 0 is the empty one.
    """

    def __init__(self) -> None:
        self.index: dict[str, int] = {}
        self.parents: list[int] = []
        self.first: list[int] = []
        self.actions: list[list[int]] = []
        self.lengths = [0]

    def visit(self, key: str, parent: int, actions: list[int]) -> int:
        """The sequence of the first action in an information set, new or known."""
        infoset = self.index.setdefault(key, len(self.parents))
        if infoset == len(self.parents):
            self.parents.append(parent)
            self.first.append(len(self.lengths))
            self.actions.append(actions)
            self.lengths.extend([self.lengths[parent] + 1] * len(actions))
        elif self.parents[infoset] != parent:
            raise ValueError(f"expected a game of perfect recall; {key!r} is reached in two ways")
        return self.first[infoset]

    def freeze(self) -> None:
        """Make the arrays, and the levels: (infosets, their pairs, each pair's place among the infosets)."""
        self.parent = np.array(self.parents, np.int64)
        self.num_actions = np.array([len(actions) for actions in self.actions], np.int64)
        self.depth = np.array([self.lengths[parent] for parent in self.parents], np.int64)
        self.row = np.repeat(np.arange(len(self.parent)), self.num_actions)
        self.uniform: Floats = np.repeat(1.0 / self.num_actions, self.num_actions)
        self.opening = np.zeros(len(self.row))
        self.opening[np.array(self.first, np.int64) - 1] = 1.0
        self.levels = []
        for depth in range(int(self.depth.max(initial=-1)) + 1):
            infosets = np.flatnonzero(self.depth == depth)
            pairs = np.flatnonzero(self.depth[self.row] == depth)
            self.levels.append((infosets, pairs, np.searchsorted(infosets, self.row[pairs])))

    def plan(self, policy: Floats) -> Floats:
        """Probability that the player alone plays each of its sequences."""
        plan = np.ones(len(self.lengths))
        for infosets, pairs, row in self.levels:
            plan[pairs + 1] = plan[self.parent[infosets]][row] * policy[pairs]
        return plan

    def sweep(self, gains: Floats, policy: Floats | None) -> tuple[float, Floats, Floats]:
        """Values from the leaves to the root, given each sequence's own gains; a best response without a policy.

        Returns:
            The root's value, that of each information set, that of each pair.
        """
        gains = gains.copy()
        values, of_pairs = np.zeros(len(self.parent)), np.zeros(len(self.row))
        for infosets, pairs, row in reversed(self.levels):
            of_pairs[pairs] = gains[pairs + 1]
            if policy is None:
                best = np.full(len(infosets), -np.inf)
                np.maximum.at(best, row, of_pairs[pairs])
                values[infosets] = best
            else:
                values[infosets] = np.bincount(row, policy[pairs] * of_pairs[pairs], len(infosets))
            np.add.at(gains, self.parent[infosets], values[infosets])
        return float(gains[0]), values, of_pairs

    def normalized(self, weights: Floats) -> Floats:
        """Distributions proportional to the positive part of weights, uniform where there is none."""
        if not np.isfinite(weights).all():
            raise ValueError("expected finite numbers from the program")
        weights = np.maximum(weights, 0.0)
        mass = np.bincount(self.row, weights, len(self.parent))[self.row]
        return np.where(mass > 0.0, weights / np.where(mass > 0.0, mass, 1.0), self.uniform)


class Solver:
    """A CFR program at work on a game, with the calls of OpenSpiel's ``CFRSolver``.

    Args:
        start: the guest's function of that name.
        program: the module with the program's three classes.
        game: an OpenSpiel string, or a game of perfect recall.
        per_infoset: whether the program works on dictionaries.
    """

    def __init__(
        self, start: Callable[[Any], Any], program: Any, game: Any, *, per_infoset: bool = False
    ) -> None:
        loaded = pyspiel.load_game(game) if isinstance(game, str) else game
        simultaneous = loaded.get_type().dynamics == pyspiel.GameType.Dynamics.SIMULTANEOUS
        self.game = pyspiel.convert_to_turn_based(loaded) if simultaneous else loaded
        self.iteration = 0
        self.sides = [Side() for _ in range(self.game.num_players())]
        self._terminals: list[tuple[tuple[int, ...], float, list[float]]] = []
        self._walk(self.game.new_initial_state(), (0,) * len(self.sides), 1.0)
        for side in self.sides:
            side.freeze()
        self._sequence = np.array([z[0] for z in self._terminals]).T
        self._chance = np.array([z[1] for z in self._terminals])
        self._utility = self._chance * np.array([z[2] for z in self._terminals]).T
        self._policies = [side.uniform for side in self.sides]
        self._plans = [side.plan(side.uniform) for side in self.sides]
        random.seed(0)
        np.random.seed(0)  # A program that draws finds it in this state in the sandbox too.
        self._call = start(program)
        shapes = [(s.num_actions, np.concatenate([[], *s.actions]).astype(int)) for s in self.sides]
        plain = [(s.num_actions, s.depth) for s in self.sides]
        self._call["begin"]((), [array for pair in (shapes if per_infoset else plain) for array in pair])

    def evaluate_and_update_policy(self) -> None:
        """Do one iteration: every player in turn."""
        for player, side in enumerate(self.sides):
            if not side.parents:
                continue
            _, values, of_pairs = side.sweep(
                self._gains(player, self._utility[player]), self._policies[player]
            )
            _, others, _ = side.sweep(self._gains(player, self._chance), side.opening)
            own = self._plans[player][side.parent]
            arrays = (of_pairs - values[side.row], own, others)
            (policy,) = self._call["step"]((player, self.iteration), arrays)
            self._policies[player] = side.normalized(policy)
            self._plans[player] = side.plan(self._policies[player])
        self.iteration += 1

    def current_policy(self) -> dict[str, dict[int, float]]:
        """Information state string -> action -> probability, for the next iteration."""
        return self._table(self._policies)

    def average_policy(self) -> dict[str, dict[int, float]]:
        """Information state string -> action -> probability, averaged by the program so far."""
        return self._table(self._averages())

    def exploitability(self) -> float:
        """NashConv / N of the average policy."""
        policies = self._averages()
        self._plans, kept = [s.plan(x) for s, x in zip(self.sides, policies, strict=True)], self._plans
        total = 0.0
        for player, side in enumerate(self.sides):
            gains = self._gains(player, self._utility[player])
            total += side.sweep(gains, None)[0] - side.sweep(gains, policies[player])[0]
        self._plans = kept
        return total / len(self.sides)

    def _walk(self, state: Any, sequences: tuple[int, ...], chance: float) -> None:
        if state.is_terminal():
            self._terminals.append((sequences, chance, state.returns()))
        elif state.is_chance_node():
            for action, probability in state.chance_outcomes():
                if probability > 0:
                    self._walk(state.child(action), sequences, chance * probability)
        else:
            player, actions = state.current_player(), state.legal_actions()
            key = state.information_state_string(player)
            first = self.sides[player].visit(key, sequences[player], actions)
            for offset, action in enumerate(actions):
                extended = (*sequences[:player], first + offset, *sequences[player + 1 :])
                self._walk(state.child(action), extended, chance)

    def _gains(self, player: int, weight: Floats) -> Floats:
        """Sum of weight x the others' reach at each of a player's sequences."""
        for other, plan in enumerate(self._plans):
            if other != player:
                weight = weight * plan[self._sequence[other]]
        sums = np.bincount(self._sequence[player], weight, len(self.sides[player].lengths))
        return np.asarray(sums, np.float64)

    def _averages(self) -> list[Floats]:
        cumulatives = self._call["cumulative_policy"]((), ())
        return [side.normalized(cumulative) for side, cumulative in zip(self.sides, cumulatives, strict=True)]

    def _table(self, policies: list[Floats]) -> dict[str, dict[int, float]]:
        table = {}
        for side, policy in zip(self.sides, policies, strict=True):
            rows = np.split(policy, np.cumsum(side.num_actions)[:-1])
            for key, actions, row in zip(side.index, side.actions, rows, strict=False):
                table[key] = dict(zip(actions, row.tolist(), strict=True))
        return table


def main(solver: Callable[[str], Solver]) -> None:
    """Command line: an OpenSpiel string and a number of iterations; prints the exploitability on the way."""
    game = sys.argv[1] if len(sys.argv) > 1 else "leduc_poker(players=2)"
    iterations = int(sys.argv[2]) if len(sys.argv) > 2 else 1000
    work = solver(game)
    for k in range(1, iterations + 1):
        work.evaluate_and_update_policy()
        if k == iterations or str(k).rstrip("0") in ("1", "2", "5"):
            print(k, work.exploitability(), flush=True)
