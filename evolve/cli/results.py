"""``evolve results``: look at campaigns and their programs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from evaluators.records import Metric, Tag
from evolve.cli.output import (
    SCHEMA_VERSION,
    DbOption,
    JsonOption,
    console,
    database,
    metric_json,
    outcome_json,
    print_json,
    scores_json,
    task_json,
)
from evolve.cli.tables import plain_table, score_text, tasks_table
from results.errors import UnknownNameError
from results.text import visible

if TYPE_CHECKING:
    from results.programs import ProgramDetails
    from results.records import StoredEvaluation
    from results.store import Store

app = typer.Typer(no_args_is_help=True, help="Look at campaigns and programs in the results database.")


@app.command()
def campaigns(db: DbOption = None, as_json: JsonOption = False) -> None:
    """List all campaigns with their state and best score.

    Example: evolve results campaigns
    """
    from results import queries
    from results.store import open_store

    with open_store(database(db), create=False, read_only=True) as store:
        listed = queries.campaigns(store)
    if as_json:
        rows = [plain(vars(c)) | {"metric": metric_json(c.metric)} for c in listed]
        print_json({"schema_version": SCHEMA_VERSION, "campaigns": rows})
        return
    table = plain_table("campaign", "domain", "status", "created", right=["candidates", "best", "CPU s"])
    for c in listed:
        numbers = str(c.candidates), score_text(c.best), f"{c.cpu_s:.0f}"
        table.add_row(escape(c.name), c.domain, c.status, f"{c.created_at:%Y-%m-%d %H:%M}", *numbers)
    console().print(table)


@app.command()
def top(
    campaign: Annotated[str, typer.Argument(help="Name of the campaign.")],
    objective: Annotated[
        str | None, typer.Option(help="What ranks them. [default: the campaign's own]")
    ] = None,
    n: Annotated[int, typer.Option("-n", min=1, help="How many.")] = 10,
    db: DbOption = None,
    as_json: JsonOption = False,
) -> None:
    """Rank the best programs of a campaign.

    Example: evolve results top cfr-symbolic-s0 -n 5
    """
    from results import queries
    from results.store import open_store

    with open_store(database(db), create=False, read_only=True) as store:
        listed = queries.top(store, campaign, objective, n=n)
        record = store.find_campaign(campaign)
    assert record is not None
    ranks_by = objective or record.objective
    if as_json:
        head = {"schema_version": SCHEMA_VERSION, "campaign": campaign, "metric": metric_json(record.metric)}
        rows = [dict(vars(c)) | {"scores": scores_json(c.scores)} for c in listed]
        print_json(head | {"objective": ranks_by, "programs": rows})
        return
    table = plain_table("program", right=["candidate", f"{ranks_by} ↑"])
    table.add_column("operator")
    table.add_column("last change", overflow="fold")
    for c in listed:
        value = score_text(c.scores[ranks_by])
        table.add_row(c.program_id[:10], str(c.ordinal), value, c.operator, escape(visible(c.note)))
    console().print(table)


@app.command()
def show(
    program: Annotated[
        str,
        typer.Argument(help="Id of a program (four characters or more), campaign:ordinal or campaign:best."),
    ],
    db: DbOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show a program: source, scores, where it is from. Of a candidate that the engine failed on, the traceback.

    Example: evolve results show cfr-symbolic-s0:0
    """
    from results.programs import program as details_of
    from results.store import open_store

    with open_store(database(db), create=False, read_only=True) as store:
        traceback = _traceback(store, program)
        try:
            details = details_of(store, program)
        except UnknownNameError:
            if not traceback:
                raise
            details = None
        campaigns = [store.find_campaign(name) for name, _ in details.evaluations] if details else []
    if as_json:
        known = details_json(details) if details else {"schema_version": SCHEMA_VERSION, "candidate": program}
        print_json(known | ({"traceback": traceback} if traceback else {}))
        return
    if details:
        _print_details(details, {record.name: record.metric for record in campaigns if record})
    if traceback:
        print(f"The engine failed on {program}:\n{visible(traceback)}")


def _traceback(store: Store, ref: str) -> str:
    """Return the traceback of an engine_error that was stored for campaign:ordinal, "" where there is none."""
    from results.queries import events

    campaign, _, ordinal = ref.rpartition(":")
    if not (campaign and ordinal.isdecimal()):
        return ""
    of_ours = (event for event in events(store, campaign) if event.kind == Tag.ENGINE_ERROR)
    return next((str(e.payload["log"]) for e in of_ours if e.payload["ordinal"] == int(ordinal)), "")


def _print_details(details: ProgramDetails, metrics: Mapping[str, Metric]) -> None:
    from rich.syntax import Syntax

    out, source = console(), visible(details.program.source)
    out.print(f"[bold]{details.program.id}[/bold] {escape(details.program.name)}")
    for origin in details.origins:
        parents = ", ".join(p[:10] for p in origin.parents)
        made = f"{origin.operator} from {parents}" if parents else origin.operator
        ended = f"{origin.outcome}: {origin.message}" if origin.message else str(origin.outcome)
        line = f"candidate {origin.ordinal} of {origin.campaign}, by {made}; {ended}"
        out.print(escape(visible(line)))
        for change in filter(None, origin.note.split("; ")):
            out.print(escape(visible(f"  {change}")))
    out.print()
    if out.is_terminal:
        out.print(Syntax(source, "python", background_color="default", word_wrap=True))
    else:
        print(source)
    for campaign, stored in details.evaluations:
        _print_evaluation(campaign, stored, metrics[campaign])


def _print_evaluation(campaign: str, stored: StoredEvaluation, metric: Metric) -> None:
    out, evaluation = console(), stored.evaluation
    ended = (
        f"{evaluation.outcome.tag.value}, isolation {evaluation.isolation}, {evaluation.cost.cpu_s:.1f} CPU s"
    )
    out.print(f"{campaign}, plan {stored.plan}: {ended}", markup=False)
    if evaluation.results:
        out.print(tasks_table(metric, evaluation.results))
    whole = {name: one for name, one in evaluation.scores.items() if "/" not in name}
    for name, one in whole.items():
        out.print(f"  {name} {score_text(one)}", markup=False)
    if evaluation.log:
        failed = evaluation.outcome.tag is Tag.ENGINE_ERROR
        out.print(f"{'The engine failed:' if failed else 'It printed:'} {escape(visible(evaluation.log))}")


def details_json(details: ProgramDetails) -> dict[str, Any]:
    """Return everything known of a program, as ``show --json`` and ``export --format json`` have it."""
    return {
        "schema_version": SCHEMA_VERSION,
        "program": {"id": details.program.id, "name": details.program.name, "source": details.program.source},
        "origins": [plain(vars(o)) for o in details.origins],
        "children": [c._asdict() for c in details.children],
        "evaluations": [_evaluation_json(campaign, stored) for campaign, stored in details.evaluations],
    }


def _evaluation_json(campaign: str, stored: StoredEvaluation) -> dict[str, Any]:
    evaluation = stored.evaluation
    return {
        "campaign": campaign,
        "plan": stored.plan,
        "ordinal": stored.ordinal,
        "outcome": outcome_json(evaluation.outcome),
        "isolation": evaluation.isolation,
        "scores": scores_json(evaluation.scores),
        "tasks": [task_json(result) for result in evaluation.results],
        "log": evaluation.log,
    }


def plain(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return fields as JSON has them, times as ISO 8601."""
    return {key: value.isoformat() if hasattr(value, "isoformat") else value for key, value in fields.items()}
