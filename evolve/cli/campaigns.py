"""``evolve run`` starts a campaign or continues it; ``evolve config`` shows what it would do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from evaluators.records import Candidate
from evolve.cli.output import (
    INTERRUPTED,
    DbOption,
    JsonOption,
    database,
    fail,
    metric_json,
    print_json,
    split,
)
from evolve.errors import ConfigError
from evolve.search.events import (
    BaselineScored,
    Called,
    Comparing,
    Event,
    HeldOut,
    NewBest,
    Observer,
    Refined,
    Started,
    Summary,
    Told,
    Warned,
)

if TYPE_CHECKING:
    from evolve.config import CampaignConfig

BUDGET_REACHED = 3
_UNITS = {"s": 1, "m": 60, "h": 3600}


IsolationOption = Annotated[
    str | None,
    typer.Option(
        help="Refuse to start below this sandbox level. [default: rlimits; kernel if a model writes]"
    ),
]
SandboxOption = Annotated[
    str | None, typer.Option(help="Where programs run: process, docker or gvisor. [default: process]")
]


ConfigArgument = Annotated[
    Path | None, typer.Argument(help="TOML file with the campaign's configuration; options override it.")
]
DomainOption = Annotated[
    str | None, typer.Option(help="Problem domain: a name, or a folder with a file domain.py. [default: cfr]")
]
OperatorOption = Annotated[
    str | None, typer.Option(help="What proposes programs: symbolic or llm. [default: symbolic]")
]
ModelOption = Annotated[
    list[str] | None,
    typer.Option(
        help="Model of the operator llm: openai:NAME, gemini:NAME or mailbox:DIR. Again for more models."
    ),
]
StartOption = Annotated[
    str | None,
    typer.Option(
        "--from",
        help="Programs to start from, separated by commas: seeds' names, files or stored ids.",
    ),
]
TasksOption = Annotated[
    str | None, typer.Option("--tasks", "--games", help="Tasks to search on, separated by commas.")
]
BudgetOption = Annotated[
    int | None, typer.Option("--budget", "--iterations", min=1, help="Of each task, such as iterations.")
]
CandidatesOption = Annotated[
    int | None, typer.Option(min=1, help="Budget: programs to propose. [default: 120]")
]
UsdOption = Annotated[float | None, typer.Option(help="Budget: dollars for the model.")]
TokensOption = Annotated[int | None, typer.Option(min=1, help="Budget: tokens of the model.")]
TimeOption = Annotated[str | None, typer.Option(help="Budget: wall time, such as 90s, 10m or 2h.")]
WorkersOption = Annotated[
    int | None, typer.Option(min=1, help="Evaluation processes. [default: one per core]")
]
SeedOption = Annotated[int | None, typer.Option(min=0, help="Seed of everything random. [default: 0]")]
NameOption = Annotated[
    str | None, typer.Option(help="Campaign's name. [default: <domain>-<operator>-s<seed>]")
]
DryRunOption = Annotated[
    bool,
    typer.Option(
        "--dry-run", help="Show the first prompt and what it would cost; ask no model, store nothing."
    ),
]


def run(
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
    dry_run: DryRunOption = False,
    db: DbOption = None,
    as_json: JsonOption = False,
) -> None:
    """Search for a better program, or continue the search of the same name.

    Ctrl-C once finishes what is being evaluated, twice stops at once; the same command goes on from there.

    Example: evolve run --candidates 60 --seed 1
    """
    from asyncio import CancelledError

    from evolve.search.run import run as run_campaign

    settings = _resolve(config, locals())
    where = database(db, settings.db)
    if dry_run:
        from evolve.cli.dry import show_first_request

        show_first_request(settings, where, as_json=as_json)
        return
    try:
        with _observing(settings, as_json=as_json) as observer:
            summary = run_campaign(settings, db=where, observer=observer)
    except (KeyboardInterrupt, CancelledError) as error:
        hint = "The same command continues; nothing that was evaluated is lost."
        raise fail("stopped.", hint, INTERRUPTED) from error
    _end(summary, settings, where, as_json=as_json)


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
    from evolve.config import notes, to_toml

    settings = _resolve(config, locals())
    values = settings.model_dump(mode="json") | ({"db": db} if db else {})
    if as_json:
        print_json({"campaign": settings.campaign_name, "config": values})
        return
    print(to_toml(values, notes()), end="")


def _resolve(config: Path | None, given: Mapping[str, Any]) -> CampaignConfig:
    """Return the configuration in a file with the options of ``run`` over it, by the names of its parameters.

    Raises:
        ConfigError: the first thing that is wrong.
    """
    from evolve.config import CampaignConfig, load_config

    options = {name: value for name, value in given.items() if name in CampaignConfig.model_fields}
    read = {
        "model": given["model"] or None,
        "tasks": split(given["tasks"]),
        "start": split(given["start"]),
        "time_s": _seconds(given["time"]),
    }
    return load_config(config, options | read | {"db": None})


@contextmanager
def _observing(settings: CampaignConfig, *, as_json: bool) -> Iterator[Observer]:
    """Yield what watches the campaign; the terminal is as it was when the block ends, however it ends."""
    if as_json:
        yield _print_event
        return
    from evolve.cli.display import Display

    display = Display(settings)
    try:
        yield display
    finally:
        display.close()


def _print_event(event: Event) -> None:
    """Print an event as a line of JSON."""
    fields: dict[str, Any]
    match event:
        case Started():
            fields = {"event": "started"} | vars(event) | {"metric": metric_json(event.metric)}
        case BaselineScored():
            fields = {
                "event": "baseline",
                "name": event.name,
                "program": event.program_id,
                "outcome": event.evaluation.outcome,
                "scores": event.evaluation.scores,
                "remembered": event.remembered,
            }
        case Told():
            fields = {"event": "candidate"} | _candidate_json(event.candidate)
        case NewBest():
            fields = {"event": "best"} | _candidate_json(event.candidate)
        case Refined():
            fields = {"event": "refined"} | _candidate_json(event.candidate)
        case Comparing():
            return
        case HeldOut():
            fields = {
                "event": "held_out",
                "program": event.program_id,
                "values": {one.task.name: one.value for one in event.evaluations},
                "total": event.total,
            }
        case Called():
            fields = {"event": "call"} | vars(event)
        case Warned():
            fields = {"event": "warning", "message": event.message}
    print_json(fields)


def _candidate_json(candidate: Candidate) -> dict[str, Any]:
    return {
        "ordinal": candidate.ordinal,
        "program": candidate.program_id,
        "operator": candidate.operator,
        "outcome": candidate.outcome,
        "scores": candidate.scores,
        "note": candidate.note,
    }


def _end(summary: Summary, settings: CampaignConfig, where: str, *, as_json: bool) -> None:
    if as_json:
        print_json(summary.as_json())
    else:
        from evolve.cli.ending import print_ending

        print_ending(summary, settings, where)
    if summary.status == "interrupted":
        raise typer.Exit(INTERRUPTED)
    if summary.ended_by:
        raise fail(summary.reason, "The same command with a higher budget continues.", BUDGET_REACHED)


def _seconds(text: str | None) -> float | None:
    """Return the seconds of a duration such as 90s, 10m or 2h; a bare number is seconds."""
    if text is None:
        return None

    unit = text[-1:].lower()
    digits = text[:-1] if unit in _UNITS else text
    try:
        value = float(digits) * _UNITS.get(unit, 1)
    except ValueError:
        value = -1.0
    if not 0 < value < float("inf"):
        raise ConfigError(f"--time: expected a duration such as 90s, 10m or 2h; got {text!r}.")
    return value
