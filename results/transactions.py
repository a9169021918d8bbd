"""Transactions: how they begin, and what a database says that fails in one.

SQLite's driver is told to begin none of its own: it would do so before the first change only, and none around the
creation of a table. So every transaction here begins with a statement, also one that only reads: it then sees one
state of the database. No event of the engine does it, since an engine with any is slower at all that it runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import OperationalError

from results.errors import DatabaseError


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Give a connection that sees one state of the database until the end of the block."""
    with engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN")
        yield connection


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A connection in a transaction that will write, committed at the end of the block.

    Raises:
        DatabaseError: see `as_store_errors`.
    """
    with closing(HeldConnection(engine)) as held, held.transaction() as connection:
        yield connection


class HeldConnection:
    """The connection of a writer, kept from one transaction to the next: taking one costs more than the transaction.

    Between these it is in none, so that nobody waits for it. A failure gives it up: the next transaction takes another
    one, which works again when the database does.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._connection: Connection | None = None

    def close(self) -> None:
        """Give the connection back."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Give the connection, in a transaction that will write and is committed at the end of the block.

        Raises:
            DatabaseError: see `as_store_errors`.
        """
        try:
            with as_store_errors():
                if self._connection is None:
                    self._connection = self._engine.connect()
                with self._connection.begin():
                    if self._connection.dialect.name == "sqlite":
                        # It waits for other writers now, not halfway.
                        self._connection.exec_driver_sql("BEGIN IMMEDIATE")
                    yield self._connection
        except BaseException:
            self.close()
            raise


@contextmanager
def as_store_errors() -> Iterator[None]:
    """A disk that is full, a file that is locked or read-only, a server that is gone: in one line.

    Raises:
        DatabaseError: with the driver's words.
    """
    try:
        yield
    except OperationalError as error:
        reason = str(error.orig).strip().splitlines()[0]
        raise DatabaseError(
            f"The database failed: {reason}.",
            "What was recorded is kept; continue when it is back.",
        ) from error
