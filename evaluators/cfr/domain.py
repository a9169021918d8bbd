"""The CFR domain: programs are the three update rules of a CFR variant, scored by exact exploitability."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from importlib.resources import files

from evaluators import scores, sealed, staging
from evaluators.base import Component, Evaluation, InstanceResult, Mechanism, Plan
from evaluators.cfr import interface
from evaluators.cfr.loop import Rule, run
from evaluators.cfr.mechanisms import MECHANISMS
from sandbox.base import Limits, Sandbox

ITERATIONS = 1000

HORIZONS = (300, 1000, 3000)
"""Iterations of a promotion's runs on sealed games: a search at one horizon breeds constants that fit it."""

PER_INFOSET_TIME = 4
"""Times a plan's CPU and wall limits that programs over dictionaries get: 1000 iterations of CFR+ on 5-sided Liar's
Dice, 0.2 s over arrays, take 20 s, those of VAD-CFR 45 s."""

_SEALED_LIMITS = Limits(cpu_s=180.0, wall_s=901.0, call_wall_s=20.0, memory_mib=512)
"""Of a session of 3,000 iterations on 3-player Leduc: six times what a search allows for its games."""


class CfrDomain:
    """See `evaluators.base.Domain`."""

    name = "cfr"
    components: tuple[Component, ...] = interface.COMPONENTS
    mechanisms: tuple[Mechanism, ...] = MECHANISMS
    seed = "cfr_plus"
    baselines = ("cfr", "cfr_plus", "dcfr", "pcfr_plus", "pdcfr_plus")
    default_objective = scores.DEFAULT
    holdout = ("kuhn2", "goofspiel3")
    tiers = tuple(staging.TIERS)
    sandbox_modules = ("numpy",)
    limits = Limits(cpu_s=30.0, wall_s=151.0, call_wall_s=20.0, memory_mib=512)

    @cached_property
    def guest(self) -> str:
        """Source of the module that runs beside every program over arrays."""
        return (files(__package__) / "guest.py").read_text(encoding="utf-8")

    @cached_property
    def guest_per_infoset(self) -> str:
        """Source of the module that runs beside every program over dictionaries: the other one and an adapter."""
        return self.guest + (files(__package__) / "guest_per_infoset.py").read_text(encoding="utf-8")

    def rule(self, source: str) -> Rule:
        """A program as the trusted loop takes it, in whichever form it is written."""
        per_infoset = interface.is_per_infoset(source)
        guest = self.guest_per_infoset if per_infoset else self.guest
        return Rule(source, guest, interface.wants_counterfactual_reach(source), per_infoset)

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
        """See `Domain.plan` and `evaluators.staging`."""
        return staging.plan(
            games, suite=suite, tiers=tiers, iterations=iterations or ITERATIONS, limits=self.limits
        )

    def promotion_plan(self, seed: int) -> Plan:
        """See `Domain.promotion_plan` and `evaluators.sealed`."""
        return sealed.promotion_plan(seed, horizons=HORIZONS, limits=_SEALED_LIMITS)

    def objectives(self, plan: Plan) -> tuple[str, ...]:
        """See `Domain.objectives`."""
        return scores.names(plan.instances)

    def score(self, plan: Plan, results: Sequence[InstanceResult]) -> dict[str, float]:
        """See `Domain.score`."""
        return staging.score(plan, results)

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
        limits = _patient(plan.limits) if rule.per_infoset else plan.limits
        return staging.evaluate(
            lambda instance, game: run(rule, instance, game, sandbox, limits),
            plan,
            sandbox.level,
            score=self.score,
            floors=floors,
            progress=progress,
        )


def _patient(limits: Limits) -> Limits:
    """The limits of a program over dictionaries."""
    return replace(limits, cpu_s=PER_INFOSET_TIME * limits.cpu_s, wall_s=PER_INFOSET_TIME * limits.wall_s)


DOMAIN = CfrDomain()
