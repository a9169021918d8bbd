"""A database as a thing to look after: copies of it while a campaign writes, and upgrades that keep the old one."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from sqlalchemy.engine import URL

from results.database import (
    as_database_errors,
    check_file,
    disposing,
    head,
    open_engine,
    parse_url,
    reading_engine,
    revision_of,
    revision_of_server,
    sqlite_file,
)
from results.errors import DatabaseError, EmptyDatabaseError


class Upgrade(NamedTuple):
    """From which schema to which, the same where nothing was to be done; `backup` is the copy of the old one."""

    before: str
    after: str
    backup: Path | None


def shown(where: str | os.PathLike[str]) -> str:
    """A database as it may be shown: its path, or its URL without the password.

    Raises:
        DatabaseError: neither a path nor a URL.
    """
    url = parse_url(where)
    return url.render_as_string() if "://" in os.fspath(where) else os.fspath(where)


def backup(where: str | os.PathLike[str], file: Path | None = None) -> Path:
    """Copy a SQLite database, as it is at one instant, into a new file, whoever writes it meanwhile.

    One read transaction: campaigns neither wait nor get into the copy halfway. The copy has its name only when it is
    complete.

    Args:
        where: the database.
        file: the copy; by default beside the database, with the time (UTC) in its name.

    Returns:
        The file.

    Raises:
        DatabaseError: a server's database, no database of ours, a file that exists, or a place that cannot be written.
    """
    url = parse_url(where)
    if url.get_backend_name() != "sqlite":
        raise DatabaseError(
            f"Expected a SQLite file to copy; {url.render_as_string()} is on a server.", _pg_dump(url)
        )
    source = sqlite_file(url)
    if _existing(source) is None:
        raise _empty(where)
    target = file if file is not None else _dated(source)
    with _reserved(target) as part, as_database_errors(source):
        _copy(source, part)
    return target


def upgrade(where: str | os.PathLike[str]) -> Upgrade:
    """Bring a database to this program's schema, all or nothing; a SQLite file is copied before.

    Raises:
        DatabaseError: missing, empty, newer than this program, no database of ours, or not to be written.
    """
    url = parse_url(where)
    on_server = url.get_backend_name() != "sqlite"
    before = revision_of_server(url) if on_server else _existing(sqlite_file(url))
    if before is None:
        raise _empty(where)
    if before == head():
        return Upgrade(before, before, None)
    copy = None if on_server else backup(where)
    engine, _ = open_engine(where, create=False, read_only=False)
    with disposing(engine):
        return Upgrade(before, head(), copy)


def _existing(path: Path) -> str | None:
    """The schema of a file that must be there."""
    check_file(path, create=False)
    with as_database_errors(path):
        return revision_of(path)


def _empty(where: str | os.PathLike[str]) -> EmptyDatabaseError:
    return EmptyDatabaseError(f"The database {shown(where)} is empty.", "Start a campaign with `evolve run`.")


def _dated(source: Path) -> Path:
    return source.with_name(f"{source.stem}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}{source.suffix}")


def _pg_dump(url: URL) -> str:
    plain = url.set(drivername="postgresql").render_as_string()
    return f"Run: pg_dump --format custom --file evolve.dump '{plain}'"


@contextmanager
def _reserved(target: Path) -> Iterator[Path]:
    """A file to write, which becomes `target` at the end of the block; nobody else can take that name meanwhile."""
    part = target.with_name(f"{target.name}.part")
    try:
        target.open("x").close()
    except FileExistsError:
        raise DatabaseError(
            f"{target} exists already.", "Name another file; nothing is overwritten."
        ) from None
    except OSError as error:
        raise DatabaseError(f"{target} cannot be written: {error.strerror}.", "Name another file.") from error
    try:
        part.unlink(missing_ok=True)  # What a killed copy left.
        yield part
        part.replace(target)
    except BaseException:
        for file in (part, part.with_name(f"{part.name}-journal"), target):
            file.unlink(missing_ok=True)
        raise


def _copy(source: Path, target: Path) -> None:
    """Fill the file `target`; who may read it is as with `source`, from the first byte on."""
    target.touch(mode=0o600)
    with (
        disposing(reading_engine(source)) as engine,
        engine.connect() as connection,
        closing(sqlite3.connect(target)) as writing,
    ):
        reading = connection.connection.driver_connection
        assert isinstance(reading, sqlite3.Connection)
        try:
            reading.backup(writing)
        except sqlite3.Error as error:
            raise DatabaseError(
                f"{source} cannot be copied to {target.parent}: {error}.", "Name another file."
            ) from error
    shutil.copymode(source, target)
