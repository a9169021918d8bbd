"""Programs beside each other on a plan, a job for each program and game.

An evaluation ends at the first game that a program fails on, which is right for a search: selection sees no mean over
half of the games. In a table of programs it would hide what one that is made for two players does on all games of two.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from evaluators.base import Domain, Evaluation, InstanceResult, Outcome, Plan, Tag
from evolve.evaluation.service import EvaluationService

REFUSALS = frozenset({Tag.EXCEPTION, Tag.INVALID})
"""How a program ends that does not take a game: it says so by an exception, or what it gives is no answer to it."""


@dataclass(frozen=True)
class Gamewise:
    """A program on all games of a plan.

    Attributes:
        evaluation: the games that it played, as if they had been one evaluation; objectives only if it played all. Its
            outcome is the gravest: one that is no refusal, if there is any, else the plan's first.
        scores: game -> the domain's default objective on it alone, of the games that it played.
        failures: game -> how the program ended there. Both in the plan's order.
    """

    evaluation: Evaluation
    scores: Mapping[str, float]
    failures: Mapping[str, Outcome]


async def evaluate_all(
    service: EvaluationService,
    domain: Domain,
    sources: Sequence[str],
    plan: Plan,
    *,
    told: Callable[[], None],
) -> list[Gamewise]:
    """Every program on every game, the plan's last game first: it is the costliest, and nobody waits for it at the end.

    Args:
        service: where jobs run, in the order in which it is asked.
        domain: what the programs are of.
        sources: the programs.
        plan: what to run; the instances of one game are one job.
        told: is called after each job, of which there are as many as programs times games.
    """
    parts = by_game(plan)

    async def job(source: str, part: Plan) -> Evaluation:
        evaluation = await service.evaluate(source, part)
        told()
        return evaluation

    jobs = [(source, game) for game in reversed(parts) for source in range(len(sources))]
    found = await asyncio.gather(*(job(sources[source], parts[game]) for source, game in jobs))
    ended = dict(zip(jobs, found, strict=True))
    return [
        joined(domain, plan, {game: ended[source, game] for game in parts}) for source in range(len(sources))
    ]


def by_game(plan: Plan) -> dict[str, Plan]:
    """Game -> what the plan has of it, in the plan's order."""
    games = dict.fromkeys(instance.game for instance in plan.instances)
    return {game: _only(plan, game) for game in games}


def joined(domain: Domain, plan: Plan, parts: Mapping[str, Evaluation]) -> Gamewise:
    """The evaluations of one program on the parts of a plan as one; costs are added."""
    failures = {game: part.outcome for game, part in parts.items() if not part.outcome.ok}
    place = {instance: number for number, instance in enumerate(plan.instances)}
    results: list[InstanceResult] = [result for part in parts.values() for result in part.results]
    results.sort(key=lambda result: place[result.instance])
    whole = Evaluation(
        outcome=_gravest(list(failures.values())),
        results=tuple(results),
        objectives={} if failures else domain.score(plan, results),
        isolation=next((part.isolation for part in parts.values() if part.isolation), ""),
        cpu_s=sum(part.cpu_s for part in parts.values()),
        wall_s=sum(part.wall_s for part in parts.values()),
        log="\n".join(dict.fromkeys(part.log for part in parts.values() if part.log)),
    )
    objective = domain.default_objective
    scores = {game: part.objectives[objective] for game, part in parts.items() if part.outcome.ok}
    return Gamewise(whole, scores, failures)


def _only(plan: Plan, game: str) -> Plan:
    stages = [replace(s, instances=tuple(i for i in s.instances if i.game == game)) for s in plan.stages]
    return replace(plan, stages=tuple(stage for stage in stages if stage.instances))


def _gravest(failures: Sequence[Outcome]) -> Outcome:
    if not failures:
        return Outcome(Tag.OK)
    return min(failures, key=lambda outcome: outcome.tag in REFUSALS)
