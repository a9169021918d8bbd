"""The trusted loop of PSRO: best responses, payoffs and scores; the program only chooses mixtures.

It runs outside the sandbox. Start: one uniform policy per player. An iteration: the train-time mixtures over the
populations -> every player's best response to the others' mixtures, exact and with ties played alike -> all of them
join the populations at once. At checkpoints, after that, the eval-time mixtures are asked for, and scored by their
exploitability in the full game (Lanctot et al. 2017; arXiv 2602.16928, sections 2.3 and 3.3).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, cast

import numpy as np
from numpy.typing import NDArray

from evaluators.contract import InvalidAnswer
from evaluators.games.compiled import CompiledGame
from evaluators.games.form import Floats
from evaluators.games.game_domain import Prepared
from evaluators.games.populations import Basis, Populations
from sandbox.base import Array, Callback, Limits, Sandbox, SandboxFault, Session, Verdict

TENSOR_PLAYERS = 3
"""More players' payoff tensors are not sent: 100 policies of four would be 3.3 GB."""

BEST_RESPONSE_CALLS = 1000
"""Times that a program may ask for best responses in the full game, per ``get_meta_strategy``.

Enough for regret minimisation against them (RM-BR of arXiv 2201.07700); what they cost is the program's own time.
"""

_FLOAT64 = np.dtype(np.float64)

_ALL = -1
"""What the guest asks with in place of a player for the payoffs of all."""

NEGATIVE = -1e-9
"""Weights may be below zero by rounding."""

Which = Literal["train", "eval"]
Records = NDArray[np.int64]
"""(new, 3) of one player's new policies: iteration, 1 for pure, support size; -1 where it is not known."""


@dataclass(frozen=True)
class PsroProgram(Prepared):
    """A program as the loop sees it, with what it wants to be given or to ask for."""

    wants_meta_games: bool
    wants_deviation_payoffs: bool
    wants_game: bool
    """Whether it asks for what only the game itself can tell: best responses, or what policies play."""

    def gets_tensors(self, num_players: int) -> bool:
        """Whether payoff tensors are sent; the guest answers two players' deviation payoffs from them."""
        return num_players == 2 or (self.wants_meta_games and num_players <= TENSOR_PLAYERS)

    def gets_basis(self, num_players: int) -> bool:
        """Whether the guest gets what it computes three players' deviation payoffs from; with more, it asks."""
        return self.wants_deviation_payoffs and num_players == TENSOR_PLAYERS


def shared_bytes(num_players: int, policies: int) -> int:
    """Room for the largest call of a run: one more policy each, with its payoffs; or mixtures and their payoffs."""
    tensors = num_players**2 * policies ** (num_players - 1) if num_players <= TENSOR_PLAYERS else 0
    return 8 * (tensors + 4 * num_players * (policies + 3)) + 4096


class Answers:
    """What the trusted side answers while a solver is at work: callbacks, counted and checked.

    The numbers and arrays that they are asked with come from inside, whatever the guest made of them. Weights are
    taken as they are, NaN included, since what they give goes back inside only.
    """

    def __init__(
        self,
        sizes: Callable[[], Sequence[int]],
        deviations: Callable[[int, Floats], Floats],
        best_values: Callable[[list[Floats]], Floats],
        best_payoffs: Callable[[list[Floats]], list[Floats]],
    ) -> None:
        """Take who answers.

        Args:
            sizes: policies per player now.
            deviations: (player, mixtures one after the other) -> (n_p,) payoffs.
            best_values: mixtures -> (N,) values of best responses to them.
            best_payoffs: mixtures -> (n_p,) per player, payoffs of its policies against the others' best responses.
        """
        self._sizes, self._deviations = sizes, deviations
        self._best_values, self._best_payoffs = best_values, best_payoffs
        self._calls: int | None = None
        """Best responses that this ``get_meta_strategy`` asked for; None before the first."""
        self.oracle_calls = 0
        """Best responses that the run asked for."""

    @property
    def callbacks(self) -> dict[str, Callback]:
        """What the guest may ask for."""
        return {
            "deviation_payoffs": self._answer_deviations,
            "best_response_values": self._answer_best_values,
            "best_response_payoffs": self._answer_best_payoffs,
        }

    def renew(self) -> None:
        """Begin a ``get_meta_strategy``, with no best response asked for yet."""
        self._calls = 0

    def _answer_deviations(self, scalars: tuple[float, ...], arrays: tuple[Array, ...]) -> list[Floats]:
        sizes, weights = self._weights(arrays)
        players = range(len(sizes))
        if len(scalars) != 1 or scalars[0] not in (_ALL, *players):
            given = ", ".join(f"{scalar:g}" for scalar in scalars) or "no number"
            raise InvalidAnswer(f"deviation_payoffs: expected a player below {len(sizes)}; got {given}")
        asked = players if scalars[0] == _ALL else [int(scalars[0])]
        return [self._deviations(player, weights) for player in asked]

    def _answer_best_values(self, _: tuple[float, ...], arrays: tuple[Array, ...]) -> list[Floats]:
        return [self._best_values(self._counted("best_response_values", arrays))]

    def _answer_best_payoffs(self, _: tuple[float, ...], arrays: tuple[Array, ...]) -> list[Floats]:
        """Answer distributions alone: ties are relative to what is at stake, which other weights leave undefined."""
        name = "best_response_payoffs"
        mixtures = enumerate(self._counted(name, arrays))
        return self._best_payoffs([distribution(x, len(x), f"{name}, player {p}") for p, x in mixtures])

    def _counted(self, name: str, arrays: tuple[Array, ...]) -> list[Floats]:
        """Return the mixtures that a question about best responses is asked with, and count it."""
        sizes, weights = self._weights(arrays)
        self._calls = (self._calls or 0) + 1
        self.oracle_calls += 1
        if self._calls > BEST_RESPONSE_CALLS:
            message = f"{name}: expected at most {BEST_RESPONSE_CALLS} calls per get_meta_strategy"
            raise SandboxFault(Verdict.EXCEPTION, f"{message}; this was one more")
        return np.split(weights, np.cumsum(sizes)[:-1])

    def _weights(self, arrays: tuple[Array, ...]) -> tuple[Sequence[int], Floats]:
        """Return policies per player, and what a callback is asked with: their mixtures, one after the other.

        Raises:
            InvalidAnswer: those are other arrays, or nobody may ask yet.
        """
        if self._calls is None:
            raise InvalidAnswer("callback: expected no question before the first get_meta_strategy")
        sizes = self._sizes()
        if len(arrays) != 1 or arrays[0].shape != (sum(sizes),) or arrays[0].dtype != _FLOAT64:
            raise InvalidAnswer(f"callback: expected float64 weights of shape {(sum(sizes),)}")
        return sizes, cast(Floats, arrays[0])


class MetaSolvers:
    """The program's solvers in a session."""

    def __init__(self, session: Session, answers: Answers, num_players: int) -> None:
        """Start them.

        Raises:
            SandboxFault: their classes could not be instantiated.
        """
        self._session, self._answers = session, answers
        self._sizes = [0] * num_players
        with_context(lambda: session.call("begin", (num_players,)), "start")

    def extend(self, records: Sequence[Records], *, iteration: int) -> None:
        """Tell of new policies.

        Raises:
            SandboxFault: the program failed.
        """
        self._sizes = [n + len(rows) for n, rows in zip(self._sizes, records, strict=True)]
        self.tell("extend", records, iteration=iteration)

    def tell(self, name: str, arrays: Sequence[Array], *, iteration: int) -> None:
        """Tell more of the new policies, as the guest's handler `name` takes it. Raises as `extend`."""
        with_context(lambda: self._session.call(name, (), arrays), f"iteration {iteration}, new policies")

    def ask(self, which: Which, iteration: int) -> list[Floats]:
        """The mixtures that a solver chooses, each a distribution over its player's population.

        Raises:
            SandboxFault: the program failed; the message begins with iteration and solver.
            InvalidAnswer: weights that are none; likewise.
        """
        where = f"iteration {iteration}, {which}"
        self._answers.renew()
        mixtures = with_context(lambda: self._session.call(which, (iteration,)), where)
        if len(mixtures) != len(self._sizes):
            raise InvalidAnswer(f"{where}: expected {len(self._sizes)} weight vectors; got {len(mixtures)}")
        return [
            distribution(weights, size, f"{where}, player {p}")
            for p, (weights, size) in enumerate(zip(mixtures, self._sizes, strict=True))
        ]


class PsroRun:
    """A program at work on a game, one iteration at a time.

    The CPU time of what the program asks the trusted side for is its own.

    Attributes:
        iteration: how many iterations are done.
        populations: every player's policies.
    """

    def __init__(
        self, prepared: PsroProgram, game: CompiledGame, policies: int, sandbox: Sandbox, limits: Limits
    ) -> None:
        """Start the program, with the uniform policies.

        Args:
            prepared: the program.
            game: the game, whose buffers belong to this run from here on.
            policies: per player, that there is room for.
            sandbox: where the program runs.
            limits: of its session.

        Raises:
            SandboxFault: the program failed (or the sandbox did, see the verdict).
        """
        self.populations = populations = Populations(game, policies)
        self._answers = answers = Answers(
            populations.sizes.tolist,
            populations.deviation_payoffs,
            lambda mixtures: populations.values(mixtures).best,
            populations.best_response_payoffs,
        )
        room, callbacks = shared_bytes(game.num_players, policies), answers.callbacks
        session = sandbox.open(
            prepared.guest, prepared.source, limits=limits, shared_bytes=room, callbacks=callbacks
        )
        self._tensors = prepared.gets_tensors(game.num_players)
        self._basis = Basis(game) if prepared.gets_basis(game.num_players) else None
        self._solvers = MetaSolvers(session, answers, game.num_players)
        self.iteration = 0
        self._append([game.plan(p, game.uniform(p)) for p in range(game.num_players)])

    @property
    def oracle_calls(self) -> int:
        """Times that the program asked for best responses itself; those that join the populations are not counted."""
        return self._answers.oracle_calls

    def iterate(self) -> None:
        """One iteration: mixtures, best responses to them, payoffs.

        Raises:
            SandboxFault: the program failed.
            InvalidAnswer: the program returned weights that are none.
        """
        mixtures = self._solvers.ask("train", self.iteration)
        responses = self.populations.best_responses(mixtures)
        self.iteration += 1
        self._append([response.plan for response in responses])

    def exploitability(self) -> float:
        """Return NashConv / N of the mixtures by which the populations are judged now. Raises as `iterate`."""
        return self.populations.exploitability(self.mixtures())

    def mixtures(self) -> list[Floats]:
        """Return the mixtures by which the populations are judged now. Raises as `iterate`."""
        return self._solvers.ask("eval", self.iteration)

    def _append(self, plans: list[Floats]) -> None:
        """Add a policy per player, given as plans, and tell the program what it is entitled to know of it."""
        records: list[Records] = []
        blocks: list[Array] = []
        for p, plan in enumerate(plans):
            self.populations.add(p, plan)
            support, pure = self.populations.support(p, -1)
            records.append(np.array([[self.iteration, pure, support]]))
            if self._tensors:
                blocks.append(self.populations.newest_payoffs(p))
        self._solvers.extend(records, iteration=self.iteration)
        if self._tensors:
            self._solvers.tell("meta_games", blocks, iteration=self.iteration)
        if self._basis is not None:
            rows, new = self._basis.extend(plans)
            self._solvers.tell("basis", (*rows, *new), iteration=self.iteration)


def with_context(call: Callable[[], tuple[Array, ...]], where: str) -> tuple[Array, ...]:
    """What `call` returns; whatever the program did wrong in it says `where` first.

    Raises:
        SandboxFault: as `call`, those of the sandbox's own unchanged.
        InvalidAnswer: as `call`.
    """
    try:
        return call()
    except SandboxFault as fault:
        if fault.verdict is Verdict.SANDBOX_ERROR:
            raise
        raise SandboxFault(fault.verdict, f"{where}: {fault.message}"[:2000]) from fault
    except InvalidAnswer as error:
        raise InvalidAnswer(f"{where}: {error}") from error


def distribution(weights: Array, size: int, where: str) -> Floats:
    """(n,) the distribution that non-negative weights stand for.

    Raises:
        InvalidAnswer: wrong shape or type, not finite, below zero by more than rounding, or without any mass.
    """
    if weights.shape != (size,) or weights.dtype != np.float64:
        actual = f"{weights.dtype} of shape {weights.shape}"
        raise InvalidAnswer(f"{where}: expected float64 weights of shape ({size},); got {actual}")
    if not np.isfinite(weights).all():
        k = int(np.flatnonzero(~np.isfinite(weights))[0])
        raise InvalidAnswer(f"{where}: expected finite weights; weight {k} is {weights[k]}")
    if not weights.min() >= NEGATIVE:
        k = int(weights.argmin())
        raise InvalidAnswer(f"{where}: expected no weight below {NEGATIVE:g}; weight {k} is {weights[k]:.6g}")
    largest = weights.max()
    if not largest > 0.0:
        raise InvalidAnswer(f"{where}: expected weights with a positive sum; got none above 0")
    scaled = np.maximum(weights, 0.0) / largest  # Their sum cannot overflow then.
    normalized: Floats = scaled / scaled.sum()
    return normalized
