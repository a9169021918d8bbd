"""The functions behind `import evolve`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any

from evaluators.games.policies import StoredPolicy
from evaluators.games.stored_populations import StoredPopulations
from evaluators.records import Evaluation
from evolve.config import CampaignConfig, load_config, parse_config
from evolve.database_url import default_database
from evolve.errors import ConfigError
from evolve.programs import Program, find_program
from evolve.search.events import Observer, Summary
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


def load_populations(path: str | Path) -> StoredPopulations:
    """What ``evolve solve --save`` wrote of a PSRO run; `StoredPopulations.tabular_policies` are OpenSpiel's.

    Raises:
        InputError: no such file, or none of ours.
    """
    from evaluators.games.stored_populations import load

    return load(path)


def evaluate(
    program: Program | str | Path,
    *,
    tasks: Sequence[str] | None = None,
    suite: str = "train",
    tiers: Sequence[str] | None = None,
    budget: int | None = None,
    domain: str | None = None,
    in_process: bool = False,
    unsafe_in_process: bool = False,
    db: str | None = None,
) -> Evaluation:
    """Score a program on tasks; stores nothing. A program that fails is an outcome of the evaluation, not an error.

    Args:
        program: a `Program`, or what `load_program` takes.
        tasks: names instead of a suite; for games short names or OpenSpiel strings.
        suite: one of the domain's, such as ``train`` or ``test``.
        tiers: which kinds of tasks, such as ``exact`` and ``generic``; the domain's first by default.
        budget: of each task, such as iterations; the domain's (1000 for CFR) by default.
        domain: name or folder of the program's domain; seen from its classes by default.
        in_process: run it in this process, without a sandbox: for files of your own.
        unsafe_in_process: the same for stored programs, which a model may have written.
        db: results database, when `program` is an id.

    Raises:
        InputError: an unknown program, task, suite or tier.
        ConfigError: a stored program asked for in process.
        IsolationError: the sandbox is weaker than the program's campaign demanded.
    """
    from evolve.evaluation.service import evaluate_here

    chosen = program if isinstance(program, Program) else load_program(program, db=db, domain=domain)
    demanded = chosen.demanded(in_process=in_process, unsafe_in_process=unsafe_in_process)
    plan = chosen.domain.plan(tasks, suite=suite, tiers=tiers or chosen.domain.tiers[:1], budget=budget)
    return evaluate_here(chosen.domain, chosen.source, plan, demanded)


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
    return run_campaign(settings, db=where, observer=observer or (lambda event: None))


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


def frame(records: Iterable[Any]) -> Any:
    """Return a ``pandas.DataFrame`` with a row for each record: campaigns, programs, results, and so on.

    A record or mapping within a record becomes columns of its own, with a dot: ``scores.decades.mean``, ``task.name``.
    Sequences, such as curves, stay as they are.

    Args:
        records: dataclasses or named tuples, such as `evolve.campaigns`, `evolve.top` and `Evaluation.results` have.

    Raises:
        ConfigError: pandas is not installed.
    """
    try:
        import pandas
    except ModuleNotFoundError as error:
        raise ConfigError(
            "frame: expected the package pandas, which is not installed.",
            "Run: pip install 'evolve-marl[pandas]'",
        ) from error
    return pandas.DataFrame([_row(record) for record in records])


def _config(config: CampaignConfig | Mapping[str, Any] | str | Path | None) -> CampaignConfig:
    if isinstance(config, CampaignConfig):
        return config
    if isinstance(config, str | Path):
        return load_config(Path(config), {})
    return parse_config(config or {})


def _row(record: Any, prefix: str = "") -> dict[str, Any]:
    fields = _fields(record)
    if fields is None:
        raise TypeError(f"frame: expected dataclasses or named tuples; got {type(record).__name__}")
    row: dict[str, Any] = {}
    for name, value in fields.items():
        inner = _fields(value)
        row |= {prefix + name: value} if inner is None else _row(value, f"{prefix}{name}.")
    return row


def _fields(value: Any) -> Mapping[str, Any] | None:
    """Return name -> value of a record or mapping; None for anything else."""
    if isinstance(value, Mapping):
        return value
    if is_dataclass(value) and not isinstance(value, type):
        return vars(value)
    return value._asdict() if isinstance(value, tuple) and hasattr(value, "_asdict") else None
