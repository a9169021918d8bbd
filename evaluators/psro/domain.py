"""The PSRO domain: programs choose a population's mixtures, scored by the exact exploitability of what they lead to."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from importlib.resources import files
from statistics import fmean

from evaluators.contract import InvalidAnswer, Plan
from evaluators.games.game import Game
from evaluators.games.game_domain import GameDomain, compiled
from evaluators.psro import interface
from evaluators.psro.loop import run
from evaluators.psro.mechanisms import MECHANISMS
from evaluators.psro.solvers import TENSOR_PLAYERS, PsroProgram
from evaluators.records import Curve, Score, Task, TaskResult
from evaluators.scripts import Exporter
from sandbox.base import Limits, Sandbox

ITERATIONS = 100

CPU_OBJECTIVE = "neg_candidate_cpu_s_per_iteration"
"""Minus the program's own CPU seconds per iteration, measured outside, mean over tasks. Time is the machine's mood:
a campaign that names this objective repeats only nearly, and none reads it by default."""

_COSTLY_LIMITS = Limits(cpu_s=3600.0, wall_s=14_401.0, call_wall_s=600.0, memory_mib=1536)
"""Of a session on a large game of three players, where inner loops contract tensors of all profiles, or on games of
more, where each step of an inner loop asks the trusted side; and of long runs."""

_COSTLY_TERMINALS = 100_000


class PsroDomain(GameDomain):
    """See `evaluators.task_domain.TaskDomain`."""

    name = "psro"
    components = interface.COMPONENTS
    mechanisms = MECHANISMS
    seed = "uniform"
    baselines = (
        "uniform",
        "prd",
        "regret_matching",
        "regret_matching_plus",
        "shor_psro",
        "anytime_double_oracle",
    )
    iterations = ITERATIONS
    search_tiers = ("exact",)
    """Perturbed copies would cost four times as much, and the inner loops of the usual solvers, 10,000 steps each,
    would take a ten-minute campaign's whole time as its baselines. Promotion plays perturbed games."""
    horizons = (50, 100, 150)
    """A search at one horizon breeds constants that fit it. With three players an inner loop that reads all profiles'
    payoffs takes five times as long at 150 as at 100."""
    sandbox_modules = ("numpy", "scipy.optimize", "scipy.sparse", "scipy.sparse.linalg")
    limits = Limits(cpu_s=120.0, wall_s=601.0, call_wall_s=30.0, memory_mib=512)
    """SHOR-PSRO takes 14 s of 3-player Kuhn, its longest call below a second."""

    @cached_property
    def guest(self) -> str:
        """Source of the module that runs beside every program."""
        return (files(__package__) / "guest.py").read_text(encoding="utf-8")

    @property
    def exporter(self) -> Exporter:
        """See `TaskDomain.exporter`."""
        from evaluators.psro.export import as_script

        return as_script

    @property
    def meta_strategy_method(self) -> type:
        """See `TaskDomain.meta_strategy_method`."""
        from evaluators.psro.openspiel import MetaStrategyMethod

        return MetaStrategyMethod

    def prepare(self, source: str) -> PsroProgram:
        """Return a program as the trusted loop takes it."""
        meta_games, deviations = interface.wants_meta_games(source), interface.wants_deviation_payoffs(source)
        return PsroProgram(
            source, self.guest, wants_meta_games=meta_games, wants_deviation_payoffs=deviations
        )

    def check(self, source: str) -> None:
        """See `TaskDomain.check`."""
        interface.check(source)

    def limits_for(self, tasks: Sequence[Task]) -> Limits:
        """See `TaskDomain.limits_for`: costly tasks get limits of their own, for the whole plan."""
        long = any(task.budget > ITERATIONS for task in tasks)
        return _COSTLY_LIMITS if long or any(_is_costly(task.family) for task in tasks) else self.limits

    def score_names(self, plan: Plan) -> tuple[str, ...]:
        """See `TaskDomain.score_names`; beside the usual ones, `CPU_OBJECTIVE`."""
        return (*super().score_names(plan), CPU_OBJECTIVE)

    def scores(self, results: Sequence[TaskResult]) -> dict[str, Score]:
        """See `TaskDomain.scores`; beside the usual ones, `CPU_OBJECTIVE`."""
        costs = [result.cost.candidate_cpu_s / result.task.budget for result in results]
        return super().scores(results) | {CPU_OBJECTIVE: Score(-fmean(costs), n=len(costs))}

    def run(self, program: str, task: Task, sandbox: Sandbox, limits: Limits) -> TaskResult:
        """See `TaskDomain.run`."""
        try:
            return super().run(program, task, sandbox, limits)
        except InvalidAnswer as error:
            raise InvalidAnswer(f"{task.name}: {error}") from error

    def play(self, program: str, game: Game, iterations: int, sandbox: Sandbox, limits: Limits) -> Curve:
        """See `GameDomain.play`."""
        return run(self.prepare(program), game, iterations, sandbox, limits)


def _is_costly(name: str) -> bool:
    game = compiled(name, "exact")
    large = game.form.num_terminals > _COSTLY_TERMINALS
    return game.num_players > TENSOR_PLAYERS or (game.num_players == TENSOR_PLAYERS and large)


DOMAIN = PsroDomain()
