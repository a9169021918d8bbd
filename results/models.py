"""What each language model contributed to a campaign, and what it cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean

from sqlalchemy import func, select

from evaluators.records import Tag
from results.loading import get_campaign
from results.progress import PAID, Trial, trials
from results.records import ModelShare
from results.rewards import rewards
from results.schema import ModelCall
from results.store import Store


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
    worth = dict(
        zip((t.ordinal for t in asked), rewards([trial.over_parent for trial in asked]), strict=True)
    )
    return [_with_candidates(spent, asked, worth) for spent in _spent(store, campaign)]


def _with_candidates(spent: ModelShare, asked: Sequence[Trial], worth: dict[int, float]) -> ModelShare:
    own = [trial for trial in asked if trial.model == spent.model]
    return replace(
        spent,
        candidates=len(own),
        valid=sum(trial.outcome == Tag.OK for trial in own),
        improved=sum(trial.over_parent > 0 for trial in own),
        records=sum(trial.gain > 0 for trial in own),
        reward=fmean(worth[trial.ordinal] for trial in own) if own else 0.0,
    )


def _spent(store: Store, campaign: str) -> list[ModelShare]:
    """Calls, tokens and dollars by model, in one statement; candidates are not counted yet."""
    paid = ModelCall.state.in_(PAID)
    with store.reading() as connection:
        record = get_campaign(connection, campaign)
        rows = connection.execute(
            select(
                ModelCall.model,
                func.count(),
                func.count().filter(ModelCall.state != "answered"),
                func.sum(ModelCall.input_tokens).filter(paid),
                func.sum(ModelCall.output_tokens).filter(paid),
                func.sum(ModelCall.cost_usd).filter(paid),
            )
            .where(ModelCall.campaign_id == record.id)
            .group_by(ModelCall.model)
            .order_by(func.min(ModelCall.id))
        ).all()
    return [
        ModelShare(
            model=model,
            calls=calls,
            unanswered=unanswered,
            candidates=0,
            valid=0,
            improved=0,
            records=0,
            reward=0.0,
            input_tokens=int(tokens_in or 0),
            output_tokens=int(tokens_out or 0),
            cost_usd=usd or 0.0,
        )
        for model, calls, unanswered, tokens_in, tokens_out, usd in rows
    ]
