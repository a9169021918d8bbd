"""From the database to a report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from results import progress
from results.errors import UnknownNameError
from results.lineage import lineage
from results.loading import get_campaign, load_evaluations, load_programs
from results.progress import model_report
from results.programs import SHOWN_ID
from results.queries import held_out, living_status
from results.records import CampaignRecord, ProgramRecord, StoredEvaluation
from results.report import sealed, structure, tables
from results.report.model import DISCOVERED, Best, Change, Contender, Report
from results.schema import Evaluation, Program
from results.store import Store


def build(store: Store, campaign: str, *, command: str = "", settings: str = "") -> Report:
    """The report of a campaign, as the database has it now.

    Args:
        store: where to look.
        campaign: its name.
        command: how to repeat the campaign, for the reader.
        settings: its configuration as a file, for the reader.

    Raises:
        UnknownNameError: no such campaign, with the nearest names.
    """
    with store.reading() as connection:
        record = get_campaign(connection, campaign)
    trials = progress.trials(store, campaign)
    way = progress.way_to_best(trials)
    best_ordinal = way[-1] if way else None
    programs, evaluations = _evaluated(store, record, [0, *way[-1:]])
    contenders = _contenders(record, programs, evaluations, best_ordinal)
    shown = {c.label: e for c in contenders for e in evaluations if _is(e, c) and e.outcome == "ok"}
    changes = _changes(store, campaign, best_ordinal)
    return Report(
        campaign=record,
        status=living_status(store, record),
        planned=_planned(record.config),
        trials=tuple(trials),
        best=_best(trials, programs, evaluations, best_ordinal),
        contenders=contenders,
        rows=tuple(tables.final_values(shown)),
        curves=tuple(tables.curves(shown)),
        operators=tuple(progress.operator_shares(trials)),
        models=tuple(progress.model_shares(trials)),
        calls=tuple(model_report(store, campaign)),
        failures=tuple(progress.failures(store, campaign)),
        changes=changes,
        splits=structure.split([(c.kind, c.gain) for c in changes if c.kind is not None]),
        sealed=sealed.sealed(store, held_out(store, campaign), trials, shown, best_ordinal),
        isolation=progress.isolation_levels(store, campaign),
        cpu_s=sum(t.cpu_s for t in trials) + sum(e.cpu_s for e in evaluations if e.ordinal is None),
        wall_s=None
        if record.finished_at is None
        else (record.finished_at - record.created_at).total_seconds(),
        command=command,
        settings=settings,
    )


def _evaluated(
    store: Store, record: CampaignRecord, ordinals: Sequence[int]
) -> tuple[dict[str, ProgramRecord], list[StoredEvaluation]]:
    """The baselines and some candidates: programs and evaluations on the plan of the search."""
    wanted = Evaluation.ordinal.is_(None) | Evaluation.ordinal.in_(ordinals)
    where = (Evaluation.campaign_id == record.id, Evaluation.plan == record.plan, wanted)
    with store.reading() as connection:
        evaluations = list(load_evaluations(connection, *where).values())
        programs = load_programs(connection, Program.id.in_({e.program_id for e in evaluations}))
    return programs, evaluations


def _contenders(
    record: CampaignRecord,
    programs: Mapping[str, ProgramRecord],
    evaluations: Iterable[StoredEvaluation],
    best: int | None,
) -> tuple[Contender, ...]:
    """The best candidate, then the others, best first; a program that is both start and baseline once."""
    found: dict[str, Contender] = {}
    for evaluation in sorted(evaluations, key=lambda e: (e.ordinal != best, e.ordinal is not None)):
        key, discovered = evaluation.program_id, evaluation.ordinal is not None and evaluation.ordinal == best
        name = programs[key].name or key[:SHOWN_ID]
        label = (DISCOVERED if best else f"{name} (start)") if discovered else name
        score = evaluation.scores.get(record.objective)
        found.setdefault(key, Contender(label, key, evaluation.ordinal, score, evaluation.outcome))
    return tuple(
        sorted(
            found.values(),
            key=lambda c: (c.ordinal is None or c.ordinal != best, c.score is None, -(c.score or 0.0)),
        )
    )


def _is(evaluation: StoredEvaluation, contender: Contender) -> bool:
    return (evaluation.program_id, evaluation.ordinal) == (contender.program_id, contender.ordinal)


def _changes(store: Store, campaign: str, best: int | None) -> tuple[Change, ...]:
    if best is None:
        return ()
    try:
        steps = lineage(store, f"{campaign}:{best}").steps
    except UnknownNameError:  # told a moment ago; the database moves on while a campaign runs
        return ()
    found = [Change(step=steps[0], kind=None, gain=None, previous="")]
    for before, after in pairwise(steps):
        kind = structure.kind_of(before.source, after.source)
        found.append(
            Change(step=after, kind=kind, gain=structure.gain_of(before, after), previous=before.source)
        )
    return tuple(found)


def _best(
    trials: Sequence[progress.Trial],
    programs: Mapping[str, ProgramRecord],
    evaluations: Sequence[StoredEvaluation],
    ordinal: int | None,
) -> Best | None:
    if ordinal is None:
        return None
    trial = next(t for t in trials if t.ordinal == ordinal)
    evaluation = next(e for e in evaluations if e.ordinal == ordinal)
    assert trial.value is not None
    return Best(
        ordinal=ordinal,
        program_id=evaluation.program_id,
        score=trial.value,
        operator=trial.operator,
        source=programs[evaluation.program_id].source,
        log=evaluation.log,
    )


def _planned(config: Mapping[str, object]) -> int | None:
    planned = config.get("candidates")
    return planned if isinstance(planned, int) else None
