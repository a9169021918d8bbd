"""Copies that are whole whatever happens meanwhile, and upgrades that keep the old database."""

from __future__ import annotations

import shutil
import sqlite3
import stat
import threading
from pathlib import Path

import pytest

from results import database, queries
from results.database import head, revisions
from results.errors import DatabaseError, EmptyDatabaseError
from results.store import open_store

DATA = Path(__file__).with_name("data")


def dump(path):
    connection = sqlite3.connect(path)
    lines = list(connection.iterdump())
    connection.close()
    return lines


def count(path, table):
    connection = sqlite3.connect(path)
    (found,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()
    return found


def test_a_copy_has_everything(tmp_path, sqlite_store, make):
    with sqlite_store.begin_campaign(make.spec()) as writer:
        make.record(writer, 0)
        # What the copy reads is in the log of the database, not in its file yet.
        assert database.backup(tmp_path / "evolve.db", tmp_path / "copy.db") == tmp_path / "copy.db"
        assert dump(tmp_path / "copy.db") == dump(tmp_path / "evolve.db")
    assert list(tmp_path.glob("*.part*")) == []


def test_copies_are_whole_while_a_campaign_writes(tmp_path, sqlite_store, make):
    """A candidate with its program and evaluation is one transaction, so that a copy has all of it or nothing."""
    written, stop = threading.Event(), threading.Event()

    def write():
        with sqlite_store.begin_campaign(make.spec()) as writer:
            ordinal = 0
            while not stop.is_set():
                make.record(writer, ordinal)
                ordinal += 1
                written.set()

    thread = threading.Thread(target=write)
    thread.start()
    try:
        assert written.wait(30)
        copies = [database.backup(tmp_path / "evolve.db", tmp_path / f"{k}.db") for k in range(5)]
    finally:
        stop.set()
        thread.join()
    sizes = [count(copy, "candidates") for copy in copies]
    assert sizes == [count(copy, "programs") for copy in copies]
    assert sizes == [count(copy, "evaluations") for copy in copies]
    assert 0 < sizes[0] <= sizes[-1] <= count(tmp_path / "evolve.db", "candidates")
    assert sizes == sorted(sizes)
    with open_store(copies[0]) as copy:
        assert queries.campaigns(copy)[0].candidates == sizes[0]


def test_a_copy_stands_beside_the_database_and_is_read_by_the_same_people(tmp_path, sqlite_store):
    (tmp_path / "evolve.db").chmod(0o640)
    copy = database.backup(tmp_path / "evolve.db")
    assert copy.parent == tmp_path
    assert copy.name.startswith("evolve-2")
    assert copy.suffix == ".db"
    assert stat.S_IMODE(copy.stat().st_mode) == 0o640


def test_nothing_is_overwritten(tmp_path, sqlite_store):
    (tmp_path / "mine").write_text("mine")
    with pytest.raises(DatabaseError, match="mine exists already") as caught:
        database.backup(tmp_path / "evolve.db", tmp_path / "mine")
    assert "nothing is overwritten" in caught.value.hint
    assert (tmp_path / "mine").read_text() == "mine"
    with pytest.raises(DatabaseError, match="exists already"):
        database.backup(tmp_path / "evolve.db", tmp_path / "evolve.db")


def test_a_copy_that_fails_leaves_nothing(tmp_path, sqlite_store, monkeypatch):
    def full(*_):
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr("shutil.copymode", full)
    with pytest.raises(sqlite3.OperationalError):
        database.backup(tmp_path / "evolve.db", tmp_path / "copies.db")
    assert not list(tmp_path.glob("copies*"))


def test_what_a_killed_copy_left_is_no_obstacle(tmp_path, sqlite_store):
    (tmp_path / "copy.db.part").write_text("half")
    database.backup(tmp_path / "evolve.db", tmp_path / "copy.db")
    assert count(tmp_path / "copy.db", "campaigns") == 0
    assert list(tmp_path.glob("*.part*")) == []


@pytest.mark.parametrize("call", [database.backup, database.upgrade])
def test_what_is_no_database_is_named(tmp_path, call):
    (tmp_path / "notes.txt").write_text("not a database at all")
    (tmp_path / "empty.db").touch()
    with pytest.raises(DatabaseError, match="There is no database at"):
        call(tmp_path / "none.db")
    with pytest.raises(DatabaseError, match="is not a database"):
        call(tmp_path / "notes.txt")
    with pytest.raises(EmptyDatabaseError, match="is empty"):
        call(tmp_path / "empty.db")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty.db", "notes.txt"]


def test_a_newer_database_is_left_alone(tmp_path, sqlite_store):
    sqlite_store.close()
    connection = sqlite3.connect(tmp_path / "evolve.db")
    with connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    before = (tmp_path / "evolve.db").read_bytes()
    with pytest.raises(DatabaseError, match="newer than this program") as caught:
        database.upgrade(tmp_path / "evolve.db")
    assert "pip install --upgrade evolve-marl" in caught.value.hint
    assert (tmp_path / "evolve.db").read_bytes() == before
    assert [path.name for path in tmp_path.glob("*.db")] == ["evolve.db"]


@pytest.mark.parametrize("revision", revisions()[:-1])
def test_an_upgrade_keeps_the_old_database(tmp_path, revision):
    path = tmp_path / "evolve.db"
    shutil.copy(DATA / f"schema_{revision}.sqlite", path)
    before = dump(path)
    done = database.upgrade(path)
    assert (done.before, done.after) == (revision, head())
    assert dump(done.backup) == before
    assert database.upgrade(path) == (head(), head(), None)


def test_an_older_database_that_cannot_be_written_says_what_to_do(tmp_path, monkeypatch):
    path = tmp_path / "evolve.db"
    shutil.copy(DATA / f"schema_{revisions()[0]}.sqlite", path)
    before = path.read_bytes()
    monkeypatch.setattr("os.access", lambda *_: False)
    with pytest.raises(DatabaseError, match=r"older than this program's .* cannot be written") as caught:
        open_store(path, create=False, read_only=True)
    assert "evolve db upgrade --db COPY" in caught.value.hint
    assert path.read_bytes() == before


def test_a_server_is_dumped_by_its_own_tool():
    with pytest.raises(DatabaseError, match="is on a server") as caught:
        database.backup("postgresql+psycopg://user:secret@localhost/evolve")
    assert "pg_dump" in caught.value.hint
    assert "postgresql://user:***@localhost/evolve" in caught.value.hint


def test_a_server_that_is_current(where):
    open_store(where).close()
    assert database.upgrade(where) == (head(), head(), None)


@pytest.mark.parametrize(
    ("where", "shown"),
    [
        ("results/x.db", "results/x.db"),
        ("sqlite:///x.db", "sqlite:///x.db"),
        ("postgresql://u:secret@h/x", "postgresql://u:***@h/x"),
    ],
)
def test_passwords_are_not_shown(where, shown):
    assert database.shown(where) == shown
