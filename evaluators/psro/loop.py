"""The trusted loop of PSRO: best responses, payoffs and scores; the program only chooses mixtures.

It runs outside the sandbox. Start: one uniform policy per player. An iteration: the train-time mixtures over the
populations -> every player's best response to the others' mixtures, exact and with ties played alike -> all of them
join the populations at once. At checkpoints, after that, the eval-time mixtures are asked for, and scored by their
exploitability in the full game (Lanctot et al. 2017; arXiv 2602.16928, sections 2.3 and 3.3).
"""

from __future__ import annotations

import numpy as np

from evaluators.games.form import Floats
from evaluators.games.game import Game
from evaluators.games.populations import Basis, Populations
from evaluators.psro.solvers import Answers, MetaSolvers, PsroProgram, Records, shared_bytes
from evaluators.records import Curve
from sandbox.base import Array, Limits, Sandbox, Session


def checkpoints(iterations: int) -> tuple[int, ...]:
    """Iterations after which populations are judged: 10, 25, 50, 100, 250, ..., the last one included.

    Few, since judging may cost a program more than an iteration does.

    Args:
        iterations: number of iterations of the run, at least 1.
    """
    steps = (m * 10**e // 10 for e in range(1, len(str(iterations)) + 1) for m in (10, 25, 50))
    return tuple(sorted({s for s in steps if 10 <= s < iterations} | {iterations}))


def run(prepared: PsroProgram, game: Game, iterations: int, sandbox: Sandbox, limits: Limits) -> Curve:
    """Run a program on a game to its last iteration; return (iteration, exploitability) at `checkpoints`.

    The CPU time of what the program asks the trusted side for is its own.

    Raises:
        SandboxFault: the program failed (or the sandbox did, see the verdict).
        InvalidAnswer: the program returned weights that are none.
    """
    empirical_game = EmpiricalGame(game, iterations + 1)
    session = sandbox.open(
        prepared.guest,
        prepared.source,
        limits=limits,
        shared_bytes=shared_bytes(game.num_players, iterations + 1),
        callbacks=empirical_game.answers.callbacks,
    )
    play = PsroRun(prepared, empirical_game, session)
    measured = frozenset(checkpoints(iterations))
    curve: list[tuple[int, float]] = []
    for k in range(1, iterations + 1):
        play.iterate()
        if k in measured:
            curve.append((k, empirical_game.populations.exploitability(play.evaluate())))
    return tuple(curve)


class EmpiricalGame:
    """The populations of a run, and the answers about them that a program may ask for.

    Attributes:
        populations: every player's policies.
        answers: what is answered from them.
    """

    def __init__(self, game: Game, capacity: int) -> None:
        """Start with populations without any policy."""
        self.populations = Populations(game, capacity)
        self.answers = Answers(
            self.populations.sizes.tolist, self.populations.deviation_payoffs, self._best_values
        )

    def _best_values(self, mixtures: list[Floats]) -> Floats:
        return self.populations.values(mixtures).best


class PsroRun:
    """A program at work on a game, one iteration at a time.

    Attributes:
        iteration: how many iterations are done.
    """

    def __init__(self, prepared: PsroProgram, empirical_game: EmpiricalGame, session: Session) -> None:
        """Begin with the uniform policies."""
        self._populations, game = empirical_game.populations, empirical_game.populations.game
        self._tensors = prepared.gets_tensors(game.num_players)
        self._basis = Basis(game) if prepared.gets_basis(game.num_players) else None
        self._solvers = MetaSolvers(session, empirical_game.answers, game.num_players)
        self.iteration = 0
        self._append([game.plan(p, game.uniform(p)) for p in range(game.num_players)])

    def iterate(self) -> None:
        """One iteration: mixtures, best responses to them, payoffs.

        Raises:
            SandboxFault: the program failed.
            InvalidAnswer: the program returned weights that are none.
        """
        mixtures = self._solvers.ask("train", self.iteration)
        responses = self._populations.best_responses(mixtures)
        self.iteration += 1
        self._append([response.plan for response in responses])

    def evaluate(self) -> list[Floats]:
        """The mixtures by which the populations are judged now. Raises as `iterate`."""
        return self._solvers.ask("eval", self.iteration)

    def _append(self, plans: list[Floats]) -> None:
        """Add a policy per player, given as plans, and tell the program what it is entitled to know of it."""
        records: list[Records] = []
        blocks: list[Array] = []
        for p, plan in enumerate(plans):
            self._populations.add(p, plan)
            support, pure = self._populations.support(p, -1)
            records.append(np.array([[self.iteration, pure, support]]))
            if self._tensors:
                blocks.append(self._populations.newest_payoffs(p))
        self._solvers.extend(records, iteration=self.iteration)
        if self._tensors:
            self._solvers.meta_games(blocks, iteration=self.iteration)
        if self._basis is not None:
            self._solvers.basis(*self._basis.extend(plans), iteration=self.iteration)
