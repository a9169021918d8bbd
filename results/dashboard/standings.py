"""Programs beside each other: their scores, and what they reached on each game."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from evaluators.records import TaskResult
from results.loading import load_evaluations, load_programs
from results.plots import Curve
from results.programs import SHOWN_ID
from results.records import CampaignRecord, StoredEvaluation
from results.schema import Evaluation, Program
from results.store import Store

EXACT = "exact"
"""The variant of a game whose payoffs are the game's own."""

DRAWN_BASELINES = 4
"""Baselines that a figure shows: the best ones, because a dozen lines cannot be told apart."""


LABEL_CHARS = 32
"""Of a longer name, this much is shown."""


@dataclass(frozen=True, kw_only=True)
class Standing:
    """A program of a campaign in a table.

    Attributes:
        program_id: its id.
        label: its name, or the beginning of its id.
        baseline: whether it was evaluated for comparison only.
        outcome: how its evaluation ended.
        score: the campaign's objective; None unless the outcome is ok.
        values: game -> exploitability at the end.
        curves: what the values are the ends of.
    """

    program_id: str
    label: str
    baseline: bool
    outcome: str
    score: float | None
    values: Mapping[str, float]
    curves: tuple[TaskResult, ...]


def standings(store: Store, record: CampaignRecord, program_ids: Collection[str]) -> list[Standing]:
    """Programs and all baselines of a campaign, best first, those without a score last."""
    wanted = Evaluation.ordinal.is_(None) | Evaluation.program_id.in_(program_ids)
    where = (Evaluation.campaign_id == record.id, Evaluation.plan == record.plan, wanted)
    with store.reading() as connection:
        evaluations = load_evaluations(connection, *where)
        ids = {one.program_id for one in evaluations.values()}
        names = {key: one.name for key, one in load_programs(connection, Program.id.in_(ids)).items()}
    # A seed may be a baseline too: a candidate's evaluation replaces the baseline's.
    ordered = sorted(evaluations.values(), key=lambda one: one.ordinal is not None)
    found = {one.program_id: _standing(one, record, names[one.program_id]) for one in ordered}
    return ranked(found.values())


def ranked(found: Iterable[Standing]) -> list[Standing]:
    """Best first, those without a score last."""
    return sorted(found, key=lambda one: (one.score is None, -(one.score or 0.0), one.label))


def games(found: Iterable[Standing]) -> list[str]:
    """The games on which any of them was run, in the plan's order."""
    return list(dict.fromkeys(game for one in found for game in one.values))


def lowest(found: Iterable[Standing]) -> dict[str, float]:
    """Game -> the smallest exploitability that any of them reached."""
    least: dict[str, float] = {}
    for one in found:
        for game, value in one.values.items():
            least[game] = min(value, least.get(game, value))
    return least


def curves(found: Iterable[Standing], always: Collection[str]) -> list[Curve]:
    """What a figure draws of them: the programs with these ids, and the best baselines."""
    chosen, baselines = [], 0
    for one in found:
        baselines += one.program_id not in always
        if one.program_id in always or baselines <= DRAWN_BASELINES:
            chosen.append(one)
    return [
        Curve(one.label, curve.game, curve.points)
        for one in sorted(chosen, key=lambda one: one.program_id not in always)
        for curve in one.curves
        if curve.points
    ]


def exact_curves(evaluation: StoredEvaluation) -> tuple[TaskResult, ...]:
    """A curve per game: those with the game's own payoffs, or all where there is no such variant."""
    exact = tuple(curve for curve in evaluation.curves if curve.variant == EXACT)
    return exact or evaluation.curves


def _standing(evaluation: StoredEvaluation, record: CampaignRecord, name: str) -> Standing:
    drawn = exact_curves(evaluation)
    return Standing(
        program_id=evaluation.program_id,
        label=name[:LABEL_CHARS] or evaluation.program_id[:SHOWN_ID],
        baseline=evaluation.ordinal is None,
        outcome=evaluation.outcome,
        score=evaluation.scores.get(record.objective),
        values={curve.game: curve.points[-1][1] for curve in drawn if curve.points},
        curves=drawn,
    )
