"""A campaign's events as the JSON lines of ``evolve run --json``."""

from __future__ import annotations

from typing import Any

from evolve.cli.output import SCHEMA_VERSION, metric_json, outcome_json, scores_json
from evolve.search.events import BaselineScored, Called, Event, HeldOut, Refined, Started, Told, Warned


def as_json(event: Event) -> dict[str, Any]:
    """Return one event as a JSON object."""
    return {"schema_version": SCHEMA_VERSION} | _fields(event)


def _fields(event: Event) -> dict[str, Any]:
    match event:
        case Started():
            own = {"metric": metric_json(event.metric), "tasks": list(event.tasks)}
            return {"event": "started"} | vars(event) | own
        case BaselineScored():
            return {
                "event": "baseline",
                "name": event.name,
                "program": event.program_id,
                "outcome": outcome_json(event.evaluation.outcome),
                "scores": scores_json(event.evaluation.scores),
                "remembered": event.remembered,
            }
        case Told():
            candidate = event.candidate
            return {
                "event": "candidate",
                "ordinal": candidate.ordinal,
                "program": candidate.program_id,
                "operator": candidate.operator,
                "outcome": outcome_json(candidate.outcome),
                "scores": scores_json(candidate.scores),
                "improved": event.improved,
                "note": candidate.note,
            }
        case Refined():
            candidate = event.candidate
            return {
                "event": "refined",
                "ordinal": candidate.ordinal,
                "program": candidate.program_id,
                "scores": scores_json(candidate.scores),
            }
        case HeldOut():
            return {
                "event": "held_out",
                "program": event.program_id,
                "values": {one.task.name: one.value for one in event.evaluations},
                "total": event.total,
            }
        case Called():
            return {"event": "call"} | vars(event)
        case Warned():
            return {"event": "warning", "message": event.message}
