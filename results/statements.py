"""Statements that run for every candidate: compiled once, and then given to the driver, SQLite's or PostgreSQL's.

SQLAlchemy keeps what it has compiled, but it takes 20 us to find it again, to set up its run and to set up a result,
where SQLite inserts a row in 2 us.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Insert, Table, Update, bindparam
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Dialect
from sqlalchemy.engine.interfaces import DBAPICursor, DBAPIModule
from sqlalchemy.exc import DBAPIError

from results.schema import Base

Row = Mapping[str, Any]


def table(entity: type[Base]) -> Table:
    """The table of an entity."""
    return Base.metadata.tables[entity.__tablename__]


def of(source: Table, columns: Iterable[str]) -> tuple[ColumnElement[bool], ...]:
    """Conditions on columns, whose values are given with each run as ``its_<column>``."""
    return tuple(source.c[name] == bindparam(f"its_{name}") for name in columns)


class _Compiled(NamedTuple):
    """A statement for one kind of database and one set of values; its text, as the driver takes it, has their names.

    `makers` are, by the name of each value, what makes of it what the driver takes.
    """

    text: str
    makers: Mapping[str, Callable[[Any], Any] | None]


class Change:
    """An insertion or an update without values of its own: each of them is given with each run, by name.

    It runs in the transaction of a connection that has begun one.

    Args:
        statement: what is run.
        postgresql: what is run there, where it is another.
    """

    def __init__(self, statement: Insert | Update, *, postgresql: Insert | Update | None = None) -> None:
        self._statement = statement
        self._postgresql = statement if postgresql is None else postgresql
        self._compiled: dict[tuple[str, ...], _Compiled] = {}

    def run(self, connection: Connection, *rows: Row) -> int:
        """Change with these values, once for each row of them; return how many rows that changed, where one is given.

        Raises:
            sqlalchemy.exc.DBAPIError: the one that SQLAlchemy itself would raise.
        """
        if not rows:
            return 0
        cursor = self._execute(connection, rows)
        changed = cursor.rowcount
        cursor.close()
        return changed

    def number(self, connection: Connection, row: Row) -> int:
        """Change with these values; the number that the statement returns."""
        cursor = self._execute(connection, (row,))
        ((number,),) = cursor.fetchall()
        cursor.close()
        return int(number)

    def _execute(self, connection: Connection, rows: Sequence[Row]) -> DBAPICursor:
        compiled = self._for(connection.dialect, rows[0])
        values = [
            {name: make(row[name]) if make else row[name] for name, make in compiled.makers.items()}
            for row in rows
        ]
        cursor = connection.connection.cursor()
        try:
            if len(values) == 1:
                cursor.execute(compiled.text, values[0])
            else:
                cursor.executemany(compiled.text, values)
        except connection.dialect.loaded_dbapi.Error as error:
            raise _failure(connection, cursor, compiled.text, error) from error
        return cursor

    def _for(self, dialect: Dialect, row: Row) -> _Compiled:
        key = (dialect.driver, *row)
        if key not in self._compiled:
            statement = self._postgresql if dialect.name == "postgresql" else self._statement
            self._compiled[key] = _compile(statement, dialect, list(row))
        return self._compiled[key]


def insert_new(source: Table) -> Change:
    """An insertion that does nothing where the key is there already."""
    return Change(
        sqlite.insert(source).on_conflict_do_nothing(),
        postgresql=postgresql.insert(source).on_conflict_do_nothing(),
    )


def _failure(connection: Connection, cursor: DBAPICursor, text: str, error: DBAPIModule.Error) -> Exception:
    """What SQLAlchemy would raise, which would also give up a connection that is lost, and those like it."""
    dialect = connection.dialect
    if dialect.is_disconnect(error, connection.connection.dbapi_connection, cursor):
        connection.invalidate(error)
        connection.engine.dispose()
    return DBAPIError.instance(text, None, error, dialect.loaded_dbapi.Error, dialect=dialect)


def _compile(statement: Insert | Update, dialect: Dialect, names: list[str]) -> _Compiled:
    compiled = statement.compile(dialect=dialect, column_keys=names)
    makers = {
        name: bind.type.dialect_impl(dialect).bind_processor(dialect) for name, bind in compiled.binds.items()
    }
    return _Compiled(str(compiled), makers)
