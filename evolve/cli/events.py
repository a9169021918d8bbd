"""A campaign's events as the JSON lines of ``evolve run --json``."""

from __future__ import annotations

from typing import Any

from evaluators.records import Candidate
from evolve.cli.output import SCHEMA_VERSION, metric_json, outcome_json, scores_json
from evolve.search.events import BaselineScored, Called, Event, HeldOut, Refined, Started, Told, Warned


def as_json(event: Event) -> dict[str, Any]:
    """Return one event as a JSON object."""
    fields: dict[str, Any]
    match event:
        case Started():
            fields = {"event": "started"} | vars(event)
            fields |= {"metric": metric_json(event.metric), "tasks": list(event.tasks)}
        case BaselineScored():
            fields = {
                "event": "baseline",
                "name": event.name,
                "program": event.program_id,
                "outcome": outcome_json(event.evaluation.outcome),
                "scores": scores_json(event.evaluation.scores),
                "remembered": event.remembered,
            }
        case Told():
            fields = {"event": "candidate"} | _candidate(event.candidate) | {"improved": event.improved}
        case Refined():
            fields = {"event": "refined"} | _candidate(event.candidate)
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
    return {"schema_version": SCHEMA_VERSION} | fields


def _candidate(candidate: Candidate) -> dict[str, Any]:
    return {
        "ordinal": candidate.ordinal,
        "program": candidate.program_id,
        "operator": candidate.operator,
        "outcome": outcome_json(candidate.outcome),
        "scores": scores_json(candidate.scores),
        "note": candidate.note,
    }
