"""CFR programs as OpenSpiel solvers: the calls of ``open_spiel.python.algorithms.cfr.CFRSolver``, on any game.

The game is compiled to sequence form once, so an iteration costs microseconds where OpenSpiel walks a tree. The
program runs in the sandbox, as it does in a search, unless its owner decides otherwise.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from evaluators.cfr import checkpoints
from evaluators.cfr.checkpoints import Checkpoint, CheckpointError
from evaluators.cfr.domain import DOMAIN
from evaluators.cfr.loop import CfrRun, shared_bytes
from evaluators.contract import GameError
from evaluators.games import policies
from evaluators.games.form import Floats
from evaluators.games.game import Game
from evaluators.games.openspiel_games import both
from evaluators.hosted import HostedProgram, ProgramFailed
from sandbox.base import Limits, Sandbox
from sandbox.process import ProcessSandbox

__all__ = ["CfrSolver", "CheckpointError", "ProgramFailed"]


class CfrSolver(HostedProgram):
    """A CFR program at work on one game. A context manager; closed too when it is garbage-collected.

    Attributes:
        game: the ``pyspiel.Game`` that policies are for; turn-based, also where moves are simultaneous. None for a
            river subgame, which OpenSpiel does not have: its policies come as tables.
        game_string: what stands for `game` in files, see `both`.
    """

    called = "solver"

    def __init__(
        self, source: str, game: Any, *, sandbox: Sandbox | None = None, limits: Limits | None = None
    ) -> None:
        """Compile the game (from the cache, if it is there) and start the program.

        Args:
            source: the program.
            game: a ``pyspiel.Game`` of perfect recall, an OpenSpiel string, or a name such as ``leduc2``, ``river-3``.
            sandbox: where the program runs, which the solver closes; a process sandbox when None.
            limits: what the program may use.

        Raises:
            ProgramError: `source` is no CFR program.
            GameError: a game that cannot be compiled.
            ProgramFailed: the program does not start.
        """
        DOMAIN.check(source)
        self.game, self._game, self.game_string = both(game)
        super().__init__(sandbox or ProcessSandbox(modules=DOMAIN.sandbox_modules))
        self._shown: dict[str, Any] = {}
        prepared = DOMAIN.prepare(source)
        with self._faults():
            self._session = self._open(
                prepared.guest + DOMAIN.source_of("guest_checkpoint"),
                prepared.source,
                limits=limits or self.limits,
                shared_bytes=max(shared_bytes(self._game), checkpoints.PART + 4096),
            )
            self._play = CfrRun(prepared, self._game, self._session)
        self._source = source

    @property
    def played(self) -> Game:
        """The game as the program plays it."""
        return self._game

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
        return self._show("average", self.average_policies())

    def average_policy_table(self) -> policies.Table:
        """The average policy as information state string -> action -> probability; quick on large games.

        Raises:
            ProgramFailed: what the program accumulated is no policy.
        """
        return policies.table(self._game, self.average_policies())

    def exploitability(self) -> float:
        """NashConv / N of the average policy, exact; what OpenSpiel computes, without walking the tree.

        Raises:
            ProgramFailed: what the program accumulated is no policy.
        """
        with self._faults():
            return self._play.exploitability()

    def average_policies(self) -> list[Floats]:
        """The average policy so far, flat: (S_p,) for each player, in the order of `played`'s infosets.

        Raises:
            ProgramFailed: what the program accumulated is no policy.
        """
        with self._faults():
            return self._play.average_policies()

    def save(self, path: str | Path) -> None:
        """Write all that the solver needs to go on, bit for bit, as ``.npz`` without pickle; see `restore`.

        A program's state may be numbers, strings, arrays, lists, tuples, dicts and objects of its own classes.

        Raises:
            CheckpointError: it is something else, with its name, and the solver stays open; or no such folder.
            ProgramFailed: the program failed.
        """
        checkpoints.check_name(Path(path))
        with self._faults():
            state = checkpoints.fetch(self._session)
        about = checkpoints.about(self._source, self._game, self.iteration)
        checkpoints.write(Path(path), Checkpoint(about, self._play.policies, state))

    def restore(self, path: str | Path) -> None:
        """Go on where the solver stood that `save` wrote, of the same program, game and version.

        Raises:
            CheckpointError: no such file, or of another program, game or version.
            ProgramFailed: the program failed.
        """
        saved = checkpoints.read(Path(path), checkpoints.about(self._source, self._game, 0), self._game)
        with self._faults():
            checkpoints.push(self._session, saved.state)
        self._play.resume(saved.about.iteration, saved.policies)
        if "current" in self._shown:
            self.current_policy()

    def _show(self, which: str, flat: list[Floats]) -> Any:
        """Return the ``TabularPolicy`` that is kept for `which`, with the probabilities of a flat policy."""
        if which not in self._shown:
            self._shown[which] = self._tabular()
        self._shown[which].action_probability_array[self._rows, self._columns] = np.concatenate(flat)
        return self._shown[which]

    def _tabular(self) -> Any:
        # As OpenSpiel's own solvers make it, so that rows stand in the same order; walks the tree, once.
        from open_spiel.python.policy import TabularPolicy

        if self.game is None:
            raise GameError(
                f"{self._game.name}: expected a game that OpenSpiel has; this is a river subgame.",
                "average_policy_table() has the whole policy.",
            )
        tabular = TabularPolicy(self.game)
        rows = [tabular.state_lookup[key] for keys in policies.infosets(self._game) for key in keys]
        self._rows = np.repeat(rows, np.concatenate(self._game.num_actions))
        self._columns = np.concatenate(self._game.actions)
        return tabular
