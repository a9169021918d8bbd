"""Calls to models: durable at once, each text stored once, on SQLite and PostgreSQL alike."""

from dataclasses import replace

import pytest

from results import queries
from results.errors import UnknownNameError
from results.records import CallRecord

SYSTEM = "You write programs. " * 200


def call(ordinal, attempt=0, text="change it", **changes):
    values = {
        "model": "openai:m",
        "request_hash": f"h{ordinal}{attempt}",
        "input_tokens": 10,
        "cost_usd": 0.5,
    }
    return CallRecord(
        ordinal=ordinal, attempt=attempt, messages=(("system", SYSTEM), ("user", text)), **values | changes
    )


def answered(call, text="x = 1"):
    values = {"stop": "end", "answered_by": "m", "input_tokens": 3, "output_tokens": 4}
    return replace(call, state="answered", answer=text, cost_usd=0.01, latency_s=0.1, **values)


@pytest.fixture
def writer(store, make):
    with store.begin_campaign(make.spec()) as writer:
        yield writer


def test_calls_come_back_in_the_order_in_which_they_were_sent(store, writer):
    numbers = [writer.begin_call(call(ordinal)) for ordinal in (3, 1, 2)]
    writer.end_call(numbers[1], answered(call(1)))
    came = queries.calls(store, "cfr-symbolic-s1")
    assert [(c.ordinal, c.state) for c in came] == [(3, "sent"), (1, "answered"), (2, "sent")]
    assert came[1].answer == "x = 1"
    assert came[1].cost_usd == 0.01
    assert came[0].cost_usd == 0.5
    assert [c.ordinal for c in queries.calls(store, "cfr-symbolic-s1", 2)] == [2]


def test_a_text_is_stored_once(store, writer):
    for ordinal in range(5):
        writer.end_call(writer.begin_call(call(ordinal)), answered(call(ordinal), "change it"))
    with store.reading() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM model_texts").scalar() == 2


def test_text_that_no_database_takes_is_made_storable(store, writer):
    writer.end_call(writer.begin_call(call(1, text="a\0b")), answered(call(1), "\ud800"))
    (came,) = queries.calls(store, "cfr-symbolic-s1")
    assert came.messages[1] == ("user", "a\ufffdb")
    assert came.answer == "\ufffd"


def test_an_unknown_campaign_is_said(store, writer):
    with pytest.raises(UnknownNameError, match="no campaign 'cfr'"):
        queries.calls(store, "cfr")
