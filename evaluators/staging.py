"""How domains that play games evaluate a program: the cheap games first, and a gate before the costly ones.

A domain brings how one game is played; tiers, stages, limits, outcomes and scores are the same for all.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from statistics import fmean
from typing import NamedTuple

from evaluators import scores
from evaluators.base import (
    Evaluation,
    GameError,
    Instance,
    InstanceResult,
    InvalidAnswer,
    Outcome,
    Plan,
    Stage,
    Tag,
    nearest,
)
from evaluators.games import suites
from evaluators.games.game import Game, load
from sandbox.base import Level, Limits, SandboxFault, Usage, Verdict

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

_TAGS = {
    Verdict.LOG_FLOOD: Tag.OUTPUT_LIMIT,
    Verdict.NO_RESULT: Tag.CRASH,
    Verdict.BAD_RESULT: Tag.INVALID,
    Verdict.SANDBOX_ERROR: Tag.INFRASTRUCTURE,
}


class Played(NamedTuple):
    """A run to its last iteration: (iteration, exploitability) pairs, and what the program's session cost."""

    curve: tuple[tuple[int, float], ...]
    usage: Usage


PlayGame = Callable[[Instance, Game], Played]
"""Plays one instance with the program at hand; may raise `SandboxFault` and `InvalidAnswer`."""

Score = Callable[[Plan, Sequence[InstanceResult]], Mapping[str, float]]
"""See `Domain.score`."""


@lru_cache(maxsize=64)
def compiled(name: str, variant: str) -> Game:
    """A game kept for the next candidate: a worker plays the same few instances thousands of times.

    Raises:
        GameError: as `evaluators.games.game.load`.
    """
    return load(name, variant)


@lru_cache(maxsize=64)
def _uniform(name: str, variant: str) -> float:
    """Exploitability of the uniform policy of a game."""
    game = compiled(name, variant)
    return game.exploitability([game.uniform(p) for p in range(game.num_players)])


def plan(
    games: Sequence[str] | None, *, suite: str, tiers: Sequence[str] | None, iterations: int, limits: Limits
) -> Plan:
    """The plan of an evaluation. Games are compiled here, once per machine: a bad one fails before anything runs.

    Small games form the first stage, costly ones the second: see `RACE_MARGIN`.

    Raises:
        GameError: unknown game, suite or tier.
    """
    tiers = SEARCH_TIERS if tiers is None else tiers
    for tier in tiers:
        if tier not in TIERS:
            raise GameError(f"tier: expected the name of a tier; got {tier!r}.", nearest(tier, [*TIERS]))
    names = [suites.resolve(g).name for g in (games or suites.suite(suite))]
    costs = {name: compiled(name, "exact").form.num_terminals for name in dict.fromkeys(names)}
    ordered = sorted(costs, key=lambda name: (costs[name], name))

    def instances(chosen: list[str]) -> tuple[Instance, ...]:
        return tuple(
            Instance(g if v == "exact" else f"{g}/{v}", g, v, iterations)
            for g in chosen
            for tier in tiers
            for v in TIERS[tier]
        )

    cheap = [g for g in ordered if costs[g] < _COSTLY_TERMINALS]
    costly = [g for g in ordered if g not in cheap]
    stages = [Stage("small games", instances(cheap), RACE_MARGIN if costly else None)] if cheap else []
    stages += [Stage("large games", instances(costly))] if costly else []
    return Plan(tuple(stages), limits)


def evaluate(
    play: PlayGame,
    plan: Plan,
    level: Level,
    *,
    score: Score,
    floors: Mapping[str, float] | None = None,
    progress: Callable[[InstanceResult], None] | None = None,
) -> Evaluation:
    """Play a plan's instances in order until one fails, a gate closes or all are done.

    Args:
        play: plays one of them.
        plan: what to play.
        level: the isolation under which it is played.
        score: the objectives of a complete evaluation.
        floors: stage name -> mean score that the stage must reach.
        progress: called after each finished instance.
    """
    results: list[InstanceResult] = []
    logs: list[str] = []
    wall, cpu, inside = time.perf_counter(), time.process_time(), 0.0

    def ended(outcome: Outcome) -> Evaluation:
        return Evaluation(
            outcome=outcome,
            results=tuple(results),
            objectives=score(plan, results) if outcome.ok else {},
            isolation=level.label,
            cpu_s=time.process_time() - cpu + inside,
            wall_s=time.perf_counter() - wall,
            log="\n".join(dict.fromkeys(log for log in logs if log)),
        )

    for stage in plan.stages:
        for instance in stage.instances:
            try:
                result, usage = _measured(play, instance)
            except SandboxFault as fault:
                tag = _TAGS.get(fault.verdict) or Tag(fault.verdict.value)
                return ended(Outcome(tag, f"{instance.name}: {fault.message}"))
            except InvalidAnswer as error:
                return ended(Outcome(Tag.INVALID, str(error)))
            results.append(result)
            logs.append(usage.log)
            inside += usage.cpu_s - usage.caller_cpu_s
            if progress:
                progress(result)
        floor = (floors or {}).get(stage.name)
        if floor is not None and (came := stage_mean(results, stage)) < floor:
            message = f"mean of {came:.3f} decades on the {stage.name}, below the floor of {floor:.3f}"
            return ended(Outcome(Tag.EARLY_STOPPED, message))
    return ended(Outcome(Tag.OK))


def _measured(play: PlayGame, instance: Instance) -> tuple[InstanceResult, Usage]:
    """The result of one instance, and what its session cost."""
    game = compiled(instance.game, instance.variant)
    wall, cpu = time.perf_counter(), time.process_time()
    curve, usage = play(instance, game)
    result = InstanceResult(
        instance=instance,
        game_string=game.game_string,
        curve=curve,
        uniform=_uniform(instance.game, instance.variant),
        cpu_s=time.process_time() - cpu + usage.cpu_s - usage.caller_cpu_s,
        wall_s=time.perf_counter() - wall,
        candidate_cpu_s=usage.cpu_s,
    )
    return result, usage


def score(plan: Plan, results: Sequence[InstanceResult]) -> dict[str, float]:
    """The scores of a complete evaluation, and the stages' means that a child's gates are set by."""
    means = {f"stage/{stage.name}": stage_mean(results, stage) for stage in plan.stages}
    return scores.objectives(results) | means


def stage_mean(results: Sequence[InstanceResult], stage: Stage) -> float:
    """Mean score of a stage's instances."""
    return fmean([scores.score(r) for r in results if r.instance in stage.instances])
