"""``evolve results export``: programs and tables as files for other tools."""

from __future__ import annotations

import csv
import io
import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from evolve.cli.output import SCHEMA_VERSION, DbOption, JsonOption, console, database, print_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from results.records import CallRecord, CampaignRecord, StoredCandidate
    from results.store import Store


class Format(StrEnum):
    """What is written."""

    PY = "py"
    CSV = "csv"
    JSON = "json"
    CALLS = "calls"


def export(
    ref: Annotated[
        str,
        typer.Argument(
            metavar="PROGRAM|CAMPAIGN", help="A program (id, campaign:ordinal, file, seed) or a campaign."
        ),
    ],
    chosen: Annotated[
        Format | None,
        typer.Option(
            "--format", "-f", help="[default: py for a program, csv for a campaign]", show_default=False
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write. [default: standard output]")
    ] = None,
    db: DbOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a program as a Python file that runs with OpenSpiel alone, or results as a table.

    A program: py, or its curves as csv or json. A campaign: all of its candidates with their scores, csv or json, or
    calls: what models answered, which `evolve run --model replay:FILE` takes.

    Example: evolve results export cfr-symbolic-s0:best --output discovered.py
    """
    where = database(db)
    found = _campaign(ref, where, chosen)
    if found is None:
        kind = chosen or (Format.JSON if as_json and output is None else Format.PY)
        text = _program(ref, where, kind, output)
    else:
        kind, text = found
    if output is not None:
        _write(output, text)
        if as_json:
            print_json({"schema_version": SCHEMA_VERSION, "format": kind.value, "file": str(output)})
        else:
            console(stderr=True).print(f"Wrote {output}.", markup=False)
    elif as_json and kind is not Format.JSON:
        print_json({"schema_version": SCHEMA_VERSION, "format": kind.value, "content": text})
    else:
        from results.text import visible

        # Exact where it goes on to a file or a program, harmless where it goes to a terminal.
        print(visible(text) if sys.stdout.isatty() else text, end="")


def _campaign(ref: str, where: str, chosen: Format | None) -> tuple[Format, str] | None:
    """A campaign's table; None when `ref` is no campaign's name."""
    from evolve.errors import ConfigError
    from results.queries import calls, campaigns
    from results.store import open_store

    if "://" not in where and not Path(where).exists():
        return None
    with open_store(where, create=False, read_only=True) as store:
        record = store.find_campaign(ref)
        if record is None:
            _suggest(ref, [c.name for c in campaigns(store)])
            return None
        kind = chosen or Format.CSV
        if kind is Format.PY:
            raise ConfigError(
                f"export: expected csv, json or calls for the campaign {ref!r}; got py.",
                f"`evolve results top {ref}` lists its programs.",
            )
        if kind is Format.CALLS:
            return kind, _recording(record, calls(store, ref))
        return kind, _campaign_table(store, record, kind)


def _recording(record: CampaignRecord, found: Sequence[CallRecord]) -> str:
    """The campaign's calls as replay:FILE reads them; refused where no model was asked."""
    from evolve.config import parse_config
    from evolve.errors import ConfigError
    from evolve.models.config import DECISIVE
    from evolve.models.recorded import recording

    if not found:
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
    return recording(about, found)


def _suggest(ref: str, names: Sequence[str]) -> None:
    """Refuse what is all but the name of a campaign, and nothing that a program is called by."""
    from difflib import get_close_matches

    from evolve.errors import ConfigError

    close = get_close_matches(ref, names, n=1, cutoff=0.8)
    if close and ":" not in ref and not Path(ref).exists():
        raise ConfigError(f"export: there is no campaign {ref!r}.", f"Did you mean {close[0]!r}?")


def _campaign_table(store: Store, record: CampaignRecord, kind: Format) -> str:
    from results.loading import load_state

    with store.reading() as connection:
        state = load_state(connection, record.id)
    stored = sorted([*state.told, *state.pending.values()], key=lambda one: one.candidate.ordinal)
    rows = [_candidate(one, record.plan) for one in stored]
    if kind is Format.JSON:
        head = {"schema_version": SCHEMA_VERSION, "campaign": record.name, "objective": record.objective}
        return json.dumps(head | {"candidates": rows}, allow_nan=False) + "\n"
    objectives = list(dict.fromkeys(name for row in rows for name in row["scores"]))
    return _csv([_flat(row, objectives) for row in rows])


def _candidate(stored: StoredCandidate, plan: str) -> dict[str, Any]:
    candidate = stored.candidate
    evaluation = next((e for e in stored.evaluations if e.plan == plan), None)
    return {
        "ordinal": candidate.ordinal,
        "program": candidate.program_id,
        "operator": candidate.operator,
        "parents": list(candidate.parents),
        "island": candidate.island,
        "outcome": candidate.outcome,
        "message": candidate.message,
        "note": candidate.note,
        "cpu_s": evaluation.cpu_s if evaluation else None,
        "scores": dict(evaluation.scores) if evaluation else {},
    }


def _flat(row: Mapping[str, Any], objectives: Sequence[str]) -> dict[str, Any]:
    from results.text import cell

    plain = {key: value for key, value in row.items() if key != "scores"}
    plain["parents"] = " ".join(row["parents"])
    plain |= {key: cell(row[key]) for key in ("message", "note")}
    return plain | {name: row["scores"].get(name) for name in objectives}


def _program(ref: str, where: str, kind: Format, output: Path | None) -> str:
    if kind is Format.PY:
        return _script(ref, where, output)
    if kind is Format.CALLS:
        from evolve.errors import ConfigError

        raise ConfigError(
            f"export: --format calls is for a campaign; {ref!r} is a program.", "Name the campaign."
        )
    from evolve.cli.results import details_json
    from results.programs import program
    from results.store import open_store

    with open_store(where, create=False, read_only=True) as store:
        details = program(store, ref)
    if kind is Format.JSON:
        return json.dumps(details_json(details), allow_nan=False) + "\n"
    rows = [
        {
            "campaign": campaign,
            "plan": evaluation.plan,
            "game": curve.game,
            "variant": curve.variant,
            "game_string": curve.game_string,
            "iteration": iteration,
            "exploitability": value,
        }
        for campaign, evaluation in details.evaluations
        for curve in evaluation.curves
        for iteration, value in curve.points
    ]
    return _csv(rows)


def _script(ref: str, where: str, output: Path | None) -> str:
    from evaluators.scripts import exporter
    from evolve.programs import find_program

    found = find_program(ref, db=where)
    title = f"Program {found.name} ({found.id[:10]}), exported by evolve-marl."
    as_script = exporter(found.domain)
    return as_script(found.source, title=title, file=output.name if output else "program.py")


def _csv(rows: Sequence[Mapping[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]) if rows else ["empty"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _write(path: Path, text: str) -> None:
    from evolve.errors import ConfigError

    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"export: {path} cannot be written: {error.strerror}.") from error
