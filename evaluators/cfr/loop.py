"""The trusted loop of CFR: traverses the game, asks the program for policies, measures exploitability.

It runs outside the sandbox. Order within an iteration, for each player in turn (alternating updates): regrets under
the current profile -> the program's step (regret, average, next policy) -> the projected policy replaces the old one.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluators.base import Instance, InstanceResult
from evaluators.games.game import Game, PolicyError
from sandbox.base import Limits, Sandbox, Session, Usage

Floats = NDArray[np.float64]


class InvalidPolicy(Exception):
    """The program returned something that is no policy; the message says where and what."""


@dataclass(frozen=True)
class Rule:
    """A program as the loop sees it: its source, the guest that goes with it, and what it wants to be given."""

    source: str
    guest: str
    wants_counterfactual_reach: bool


def checkpoints(iterations: int) -> tuple[int, ...]:
    """About ten log-spaced iterations (1, 2, 5, 10, …), the last one included.

    Args:
        iterations: number of iterations of the run, at least 1.
    """
    steps = (m * 10**e for e in range(len(str(iterations))) for m in (1, 2, 5))
    return tuple(sorted({s for s in steps if s < iterations} | {iterations}))


def shared_bytes(game: Game) -> int:
    """Room for the largest call of a game: every array of ``begin`` at once, or one step's inputs and result."""
    begin = sum(2 * game.num_actions[p].nbytes + 256 for p in range(game.num_players))
    step = max(2 * 8 * int(n.sum()) + 2 * 8 * len(n) for n in game.num_actions)
    return begin + step + 4096


def run(
    rule: Rule, instance: Instance, game: Game, sandbox: Sandbox, limits: Limits
) -> tuple[InstanceResult, Usage]:
    """Play one instance to its last iteration.

    Returns:
        The curve with its costs, and the session's usage (with the program's log).

    Raises:
        SandboxFault: the program failed (or the sandbox did, see the verdict).
        InvalidPolicy: the program returned a policy that is none.
    """
    wall, cpu = time.perf_counter(), time.process_time()
    session = sandbox.open(rule.guest, rule.source, limits=limits, shared_bytes=shared_bytes(game))
    try:
        curve = _iterate(rule, instance.iterations, game, session)
    finally:
        usage = session.close()
    uniform = game.exploitability([game.uniform(p) for p in range(game.num_players)])
    result = InstanceResult(
        instance=instance,
        game_string=game.game_string,
        curve=curve,
        uniform=uniform,
        cpu_s=time.process_time() - cpu + usage.cpu_s,
        wall_s=time.perf_counter() - wall,
        candidate_cpu_s=usage.cpu_s,
    )
    return result, usage


def _iterate(rule: Rule, iterations: int, game: Game, session: Session) -> tuple[tuple[int, float], ...]:
    players = range(game.num_players)
    session.call("begin", (), [a for p in players for a in (game.num_actions[p], game.depth[p])])
    for p in players:
        game.set_policy(p, game.uniform(p))
    curve: list[tuple[int, float]] = []
    measured = frozenset(checkpoints(iterations))
    for k in range(iterations):
        for p in players:
            arrays = [game.regrets(p), game.reach(p)]
            if rule.wants_counterfactual_reach:
                arrays.append(game.counterfactual_reach(p))
            (policy,) = session.call("step", (p, k), arrays)
            try:
                game.set_policy(p, game.project(p, policy.astype(np.float64, copy=False)))
            except PolicyError as error:
                raise InvalidPolicy(
                    f"get_updated_current_policy, iteration {k}, player {p}: {error}"
                ) from error
        if k + 1 in measured:
            curve.append((k + 1, game.exploitability([_average(game, session, p, k) for p in players])))
    return tuple(curve)


def _average(game: Game, session: Session, player: int, iteration: int) -> Floats:
    (cumulative,) = session.call("cumulative_policy", (player,))
    try:
        return game.average_policy(player, cumulative.astype(np.float64, copy=False))
    except PolicyError as error:
        raise InvalidPolicy(
            f"update_accumulate_policy, iteration {iteration}, player {player}: {error}"
        ) from error
