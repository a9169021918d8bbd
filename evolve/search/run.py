"""Start a campaign, or continue it: resolve and check everything, then open what has to be closed again."""

from __future__ import annotations

import asyncio
import gc
import importlib.metadata
import os
import platform
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import seeds
from evaluators.contract import nearest
from evaluators.registry import get_domain
from evolve.config import CampaignConfig, check_continues
from evolve.errors import ConfigError
from evolve.evaluation.isolation import protection, strictest
from evolve.evaluation.job import Work, run_job
from evolve.evaluation.service import handling_signals, open_service, run_here
from evolve.models.asking import Asker
from evolve.operators.crossover import CrossoverOperator
from evolve.operators.symbolic import SymbolicOperator
from evolve.programs import baseline_sources, find_program
from evolve.search.blocks import block
from evolve.search.campaign import PLAN, Campaign, Setup
from evolve.search.events import Observer, Summary
from evolve.search.language_models import Llm, prepare_llm
from results.errors import DatabaseError, UnknownNameError
from results.progress import model_report
from results.queries import told_candidates
from results.records import CampaignRecord, CampaignSpec
from results.store import open_store

OPERATORS = ("symbolic", "llm")


def run(
    config: CampaignConfig,
    *,
    db: str,
    observer: Observer,
    asker: Asker | None = None,
    programs: str | None = None,
    work: Work = run_job,
    workers: int | None = None,
) -> Summary:
    """Run a campaign to the end of its budget, or continue the one of this name.

    Args:
        config: what to search.
        db: path or URL of the results database, which is created when missing.
        observer: is told what happens.
        asker: is asked instead of the configuration's model.
        programs: database in which programs named by id are looked up, when it is another one.
        work: what a worker does with a job; benchmarks have it take longer.
        workers: evaluation processes; the configuration's when None, 0 evaluates in this process.

    Raises:
        EvolveError: a configuration or machine that cannot be used.
        InputError: an unknown domain, game or program.
        StoreError: a database that cannot be used, or a campaign that another process runs.
    """
    setup = prepare(config, db=programs or db)
    all_told = _all_told(config, db)
    if setup.llm is not None and asker is None and not all_told:
        setup.llm.open(observer)
    with open_store(db) as store:
        stored = store.find_campaign(config.campaign_name)
        if stored is not None:
            check_continues(stored.config, config)
            _check_ruler(stored, setup)
        with open_service(
            config.domain,
            workers=config.workers if workers is None else workers,
            demanded=setup.demanded,
            work=work,
        ) as service:
            if stored is None:
                opened = store.begin_campaign(_spec(setup))
            else:
                opened = store.continue_campaign(config.campaign_name)
            with opened as writer:
                writer.set_config(config.model_dump(mode="json"))
                if setup.llm is not None:
                    setup.llm.connect(writer, observer, asker)
                campaign = Campaign(setup, writer, service, observer)
                with _heap_settled():
                    summary = run_here(_interruptible(campaign, setup.llm))
            return replace(summary, models=tuple(model_report(store, config.campaign_name)))


@contextmanager
def _heap_settled() -> Iterator[None]:
    """Have the garbage collector leave alone what is there now: libraries, half a million objects that stay."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def _all_told(config: CampaignConfig, db: str) -> bool:
    """Whether an earlier run has told every candidate that the configuration asks for."""
    try:
        with open_store(db, create=False, read_only=True) as store:
            return config.candidates <= told_candidates(store, config.campaign_name)
    except (DatabaseError, UnknownNameError):
        return (
            False  # No such campaign yet; what is wrong with the database is said when it is opened to write.
        )


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
    if config.model and config.operator != "llm":
        raise ConfigError(
            f"model: the operator {config.operator!r} asks no model; got {', '.join(config.model)}.",
            "Add --operator llm.",
        )
    plan = block(domain, config, 0)
    founders = [find_program(name, domain=config.domain, db=db) for name in config.start or (domain.seed,)]
    told = [program.name for program in founders if seeds.planned(program.source)]
    if told:
        raise ConfigError(
            f"start: expected a program that is not told its horizon, as no candidate is; got {told[0]}.",
            "Start from a rule without a plan, such as pcfr_plus.",
        )
    objective = config.objective or domain.objective
    if objective not in domain.score_names(plan):
        raise ConfigError(
            f"objective: expected one that the plan scores; got {objective!r}.",
            nearest(objective, domain.score_names(plan)),
        )
    llm = prepare_llm(config, domain, plan, objective) if config.operator == "llm" else None
    return Setup(
        config=config,
        domain=domain,
        plan=plan,
        founders=tuple(program.source for program in founders),
        baselines=baseline_sources(domain, config.baselines),
        operator=llm.operator if llm else SymbolicOperator(),
        crossover=llm.crossover if llm else CrossoverOperator(),
        demanded=protection(config, start=strictest(program.provenance for program in founders)),
        llm=llm,
    )


async def _interruptible(campaign: Campaign, llm: Llm | None) -> Summary:
    """Run; the first Ctrl-C (or SIGTERM) drains, the second cancels."""
    task = asyncio.current_task()
    assert task is not None
    asked = False

    def on_signal() -> None:
        nonlocal asked
        if asked:
            task.cancel()
        asked = True
        campaign.stop()

    # A campaign that a notebook started runs in another thread than the main one.
    with handling_signals(on_signal):
        try:
            return await campaign.run()
        finally:
            if llm is not None:
                await llm.close()


def _check_ruler(stored: CampaignRecord, setup: Setup) -> None:
    """Refuse to go on with a campaign whose scores are not those of today."""
    before, now = stored.versions.get("ruler", "1"), str(setup.domain.ruler_version)
    if before != now:
        raise ConfigError(
            f"campaign {stored.name!r} was scored by version {before} of the ruler; this is version {now}, and their"
            " scores are never ranked together.",
            f"It stays readable (evolve results); go on from its best with --from {stored.name}:best --name NEW.",
        )


def _spec(setup: Setup) -> CampaignSpec:
    config = setup.config
    return CampaignSpec(
        name=config.campaign_name,
        domain=setup.domain.name,
        metric=setup.domain.metric,
        seed=config.seed,
        objective=setup.objective,
        plan=PLAN,
        config=config.model_dump(mode="json"),
        versions=versions()
        | {"suites": str(setup.domain.suites_version), "ruler": str(setup.domain.ruler_version)},
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
