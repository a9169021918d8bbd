"""The CFR domain: programs are the three update rules of a CFR variant, scored by exact exploitability."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, lru_cache
from importlib.resources import files
from statistics import fmean

from evaluators.base import (
    Component,
    Evaluation,
    GameError,
    Instance,
    InstanceResult,
    Mechanism,
    Outcome,
    Plan,
    Stage,
    Tag,
    nearest,
)
from evaluators.cfr import interface, scores, sealed
from evaluators.cfr.loop import InvalidPolicy, Rule, run
from evaluators.cfr.mechanisms import MECHANISMS
from evaluators.games import suites
from evaluators.games.game import Game, load
from sandbox.base import Limits, Sandbox, SandboxFault, Verdict

ITERATIONS = 1000

TIERS: Mapping[str, tuple[str, ...]] = {
    "exact": ("exact",),
    "generic": ("generic-0", "generic-1", "generic-2"),
    "jitter": ("jitter-0", "jitter-1", "jitter-2"),
    "scale": ("scale-0.1", "scale-10"),
}
"""Tier -> payoff variants of each game (`evaluators.games.variants`)."""

SEARCH_TIERS = ("exact", "generic")

RACE_MARGIN = 0.5
"""Half a decade: how far below its parent a program may be on the cheap games before the costly ones are skipped."""

_COSTLY_TERMINALS = 20_000

PER_INFOSET_TIME = 4
"""Times a plan's CPU and wall limits that programs over dictionaries get: 1000 iterations of CFR+ on 5-sided Liar's
Dice, 0.2 s over arrays, take 20 s, those of VAD-CFR 45 s."""

_TAGS = {
    Verdict.LOG_FLOOD: Tag.OUTPUT_LIMIT,
    Verdict.NO_RESULT: Tag.CRASH,
    Verdict.BAD_RESULT: Tag.INVALID,
    Verdict.SANDBOX_ERROR: Tag.INFRASTRUCTURE,
}


@lru_cache(maxsize=64)
def _game(name: str, variant: str) -> Game:
    """A game kept for the next candidate: a worker plays the same few instances thousands of times."""
    return load(name, variant)


class CfrDomain:
    """See `evaluators.base.Domain`."""

    name = "cfr"
    components: tuple[Component, ...] = interface.COMPONENTS
    mechanisms: tuple[Mechanism, ...] = MECHANISMS
    seed = "cfr_plus"
    baselines = ("cfr", "cfr_plus", "dcfr", "pcfr_plus", "pdcfr_plus")
    default_objective = scores.DEFAULT
    holdout = ("kuhn2", "goofspiel3")
    tiers = tuple(TIERS)
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
        """See `Domain.plan`; games are compiled here (once per machine), so that a bad one fails before anything runs.

        Small games form the first stage, costly ones the second: see `RACE_MARGIN`.
        """
        tiers = SEARCH_TIERS if tiers is None else tiers
        for tier in tiers:
            if tier not in TIERS:
                raise GameError(f"tier: expected the name of a tier; got {tier!r}.", nearest(tier, [*TIERS]))
        names = [suites.resolve(g).name for g in (games or suites.suite(suite))]
        costs = {name: _game(name, "exact").form.num_terminals for name in dict.fromkeys(names)}
        ordered = sorted(costs, key=lambda name: (costs[name], name))

        def instances(chosen: list[str]) -> tuple[Instance, ...]:
            return tuple(
                Instance(g if v == "exact" else f"{g}/{v}", g, v, iterations or ITERATIONS)
                for g in chosen
                for tier in tiers
                for v in TIERS[tier]
            )

        cheap = [g for g in ordered if costs[g] < _COSTLY_TERMINALS]
        costly = [g for g in ordered if g not in cheap]
        stages = [Stage("small games", instances(cheap), RACE_MARGIN if costly else None)] if cheap else []
        stages += [Stage("large games", instances(costly))] if costly else []
        return Plan(tuple(stages), self.limits)

    def promotion_plan(self, seed: int) -> Plan:
        """See `Domain.promotion_plan` and `evaluators.cfr.sealed`."""
        return sealed.promotion_plan(seed)

    def objectives(self, plan: Plan) -> tuple[str, ...]:
        """See `Domain.objectives`."""
        return scores.names(plan.instances)

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
        results: list[InstanceResult] = []
        wall, cpu = time.perf_counter(), time.process_time()
        logs: list[str] = []
        spent = 0.0

        def ended(outcome: Outcome) -> Evaluation:
            return Evaluation(
                outcome=outcome,
                results=tuple(results),
                objectives=_objectives(results, plan) if outcome.ok else {},
                isolation=sandbox.level.label,
                cpu_s=time.process_time() - cpu + spent,
                wall_s=time.perf_counter() - wall,
                log="\n".join(dict.fromkeys(log for log in logs if log)),
            )

        for stage in plan.stages:
            for instance in stage.instances:
                game = _game(instance.game, instance.variant)
                try:
                    result, usage = run(rule, instance, game, sandbox, limits)
                except SandboxFault as fault:
                    tag = _TAGS.get(fault.verdict) or Tag(fault.verdict.value)
                    return ended(Outcome(tag, f"{instance.name}: {fault.message}"))
                except InvalidPolicy as error:
                    return ended(Outcome(Tag.INVALID, str(error)))
                results.append(result)
                logs.append(usage.log)
                spent += result.candidate_cpu_s
                if progress:
                    progress(result)
            floor = (floors or {}).get(stage.name)
            came = stage_mean(results, stage)
            if floor is not None and came < floor:
                message = f"mean of {came:.3f} decades on the {stage.name}, below the floor of {floor:.3f}"
                return ended(Outcome(Tag.EARLY_STOPPED, message))
        return ended(Outcome(Tag.OK))


def _patient(limits: Limits) -> Limits:
    """The limits of a program over dictionaries."""
    return replace(limits, cpu_s=PER_INFOSET_TIME * limits.cpu_s, wall_s=PER_INFOSET_TIME * limits.wall_s)


def _objectives(results: Sequence[InstanceResult], plan: Plan) -> dict[str, float]:
    """The scores of a complete evaluation, and the stages' means that a child's gates are set by."""
    means = {f"stage/{stage.name}": stage_mean(results, stage) for stage in plan.stages}
    return scores.objectives(results) | means


def stage_mean(results: Sequence[InstanceResult], stage: Stage) -> float:
    """Mean score of a stage's instances."""
    return fmean(scores.score(r) for r in results if r.instance in stage.instances)


DOMAIN = CfrDomain()
