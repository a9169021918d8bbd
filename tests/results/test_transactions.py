"""A writer's connection: nobody waits for it between transactions, and a failure is not the end of the writer."""

from __future__ import annotations

import contextlib
import sqlite3

import pytest
from sqlalchemy import create_engine
from sqlalchemy.exc import IntegrityError

from results import database
from results.database import HeldConnection
from results.errors import DatabaseError
from results.store import open_store


@pytest.fixture
def someone(postgres_database):
    """Another session of the same server, as a superuser; each statement is a transaction."""
    engine = create_engine(postgres_database, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        yield connection
    engine.dispose()


_OTHERS = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"


def test_others_can_write_between_transactions(sqlite_store, tmp_path, make):
    with sqlite_store.begin_campaign(make.spec()) as writer:
        make.record(writer, 0)
        with contextlib.closing(sqlite3.connect(tmp_path / "evolve.db", timeout=0)) as other, other:
            other.execute("BEGIN EXCLUSIVE")
            other.execute("UPDATE programs SET name = 'renamed'")
        assert [program.name for program in writer.load_programs().values()] == ["renamed"]
        make.record(writer, 1)


def test_a_writer_has_one_connection_and_gives_it_back(sqlite_store, make):
    pool = sqlite_store._engine.pool
    with sqlite_store.begin_campaign(make.spec()) as writer:
        assert pool.checkedout() == 0
        for ordinal in range(3):
            make.record(writer, ordinal)
            assert pool.checkedout() == 1
    assert pool.checkedout() == 0


def test_the_last_to_close_leaves_one_file(sqlite_store, tmp_path, make):
    with sqlite_store.begin_campaign(make.spec()) as writer:
        make.record(writer, 0)
    sqlite_store.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["evolve.db", "evolve.db-lock"]


def test_after_a_failure_the_next_transaction_works(store, make):
    with store.begin_campaign(make.spec()) as writer:
        first = make.record(writer, 0)
        with pytest.raises(IntegrityError):
            make.store(writer, make.evaluation(0, first))
        with pytest.raises(IntegrityError), writer.transaction():
            make.record(writer, 1)
            writer.record_candidate(make.candidate(2, "no such program"))
        assert [one.candidate.ordinal for one in writer.load().told] == [0]
        make.record(writer, 1)
        assert [one.candidate.ordinal for one in writer.load().told] == [0, 1]


def test_a_locked_file_is_one_line_and_works_again_afterwards(tmp_path, make, monkeypatch):
    monkeypatch.setattr(database, "BUSY_TIMEOUT_S", 0.01)
    path = tmp_path / "evolve.db"
    with open_store(path) as store, store.begin_campaign(make.spec()) as writer:
        make.record(writer, 0)
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(DatabaseError, match=r"^The database failed: database is locked\.$"):
                make.record(writer, 1)
            other.execute("ROLLBACK")
        make.record(writer, 1)
        assert [one.candidate.ordinal for one in writer.load().told] == [0, 1]


def test_no_server_waits_in_a_transaction(someone, postgres_database, make):
    with open_store(postgres_database) as store, store.begin_campaign(make.spec()) as writer:
        make.record(writer, 0)
        states = someone.exec_driver_sql(f"SELECT state {_OTHERS}").scalars().all()
        assert set(states) == {"idle"}


@pytest.mark.parametrize("within", ["between transactions", "in a transaction"])
def test_a_lost_server_is_one_line_and_works_again_when_it_is_back(someone, postgres_database, make, within):
    def lose() -> None:
        someone.exec_driver_sql(f"SELECT pg_terminate_backend(pid, 5000) {_OTHERS}").all()

    with open_store(postgres_database) as store, store.begin_campaign(make.spec()) as writer:
        with store.reading(), store.reading():
            make.record(writer, 0)  # Two more connections wait in the pool from now on.
        if within == "in a transaction":
            with (
                pytest.raises(DatabaseError, match="failed: terminating connection") as caught,
                writer.transaction(),
            ):
                make.record(writer, 1)
                lose()
                make.record(writer, 2)
        else:
            lose()
            with pytest.raises(DatabaseError, match="failed: terminating connection") as caught:
                make.record(writer, 1)
        assert "\n" not in caught.value.message
        make.record(writer, 1)
        assert [one.candidate.ordinal for one in writer.load().told] == [0, 1]
        lose()


def test_a_connection_is_kept_until_something_fails(sqlite_store):
    held = HeldConnection(sqlite_store._engine)
    with held.transaction() as first:
        pass
    with held.transaction() as second:
        assert second is first
    with pytest.raises(KeyboardInterrupt), held.transaction():
        raise KeyboardInterrupt
    assert first.closed
    with held.transaction() as third:
        assert third is not first
    held.close()
    held.close()
    assert third.closed
