"""Calls to language models: the statements that write them, and how they are read back."""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256

from sqlalchemy import Connection, insert, select, update

from results.columns import storable
from results.records import CallAnswer, CallRecord, CallState
from results.schema import ModelCall, ModelText
from results.statements import Change, insert_new, of, table

_PLAIN = (
    "ordinal", "attempt", "state", "model", "request_hash", "stop", "answered_by", "input_tokens", "output_tokens",
    "cached_tokens", "cost_usd", "latency_s", "message", "sent_at", "ended_at",
)  # fmt: skip
_CALLS, _TEXTS = table(ModelCall), table(ModelText)
_ADD_TEXT = insert_new(_TEXTS)
_ADD_CALL = Change(insert(_CALLS).returning(_CALLS.c.id))
_FINISH_CALL = Change(update(_CALLS).where(*of(_CALLS, ["id"])))


Texts = dict[str, str]
"""A text -> its id: those of the last call, whose first messages the next one repeats."""


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


def write_call(
    connection: Connection, campaign_id: int, call: CallRecord, now: datetime, *, texts: Texts
) -> int:
    """Store a call that is about to be sent; its number. `texts` is looked into, and replaced by the call's."""
    keys = {text: texts.get(text) or write_text(connection, text) for _, text in call.messages}
    texts.clear()
    texts.update(keys)
    row = {name: getattr(call, name) for name in _PLAIN} | {
        "campaign_id": campaign_id,
        "messages": [[role, keys[text]] for role, text in call.messages],
        "answer_id": None,
        "sent_at": now,
        "ended_at": None,
    }
    return _ADD_CALL.number(connection, row)


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
    values: dict[str, object] = {"its_id": number, "state": state, "message": message, "ended_at": now}
    if answer is not None:
        values |= vars(answer) | {"answer_id": write_text(connection, answer.text)}
        del values["text"]
    _FINISH_CALL.run(connection, values)


def write_text(connection: Connection, text: str) -> str:
    """Store a text unless it is known, and give its id."""
    text = storable(text)
    key = sha256(text.encode("utf-8")).hexdigest()
    _ADD_TEXT.run(connection, {"id": key, "text": text})
    return key
