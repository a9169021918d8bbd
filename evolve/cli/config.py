"""``evolve config``: what a campaign's file and options come to."""

from __future__ import annotations

from evolve.cli.campaigns import (
    BudgetOption,
    CandidatesOption,
    ConfigArgument,
    DomainOption,
    IsolationOption,
    ModelOption,
    NameOption,
    OperatorOption,
    SandboxOption,
    SeedOption,
    StartOption,
    TasksOption,
    TimeOption,
    TokensOption,
    UsdOption,
    WorkersOption,
    resolve,
)
from evolve.cli.output import SCHEMA_VERSION, DbOption, JsonOption, print_json


def config(
    config: ConfigArgument = None,
    domain: DomainOption = None,
    operator: OperatorOption = None,
    model: ModelOption = None,
    start: StartOption = None,
    tasks: TasksOption = None,
    budget: BudgetOption = None,
    candidates: CandidatesOption = None,
    budget_usd: UsdOption = None,
    budget_tokens: TokensOption = None,
    time: TimeOption = None,
    workers: WorkersOption = None,
    seed: SeedOption = None,
    name: NameOption = None,
    min_isolation: IsolationOption = None,
    sandbox: SandboxOption = None,
    db: DbOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print the configuration of a campaign with every default, as a TOML file that `evolve run` takes.

    Takes the options of `evolve run`, which override the file.

    Example: evolve config --seed 1 --candidates 40
    """
    settings = resolve(config, locals())
    values = settings.model_dump(mode="json") | ({"db": db} if db else {})
    if as_json:
        about = {"schema_version": SCHEMA_VERSION, "campaign": settings.campaign_name}
        print_json(about | {"config": values})
        return
    from evolve.config import notes, to_toml

    print(to_toml(values, notes()), end="")
