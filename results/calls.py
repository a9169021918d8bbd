"""Calls to language models: the statements that write them, and how they are read back."""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from results.columns import storable
from results.records import CallAnswer, CallRecord, CallState
from results.schema import ModelCall, ModelText

_PLAIN = (
    "ordinal", "attempt", "state", "model", "request_hash", "stop", "answered_by", "input_tokens", "output_tokens",
    "cached_tokens", "cost_usd", "latency_s", "message", "sent_at", "ended_at",
)  # fmt: skip
_COLUMNS = tuple(getattr(ModelCall, name) for name in _PLAIN)


def load_calls(
    connection: Connection, campaign_id: int, ordinal: int | None = None, *, messages: bool
) -> list[CallRecord]:
    """The calls of a campaign, as they were sent; without `messages` only what the model said."""
    where = [ModelCall.campaign_id == campaign_id]
    if ordinal is not None:
        where.append(ModelCall.ordinal == ordinal)
    rows = connection.execute(
        select(
            ModelCall.id,
            ModelCall.messages,
            ModelText.text.label("answer"),
            *(getattr(ModelCall, n) for n in _PLAIN),
        )
        .outerjoin(ModelText, ModelText.id == ModelCall.answer_id)
        .where(*where)
        .order_by(ModelCall.id)
    ).all()
    texts: dict[str, str] = {}
    wanted = {key for row in rows for _, key in row.messages} if messages else set()
    for key in wanted:
        texts[key] = connection.execute(select(ModelText.text).where(ModelText.id == key)).scalar_one()
    return [
        CallRecord(
            number=row.id,
            messages=tuple((role, texts[key]) for role, key in row.messages) if messages else (),
            answer=row.answer or "",
            **{name: row._mapping[name] for name in _PLAIN},
        )
        for row in rows
    ]


def write_call(connection: Connection, campaign_id: int, call: CallRecord, now: datetime) -> int:
    """Store a call that is about to be sent; its number."""
    row = {name: getattr(call, name) for name in _PLAIN} | {
        "campaign_id": campaign_id,
        "messages": [[role, write_text(connection, text)] for role, text in call.messages],
        "answer_id": None,
        "sent_at": now,
        "ended_at": None,
    }
    return connection.execute(insert(ModelCall).returning(ModelCall.id), row).scalar_one()


def finish_call(
    connection: Connection,
    number: int,
    *,
    state: CallState,
    answer: CallAnswer | None,
    message: str,
    now: datetime,
) -> None:
    """Store what came of a call."""
    values: dict[str, object] = {"state": state, "message": message, "ended_at": now}
    if answer is not None:
        values |= vars(answer) | {"answer_id": write_text(connection, answer.text)}
        del values["text"]
    connection.execute(update(ModelCall).where(ModelCall.id == number).values(values))


def write_text(connection: Connection, text: str) -> str:
    """Store a text unless it is known, and give its id."""
    text = storable(text)
    key = sha256(text.encode("utf-8")).hexdigest()
    dialects: dict[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}
    statement = dialects[connection.dialect.name](ModelText).on_conflict_do_nothing()
    connection.execute(statement, {"id": key, "text": text})
    return key
