"""Runs beside a CFR program inside the sandbox: its view of the information sets, and the three calls.

Sent as text; imports nothing but numpy. ``BadResult`` is put into the globals by the runner.
"""

import numpy as np


class InfoStates:
    """What a program sees of one player's information sets.

    Arrays over (information set, action) pairs have length S, ordered by information set, then action;
    arrays over information sets have length I.

    Attributes:
        cumulative_regret: (S,) what the RegretAccumulator last returned; zeros at first.
        cumulative_policy: (S,) what the PolicyAccumulator last returned; zeros at first.
        num_actions: (I,) legal actions of each information set.
        depth: (I,) number of the player's own earlier decisions.
        player: the player's number.
    """

    def __init__(self, player, num_actions, depth):
        self.player = player
        self.num_actions = num_actions
        self.depth = depth
        pairs = int(num_actions.sum())
        self.cumulative_regret = np.zeros(pairs)
        self.cumulative_policy = np.zeros(pairs)
        self._first = np.concatenate(([0], np.cumsum(num_actions)[:-1])).astype(np.intp)
        self._row = np.repeat(np.arange(len(num_actions)), num_actions)
        self._uniform = np.repeat(1.0 / num_actions, num_actions)

    def sum_actions(self, values):
        """Sums over the actions of each information set: (S,) -> (I,)."""
        # bincount adds in order like add.reduceat, at twice the speed on segments of a few entries.
        return np.bincount(self._row, values)

    def max_actions(self, values):
        """Maxima over the actions of each information set: (S,) -> (I,)."""
        return np.maximum.reduceat(values, self._first)

    def per_action(self, values):
        """Each information set's value repeated for its actions: (I,) -> (S,)."""
        return values[self._row]

    def normalize(self, weights):
        """Distributions proportional to the positive part of weights, uniform where there is none: (S,) -> (S,)."""
        weights = np.maximum(weights, 0.0)
        mass = np.bincount(self._row, weights)[self._row]
        if mass.min() > 0.0:
            return weights / mass
        empty = mass <= 0.0  # false for NaN, which must stay visible
        return np.where(empty, self._uniform, weights) / np.where(empty, 1.0, mass)


def checked(value, pairs, method):
    """The program's return value as float64 of shape (pairs,), or BadResult with what came instead."""
    try:
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError) as error:
        problem = f"{method}: expected an array of {pairs} numbers; got {type(value).__name__} ({error})"
        raise BadResult(problem) from None  # noqa: F821
    if array.shape != (pairs,):
        problem = (
            f"expected shape ({pairs},), one entry per (information set, action) pair; got {array.shape}"
        )
        raise BadResult(f"{method}: {problem}")  # noqa: F821
    return array


class Player:
    """One player's three objects and what they keep between iterations."""

    def __init__(self, program, player, num_actions, depth):
        self.info_states = InfoStates(player, num_actions, depth)
        self.regret = program.RegretAccumulator()
        self.next_policy = program.PolicyFromRegretAccumulator()
        self.average = program.PolicyAccumulator()
        self.policy = self.info_states._uniform.copy()

    @property
    def cumulative_policy(self):
        """(S,) what the average policy is normalised from."""
        return self.info_states.cumulative_policy

    def step(self, iteration, regrets, reach, counterfactual_reach):
        """Regrets in, next policy out; the average takes the policy of this traversal."""
        states, pairs, used = self.info_states, len(self.policy), self.policy
        states.cumulative_regret = checked(
            self.regret.update_accumulate_regret(states, iteration, regrets),
            pairs,
            "update_accumulate_regret",
        )
        states.cumulative_policy = checked(
            self.average.update_accumulate_policy(
                states, iteration, used, regrets, reach, counterfactual_reach
            ),
            pairs,
            "update_accumulate_policy",
        )
        self.policy = checked(
            self.next_policy.get_updated_current_policy(states, iteration, regrets, used),
            pairs,
            "get_updated_current_policy",
        )
        return self.policy


def handlers(make):
    """Handlers of the rule channel for one game; ``make(arrays)`` gives the players, in order."""
    players = []

    def begin(scalars, arrays):
        """Arrays: what `make` takes."""
        # Copies, because a program may keep what it is given while the channel overwrites its memory.
        players.extend(make([array.copy() for array in arrays]))
        return ()

    def step(scalars, arrays):
        """Scalars: player, 0-based iteration. Arrays: regrets (S,), reach (I,), counterfactual reach (I,) or none."""
        regrets, reach = arrays[0].copy(), arrays[1].copy()
        counterfactual = arrays[2].copy() if len(arrays) > 2 else None
        return (players[int(scalars[0])].step(int(scalars[1]), regrets, reach, counterfactual),)

    def cumulative_policy(scalars, arrays):
        """Of every player, in turn."""
        return tuple([player.cumulative_policy for player in players])

    return {"begin": begin, "step": step, "cumulative_policy": cumulative_policy}


def start(program):
    """Handlers for a program over arrays; ``begin`` takes num_actions and depth of each player in turn."""
    return handlers(
        lambda arrays: [
            Player(program, player, num_actions, depth)
            for player, (num_actions, depth) in enumerate(zip(arrays[::2], arrays[1::2], strict=True))
        ]
    )
