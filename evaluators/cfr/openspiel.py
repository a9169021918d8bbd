"""CFR programs as OpenSpiel solvers: the calls of ``open_spiel.python.algorithms.cfr.CFRSolver``, on any game.

The game is compiled to sequence form once, so an iteration costs microseconds where OpenSpiel walks a tree. The
program runs in the sandbox, as it does in a search, unless its owner decides otherwise.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from evaluators.cfr.domain import DOMAIN
from evaluators.cfr.loop import CfrRun, shared_bytes
from evaluators.games import cache, matrix, policies
from evaluators.games.compile import compile_loaded, load_turn_based, turn_based
from evaluators.games.compiled import CompiledGame
from evaluators.games.form import Floats
from evaluators.games.game import Game
from evaluators.games.loading import load
from evaluators.games.suites import resolve
from evaluators.hosted import HostedProgram, ProgramFailed
from sandbox.base import Limits, Sandbox
from sandbox.process import ProcessSandbox

__all__ = ["CfrSolver", "ProgramFailed"]


class CfrSolver(HostedProgram):
    """A CFR program at work on one game. A context manager; closed too when it is garbage-collected.

    Attributes:
        game: the ``pyspiel.Game`` that policies are for; turn-based, also where moves are simultaneous.
        game_string: the string of `game`; for matrices, whose own does not name their payoffs, ours.
    """

    called = "solver"

    def __init__(
        self, source: str, game: Any, *, sandbox: Sandbox | None = None, limits: Limits | None = None
    ) -> None:
        """Compile the game (from the cache, if it is there) and start the program.

        Args:
            source: the program.
            game: a ``pyspiel.Game`` of perfect recall, an OpenSpiel string or a short name such as ``leduc2``.
            sandbox: where the program runs, which the solver closes; a process sandbox when None.
            limits: what the program may use.

        Raises:
            ProgramError: `source` is no CFR program.
            GameError: a game that cannot be compiled.
            ProgramFailed: the program does not start.
        """
        DOMAIN.check(source)
        self.game, self._game = _games(game)
        ours = self._game.game_string
        self.game_string = ours if ours.startswith(matrix.KIND) else str(self.game)
        super().__init__(sandbox or ProcessSandbox(modules=DOMAIN.sandbox_modules))
        self._shown: dict[str, Any] = {}
        prepared = DOMAIN.prepare(source)
        with self._faults():
            session = self._open(
                prepared.guest,
                prepared.source,
                limits=limits or self.limits,
                shared_bytes=shared_bytes(self._game),
            )
            self._play = CfrRun(prepared, self._game, session)

    @property
    def iteration(self) -> int:
        """Iterations done so far."""
        return self._play.iteration

    def evaluate_and_update_policy(self) -> None:
        """Do one iteration: every player in turn.

        Raises:
            ProgramFailed: with the reason.
        """
        with self._faults():
            self._play.iterate()
        if "current" in self._shown:
            self.current_policy()

    def current_policy(self) -> Any:
        """The policy that the next iteration begins with, as a ``TabularPolicy``: one object, updated in place."""
        return self._show("current", self._play.policies)

    def average_policy(self) -> Any:
        """The average policy so far as a ``TabularPolicy``: one object, which each call brings up to date.

        Raises:
            ProgramFailed: what the program accumulated is no policy.
        """
        return self._show("average", self._averages())

    def average_policy_table(self) -> policies.Table:
        """The average policy as information state string -> action -> probability; quick on large games.

        Raises:
            ProgramFailed: what the program accumulated is no policy.
        """
        return policies.table(self._game, self._averages())

    def exploitability(self) -> float:
        """NashConv / N of the average policy, exact; what OpenSpiel computes, without walking the tree.

        Raises:
            ProgramFailed: what the program accumulated is no policy.
        """
        with self._faults():
            return self._play.exploitability()

    def _averages(self) -> list[Floats]:
        with self._faults():
            return self._play.average_policies()

    def _show(self, which: str, flat: list[Floats]) -> Any:
        """Return the ``TabularPolicy`` that is kept for `which`, with the probabilities of a flat policy."""
        if which not in self._shown:
            self._shown[which] = self._tabular()
        self._shown[which].action_probability_array[self._rows, self._columns] = np.concatenate(flat)
        return self._shown[which]

    def _tabular(self) -> Any:
        # As OpenSpiel's own solvers make it, so that rows stand in the same order; walks the tree, once.
        from open_spiel.python.policy import TabularPolicy

        tabular = TabularPolicy(self.game)
        rows = [tabular.state_lookup[key] for keys in policies.infosets(self._game) for key in keys]
        self._rows = np.repeat(rows, np.concatenate(self._game.num_actions))
        self._columns = np.concatenate(self._game.actions)
        return tabular


def _games(game: Any) -> tuple[Any, Game]:
    """OpenSpiel's game, turn-based, and ours."""
    if isinstance(game, str):
        return load_turn_based(resolve(game).game_string), load(game)
    name = str(game)
    turns = turn_based(game, name)
    form = cache.load(name) if _reloads(name) else compile_loaded(turns, name)
    return turns, CompiledGame(name, form)


def _reloads(name: str) -> bool:
    """Whether a game's string stands for it; games made from tables or from text have none that does."""
    import pyspiel

    kind = name.partition("(")[0]
    if kind in ("efg_game", "nfg_game") or kind not in pyspiel.registered_names():
        return False
    try:
        return str(pyspiel.load_game(name)) == name
    except (pyspiel.SpielError, RuntimeError, ValueError):
        return False
