"""The functions behind `import evolve`."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from evaluators.games.policies import StoredPolicy
from evaluators.records import Evaluation
from evolve.config import CampaignConfig, load_config, parse_config
from evolve.database_url import default_database
from evolve.programs import Program, find_program
from evolve.search.events import Event, Observer, Summary
from results import queries
from results.queries import CampaignSummary, RankedCandidate
from results.store import open_store


def load_program(ref: str | Path, *, db: str | None = None, domain: str | None = None) -> Program:
    """The program that `ref` stands for.

    Args:
        ref: a Python file, the name of a seed such as ``"dcfr"``, (the beginning of) a stored program's id, or
            ``"campaign:ordinal"``.
        db: results database, a path or a URL; by default ``$EVOLVE_DB``, then ``results/data/evolve.db``.
        domain: name of the program's domain; seen from its classes by default.

    Raises:
        InputError: nothing of that name, or no program.
        StoreError: an id that fits several programs, or a database that cannot be read.
    """
    return find_program(str(ref), domain=domain, db=default_database(db))


def load_policy(path: str | Path) -> StoredPolicy:
    """The policy that ``evolve solve --save`` wrote; `StoredPolicy.tabular_policy` makes it OpenSpiel's.

    Raises:
        InputError: no such file, or none of ours.
    """
    from evaluators.games.policies import load

    return load(path)


def evaluate(
    program: Program | str | Path,
    *,
    games: Sequence[str] | None = None,
    suite: str = "train",
    tiers: Sequence[str] = ("exact",),
    iterations: int | None = None,
    in_process: bool = False,
    unsafe_in_process: bool = False,
    db: str | None = None,
) -> Evaluation:
    """Score a program on games; stores nothing. A program that fails is an outcome of the evaluation, not an error.

    Args:
        program: a `Program`, or what `load_program` takes.
        games: short names or OpenSpiel strings; instead of a suite.
        suite: ``train``, ``test`` or ``extended``.
        tiers: which payoffs: ``exact``, ``generic``, ``jitter``, ``scale``.
        iterations: of each run; the domain's (1000 for CFR) by default.
        in_process: run it in this process, without a sandbox: for files of your own.
        unsafe_in_process: the same for stored programs, which a model may have written.
        db: results database, when `program` is an id.

    Raises:
        InputError: an unknown program, game, suite or tier.
        ConfigError: a stored program asked for in process.
    """
    from evolve.evaluation.job import make_sandbox

    found = program if isinstance(program, Program) else load_program(program, db=db)
    unprotected = found.unprotected(in_process=in_process, unsafe_in_process=unsafe_in_process)
    plan = found.domain.plan(games, suite=suite, tiers=tiers, iterations=iterations)
    with make_sandbox(found.domain.sandbox_modules, in_process=unprotected) as sandbox:
        return found.domain.evaluate(found.source, plan, sandbox)


def run(
    config: CampaignConfig | Mapping[str, Any] | str | Path | None = None,
    *,
    db: str | None = None,
    observer: Observer | None = None,
) -> Summary:
    """Search for a better program, or continue the search of the same name; as ``evolve run``.

    Workers are new processes, so a script calls this below ``if __name__ == "__main__":``.

    Args:
        config: a `CampaignConfig`, its fields as a mapping, a TOML file, or None for the defaults.
        db: results database; by default the configuration's, ``$EVOLVE_DB``, then ``results/data/evolve.db``.
        observer: is called with every event (`evolve.search.events`); by default nobody is.

    Returns:
        How the campaign ended; ``load_program(summary.best, db=db)`` is the best program.

    Raises:
        EvolveError: a configuration or machine that cannot be used.
        InputError: an unknown domain, game or program.
        StoreError: a database that cannot be used, or a campaign that another process runs.
    """
    from evolve.search.run import run as run_campaign

    settings = _config(config)
    where = default_database(db, settings.db)

    def search() -> Summary:
        return run_campaign(settings, db=where, observer=observer or _nobody)

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return search()
    # A notebook has an event loop in this thread already; the campaign's own needs another.
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(search).result()


def campaigns(*, db: str | None = None) -> list[CampaignSummary]:
    """Every campaign in a results database, oldest first; ``evolve.frame`` makes a table of them.

    Raises:
        StoreError: a database that cannot be read.
    """
    with open_store(default_database(db), create=False, read_only=True) as store:
        return queries.campaigns(store)


def top(
    campaign: str, *, n: int = 10, objective: str | None = None, db: str | None = None
) -> list[RankedCandidate]:
    """The best candidates of a campaign with all of their scores, best first.

    Args:
        campaign: its name.
        n: how many at most.
        objective: ranks them; the campaign's own by default.
        db: results database, a path or a URL; by default as with `load_program`.

    Raises:
        StoreError: no such campaign or objective, or a database that cannot be read.
    """
    with open_store(default_database(db), create=False, read_only=True) as store:
        return queries.top(store, campaign, objective, n=n)


def _config(config: CampaignConfig | Mapping[str, Any] | str | Path | None) -> CampaignConfig:
    if isinstance(config, CampaignConfig):
        return config
    if isinstance(config, str | Path):
        return load_config(Path(config), {})
    return parse_config(config or {})


def _nobody(event: Event) -> None:
    pass
