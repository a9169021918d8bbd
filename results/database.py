"""From "a path or a URL" to a database of this version's schema.

An existing database is looked at before anything is written: one that is newer, or not ours, is refused and
keeps every byte. An older one is upgraded in a single transaction, so that a kill leaves the old or the new
schema.

SQLite runs in WAL mode, so readers never wait and never block the writer, with ``synchronous=NORMAL``. A
commit is then in the operating system's cache, which outlives the process: kill -9 at any instant loses
nothing committed. A power cut may undo the last commits before a checkpoint, always a suffix of them, and a
campaign repeats those candidates. FULL would protect these too, at an fsync per commit, in the campaign's
event loop.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from sqlalchemy import Connection, Engine, QueuePool, create_engine, event, inspect
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from results.errors import DatabaseError, EmptyDatabaseError
from results.locks import ADVISORY_CLASS, AdvisoryLocks, FileLocks, Locks
from results.transactions import HeldConnection, reading

if TYPE_CHECKING:
    from alembic.config import Config

BUSY_TIMEOUT_S = 30.0
"""How long a commit waits for another campaign's commit in the same SQLite file."""

_OTHER = "Name another database with --db."


def open_engine(where: str | os.PathLike[str], *, create: bool, read_only: bool) -> tuple[Engine, Locks]:
    """An engine on a database with the current schema, and the writers' locks that belong to it.

    Raises:
        DatabaseError: see the module; also missing, or its directory cannot be written.
    """
    url = parse_url(where)
    if url.get_backend_name() != "sqlite":
        return _open_server(url, read_only=read_only)
    path = sqlite_file(url)
    check_file(path, create=create and not read_only)
    with as_database_errors(path):
        look = revision_of(path)
        if look is None and read_only:
            raise EmptyDatabaseError(f"The database {path} is empty.", "Start a campaign with `evolve run`.")
        if look != head():
            _check_upgradable(path, look)
            # SQLite changes a table by making it anew, while others refer to it.
            with disposing(_sqlite_engine(path, "rwc", foreign_keys=False)) as engine:
                upgrade(engine)
        engine = reading_engine(path) if read_only else _sqlite_engine(path, "rw")
        engine.connect().close()
    return engine, FileLocks(path)


def upgrade(engine: Engine) -> None:
    """Bring a database to the newest schema, all or nothing. Two processes may do so at once."""
    from alembic import command

    with closing(HeldConnection(engine)) as held, held.transaction() as connection:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({ADVISORY_CLASS}, 0)")
        if _revision(connection, str(engine.url)) != head():
            config = _alembic_config()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")


@cache
def revisions() -> tuple[str, ...]:
    """The revisions that this program knows, oldest first: the files under `migrations/versions`."""
    folder = Path(__file__).parent / "migrations" / "versions"
    return tuple(sorted(file.name[:4] for file in folder.glob("[0-9][0-9][0-9][0-9]_*.py")))


def head() -> str:
    """The newest revision."""
    return revisions()[-1]


def reading_engine(path: Path) -> Engine:
    """An engine on a file, whatever its schema, whose connections cannot write."""
    # A place where nobody writes, such as a read-only mount: WAL's shared index could not be made there.
    settled = not os.access(path.parent, os.W_OK) and _is_settled(path)
    return _sqlite_engine(path, "ro", immutable=settled)


@contextmanager
def disposing(engine: Engine) -> Iterator[Engine]:
    """The engine, whose connections are closed at the end."""
    try:
        yield engine
    finally:
        engine.dispose()


def parse_url(where: str | os.PathLike[str]) -> URL:
    """What a file path or a URL names.

    Raises:
        DatabaseError: neither of both, or a kind of database that is not known here.
    """
    text = os.fspath(where)
    if "://" not in text:
        return URL.create("sqlite", database=text)
    try:
        url = make_url(text)
    except ArgumentError as error:
        raise DatabaseError(f"{text!r} is neither a file path nor a database URL.", _OTHER) from error
    if url.get_backend_name() not in ("sqlite", "postgresql"):
        raise DatabaseError(
            f"Expected a SQLite file or a postgresql:// URL; got {url.render_as_string()}.", _OTHER
        )
    return url


def sqlite_file(url: URL) -> Path:
    """The file of a SQLite database.

    Raises:
        DatabaseError: a database in memory, or options behind the path.
    """
    if not url.database or url.database == ":memory:" or url.query:
        raise DatabaseError(
            f"Expected the path of a database file; got {url.render_as_string()}.",
            "Campaigns are kept in files, so that they can be continued.",
        )
    return Path(url.database).expanduser()


def check_file(path: Path, *, create: bool) -> None:
    """See that there is a database at `path`, or that one can be made there. Makes its directory then.

    Raises:
        DatabaseError: neither.
    """
    if path.is_dir():
        raise DatabaseError(f"Expected a database file; {path} is a directory.", _OTHER)
    if path.exists():
        try:
            with path.open("rb") as file:
                start = file.read(16)
        except OSError as error:
            raise DatabaseError(f"{path} cannot be read: {error.strerror}.", _OTHER) from error
        if start and start != b"SQLite format 3\0":
            raise DatabaseError(f"{path} is not a database.", _OTHER)
        return
    if not create:
        raise DatabaseError(
            f"There is no database at {path}.", "Start a campaign with `evolve run`, or name one with --db."
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DatabaseError(
            f"The directory {path.parent} cannot be made: {error.strerror}.", _OTHER
        ) from error
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise DatabaseError(f"The directory {path.parent} cannot be written.", _OTHER)


def _check_upgradable(path: Path, found: str | None) -> None:
    """An older database is upgraded where it is, which takes a place that can be written."""
    if found is not None and not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)):
        raise DatabaseError(
            f"{path} has schema {found}, older than this program's {head()}, and cannot be written.",
            "Copy it to a folder of yours and run `evolve db upgrade --db COPY`.",
        )


def revision_of(path: Path) -> str | None:
    """The revision of a file, without a chance of writing to it; None while it holds nothing.

    Raises:
        DatabaseError: newer than this program, or somebody else's.
    """
    if not path.exists() or path.stat().st_size == 0:
        return None
    look = _sqlite_engine(path, "ro", immutable=_is_settled(path))
    with disposing(look) as engine, reading(engine) as connection:
        return _revision(connection, str(path))


def _is_settled(path: Path) -> bool:
    """Whether the file is all there is to the database. A reader then needs, and leaves, no files beside it."""
    real = path.resolve()
    return not real.with_name(real.name + "-wal").exists()


def _revision(connection: Connection, where: str) -> str | None:
    """The schema's revision; None for a database without any table.

    Raises:
        DatabaseError: newer than this program, older than its first release, or somebody else's.
    """
    tables = set(inspect(connection).get_table_names())
    if not tables:
        return None
    if not {"alembic_version", "campaigns", "programs", "candidates"} <= tables:
        raise DatabaseError(f"{where} is a database of something else.", _OTHER)
    found = str(connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar())
    if found < revisions()[0]:
        raise DatabaseError(
            f"{where} has schema {found}, which is older than {revisions()[0]}, the first that was released.",
            _OTHER,
        )
    if found not in revisions():
        raise DatabaseError(
            f"{where} has schema {found}, which is newer than this program's {head()}.",
            "Run `pip install --upgrade evolve-marl`, or name another database with --db.",
        )
    return found


def revision_of_server(url: URL) -> str | None:
    """The revision of a server's database; None while it has no table.

    Raises:
        DatabaseError: newer than this program, somebody else's, or not to be reached.
    """
    where = url.render_as_string()
    with disposing(_server_engine(url)) as engine, as_database_errors(where), reading(engine) as connection:
        return _revision(connection, where)


def _open_server(url: URL, *, read_only: bool) -> tuple[Engine, Locks]:
    where = url.render_as_string()
    look = revision_of_server(url)
    if look is None and read_only:
        raise EmptyDatabaseError(f"The database {where} is empty.", "Start a campaign with `evolve run`.")
    if look != head():
        with as_database_errors(where), disposing(_server_engine(url)) as writing:
            upgrade(writing)
    engine = _server_engine(url, **({"postgresql_readonly": True} if read_only else {}))
    return engine, AdvisoryLocks(engine)


def _server_engine(url: URL, **options: Any) -> Engine:
    try:
        return create_engine(url, json_serializer=_to_json, execution_options=options)
    except ModuleNotFoundError as error:
        raise DatabaseError(
            f"{url.render_as_string()} needs the Python package {error.name}.",
            f"Install it: pip install {error.name}",
        ) from error


@contextmanager
def as_database_errors(where: object) -> Iterator[None]:
    """What the driver says while a database is being opened, in one line."""
    try:
        yield
    except DBAPIError as error:
        reason = str(error.orig).strip().splitlines()[0]
        raise DatabaseError(f"The database {where} cannot be opened: {reason}.", _OTHER) from error


def _sqlite_engine(path: Path, mode: str, *, immutable: bool = False, foreign_keys: bool = True) -> Engine:
    uri = f"file:{quote(str(path.absolute()))}?mode={mode}&immutable={int(immutable)}"
    creator = partial(
        sqlite3.connect, uri, uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
    )
    engine = create_engine("sqlite://", creator=creator, poolclass=QueuePool, json_serializer=_to_json)

    @event.listens_for(engine, "connect")
    def _prepare(connection: sqlite3.Connection, _: Any) -> None:
        with closing(connection.cursor()) as cursor:
            if mode != "ro":
                cursor.execute("PRAGMA journal_mode = WAL")
            cursor.execute("PRAGMA synchronous = NORMAL")
            cursor.execute(f"PRAGMA foreign_keys = {int(foreign_keys)}")

    return engine


def _to_json(value: Any) -> str:
    return json.dumps(value, allow_nan=False, separators=(",", ":"))


def _alembic_config() -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "results:migrations")
    config.set_main_option("path_separator", "os")
    return config
