"""The trusted loop of CFR: traverses the game, asks the program for policies, measures exploitability.

It runs outside the sandbox. Order within an iteration, for each player in turn (alternating updates): regrets under
the current profile -> the program's step (regret, average, next policy) -> the projected policy replaces the old one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluators.base import Instance, InvalidAnswer
from evaluators.games.game import Game, PolicyError
from evaluators.staging import Played
from sandbox.base import Limits, Sandbox, Session

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Rule:
    """A program as the loop sees it: its source, the guest that goes with it, and what it wants to be given."""

    source: str
    guest: str
    wants_counterfactual_reach: bool
    per_infoset: bool = False
    """Whether it works on dictionaries, one information set at a time (see `guest_per_infoset`)."""


def checkpoints(iterations: int) -> tuple[int, ...]:
    """About ten log-spaced iterations (1, 2, 5, 10, …), the last one included.

    Args:
        iterations: number of iterations of the run, at least 1.
    """
    steps = (m * 10**e for e in range(len(str(iterations))) for m in (1, 2, 5))
    return tuple(sorted({s for s in steps if s < iterations} | {iterations}))


def shared_bytes(game: Game) -> int:
    """Room for the largest call of a game: every array of ``begin`` at once, or one step's inputs and result."""
    begin = sum(8 * (2 * i + s) + 256 for i, s in zip(game.num_infosets, game.num_pairs, strict=True))
    step = max(2 * 8 * int(n.sum()) + 2 * 8 * len(n) for n in game.num_actions)
    return begin + step + 4096


def run(rule: Rule, instance: Instance, game: Game, sandbox: Sandbox, limits: Limits) -> Played:
    """Play one instance to its last iteration.

    Returns:
        The curve, and the session's usage.

    Raises:
        SandboxFault: the program failed (or the sandbox did, see the verdict).
        InvalidAnswer: the program returned a policy that is none.
    """
    session = sandbox.open(rule.guest, rule.source, limits=limits, shared_bytes=shared_bytes(game))
    try:
        curve = _iterate(rule, instance.iterations, game, session)
    finally:
        usage = session.close()
    return Played(curve, usage)


def _iterate(rule: Rule, iterations: int, game: Game, session: Session) -> tuple[tuple[int, float], ...]:
    play = Play(rule, game, session)
    measured = frozenset(checkpoints(iterations))
    curve: list[tuple[int, float]] = []
    for k in range(iterations):
        play.iterate()
        if k + 1 in measured:
            curve.append((k + 1, game.exploitability(play.average_policies())))
    return tuple(curve)


class Play:
    """A program at work on a game, one iteration at a time.

    Attributes:
        iteration: how many iterations are done.
        policies: (S_p,) current policy of each player, projected; the next iteration begins with them.
    """

    def __init__(self, rule: Rule, game: Game, session: Session) -> None:
        """Tell the program the game's shape; the game belongs to this play from here on."""
        self._rule, self._game, self._session = rule, game, session
        self.iteration = 0
        players = range(game.num_players)
        more = [tree.action for tree in game.form.trees] if rule.per_infoset else game.depth
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
            if self._rule.wants_counterfactual_reach:
                arrays.append(game.counterfactual_reach(p))
            (policy,) = self._session.call("step", (p, k), arrays)
            try:
                self.policies[p] = game.project(p, policy.astype(np.float64, copy=False))
            except PolicyError as error:
                raise InvalidAnswer(
                    f"get_updated_current_policy, iteration {k}, player {p}: {error}"
                ) from error
            game.set_policy(p, self.policies[p])
        self.iteration = k + 1

    def average_policies(self) -> list[Floats]:
        """(S_p,) average policy of each player so far, uniform where the program has accumulated nothing.

        Raises:
            SandboxFault: the program failed.
            InvalidAnswer: what it accumulated is no policy.
        """
        last = self.iteration - 1
        return [_average(self._game, self._session, p, last) for p in range(self._game.num_players)]


def _average(game: Game, session: Session, player: int, iteration: int) -> Floats:
    (cumulative,) = session.call("cumulative_policy", (player,))
    try:
        return game.average_policy(player, cumulative.astype(np.float64, copy=False))
    except PolicyError as error:
        raise InvalidAnswer(
            f"update_accumulate_policy, iteration {iteration}, player {player}: {error}"
        ) from error
