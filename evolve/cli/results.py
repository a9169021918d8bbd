"""``evolve results``: look at what campaigns found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from evolve.cli.output import SCHEMA_VERSION, DbOption, JsonOption, console, database, number, print_json

if TYPE_CHECKING:
    from rich.table import Table

    from results.programs import ProgramDetails
    from results.records import EvaluationRecord

app = typer.Typer(no_args_is_help=True, help="Look at campaigns and programs in the results database.")


@app.command()
def campaigns(db: DbOption = None, as_json: JsonOption = False) -> None:
    """List all campaigns with their state and best score.

    Example: evolve results campaigns
    """
    from rich.markup import escape

    from evolve.cli.tables import plain_table
    from results import queries
    from results.store import open_store

    with open_store(database(db), create=False, read_only=True) as store:
        found = queries.campaigns(store)
    if as_json:
        print_json({"schema_version": SCHEMA_VERSION, "campaigns": [_plain(vars(c)) for c in found]})
        return
    table = plain_table("campaign", "domain", "status", "created", right=["candidates", "best", "CPU s"])
    for c in found:
        best = "-" if c.best is None else f"{c.best:.3f}"
        created = f"{c.created_at:%Y-%m-%d %H:%M}"
        table.add_row(escape(c.name), c.domain, c.status, created, str(c.candidates), best, f"{c.cpu_s:.0f}")
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
    from rich.markup import escape

    from evolve.cli.tables import plain_table
    from results import queries
    from results.store import open_store
    from results.text import visible

    with open_store(database(db), create=False, read_only=True) as store:
        found = queries.top(store, campaign, objective, n=n)
        record = store.find_campaign(campaign)
    shown = objective or (record.objective if record else "")
    if as_json:
        ranked = [_plain(vars(c)) for c in found]
        print_json(
            {"schema_version": SCHEMA_VERSION, "campaign": campaign, "objective": shown, "programs": ranked}
        )
        return
    table = plain_table("program", right=["candidate", f"{shown} ↑"])
    table.add_column("operator")
    table.add_column("last change", overflow="fold")
    for c in found:
        table.add_row(
            c.program_id[:10], str(c.ordinal), f"{c.value:.3f}", c.operator, escape(visible(c.note))
        )
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
    """Show a program: source, scores per game, where it came from.

    Example: evolve results show cfr-symbolic-s0:0
    """
    from results.programs import program as details_of
    from results.store import open_store

    with open_store(database(db), create=False, read_only=True) as store:
        details = details_of(store, program)
    if as_json:
        print_json(details_json(details))
    else:
        _print_details(details)


def _print_details(details: ProgramDetails) -> None:
    from rich.markup import escape
    from rich.syntax import Syntax

    from results.text import visible

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
    for campaign, evaluation in details.evaluations:
        out.print(_scores_table(campaign, evaluation))
        if evaluation.log:
            out.print(f"It printed: {escape(visible(evaluation.log))}")


def _scores_table(campaign: str, evaluation: EvaluationRecord) -> Table:
    from evolve.cli.tables import MS, plain_table

    table = plain_table("game", right=["iterations", "exploitability", "uniform policy", "CPU s", MS])
    table.title = (
        f"{campaign}: {evaluation.outcome}, isolation {evaluation.isolation}, {evaluation.cpu_s:.1f} CPU s"
    )
    table.title_justify = "left"
    for c in evaluation.curves:
        last = number(c.points[-1][1])
        own = f"{1e3 * c.candidate_cpu_s / c.iterations:.3g}"
        table.add_row(c.instance, str(c.iterations), last, number(c.uniform), f"{c.cpu_s:.2f}", own)
    table.add_section()
    for objective, value in evaluation.scores.items():
        if "/" not in objective:
            table.add_row(objective, "", f"{value:.4g}", "", "", "")
    return table


def details_json(details: ProgramDetails) -> dict[str, Any]:
    """Everything known of a program, as ``show --json`` and ``export --format json`` have it."""
    return {
        "schema_version": SCHEMA_VERSION,
        "program": {"id": details.program.id, "name": details.program.name, "source": details.program.source},
        "origins": [_plain(vars(o)) for o in details.origins],
        "children": [_plain(c._asdict()) for c in details.children],
        "evaluations": [
            {"campaign": campaign} | _plain(vars(e)) | {"curves": [_plain(vars(c)) for c in e.curves]}
            for campaign, e in details.evaluations
        ],
    }


def _plain(fields: dict[str, Any]) -> dict[str, Any]:
    """Fields as JSON has them: times as ISO 8601, tuples as lists."""
    return {key: value.isoformat() if hasattr(value, "isoformat") else value for key, value in fields.items()}
