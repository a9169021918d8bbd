"""How a campaign went, candidate by candidate: running best, costs, and whom improvements came from.

One read of a few narrow selects (`trials`); everything else here is a pure function of its rows, so that the report
and the viewer show the same numbers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import fmean
from typing import NamedTuple

from sqlalchemy import BigInteger, Connection, Subquery, cast, func, select

from evaluators.records import Tag
from results.comparison import rewards
from results.records import CampaignRecord, ModelShare
from results.schema import Candidate, Evaluation, ModelCall, Parent, Score
from results.store import Store

PAID = ("answered", "lost")
"""States of calls that cost something; lost ones count with what they may have cost at most."""

NO_MODEL = "no model"
"""What the share of candidates is called that no model wrote."""


class Trial(NamedTuple):
    """One decided candidate, with the campaign's totals up to it.

    Attributes:
        ordinal: its place.
        program_id: its program's, None when none came of it.
        operator: what proposed it.
        model: which model wrote it, "" where none did.
        island: where it lives.
        outcome: how it ended.
        parent: ordinal of its first parent, None for what the search started from.
        value: the campaign's objective; None unless the outcome is ok.
        best: the best value up to and with it; None before the first.
        gain: by how much it raised the best; 0.0 for all others, and for what the search started from.
        cpu_s: of its evaluations, those that refined its score included.
        cost_usd: of its calls to models.
        total_cpu_s: of all evaluations of candidates up to and with it.
        total_cost_usd: likewise.
        over_parent: by how much it improved on its first parent; 0.0 when it did not, or either has no value.
        stderr: standard error of `value`; 0.0 where that is exact.
        best_stderr: likewise, of `best`.
    """

    ordinal: int
    program_id: str | None
    operator: str
    model: str
    island: int
    outcome: str
    parent: int | None
    value: float | None
    best: float | None
    gain: float
    cpu_s: float
    cost_usd: float
    total_cpu_s: float
    total_cost_usd: float
    over_parent: float = 0.0
    stderr: float = 0.0
    best_stderr: float = 0.0


class Share(NamedTuple):
    """What one operator or model contributed.

    Attributes:
        name: whose share it is.
        proposed: candidates it proposed.
        valid: those whose evaluation ended ok.
        improvements: those that raised the campaign's best.
        gain: by how much in all, in units of the objective.
        cpu_s: of the evaluations of its candidates.
        cost_usd: of its calls.
    """

    name: str
    proposed: int
    valid: int
    improvements: int
    gain: float
    cpu_s: float
    cost_usd: float


class Failure(NamedTuple):
    """Candidates that ended alike: how many, the most frequent message, and how often that one came."""

    outcome: str
    candidates: int
    message: str
    times: int


def trials(store: Store, campaign: str) -> list[Trial]:
    """Every decided candidate of a campaign, by ordinal.

    Raises:
        UnknownNameError: no such campaign.
    """
    with store.reading_campaign(campaign) as (connection, record):
        values = _values(connection, record)
        parents = _first_parents(connection, record.id)
        models, costs = _models(connection, record.id), _costs(connection, record.id)
        spent = _spent(record.id)
        rows = connection.execute(
            select(
                Candidate.ordinal,
                Candidate.program_id,
                Candidate.operator,
                Candidate.island,
                Candidate.outcome,
                func.coalesce(spent.c.cpu_s, 0.0).label("cpu_s"),
            )
            .outerjoin(spent, spent.c.ordinal == Candidate.ordinal)
            .where(Candidate.campaign_id == record.id, Candidate.outcome.is_not(None))
            .order_by(Candidate.ordinal)
        ).all()
    decided: list[Trial] = []
    best, best_stderr, cpu_s, cost_usd = None, 0.0, 0.0, 0.0
    before: dict[int, float] = {}
    for row in rows:
        value, stderr = values.get(row.ordinal, (None, 0.0)) if row.outcome == Tag.OK else (None, 0.0)
        parent = parents.get(row.ordinal)
        known = before.get(parent) if parent is not None else None
        over_parent = max(0.0, value - known) if value is not None and known is not None else 0.0
        if value is not None:
            before[row.ordinal] = value
        gain = max(0.0, value - best) if value is not None and best is not None else 0.0
        best, best_stderr = (value, stderr) if best is None or gain > 0 else (best, best_stderr)
        cpu_s, cost_usd = cpu_s + row.cpu_s, cost_usd + costs.get(row.ordinal, 0.0)
        decided.append(
            Trial(
                **row._mapping,
                model=models.get(row.ordinal, ""),
                parent=parent,
                value=value,
                best=best,
                gain=gain,
                cost_usd=costs.get(row.ordinal, 0.0),
                total_cpu_s=cpu_s,
                total_cost_usd=cost_usd,
                over_parent=over_parent,
                stderr=stderr,
                best_stderr=best_stderr,
            )
        )
    return decided


def failures(store: Store, campaign: str) -> list[Failure]:
    """How candidates failed, the most frequent outcome first. Raises as `trials`."""
    times = func.count().label("times")
    with store.reading_campaign(campaign) as (connection, record):
        rows = connection.execute(
            select(Candidate.outcome, Candidate.message, times)
            .where(
                Candidate.campaign_id == record.id,
                Candidate.outcome.is_not(None),
                Candidate.outcome != Tag.OK,
            )
            .group_by(Candidate.outcome, Candidate.message)
            .order_by(times.desc(), Candidate.message)
        ).all()
    by_outcome: dict[str, Failure] = {}
    for outcome, message, count in rows:
        known = by_outcome.get(str(outcome), Failure(str(outcome), 0, message, count))
        by_outcome[known.outcome] = known._replace(candidates=known.candidates + count)
    return sorted(by_outcome.values(), key=lambda one: (-one.candidates, one.outcome))


def isolation_levels(store: Store, campaign: str) -> dict[str, int]:
    """Isolation level -> evaluations that ran under it, most frequent first. Raises as `trials`."""
    with store.reading_campaign(campaign) as (connection, record):
        rows = connection.execute(
            select(Evaluation.isolation, func.count())
            .where(Evaluation.campaign_id == record.id)
            .group_by(Evaluation.isolation)
            .order_by(func.count().desc(), Evaluation.isolation)
        ).all()
    return {level: count for level, count in rows}  # noqa: C416 - rows are no tuples to mypy


def operator_shares(decided: Iterable[Trial]) -> list[Share]:
    """A share per operator, in the order in which they first proposed. What the search started from has none."""
    return _shares(decided, lambda trial: trial.operator)


def model_shares(decided: Iterable[Trial]) -> list[Share]:
    """A share per model; candidates that no model wrote are the share `NO_MODEL`. [] if no model wrote any."""
    shares = _shares(decided, lambda trial: trial.model or NO_MODEL)
    return [] if [share.name for share in shares] in ([], [NO_MODEL]) else shares


def island_bests(decided: Iterable[Trial]) -> dict[int, list[tuple[int, float]]]:
    """Island -> (ordinal, best of its own candidates so far) at each of its scored candidates."""
    series: dict[int, list[tuple[int, float]]] = {}
    for trial in decided:
        if trial.value is not None:
            line = series.setdefault(trial.island, [])
            line.append((trial.ordinal, max(trial.value, line[-1][1]) if line else trial.value))
    return dict(sorted(series.items()))


def outcome_counts(decided: Iterable[Trial]) -> dict[str, int]:
    """Outcome -> how many candidates ended so, most frequent first."""
    counts = Counter(trial.outcome for trial in decided)
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def way_to(decided: Sequence[Trial], ordinal: int) -> list[Trial]:
    """Return a candidate and its first parents, the oldest first."""
    by_ordinal = {trial.ordinal: trial for trial in decided}
    way = [by_ordinal[ordinal]]
    while way[-1].parent in by_ordinal:  # A parent is older than its child.
        way.append(by_ordinal[way[-1].parent or 0])
    return way[::-1]


def model_report(store: Store, campaign: str, tried: Sequence[Trial] | None = None) -> list[ModelShare]:
    """Return a share per model, in the order in which they were asked first; [] for a campaign that asked none.

    Args:
        store: where to look.
        campaign: its name.
        tried: its candidates, where they have been read before.

    Raises:
        UnknownNameError: no such campaign.
    """
    asked = [trial for trial in (trials(store, campaign) if tried is None else tried) if trial.model]
    worth = rewards([trial.over_parent for trial in asked])
    paid = ModelCall.state.in_(PAID)
    with store.reading_campaign(campaign) as (connection, record):
        rows = connection.execute(
            select(
                ModelCall.model,
                func.count().label("calls"),
                func.count().filter(ModelCall.state != "answered").label("unanswered"),
                # PostgreSQL's sum of integers is a decimal number.
                cast(func.coalesce(func.sum(ModelCall.input_tokens).filter(paid), 0), BigInteger).label(
                    "input_tokens"
                ),
                cast(func.coalesce(func.sum(ModelCall.output_tokens).filter(paid), 0), BigInteger).label(
                    "output_tokens"
                ),
                func.coalesce(func.sum(ModelCall.cost_usd).filter(paid), 0.0).label("cost_usd"),
            )
            .where(ModelCall.campaign_id == record.id)
            .group_by(ModelCall.model)
            .order_by(func.min(ModelCall.id))
        ).all()
    shares: list[ModelShare] = []
    for row in rows:
        own = [
            (trial, reward) for trial, reward in zip(asked, worth, strict=True) if trial.model == row.model
        ]
        shares.append(
            ModelShare(
                **row._mapping,
                candidates=len(own),
                valid=sum(trial.outcome == Tag.OK for trial, _ in own),
                improved=sum(trial.over_parent > 0 for trial, _ in own),
                records=sum(trial.gain > 0 for trial, _ in own),
                reward=fmean(reward for _, reward in own) if own else 0.0,
            )
        )
    return shares


def _shares(decided: Iterable[Trial], key: Callable[[Trial], str]) -> list[Share]:
    trials: dict[str, list[Trial]] = {}
    for trial in decided:
        if trial.ordinal > 0:
            trials.setdefault(key(trial), []).append(trial)
    return [
        Share(
            name,
            proposed=len(own),
            valid=sum(trial.outcome == Tag.OK for trial in own),
            improvements=sum(trial.gain > 0 for trial in own),
            gain=sum(trial.gain for trial in own),
            cpu_s=sum(trial.cpu_s for trial in own),
            cost_usd=sum(trial.cost_usd for trial in own),
        )
        for name, own in trials.items()
    ]


def _spent(campaign_id: int) -> Subquery:
    """CPU seconds by ordinal, of all plans."""
    return (
        select(Evaluation.ordinal, func.sum(Evaluation.cpu_s).label("cpu_s"))
        .where(Evaluation.campaign_id == campaign_id)
        .group_by(Evaluation.ordinal)
        .subquery()
    )


def _values(connection: Connection, record: CampaignRecord) -> Mapping[int, tuple[float, float]]:
    """Return ordinal -> score and its standard error."""
    rows = connection.execute(
        select(Evaluation.ordinal, Score.mean, Score.stderr)
        .join(Score, Score.evaluation_id == Evaluation.id)
        .where(
            Evaluation.campaign_id == record.id,
            Evaluation.ordinal.is_not(None),
            Evaluation.plan == record.plan,
            Score.name == record.objective,
        )
    )
    return {ordinal: (mean, stderr) for ordinal, mean, stderr in rows if ordinal is not None}


def _first_parents(connection: Connection, campaign_id: int) -> dict[int, int]:
    """Ordinal -> that of the first candidate whose program was its first parent."""
    first: dict[str, int] = {}
    for ordinal, key in connection.execute(
        select(Candidate.ordinal, Candidate.program_id)
        .where(Candidate.campaign_id == campaign_id, Candidate.program_id.is_not(None))
        .order_by(Candidate.ordinal)
    ):
        first.setdefault(str(key), ordinal)
    rows = connection.execute(
        select(Parent.ordinal, Parent.program_id).where(
            Parent.campaign_id == campaign_id, Parent.position == 0
        )
    )
    return {ordinal: first[key] for ordinal, key in rows if first.get(key, ordinal) < ordinal}


def _models(connection: Connection, campaign_id: int) -> dict[int, str]:
    """Ordinal -> the model that answered last."""
    rows = connection.execute(
        select(ModelCall.ordinal, ModelCall.model)
        .where(ModelCall.campaign_id == campaign_id, ModelCall.state == "answered")
        .order_by(ModelCall.id)
    )
    return {ordinal: model for ordinal, model in rows}  # noqa: C416 - rows are no tuples to mypy


def _costs(connection: Connection, campaign_id: int) -> dict[int, float]:
    rows = connection.execute(
        select(ModelCall.ordinal, func.sum(ModelCall.cost_usd))
        .where(ModelCall.campaign_id == campaign_id, ModelCall.state.in_(PAID))
        .group_by(ModelCall.ordinal)
    )
    return {ordinal: cost for ordinal, cost in rows if cost is not None}
