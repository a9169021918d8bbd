"""Statements that are given to the driver: the same rows, and the same errors, as SQLAlchemy's own way."""

from __future__ import annotations

import pytest
from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError

from results.database import writing
from results.schema import Event, ModelText, Program, Task
from results.statements import Change, insert_new, of, table

PROGRAMS, TEXTS, EVENTS, TASKS = map(table, (Program, ModelText, Event, Task))


@pytest.fixture
def connection(store, make):
    store.begin_campaign(make.spec()).close()
    with writing(store._engine) as connection:
        yield connection


def program(number: int, **changes):
    return {"id": f"{number:064}", "tree_hash": "a\0\ud800", "name": "", "source": "x = 'ü'"} | changes


def test_values_are_stored_as_sqlalchemy_stores_them(connection, make):
    rows = [
        {"campaign_id": 1, "kind": kind, "payload": {"ü": [1, None]}, "happened_at": make.start}
        for kind in ("ours", "theirs")
    ]
    Change(insert(EVENTS)).run(connection, rows[0])
    connection.execute(insert(EVENTS), rows[1])
    Change(insert(PROGRAMS)).run(connection, program(1))
    connection.execute(insert(PROGRAMS), program(2))
    columns = EVENTS.c.campaign_id, EVENTS.c.payload, EVENTS.c.happened_at
    ours, theirs = connection.execute(select(*columns).order_by(EVENTS.c.id)).all()
    assert ours == theirs == (1, {"ü": [1, None]}, make.start)
    stored = PROGRAMS.c.tree_hash, PROGRAMS.c.name, PROGRAMS.c.source
    ours, theirs = connection.execute(select(*stored).order_by(PROGRAMS.c.id)).all()
    assert ours == theirs == ("a\ufffd\ufffd", "", "x = 'ü'")


def test_many_rows_are_one_run(connection):
    Change(insert(PROGRAMS)).run(connection, *(program(k, name=f"p{k}") for k in range(5)))
    names = connection.execute(select(PROGRAMS.c.name).order_by(PROGRAMS.c.id)).scalars().all()
    assert names == [f"p{k}" for k in range(5)]


def test_no_rows_are_no_run(connection):
    assert Change(insert(PROGRAMS)).run(connection) == 0
    assert connection.execute(select(PROGRAMS.c.id)).all() == []


def test_what_is_there_already_is_left_alone(connection):
    add = insert_new(TEXTS)
    assert [add.run(connection, {"id": "a", "text": text}) for text in ("first", "second")] == [1, 0]
    assert connection.execute(select(TEXTS.c.text)).scalar_one() == "first"


def test_a_change_says_how_many_rows_it_changed_or_which_number_it_gave(connection):
    Change(insert(PROGRAMS)).run(connection, program(1))
    rename = Change(update(PROGRAMS).where(*of(PROGRAMS, ["id"])))
    assert rename.run(connection, {"its_id": f"{1:064}", "name": "n"}) == 1
    assert rename.run(connection, {"its_id": f"{2:064}", "name": "n", "tree_hash": "t"}) == 0
    assert connection.execute(select(PROGRAMS.c.name)).scalar_one() == "n"
    row = {"name": "n", "family": "f", "tier": "t", "budget": 2**40, "uniform": 0.1}
    add = Change(insert(TASKS).returning(TASKS.c.id))
    numbers = [add.number(connection, row | {"key": str(k)}) for k in range(2)]
    assert numbers == connection.execute(select(TASKS.c.id).order_by(TASKS.c.id)).scalars().all()


def test_errors_are_those_of_sqlalchemy(connection):
    add = Change(insert(PROGRAMS))
    add.run(connection, program(1))
    with pytest.raises(IntegrityError) as ours, connection.begin_nested():
        add.run(connection, program(1))
    with pytest.raises(IntegrityError) as theirs, connection.begin_nested():
        connection.execute(insert(PROGRAMS), program(1))
    assert type(ours.value.orig) is type(theirs.value.orig)
    assert str(ours.value.orig) == str(theirs.value.orig)
    missing = Change(insert(table(Program).to_metadata(type(PROGRAMS.metadata)(), name="nowhere")))
    with pytest.raises((OperationalError, ProgrammingError), match="nowhere"), connection.begin_nested():
        missing.run(connection, program(1))


def test_a_value_that_is_not_given_is_an_error(connection):
    rename = Change(update(PROGRAMS).where(*of(PROGRAMS, ["id"])))
    with pytest.raises(KeyError, match="its_id"):
        rename.run(connection, {"name": "n"})
