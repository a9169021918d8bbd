"""The PSRO domain: programs choose a population's mixtures, scored by the exact exploitability of what they lead to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from importlib.resources import files
from statistics import fmean

from evaluators import scores, sealed, staging
from evaluators.base import Component, Evaluation, InstanceResult, Mechanism, Plan
from evaluators.games.game import Game
from evaluators.psro import interface
from evaluators.psro.loop import run
from evaluators.psro.mechanisms import MECHANISMS
from evaluators.psro.solvers import TENSOR_PLAYERS, Rule
from sandbox.base import Limits, Sandbox

ITERATIONS = 100

SEARCH_TIERS = ("exact",)
"""What a search runs. Perturbed copies would cost four times as much, and the inner loops of the usual solvers, 10,000
steps each, would take a ten-minute campaign's whole time as its baselines. Promotion plays perturbed games."""

HORIZONS = (50, 100, 150)
"""Iterations of a promotion's runs on sealed games: a search at one horizon breeds constants that fit it. With three
players an inner loop that reads all profiles' payoffs takes five times as long at 150 as at 100."""

CPU_OBJECTIVE = "neg_candidate_cpu_s_per_iteration"
"""Minus the program's own CPU seconds per iteration, measured outside, mean over instances. Time is the machine's mood:
a campaign that names this objective repeats only nearly, and none reads it by default."""

_LIMITS = Limits(cpu_s=120.0, wall_s=601.0, call_wall_s=30.0, memory_mib=512)
"""Of a session on a game of the search: SHOR-PSRO takes 14 s of 3-player Kuhn, its longest call below a second."""

_COSTLY_LIMITS = Limits(cpu_s=3600.0, wall_s=14_401.0, call_wall_s=600.0, memory_mib=1536)
"""Of one on a large game of three players, where inner loops contract tensors of all profiles, or on games of more,
where each step of an inner loop asks the trusted side."""

_COSTLY_TERMINALS = 100_000


class PsroDomain:
    """See `evaluators.base.Domain`."""

    name = "psro"
    components: tuple[Component, ...] = interface.COMPONENTS
    mechanisms: tuple[Mechanism, ...] = MECHANISMS
    seed = "uniform"
    baselines = (
        "uniform",
        "prd",
        "regret_matching",
        "regret_matching_plus",
        "shor_psro",
        "anytime_double_oracle",
    )
    default_objective = scores.DEFAULT
    holdout = ("kuhn2", "goofspiel3")
    tiers = tuple(staging.TIERS)
    sandbox_modules = ("numpy", "scipy.optimize", "scipy.sparse", "scipy.sparse.linalg")

    @cached_property
    def guest(self) -> str:
        """Source of the module that runs beside every program."""
        return (files(__package__) / "guest.py").read_text(encoding="utf-8")

    def rule(self, source: str) -> Rule:
        """A program as the trusted loop takes it."""
        meta_games, deviations = interface.wants_meta_games(source), interface.wants_deviation_payoffs(source)
        return Rule(source, self.guest, wants_meta_games=meta_games, wants_deviation_payoffs=deviations)

    def check(self, source: str) -> None:
        """See `Domain.check`."""
        interface.check(source)

    def plan(
        self,
        games: Sequence[str] | None = None,
        *,
        suite: str = "train",
        tiers: Sequence[str] | None = None,
        iterations: int | None = None,
    ) -> Plan:
        """See `Domain.plan` and `evaluators.staging`. Costly games get limits of their own, for the whole plan."""
        found = staging.plan(
            games,
            suite=suite,
            tiers=SEARCH_TIERS if tiers is None else tiers,
            iterations=iterations or ITERATIONS,
            limits=_LIMITS,
        )
        played = [staging.compiled(name, "exact") for name in {i.game for i in found.instances}]
        return replace(found, limits=_COSTLY_LIMITS) if any(map(_is_costly, played)) else found

    def promotion_plan(self, seed: int) -> Plan:
        """See `Domain.promotion_plan` and `evaluators.sealed`."""
        return sealed.promotion_plan(seed, horizons=HORIZONS, limits=_COSTLY_LIMITS)

    def objectives(self, plan: Plan) -> tuple[str, ...]:
        """See `Domain.objectives`; beside the usual ones, `CPU_OBJECTIVE`."""
        return (*scores.names(plan.instances), CPU_OBJECTIVE)

    def score(self, plan: Plan, results: Sequence[InstanceResult]) -> dict[str, float]:
        """See `Domain.score`."""
        costs = (r.candidate_cpu_s / r.instance.iterations for r in results)
        return {**staging.score(plan, results), CPU_OBJECTIVE: -fmean(costs)}

    def evaluate(
        self,
        source: str,
        plan: Plan,
        sandbox: Sandbox,
        *,
        floors: Mapping[str, float] | None = None,
        progress: Callable[[InstanceResult], None] | None = None,
    ) -> Evaluation:
        """See `Domain.evaluate`."""
        rule = self.rule(source)
        return staging.evaluate(
            lambda instance, game: run(rule, instance, game, sandbox, plan.limits),
            plan,
            sandbox.level,
            score=self.score,
            floors=floors,
            progress=progress,
        )


def _is_costly(game: Game) -> bool:
    many, large = game.num_players > TENSOR_PLAYERS, game.form.num_terminals > _COSTLY_TERMINALS
    return many or (game.num_players == TENSOR_PLAYERS and large)


DOMAIN = PsroDomain()
