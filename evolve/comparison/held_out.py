"""Held-out evaluations: programs on tasks that no search has seen, at the end of a campaign and in a promotion.

Every one is recorded before anybody sees its result: the more often a test set is looked at, the less it proves. The
seed of the freshly drawn tasks of a promotion is drawn after its finalists are fixed.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from evaluators.contract import CapabilityError, Plan, TaskError
from evaluators.records import Evaluation, Provenance, Tag, Task
from evaluators.registry import get_domain
from evaluators.task_domain import TaskDomain
from evolve.comparison.verdicts import Contender, Promotion, verdict
from evolve.config import CampaignConfig, parse_config
from evolve.errors import EvolveError
from evolve.evaluation.isolation import strictest
from evolve.evaluation.service import EvaluationService, engine_error, open_service
from evolve.programs import baseline_sources
from evolve.search.blocks import block
from evolve.source.canonical import canonical_hash
from results.queries import RankedCandidate, top
from results.records import HeldOutEvaluation
from results.store import Store
from results.writer import CampaignWriter

PURPOSE = "promotion"
VERDICT = "verdict"
"""Kind of the event that a promotion's verdict is stored as."""
_CHECK = "check"
"""Purpose of a promotion's runs on tasks of the search, which are not held out and not recorded."""
_SEED_BITS = 32
_DIGITS = 6
"""Scores that agree to so many digits on every objective are one behaviour, however the programs are written."""

Progress = Callable[[int, int], None]
"""Is told how many runs are done, and of how many."""


@dataclass(frozen=True)
class Choice:
    """What to run; None and empty stand for the default.

    Attributes:
        finalists: how many programs of the campaign.
        baselines: names of seeds; every seed of the domain by default.
        tasks: names or families of the test suite, and of the freshly drawn tasks those of these families.
        horizons: budgets on held-out tasks; the domain's by default.
        budget: of the checks on tasks of the search; the campaign's by default.
        seed: of the freshly drawn tasks; a new one by default.
        workers: evaluation processes.
    """

    finalists: int = 3
    baselines: Sequence[str] = ()
    tasks: Sequence[str] = ()
    horizons: Sequence[int] = ()
    budget: int | None = None
    seed: int | None = None
    workers: int = 1


async def evaluate_held_out(
    service: EvaluationService,
    writer: CampaignWriter | None,
    domain: TaskDomain,
    programs: Mapping[str, str],
    plan: Plan,
    *,
    purpose: str,
    skip: Collection[tuple[str, Task]] = (),
    done: Callable[[], None] = lambda: None,
) -> dict[str, tuple[HeldOutEvaluation, ...]]:
    """Run programs on tasks, each by itself: one that fails on a task is still seen on the others.

    Args:
        service: where they run.
        writer: records each evaluation as it ends; None for tasks that are not held out.
        domain: of the programs.
        programs: program id -> source.
        plan: the tasks.
        purpose: why they are run.
        skip: (program id, task) pairs that were run before.
        done: is called after each evaluation.

    Returns:
        Program id -> evaluations in the plan's order, without those that were skipped.

    Raises:
        EvolveError: the machine cannot run a task.
    """

    async def one(program_id: str, task: Task) -> HeldOutEvaluation:
        try:
            evaluation = await service.evaluate(programs[program_id], plan.only([task]))
        except TaskError as error:  # The reference program fails on it, which this one cannot help.
            evaluation = engine_error(error)
        record = _record(program_id, task, evaluation, domain.objective, purpose)
        if writer is not None:
            writer.record_held_out(record)
        done()
        return record

    wanted = [(key, task) for key in programs for task in plan.tasks if (key, task) not in skip]
    records = await asyncio.gather(*(one(key, task) for key, task in wanted))
    by_program = {key: tuple(r for r in records if r.program_id == key) for key in programs}
    return {key: own for key, own in by_program.items() if own}


def promote(store: Store, campaign: str, choice: Choice, *, progress: Progress | None = None) -> Promotion:
    """Run the finalists of a campaign and the baselines on held-out tasks and on checks of the tasks of the search.

    The programs run in the campaign's kind of sandbox, under its limits and at its minimum level, or not at all. The
    verdict is stored.

    Args:
        store: where the campaign is; held-out evaluations are recorded there.
        campaign: its name.
        choice: what to run.
        progress: is told how many runs are done, and of how many.

    Raises:
        EvolveError: no finalist, an unknown baseline, or a machine that cannot evaluate as the campaign demands.
        InputError: an unknown task, or a domain without held-out tasks.
        StoreError: no such campaign, or another process writes it.
    """
    with store.continue_campaign(campaign) as writer:
        config = parse_config(writer.campaign.config)
        domain = get_domain(config.domain)
        contenders, demanded = _contenders(store, writer, domain, choice)
        seed = secrets.randbits(_SEED_BITS) if choice.seed is None else choice.seed
        budget = choice.budget or config.budget
        checks, searched = checks_plan(domain, config.model_copy(update={"budget": budget}))
        plans = {PURPOSE: held_out_plan(domain, choice, seed), _CHECK: checks}
        runs = len(plans[PURPOSE].tasks) * len(contenders)
        finalists = [c.program_id for c in contenders if c.ordinal is not None]
        drawn_by = {"seed": seed, "suites_version": domain.suites_version}
        writer.add_event(PURPOSE, drawn_by | {"finalists": finalists, "runs": runs})
        evaluations = _run(
            writer, config.domain, domain, contenders, plans, demanded, choice.workers, progress
        )
        promotion = Promotion(
            campaign=campaign,
            objective=domain.objective,
            metric=domain.metric,
            seed=seed,
            budget=checks.tasks[0].budget,
            horizons=tuple(sorted({task.budget for task in plans[PURPOSE].tasks})),
            contenders=contenders,
            held_out=tuple(evaluations[PURPOSE]),
            checks=tuple(evaluations[_CHECK]),
            total=len(writer.held_out()),
            searched=searched,
            base_tier=domain.tiers[0],
            drawn=frozenset(task.name for task in domain.draw(seed)),
        )
        writer.add_event(VERDICT, verdict(promotion))
        return promotion


def distinct(ranked: Iterable[RankedCandidate], n: int) -> list[RankedCandidate]:
    """Return the first `n` whose scores differ from those of all before them."""
    first: dict[tuple[tuple[str, float], ...], RankedCandidate] = {}
    for candidate in ranked:
        signature = tuple(
            sorted((name, round(score.mean, _DIGITS)) for name, score in candidate.scores.items())
        )
        first.setdefault(signature, candidate)
    return list(first.values())[:n]


def _run(
    writer: CampaignWriter,
    reference: str,
    domain: TaskDomain,
    contenders: Sequence[Contender],
    plans: Mapping[str, Plan],
    demanded: Provenance,
    workers: int,
    progress: Progress | None,
) -> dict[str, list[HeldOutEvaluation]]:
    """Run every contender on every plan; return the evaluations by purpose."""
    programs = {contender.program_id: contender.source for contender in contenders}
    total, count = len(programs) * sum(len(plan.tasks) for plan in plans.values()), 0

    def done() -> None:
        nonlocal count
        count += 1
        if progress:
            progress(count, total)

    async def all_plans(service: EvaluationService) -> list[dict[str, tuple[HeldOutEvaluation, ...]]]:
        return await asyncio.gather(
            *(
                evaluate_held_out(
                    service,
                    writer if purpose == PURPOSE else None,
                    domain,
                    programs,
                    plan,
                    purpose=purpose,
                    done=done,
                )
                for purpose, plan in plans.items()
            )
        )

    with open_service(reference, workers=workers, demanded=demanded) as service:
        evaluated = asyncio.run(all_plans(service))
    return {
        purpose: [one for own in by_program.values() for one in own]
        for purpose, by_program in zip(plans, evaluated, strict=True)
    }


def _record(
    program_id: str, task: Task, evaluation: Evaluation, objective: str, purpose: str
) -> HeldOutEvaluation:
    if evaluation.outcome.tag is Tag.ENGINE_ERROR:
        raise EvolveError(f"{purpose}: {task.name} cannot be run here: {evaluation.outcome.message}")
    result = evaluation.results[0] if evaluation.outcome.ok else None
    return HeldOutEvaluation(
        program_id=program_id,
        task=task,
        outcome=evaluation.outcome,
        value=result.value if result else None,
        stderr=result.stderr if result else 0.0,
        floor=result.floor if result else None,
        score=evaluation.scores[objective].mean if result else None,
        isolation=evaluation.isolation,
        purpose=purpose,
    )


def _contenders(
    store: Store, writer: CampaignWriter, domain: TaskDomain, choice: Choice
) -> tuple[tuple[Contender, ...], Provenance]:
    """Return finalists, best first, then baselines; and what they demand of the sandbox."""
    baselines = []
    for name, source in baseline_sources(domain, choice.baselines or domain.seed_names()).items():
        key = writer.add_program(source, tree_hash=canonical_hash(source), name=name)
        baselines.append(Contender(name, key, source, None))
    ids = {b.program_id for b in baselines}
    programs = writer.load_programs()
    campaign = writer.campaign.name
    ranked = [c for c in top(store, campaign, n=10 * choice.finalists + 50) if c.program_id not in ids]
    chosen = distinct(ranked, choice.finalists)
    if not chosen:
        raise EvolveError(
            f"promote: expected a scored program in {campaign!r} that is no baseline; there is none.",
            "Continue the campaign with `evolve run` and a larger --candidates.",
        )
    finalists = [
        Contender(f"#{c.ordinal}", c.program_id, programs[c.program_id].source, c.ordinal) for c in chosen
    ]
    return (*finalists, *baselines), strictest(programs[c.program_id].provenance for c in chosen)


def checks_plan(domain: TaskDomain, config: CampaignConfig) -> tuple[Plan, frozenset[Task]]:
    """Return the tasks of a campaign's own block and those like them in all other tiers; and which the former are."""
    searched = block(domain, config, 0).tasks
    tiers = [tier for tier in domain.tiers if tier not in {task.tier for task in searched}]
    if config.tasks:
        others = domain.select(config.tasks, tiers, config.budget)
    else:
        others = domain.tasks(config.suite, tiers, config.budget, None)
    tasks = (*searched, *others)
    return Plan(domain.stages(tasks), domain.limits_for(tasks)), frozenset(searched)


def held_out_plan(domain: TaskDomain, choice: Choice, seed: int) -> Plan:
    """Return the tasks of the test suite and those that are freshly drawn, at every horizon.

    Raises:
        CapabilityError: the domain has neither.
    """
    suite: Sequence[Task] = ()
    if choice.tasks:
        suite = domain.select(choice.tasks, domain.tiers[:1])
    elif "test" in domain.suites:
        suite = domain.tasks("test", domain.tiers[:1])
    drawn = [t for t in domain.draw(seed) if not choice.tasks or t.group in {one.group for one in suite}]
    tasks = (*suite, *drawn)
    if not tasks:
        raise CapabilityError(
            f"promote: the domain {domain.name} has no held-out tasks.",
            "It needs a suite named 'test', or the capability `draw`.",
        )
    horizons = sorted(choice.horizons or domain.horizons, reverse=True)
    # The long runs first: no worker is left alone with one of them at the end.
    at_horizons = [replace(task, budget=k) for k in horizons for task in tasks] if horizons else tasks
    unique = tuple(dict.fromkeys(at_horizons))
    return Plan(domain.stages(unique), domain.limits_for(unique))
