"""``evolve results export``: programs and tables as files for other tools."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from evolve.cli.output import (
    DbOption,
    JsonOption,
    console,
    database,
    json_line,
    metric_json,
    open_results,
    print_json,
    writing,
)
from evolve.errors import ConfigError
from results.records import CallRecord, CampaignRecord, StoredCandidate
from results.text import cell, visible

if TYPE_CHECKING:
    from evaluators.scripts import Exporter
    from results.store import Store

Format = Literal["py", "csv", "json", "calls"]


def export(
    ref: Annotated[
        str,
        typer.Argument(
            metavar="PROGRAM|CAMPAIGN", help="A program (id, campaign:ordinal, file, seed) or a campaign."
        ),
    ],
    chosen: Annotated[
        Format | None, typer.Option("--format", "-f", help="[default: py for a program, csv for a campaign]")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write. [default: standard output]")
    ] = None,
    db: DbOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a program as a Python file that runs without this package, or results as a table.

    A program: py, or its curves as csv or json. A campaign: all of its candidates with their scores, csv or json, or
    calls: what models answered, which `evolve run --model replay:FILE` takes.

    Example: evolve results export cfr-symbolic-s0:best --output discovered.py
    """
    where = database(db)
    table = _campaign(ref, where, chosen)
    if table is None:
        kind = chosen or ("json" if as_json and output is None else "py")
        text = _program(ref, where, kind, output)
    else:
        kind, text = table
    if output is not None:
        with writing(output, command="export"):
            output.write_text(text, encoding="utf-8")
        if as_json:
            print_json({"format": kind, "file": output})
        else:
            console(stderr=True).print(f"Wrote {output}.", markup=False)
    elif as_json and kind != "json":
        print_json({"format": kind, "content": text})
    else:
        # Exact where it goes on to a file or a program, harmless where it goes to a terminal.
        print(visible(text) if sys.stdout.isatty() else text, end="")


def _campaign(ref: str, where: str, chosen: Format | None) -> tuple[Format, str] | None:
    """Return a campaign's table; None when `ref` is no campaign's name."""
    from results.queries import calls, campaigns

    if "://" not in where and not Path(where).exists():
        return None
    with open_results(where) as store:
        record = store.find_campaign(ref)
        if record is None:
            _suggest(ref, [c.name for c in campaigns(store)])
            return None
        kind = chosen or "csv"
        if kind == "py":
            raise ConfigError(
                f"export: expected csv, json or calls for the campaign {ref!r}; got py.",
                f"`evolve results top {ref}` lists its programs.",
            )
        if kind == "calls":
            return kind, _recording(record, calls(store, ref))
        return kind, _campaign_table(store, record, kind)


def _recording(record: CampaignRecord, asked: Sequence[CallRecord]) -> str:
    """Return the campaign's calls as replay:FILE reads them; refuse where no model was asked."""
    from evolve.config import parse_config
    from evolve.models.config import DECISIVE
    from evolve.models.files import recording

    if not asked:
        raise ConfigError(
            f"export: the campaign {record.name!r} asked no model.",
            "--format csv or json has its candidates.",
        )
    # Neither paths nor what changes nothing: a recording is passed on.
    stored = parse_config(record.config).model_dump(mode="json", exclude_defaults=True)
    llm = {key: value for key, value in stored.pop("llm", {}).items() if key in DECISIVE}
    left_out = {"name", "model", "db", "workers"}
    config = {key: value for key, value in stored.items() if key not in left_out} | (
        {"llm": llm} if llm else {}
    )
    about = {
        "campaign": record.name,
        "recorded": record.created_at.date().isoformat(),
        "versions": dict(record.versions),
        "config": config,
    }
    return recording(about, asked)


def _suggest(ref: str, names: Sequence[str]) -> None:
    """Refuse what is all but the name of a campaign, and nothing that a program is called by."""
    close = get_close_matches(ref, names, n=1, cutoff=0.8)
    if close and ":" not in ref and not Path(ref).exists():
        raise ConfigError(f"export: there is no campaign {ref!r}.", f"Did you mean {close[0]!r}?")


def _campaign_table(store: Store, record: CampaignRecord, kind: Format) -> str:
    from results.loading import load_state

    with store.reading() as connection:
        state = load_state(connection, record.id)
    stored = sorted([*state.told, *state.pending.values()], key=lambda one: one.candidate.ordinal)
    if kind == "json":
        about = {"campaign": record.name, "metric": metric_json(record.metric), "objective": record.objective}
        rows = [_candidate_json(one, record.plan) for one in stored]
        return json_line(about | {"candidates": rows}) + "\n"
    return _csv([_candidate_row(one, record.plan) for one in stored])


def _candidate_json(stored: StoredCandidate, plan: str) -> dict[str, Any]:
    candidate = stored.candidate
    evaluation = next((one.evaluation for one in stored.evaluations if one.plan == plan), None)
    return {
        "ordinal": candidate.ordinal,
        "program": candidate.program_id,
        "operator": candidate.operator,
        "parents": list(candidate.parents),
        "island": candidate.island,
        "outcome": candidate.outcome,
        "note": candidate.note,
        "cpu_s": evaluation.cost.cpu_s if evaluation else None,
        "scores": evaluation.scores if evaluation else {},
    }


def _candidate_row(stored: StoredCandidate, plan: str) -> dict[str, Any]:
    """Return a candidate as a row of a table; scores with a standard error have it in a column of its own."""
    row, outcome = _candidate_json(stored, plan), stored.candidate.outcome
    scores = row.pop("scores")
    row |= {
        "parents": " ".join(row["parents"]),
        "outcome": outcome.tag.value if outcome else None,
        "message": cell(outcome.message) if outcome else None,
        "note": cell(row["note"]),
    }
    for name, one in scores.items():
        row |= {name: one.mean} | ({f"{name} stderr": one.stderr} if one.stderr else {})
    return row


def _program(ref: str, where: str, kind: Format, output: Path | None) -> str:
    if kind == "py":
        return _script(ref, where, output)
    if kind == "calls":
        raise ConfigError(
            f"export: --format calls is for a campaign; {ref!r} is a program.", "Name the campaign."
        )
    from evolve.cli.results import details_json
    from results.programs import program

    with open_results(where) as store:
        details = program(store, ref)
    if kind == "json":
        return json_line(details_json(details)) + "\n"
    rows = [
        {"campaign": campaign, "plan": stored.plan} | vars(result.task) | {"budget": budget, "value": value}
        for campaign, stored in details.evaluations
        for result in stored.evaluation.results
        for budget, value in result.curve
    ]
    return _csv(rows)


def _script(ref: str, where: str, output: Path | None) -> str:
    from evolve.programs import find_program

    program = find_program(ref, db=where)
    as_script: Exporter = program.domain.require("exporter", command="export")
    title = f"Program {program.name} ({program.id[:10]}), exported by evolve-marl."
    return as_script(program.source, title=title, file=output.name if output else "program.py")


def _csv(rows: Sequence[Mapping[str, Any]]) -> str:
    text = io.StringIO()
    columns = dict.fromkeys(name for row in rows for name in row)
    writer = csv.DictWriter(text, list(columns) or ["empty"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
