"""Promotion: finalists of a campaign and the baselines on games that no search has seen, paired and checked.

Every run on such a game is a *look*, recorded before anybody sees its result: the more often a test set is looked at,
the less it proves. The seed of the freshly drawn copies is drawn after the finalists are fixed.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from evaluators.base import Domain, Evaluation, Instance, Plan, Stage, Tag, get_domain
from evolve.config import CampaignConfig, parse_config
from evolve.errors import EvolveError
from evolve.evaluation.local import LocalExecutor
from evolve.evaluation.service import EvaluationService
from evolve.programs import baseline_sources
from evolve.source.canonical import canonical_hash
from results.queries import RankedCandidate, top
from results.store import Store
from results.writer import CampaignWriter

PURPOSE = "promotion"
_SEED_BITS = 32
_DIGITS = 6
"""Scores that agree to so many digits on every objective are one behaviour, however the programs are written."""


@dataclass(frozen=True)
class Contender:
    """A program in the comparison; `ordinal` is None for a baseline."""

    name: str
    program_id: str
    source: str
    ordinal: int | None


@dataclass(frozen=True)
class Run:
    """One program on one game once. `score` is the domain's default objective, None when the program failed."""

    program_id: str
    instance: Instance
    sealed: bool
    outcome: str
    exploitability: float | None
    score: float | None


@dataclass(frozen=True)
class Promotion:
    """What a promotion found. `seed` is that of the freshly drawn copies; `looks` counts the campaign's so far."""

    campaign: str
    objective: str
    seed: int
    iterations: int
    horizons: tuple[int, ...]
    contenders: tuple[Contender, ...]
    runs: tuple[Run, ...]
    looks: int


@dataclass(frozen=True)
class Choice:
    """What to run; None and empty stand for the default.

    Attributes:
        finalists: how many programs of the campaign.
        baselines: names of seeds; the domain's baselines by default.
        games: of the test suite, and of the freshly drawn copies those whose game is named.
        horizons: iterations of the runs on test games; the domain's by default.
        iterations: of the checks on training games; the campaign's by default.
        seed: of the freshly drawn copies; a new one by default.
        workers: evaluation processes.
    """

    finalists: int = 3
    baselines: Sequence[str] = ()
    games: Sequence[str] = ()
    horizons: Sequence[int] = ()
    iterations: int | None = None
    seed: int | None = None
    workers: int = 1


def promote(
    store: Store, campaign: str, choice: Choice, *, progress: Callable[[int, int], None] | None = None
) -> Promotion:
    """Run the finalists of a campaign and the baselines on sealed games and on the checks of the training games.

    Args:
        store: where the campaign is; looks are recorded there.
        campaign: its name.
        choice: what to run.
        progress: is told how many runs are done, and of how many.

    Raises:
        EvolveError: no finalist, an unknown baseline, or a machine that cannot evaluate.
        InputError: an unknown game.
        StoreError: no such campaign, or another process writes it.
    """
    with store.continue_campaign(campaign) as writer:
        record = writer.campaign
        config, domain = parse_config(record.config), get_domain(record.domain)
        contenders = _contenders(store, writer, domain, choice)
        seed = secrets.randbits(_SEED_BITS) if choice.seed is None else choice.seed
        tests = _tests(domain, choice, seed)
        training = _training(domain, config, choice)
        iterations = training.instances[0].iterations
        horizons = tuple(sorted({i.iterations for i in tests.instances}))
        finalists = [c.program_id for c in contenders if c.ordinal is not None]
        writer.add_event(
            PURPOSE, {"seed": seed, "finalists": finalists, "runs": len(tests.instances) * len(contenders)}
        )
        with LocalExecutor(choice.workers) as executor:
            service = EvaluationService(domain.name, executor, choice.workers)
            work = _Work(writer, service, domain.default_objective, progress or _silent)
            runs = asyncio.run(work.all(contenders, {True: tests, False: training}))
        return Promotion(
            campaign=campaign,
            objective=domain.default_objective,
            seed=seed,
            iterations=iterations,
            horizons=horizons,
            contenders=contenders,
            runs=runs,
            looks=len(writer.looks()),
        )


def distinct(ranked: Iterable[RankedCandidate], n: int) -> list[RankedCandidate]:
    """The first `n` whose scores differ from those of all before them."""
    found: dict[tuple[tuple[str, float], ...], RankedCandidate] = {}
    for candidate in ranked:
        signature = tuple(sorted((name, round(value, _DIGITS)) for name, value in candidate.scores.items()))
        found.setdefault(signature, candidate)
    return list(found.values())[:n]


class _Work:
    """Runs every contender on every instance, and records the looks as they are taken."""

    def __init__(
        self,
        writer: CampaignWriter,
        service: EvaluationService,
        objective: str,
        progress: Callable[[int, int], None],
    ) -> None:
        self._writer = writer
        self._service = service
        self._objective = objective
        self._progress = progress
        self._done = self._total = 0

    async def all(self, contenders: Sequence[Contender], plans: dict[bool, Plan]) -> tuple[Run, ...]:
        """The runs, by plan, program and instance. The keys say whether a plan's games are sealed."""
        tasks = [
            self._one(contender, instance, plan, sealed=sealed)
            for sealed, plan in plans.items()
            for contender in contenders
            for instance in plan.instances
        ]
        self._total = len(tasks)
        return tuple(await asyncio.gather(*tasks))

    async def _one(self, contender: Contender, instance: Instance, plan: Plan, *, sealed: bool) -> Run:
        # A plan of one instance: a program that fails on one game is still seen on the others.
        alone = Plan((Stage("promotion", (instance,)),), plan.limits)
        evaluation = await self._service.evaluate(contender.source, alone)
        if evaluation.outcome.tag is Tag.INFRASTRUCTURE:
            raise EvolveError(f"promote: {instance.name} cannot be run here: {evaluation.outcome.message}")
        run = _run(contender, instance, evaluation, self._objective, sealed=sealed)
        if sealed:
            self._writer.record_promotion(
                contender.program_id,
                game=_label(instance),
                iterations=instance.iterations,
                exploitability=run.exploitability,
                purpose=PURPOSE,
            )
        self._done += 1
        self._progress(self._done, self._total)
        return run


def _run(
    contender: Contender, instance: Instance, evaluation: Evaluation, objective: str, *, sealed: bool
) -> Run:
    ok = evaluation.outcome.ok
    return Run(
        program_id=contender.program_id,
        instance=instance,
        sealed=sealed,
        outcome=evaluation.outcome.tag.value,
        exploitability=evaluation.results[0].exploitability if ok else None,
        score=evaluation.objectives[objective] if ok else None,
    )


def _label(instance: Instance) -> str:
    return instance.game if instance.variant == "exact" else f"{instance.game}/{instance.variant}"


def _contenders(
    store: Store, writer: CampaignWriter, domain: Domain, choice: Choice
) -> tuple[Contender, ...]:
    """Finalists, best first, then baselines."""
    baselines = []
    for name, source in baseline_sources(domain, choice.baselines).items():
        key = writer.add_program(source, tree_hash=canonical_hash(source), name=name)
        baselines.append(Contender(name, key, source, None))
    ids = {b.program_id for b in baselines}
    programs = writer.load_programs()
    campaign = writer.campaign.name
    ranked = [c for c in top(store, campaign, n=10 * choice.finalists + 50) if c.program_id not in ids]
    finalists = [
        Contender(f"#{c.ordinal}", c.program_id, programs[c.program_id].source, c.ordinal)
        for c in distinct(ranked, choice.finalists)
    ]
    if not finalists:
        raise EvolveError(
            f"promote: expected a scored program in {campaign!r} that is no baseline; there is none.",
            "Continue the campaign with `evolve run` and a larger --candidates.",
        )
    return (*finalists, *baselines)


def _tests(domain: Domain, choice: Choice, seed: int) -> Plan:
    """The test suite with exact payoffs, and the freshly drawn copies, at every horizon."""
    drawn = domain.promotion_plan(seed)
    suite = domain.plan(choice.games or None, suite="test", tiers=("exact",), iterations=1)
    wanted = {i.game for i in suite.instances}
    pairs = [(i.game, i.variant) for i in suite.instances]
    pairs += [(i.game, i.variant) for i in drawn.instances if not choice.games or i.game in wanted]
    horizons = sorted(choice.horizons) or sorted({i.iterations for i in drawn.instances})
    # The long runs first: no worker is left alone with one of them at the end.
    instances = [
        Instance(f"{game}/{variant}/K={k}", game, variant, k)
        for k in reversed(horizons)
        for game, variant in dict.fromkeys(pairs)
    ]
    return Plan((Stage("sealed games", tuple(instances)),), drawn.limits)


def _training(domain: Domain, config: CampaignConfig, choice: Choice) -> Plan:
    """The campaign's training games in all tiers: exact, perturbed, and scaled."""
    return domain.plan(
        config.games or None,
        suite=config.suite,
        tiers=domain.tiers,
        iterations=choice.iterations or config.iterations,
    )


def _silent(done: int, total: int) -> None:
    pass
