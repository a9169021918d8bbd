"""Start a campaign, or continue it: resolve and check everything, then open what has to be closed again."""

from __future__ import annotations

import asyncio
import importlib.metadata
import os
import platform
import signal
import subprocess
from dataclasses import replace
from pathlib import Path

import seeds
from evaluators.base import Domain, get_domain, nearest
from evolve.campaign import Campaign, Setup
from evolve.config import CampaignConfig, check_continues
from evolve.errors import ConfigError, IsolationError
from evolve.events import Observer, Summary
from evolve.executors.job import worker_sandbox
from evolve.executors.local import LocalExecutor
from evolve.operators.crossover import CrossoverOperator
from evolve.operators.symbolic import SymbolicOperator
from evolve.programs import find_program
from evolve.service import EvaluationService
from evolve.stored import PLAN
from results.records import CampaignSpec
from results.store import open_store
from sandbox.base import Level
from sandbox.selfcheck import check, confirmed

OPERATORS = {"symbolic": SymbolicOperator}

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def run(config: CampaignConfig, *, db: str, observer: Observer) -> Summary:
    """Run a campaign to the end of its budget, or continue the one of this name.

    Args:
        config: what to search.
        db: path or URL of the results database, which is created when missing.
        observer: is told what happens.

    Raises:
        EvolveError: a configuration or machine that cannot be used.
        InputError: an unknown domain, game or program.
        StoreError: a database that cannot be used, or a campaign that another process runs.
    """
    setup = prepare(config, db=db)
    with open_store(db) as store:
        stored = store.find_campaign(config.campaign_name)
        if stored is not None:
            check_continues(stored.config, config)
        with LocalExecutor(config.workers) as executor:
            isolation = _isolation(executor, setup.domain, Level.parse(config.min_isolation))
            if stored is None:
                opened = store.begin_campaign(_spec(setup))
            else:
                opened = store.continue_campaign(config.campaign_name)
            with opened as writer:
                writer.set_config(config.model_dump(mode="json"))
                service = EvaluationService(config.domain, executor, config.workers)
                campaign = Campaign(setup, writer, service, observer, isolation)
                try:
                    return asyncio.run(_interruptible(campaign))
                except BaseException:
                    executor.kill()
                    raise


def prepare(config: CampaignConfig, *, db: str | None = None) -> Setup:
    """Everything that a configuration names, found and checked; writes nothing.

    Raises:
        EvolveError: an unknown operator, objective or isolation level.
        InputError: an unknown domain, game or program.
    """
    domain = get_domain(config.domain)
    if config.operator not in OPERATORS:
        raise ConfigError(
            f"operator: expected the name of an operator; got {config.operator!r}.",
            nearest(config.operator, list(OPERATORS)),
        )
    try:
        Level.parse(config.min_isolation)
    except ValueError as error:
        raise ConfigError(f"min_{error}.") from error
    plan = domain.plan(
        config.games or None, suite=config.suite, tiers=config.tiers or None, iterations=config.iterations
    )
    program = find_program(config.start or domain.seed, domain=config.domain, db=db)
    limits = replace(plan.limits, **config.limits.model_dump(exclude_none=True))
    objective = config.objective or domain.default_objective
    if objective not in domain.objectives(plan):
        raise ConfigError(
            f"objective: expected one that the plan scores; got {objective!r}.",
            nearest(objective, domain.objectives(plan)),
        )
    return Setup(
        config=config,
        domain=domain,
        plan=replace(plan, limits=limits),
        seed_source=program.source,
        baselines={name: seeds.source(config.domain, name) for name in domain.baselines},
        operator=OPERATORS[config.operator](),
        crossover=CrossoverOperator(),
    )


async def _interruptible(campaign: Campaign) -> Summary:
    """Run; the first Ctrl-C (or SIGTERM) drains, the second cancels."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    asked = False

    def on_signal() -> None:
        nonlocal asked
        if asked:
            task.cancel()
        asked = True
        campaign.stop()

    for number in _SIGNALS:
        loop.add_signal_handler(number, on_signal)
    try:
        return await campaign.run()
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)


def _isolation(executor: LocalExecutor, domain: Domain, minimum: Level) -> str:
    """The level that a worker's sandbox achieves.

    Raises:
        IsolationError: it is below the minimum.
    """
    level = executor.submit(_level, domain.sandbox_modules).result()
    if level < minimum:
        raise IsolationError(
            f"isolation: expected at least {minimum.label}; this machine achieves {level.label}.",
            f"`evolve doctor` says why; --min-isolation {level.label} accepts it.",
        )
    return level.label


def _level(modules: tuple[str, ...]) -> Level:
    """What the sandbox achieves, tried by attacking it: a level that does not hold is not reported."""
    sandbox = worker_sandbox(modules)
    return confirmed(sandbox.level, check(sandbox))


def _spec(setup: Setup) -> CampaignSpec:
    config = setup.config
    return CampaignSpec(
        name=config.campaign_name,
        domain=config.domain,
        seed=config.seed,
        objective=config.objective or setup.domain.default_objective,
        plan=PLAN,
        config=config.model_dump(mode="json"),
        versions=versions(),
        machine={"platform": platform.platform(), "processor": platform.machine(), "cpus": os.cpu_count()},
        git_commit=_git_commit(),
    )


def versions() -> dict[str, str]:
    """Versions of what decides a campaign's numbers."""
    packages = ("evolve-marl", "open_spiel", "numpy", "numba")
    return {"python": platform.python_version()} | {p: importlib.metadata.version(p) for p in packages}


def _git_commit() -> str | None:
    """The commit of the checkout that this code runs from, if it is one."""
    try:
        done = subprocess.run(
            ["git", "rev-parse", "HEAD"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:
        return None
    return done.stdout.strip() or None
