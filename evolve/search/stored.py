"""Between the domains' evaluations and the results database's plain records."""

from __future__ import annotations

from evaluators.base import Evaluation, Instance, InstanceResult, Outcome, Tag
from evolve.search.record import Scored
from results.records import CurveRecord, EvaluationRecord

PLAN = "search"
"""Name under which the evaluations that selection reads are stored."""


def to_record(evaluation: Evaluation, *, program_id: str, ordinal: int | None, plan: str) -> EvaluationRecord:
    """An evaluation as it is stored."""
    return EvaluationRecord(
        ordinal=ordinal,
        program_id=program_id,
        plan=plan,
        outcome=evaluation.outcome.tag.value,
        message=evaluation.outcome.message,
        isolation=evaluation.isolation,
        cpu_s=evaluation.cpu_s,
        wall_s=evaluation.wall_s,
        log=evaluation.log,
        scores=dict(evaluation.objectives),
        curves=tuple(
            CurveRecord(
                instance=r.instance.name,
                game=r.instance.game,
                variant=r.instance.variant,
                iterations=r.instance.iterations,
                game_string=r.game_string,
                uniform=r.uniform,
                points=r.curve,
                cpu_s=r.cpu_s,
                wall_s=r.wall_s,
                candidate_cpu_s=r.candidate_cpu_s,
            )
            for r in evaluation.results
        ),
    )


def from_record(record: EvaluationRecord) -> Evaluation:
    """A stored evaluation as the engine sees it."""
    return Evaluation(
        outcome=Outcome(Tag(record.outcome), record.message),
        results=tuple(
            InstanceResult(
                instance=Instance(c.instance, c.game, c.variant, c.iterations),
                game_string=c.game_string,
                curve=c.points,
                uniform=c.uniform,
                cpu_s=c.cpu_s,
                wall_s=c.wall_s,
                candidate_cpu_s=c.candidate_cpu_s,
            )
            for c in record.curves
        ),
        objectives=dict(record.scores),
        isolation=record.isolation,
        cpu_s=record.cpu_s,
        wall_s=record.wall_s,
        log=record.log,
    )


def scored(evaluation: Evaluation) -> Scored:
    """What operators see of an evaluation; curves of finished runs only where it ended ok."""
    if not evaluation.outcome.ok:
        return Scored()
    curves = {r.instance.game: r.curve for r in evaluation.results if r.instance.variant == "exact"}
    return Scored(evaluation.objectives, curves)
