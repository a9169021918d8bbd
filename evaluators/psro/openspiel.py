"""PSRO programs as meta-strategy methods of OpenSpiel's ``psro_v2.PSROSolver``.

>>> method = MetaStrategyMethod(source)
>>> solver = psro_v2.PSROSolver(game, oracle, sims_per_entry, meta_strategy_method=method, ...)

The program sees the empirical payoffs that the solver has, sampled or exact. It runs in the sandbox, as it does in a
search, unless its owner decides otherwise.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from dataclasses import replace
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluators.contract import GameError, InputError, InvalidAnswer
from evaluators.games.compile import compile_loaded, turn_based
from evaluators.games.compiled import CompiledGame
from evaluators.games.form import Floats
from evaluators.games.openspiel_games import both
from evaluators.games.populations import Populations
from evaluators.games.stored_populations import StoredPopulations, stored
from evaluators.hosted import HostedProgram, ProgramFailed
from evaluators.psro.domain import DOMAIN
from evaluators.psro.loop import TENSOR_PLAYERS, Answers, MetaSolvers, PsroRun, Which, shared_bytes
from sandbox.base import Limits, Sandbox
from sandbox.process import ProcessSandbox

__all__ = ["MAX_POLICIES", "MetaStrategyMethod", "ProgramFailed", "PsroSolver"]


MAX_POLICIES = 1000
"""Policies per player that there is room for."""

Tensor = NDArray[np.float64]


class MetaStrategyMethod(HostedProgram):
    """A PSRO program for one run of ``PSROSolver``. A context manager; closed too when it is garbage-collected.

    Called as ``method(solver, return_joint=True)``, it gives the marginals and, flat, the joint distribution.
    """

    called = "meta-strategy method"
    limits = replace(HostedProgram.limits, call_wall_s=600.0)

    def __init__(
        self,
        source: str,
        which: Which = "train",
        *,
        sandbox: Sandbox | None = None,
        limits: Limits | None = None,
    ) -> None:
        """Prepare; the program starts at the first call.

        Args:
            source: the program.
            which: the solver that answers, the one for training or the one for evaluation.
            sandbox: where the program runs, which the method closes; a process sandbox when None.
            limits: what the program may use.

        Raises:
            ProgramError: `source` is no PSRO program.
        """
        DOMAIN.check(source)
        super().__init__(sandbox or ProcessSandbox(modules=DOMAIN.sandbox_modules))
        self._prepared, self._which, self._limits = DOMAIN.prepare(source), which, limits or self.limits
        self._run: _Run | None = None

    def __call__(self, solver: Any, return_joint: bool = False) -> Any:
        """The mixtures for the populations of a ``PSROSolver``.

        Args:
            solver: the solver, the same at every call.
            return_joint: whether the joint distribution is wanted too.

        Returns:
            (n_p,) weights per player; with `return_joint` a pair of them and of (product of n_p,) joint weights.

        Raises:
            ProgramFailed: with the reason.
            GameError: the program asks for best responses, in a game that cannot be compiled.
        """
        with self._faults():
            if self._run is None:
                self._run = self._started(solver)
            mixtures = self._run.ask(solver, self._which)
        return (mixtures, reduce(np.multiply.outer, mixtures).reshape(-1)) if return_joint else mixtures

    def _started(self, solver: Any) -> _Run:
        """The program at the beginning of a run."""
        wanted = self._prepared.wants_game
        run = _Run(solver, _Policies(solver.get_policies()[0][0].game) if wanted else None)
        session = self._open(
            self._prepared.guest,
            self._prepared.source,
            limits=self._limits,
            shared_bytes=shared_bytes(run.num_players, MAX_POLICIES),
            callbacks=run.answers.callbacks,
        )
        run.solvers = MetaSolvers(session, run.answers, run.num_players)
        return run


class PsroSolver(HostedProgram):
    """A PSRO program at work on one game, with exact best responses and payoffs, as in a search.

    Attributes:
        game: the ``pyspiel.Game`` that policies are for; turn-based, also where moves are simultaneous.
        game_string: what stands for `game` in files.
    """

    called = "solver"
    limits = MetaStrategyMethod.limits

    def __init__(
        self,
        source: str,
        game: Any,
        *,
        iterations: int = DOMAIN.iterations,
        sandbox: Sandbox | None = None,
        limits: Limits | None = None,
    ) -> None:
        """Compile the game and start the program, with the uniform policies.

        Args:
            source: the program.
            game: a ``pyspiel.Game`` of perfect recall, an OpenSpiel string or a short name such as ``leduc2``.
            iterations: how many there is room for.
            sandbox: where the program runs, which the solver closes; a process sandbox when None.
            limits: what the program may use.

        Raises:
            ProgramError: `source` is no PSRO program.
            InputError: too many iterations.
            GameError: a game that cannot be compiled to a tree.
            ProgramFailed: the program does not start.
        """
        DOMAIN.check(source)
        if iterations >= MAX_POLICIES:
            raise InputError(f"PSRO: expected fewer than {MAX_POLICIES} iterations; got {iterations}.")
        self.game, ours, self.game_string = both(game)
        if not isinstance(ours, CompiledGame):
            raise GameError(f"{ours.name}: expected a game that is compiled to a tree, for PSRO.")
        super().__init__(sandbox or ProcessSandbox(modules=DOMAIN.sandbox_modules))
        self._game, self._iterations = ours, iterations
        self._judged: tuple[int, list[Floats]] = (-1, [])
        with self._faults():
            self._play = PsroRun(
                DOMAIN.prepare(source), ours, iterations + 1, self._sandbox, limits or self.limits
            )

    @property
    def iteration(self) -> int:
        """Iterations done so far."""
        return self._play.iteration

    def evaluate_and_update_policy(self) -> None:
        """Do one iteration: mixtures, best responses to them, payoffs.

        Raises:
            ProgramFailed: with the reason.
            InputError: there is no room for more.
        """
        if self.iteration == self._iterations:
            raise InputError(
                f"PSRO: expected at most {self._iterations} iterations, which there is room for."
            )
        with self._faults():
            self._play.iterate()

    def exploitability(self) -> float:
        """NashConv / N of the mixtures by which the populations are judged, exact.

        Raises:
            ProgramFailed: with the reason.
        """
        return self._play.populations.exploitability(self._mixtures())

    def populations(self) -> StoredPopulations:
        """Every player's policies, and the mixtures by which they are judged.

        Raises:
            ProgramFailed: with the reason.
            GameError: two players share an information state string.
        """
        return stored(self._game, self.game_string, self._play.populations, self._mixtures())

    def _mixtures(self) -> list[Floats]:
        """Mixtures that judge the populations, asked for once: a program with a memory may answer otherwise again."""
        if self._judged[0] != self.iteration:
            with self._faults():
                self._judged = self.iteration, self._play.mixtures()
        return self._judged[1]


class _Run:
    """What the program is told and answered of one ``PSROSolver``: its payoffs, and its policies if they are wanted."""

    solvers: MetaSolvers

    def __init__(self, solver: Any, policies: _Policies | None) -> None:
        self._solver: Any = weakref.ref(solver)
        self._policies = policies
        self._meta_games: list[Tensor] = []
        self.num_players = len(solver.get_meta_game())
        self._sent = [0] * self.num_players
        self._iteration = 0
        self.answers = Answers(self._sizes, self._deviations, self._best_values, self._best_payoffs)

    def _sizes(self) -> list[int]:
        """Policies per player."""
        return list(self._meta_games[0].shape)

    def _deviations(self, player: int, weights: Floats) -> Floats:
        payoffs = self._meta_games[player]
        mixtures = np.split(weights, np.cumsum(self._sizes())[:-1])
        for q in reversed(range(self.num_players)):
            if q != player:
                payoffs = np.tensordot(payoffs, mixtures[q], axes=(q, 0))
        return np.ascontiguousarray(payoffs)

    def _best_values(self, mixtures: list[Floats]) -> Floats:
        return self._populations("best_response_values").values(mixtures).best

    def _best_payoffs(self, mixtures: list[Floats]) -> list[Floats]:
        return self._populations("best_response_payoffs").best_response_payoffs(mixtures)

    def _populations(self, asked: str) -> Populations:
        """Return the policies as plans, which a program has that names what it asks for."""
        if self._policies is None:
            raise InvalidAnswer(f"{asked}: expected the program to name it in its source")
        return self._policies.populations

    def ask(self, solver: Any, which: Which) -> list[Floats]:
        """Send what is new, and ask for mixtures.

        Iterations are counted in policies: a method that evaluates may be asked now and then only.
        """
        if self._solver() is not solver:
            raise RuntimeError(
                "meta-strategy method: expected the same solver at every call; make one for each"
            )
        self._meta_games = [np.asarray(game, np.float64) for game in solver.get_meta_game()]
        sizes = self._sizes()
        self._iteration = max(sizes) - 1
        if max(sizes) > MAX_POLICIES:
            raise InputError(f"PSRO: expected at most {MAX_POLICIES} policies per player; got {max(sizes)}.")
        policies = solver.get_policies()
        while self._sent != sizes:
            self._extend(sizes, policies)
        return self.solvers.ask(which, self._iteration)

    def _extend(self, sizes: Sequence[int], policies: Any) -> None:
        """Send the next policy of every player that has one more than was sent."""
        old, new = self._sent, [min(a + 1, n) for a, n in zip(self._sent, sizes, strict=True)]
        records, blocks = [], []
        for p in range(self.num_players):
            rows = [self._record(p, k, policies[p][k]) for k in range(old[p], new[p])]
            records.append(np.array(rows, np.int64).reshape(-1, 3))
            if self.num_players <= TENSOR_PLAYERS:
                ranges = (*map(slice, new[:p]), slice(old[p], new[p]), *map(slice, old[p + 1 :]))
                blocks.append(np.stack([game[ranges] for game in self._meta_games]))
        self.solvers.extend(records, iteration=self._iteration)
        if blocks:
            self.solvers.tell("meta_games", blocks, iteration=self._iteration)
        self._sent = new

    def _record(self, player: int, k: int, policy: Any) -> tuple[int, int, int]:
        """Of the policy that was added k-th: after so many iterations, where one adds one policy to each population."""
        if self._policies is None:
            return k, -1, -1
        support, pure = self._policies.add(player, policy)
        return k, int(pure), support


class _Policies:
    """OpenSpiel policies as realization plans, which takes the game in sequence form."""

    def __init__(self, game: Any) -> None:
        """Compile the game.

        Raises:
            GameError: moves are simultaneous, or it cannot be compiled.
        """
        name = str(game)
        if turn_based(game, name) is not game:
            raise GameError(
                f"{name}: expected a game of turns, for a program that asks for best responses or supports.",
                "Give the solver pyspiel.convert_to_turn_based(game).",
            )
        self.populations = Populations(CompiledGame(name, compile_loaded(game, name)))
        self._states = _states(game)

    def add(self, player: int, policy: Any) -> tuple[int, bool]:
        """Append an OpenSpiel policy to a player's population; see `Populations.support`."""
        game = self.populations.game
        actions, offset = game.actions[player], game.form.trees[player].offset
        flat = np.zeros(game.num_pairs[player])
        for i, key in enumerate(game.form.infoset_keys(player)):
            chances = policy.action_probabilities(self._states[player, key], player)
            for j in range(offset[i], offset[i + 1]):
                flat[j] = chances.get(int(actions[j]), 0.0)
        self.populations.add(player, game.plan(player, game.project(player, flat)))
        return self.populations.support(player, -1)


def _states(game: Any) -> dict[tuple[int, str], Any]:
    """A state of every information set, by player and information state string."""
    states: dict[tuple[int, str], Any] = {}
    stack = [game.new_initial_state()]
    while stack:
        state = stack.pop()
        if state.is_terminal():
            continue
        if not state.is_chance_node():
            player = state.current_player()
            states.setdefault((player, state.information_state_string(player)), state)
        stack += [state.child(action) for action in state.legal_actions()]
    return states
