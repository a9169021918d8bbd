"""The trusted loop of CFR: traverses the game, asks the program for policies, measures exploitability.

It runs outside the sandbox. Order within an iteration, for each player in turn (alternating updates): regrets under
the current profile -> the program's step (regret, average, next policy) -> the projected policy replaces the old one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evaluators.contract import InvalidAnswer
from evaluators.games.form import Floats
from evaluators.games.game import Game, PolicyError
from evaluators.games.game_domain import Prepared
from sandbox.base import Array, Session


@dataclass(frozen=True)
class CfrProgram(Prepared):
    """A program as the loop sees it, with what it wants to be given."""

    wants_counterfactual_reach: bool
    per_infoset: bool = False
    """Whether it works on dictionaries, one information set at a time (see `guest_per_infoset`)."""


def shared_bytes(game: Game) -> int:
    """Room for the largest call of a game: every array of ``begin`` at once, or one step's inputs and result."""
    sizes = tuple(zip(game.num_infosets, game.num_pairs, strict=True))
    begin = sum(8 * (2 * i + s) + 256 for i, s in sizes)
    step = max(2 * 8 * s + 2 * 8 * i for i, s in sizes)
    return begin + step + 4096


class CfrRun:
    """A program at work on a game, one iteration at a time.

    Attributes:
        iteration: how many iterations are done.
        policies: (S_p,) current policy of each player, projected; the next iteration begins with them.
        oracle_calls: none, since a program cannot ask for best responses.
    """

    oracle_calls = 0

    def __init__(self, prepared: CfrProgram, game: Game, session: Session) -> None:
        """Tell the program the game's shape; the game belongs to this play from here on."""
        self._prepared, self._game, self._session = prepared, game, session
        self.iteration = 0
        players = range(game.num_players)
        more = game.actions if prepared.per_infoset else game.depth
        session.call("begin", (), [a for p in players for a in (game.num_actions[p], more[p])])
        self._deciding = [p for p in players if game.num_pairs[p]]
        self.policies = [game.uniform(p) for p in players]
        for p in players:
            game.set_policy(p, self.policies[p])

    def iterate(self) -> None:
        """One iteration: each player in turn.

        Raises:
            SandboxFault: the program failed.
            InvalidAnswer: the program returned a policy that is none.
        """
        game, k = self._game, self.iteration
        for p in self._deciding:
            arrays = [game.regrets(p), game.reach(p)]
            if self._prepared.wants_counterfactual_reach:
                arrays.append(game.counterfactual_reach(p))
            (policy,) = _answered(self._session.call("step", (p, k), arrays), 1)
            try:
                self.policies[p] = game.project(p, policy.astype(np.float64, copy=False))
            except PolicyError as error:
                raise InvalidAnswer(
                    f"get_updated_current_policy, iteration {k}, player {p}: {error}"
                ) from error
            game.set_policy(p, self.policies[p])
        self.iteration = k + 1

    def resume(self, iteration: int, policies: list[Floats]) -> None:
        """Go on where another run stood, whose program's state this one's program has.

        Args:
            iteration: how many iterations it did.
            policies: (S_p,) its current policies.
        """
        self.iteration, self.policies = iteration, policies
        for p, policy in enumerate(policies):
            self._game.set_policy(p, policy)

    def exploitability(self) -> float:
        """Return NashConv / N of the average policies so far. Raises as `average_policies`."""
        return self._game.exploitability(self.average_policies())

    def average_policies(self) -> list[Floats]:
        """(S_p,) average policy of each player so far, uniform where the program has accumulated nothing.

        Raises:
            SandboxFault: the program failed.
            InvalidAnswer: what it accumulated is no policy.
        """
        cumulatives = _answered(self._session.call("cumulative_policy"), self._game.num_players)
        return [self._average(p, cumulative) for p, cumulative in enumerate(cumulatives)]

    def _average(self, player: int, cumulative: Array) -> Floats:
        try:
            return self._game.average_policy(player, cumulative.astype(np.float64, copy=False))
        except PolicyError as error:
            raise InvalidAnswer(
                f"update_accumulate_policy, iteration {self.iteration - 1}, player {player}: {error}"
            ) from error


def _answered(arrays: tuple[Array, ...], expected: int) -> tuple[Array, ...]:
    """The arrays of an answer, as many as expected: a program in the guest's process can send others.

    Raises:
        InvalidAnswer: they are more or fewer.
    """
    if len(arrays) != expected:
        raise InvalidAnswer(f"guest: expected {expected} arrays; got {len(arrays)}")
    return arrays
