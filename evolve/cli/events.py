"""A campaign's events as the JSON lines of ``evolve run --json``."""

from __future__ import annotations

from typing import Any

from evolve.cli.output import SCHEMA_VERSION, exact_values
from evolve.search.events import BaselineScored, Called, Event, Looked, Started, Told, Warned


def as_json(event: Event) -> dict[str, Any]:
    """One event as a JSON object."""
    return {"schema_version": SCHEMA_VERSION} | _fields(event)


def _fields(event: Event) -> dict[str, Any]:
    match event:
        case Started():
            return {"event": "started"} | vars(event) | {"games": list(event.games)}
        case BaselineScored():
            return {
                "event": "baseline",
                "name": event.name,
                "program": event.program_id,
                "outcome": event.evaluation.outcome.tag.value,
                "objectives": dict(event.evaluation.objectives),
                "remembered": event.remembered,
            }
        case Told():
            return {
                "event": "candidate",
                "ordinal": event.ordinal,
                "program": event.program_id,
                "operator": event.operator,
                "outcome": event.outcome.tag.value,
                "message": event.outcome.message,
                "objectives": dict(event.objectives),
                "improved": event.improved,
                "note": event.note,
            }
        case Looked():
            return {
                "event": "look",
                "program": event.program_id,
                "exploitability": exact_values(event.evaluation),
                "looks": event.looks,
            }
        case Called():
            return {"event": "call"} | vars(event)
        case Warned():
            return {"event": "warning", "message": event.message}
