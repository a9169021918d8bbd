"""A database: from "a path or a URL" to one of this version's schema, its transactions, and copies of it.

An existing database is looked at before anything is written: one that is newer, or not ours, is refused and
keeps every byte. A new one is made as `results.schema` has it, an older one is upgraded by `results.migrations`,
each in a single transaction, so that a kill leaves the old or the new schema.

SQLite runs in WAL mode, so readers never wait and never block the writer, with ``synchronous=NORMAL``. A
commit is then in the operating system's cache, which outlives the process: kill -9 at any instant loses
nothing committed. A power cut may undo the last commits before a checkpoint, always a suffix of them, and a
campaign repeats those candidates. FULL would protect these too, at an fsync per commit, in the campaign's
event loop.

SQLite's driver is told to begin no transaction: it would do so before the first change only, and none around the
creation of a table. So every transaction here begins with a statement, also one that only reads: it then sees one
state of the database. No event of the engine does it, since an engine with any is slower at all that it runs.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from typing import Any, Literal, NamedTuple
from urllib.parse import quote

from sqlalchemy import Connection, Engine, QueuePool, create_engine, event, inspect
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError

from results.errors import DatabaseError, EmptyDatabaseError
from results.locks import ADVISORY_CLASS, AdvisoryLocks, FileLocks, Locks
from results.schema import Base

BUSY_TIMEOUT_S = 30.0
"""How long a commit waits for another campaign's commit in the same SQLite file."""

Where = str | os.PathLike[str]
"""The path of a SQLite file, or an SQLAlchemy URL."""

_Purpose = Literal["look", "upgrade", "read", "write"]

_OTHER = "Name another database with --db."


def open_engine(where: Where, *, create: bool, read_only: bool) -> tuple[Engine, Locks]:
    """Return an engine on a database with the current schema, and the writers' locks that belong to it.

    Raises:
        DatabaseError: see the module; also missing, or its directory cannot be written.
    """
    path = _file(where)
    revision = _revision(where, create=create and not read_only)
    if revision is None and read_only:
        raise _empty(where)
    with _one_line(f"The database {shown(where)} cannot be opened", _OTHER):
        if revision != head():
            if path is not None and revision is not None:
                _check_upgradable(path, revision)
            # SQLite changes a table by making it anew, while others refer to it.
            with _disposing(_engine(where, "upgrade")) as engine:
                _to_head(engine, shown(where))
        engine = _engine(where, "read" if read_only else "write")
        engine.connect().close()
    return engine, AdvisoryLocks(engine) if path is None else FileLocks(path)


@cache
def revisions() -> tuple[str, ...]:
    """Return the revisions that this program knows, oldest first: the files under `migrations/versions`."""
    folder = Path(__file__).parent / "migrations" / "versions"
    return tuple(sorted(file.name[:4] for file in folder.glob("[0-9][0-9][0-9][0-9]_*.py")))


def head() -> str:
    """Return the newest revision."""
    return revisions()[-1]


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Give a connection that sees one state of the database until the end of the block.

    Raises:
        DatabaseError: a disk that is full, a file that is locked, a server that is gone.
    """
    with _failures(), engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN")
        yield connection


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """Give a connection in a transaction that will write, committed at the end of the block. Raises as `reading`."""
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
            DatabaseError: see `reading`.
        """
        try:
            with _failures():
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


def shown(where: Where) -> str:
    """Return a database as it may be shown: its path, or its URL without the password.

    Raises:
        DatabaseError: neither a path nor a URL.
    """
    url = _parse_url(where)
    return url.render_as_string() if "://" in os.fspath(where) else os.fspath(where)


def backup(where: Where, file: Path | None = None) -> Path:
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
    source = _file(where)
    if source is None:
        plain = _parse_url(where).set(drivername="postgresql").render_as_string()
        raise DatabaseError(
            f"Expected a SQLite file to copy; {shown(where)} is on a server.",
            f"Run: pg_dump --format custom --file evolve.dump '{plain}'",
        )
    if _revision(where) is None:
        raise _empty(where)
    dated = source.with_name(f"{source.stem}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}{source.suffix}")
    target = dated if file is None else file
    with _reserved(target) as part, _one_line(f"The database {source} cannot be opened", _OTHER):
        _copy(source, part)
    return target


class Upgrade(NamedTuple):
    """From which schema to which, the same where nothing was to be done; `backup` is the copy of the old one."""

    before: str
    after: str
    backup: Path | None


def upgrade(where: Where) -> Upgrade:
    """Bring a database to this program's schema, all or nothing; a SQLite file is copied before.

    Raises:
        DatabaseError: missing, empty, newer than this program, no database of ours, or not to be written.
    """
    before = _revision(where)
    if before is None:
        raise _empty(where)
    if before == head():
        return Upgrade(before, before, None)
    copy = None if _file(where) is None else backup(where)
    engine, _ = open_engine(where, create=False, read_only=False)
    engine.dispose()
    return Upgrade(before, head(), copy)


def _parse_url(where: Where) -> URL:
    """Return what a file path or a URL names.

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


def _file(where: Where) -> Path | None:
    """Return the file of a SQLite database; None for one on a server.

    Raises:
        DatabaseError: a database in memory, or options behind the path.
    """
    url = _parse_url(where)
    if url.get_backend_name() != "sqlite":
        return None
    if not url.database or url.database == ":memory:" or url.query:
        raise DatabaseError(
            f"Expected the path of a database file; got {url.render_as_string()}.",
            "Campaigns are kept in files, so that they can be continued.",
        )
    return Path(url.database).expanduser()


def _revision(where: Where, *, create: bool = False) -> str | None:
    """Return the schema's revision, without a chance of writing to it; None for a database without any table.

    Raises:
        DatabaseError: missing, unless it can be made; newer than this program, somebody else's, or not to be read.
    """
    path = _file(where)
    if path is not None:
        _check_file(path, create=create)
        if not path.exists() or path.stat().st_size == 0:
            return None
    with (
        _one_line(f"The database {shown(where)} cannot be opened", _OTHER),
        _disposing(_engine(where, "look")) as engine,
        engine.connect() as connection,
    ):
        return _revision_in(connection, shown(where))


def _check_file(path: Path, *, create: bool) -> None:
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


def _revision_in(connection: Connection, name: str) -> str | None:
    """Return the schema's revision; None for a database without any table.

    Raises:
        DatabaseError: newer than this program, older than its first release, or somebody else's.
    """
    tables = set(inspect(connection).get_table_names())
    if not tables:
        return None
    if not {"alembic_version", "campaigns", "programs", "candidates"} <= tables:
        raise DatabaseError(f"{name} is a database of something else.", _OTHER)
    revision = str(connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar())
    if revision < revisions()[0]:
        raise DatabaseError(
            f"{name} has schema {revision}, which is older than {revisions()[0]}, the first that was released.",
            _OTHER,
        )
    if revision not in revisions():
        raise DatabaseError(
            f"{name} has schema {revision}, which is newer than this program's {head()}.",
            "Run `pip install --upgrade evolve-marl`, or name another database with --db.",
        )
    return revision


def _check_upgradable(path: Path, revision: str) -> None:
    """See that a file can be written: an older database is upgraded where it is."""
    if not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)):
        raise DatabaseError(
            f"{path} has schema {revision}, older than this program's {head()}, and cannot be written.",
            "Copy it to a folder of yours and run `evolve db upgrade --db COPY`.",
        )


def _to_head(engine: Engine, name: str) -> None:
    """Make the tables of a new database, or bring an older one to the newest schema; two processes may at once."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "results:migrations")
    config.set_main_option("path_separator", "os")
    with writing(engine) as connection:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({ADVISORY_CLASS}, 0)")
        config.attributes["connection"] = connection
        revision = _revision_in(connection, name)
        if revision is None:
            Base.metadata.create_all(connection)
            command.stamp(config, "head")
        elif revision != head():
            command.upgrade(config, "head")


def _engine(where: Where, purpose: _Purpose) -> Engine:
    """Return an engine; those to look and to read cannot write."""
    path = _file(where)
    if path is not None:
        return _sqlite_engine(path, purpose)
    options = {"postgresql_readonly": True} if purpose in ("look", "read") else {}
    try:
        return create_engine(_parse_url(where), json_serializer=_to_json, execution_options=options)
    except ModuleNotFoundError as error:
        raise DatabaseError(
            f"{shown(where)} needs the Python package {error.name}.",
            f"Install it: pip install {error.name}",
        ) from error


def _sqlite_engine(path: Path, purpose: _Purpose) -> Engine:
    real = path.resolve()
    # Without a log, the file is all there is to the database: a reader needs, and leaves, no files beside it. It needs
    # that where nobody writes, such as on a read-only mount: WAL's shared index could not be made there.
    settled = not real.with_name(real.name + "-wal").exists()
    immutable = settled and (purpose == "look" or (purpose == "read" and not os.access(path.parent, os.W_OK)))
    mode = {"look": "ro", "read": "ro", "upgrade": "rwc", "write": "rw"}[purpose]
    uri = f"file:{quote(str(path.absolute()))}?mode={mode}&immutable={int(immutable)}"
    creator = partial(
        sqlite3.connect, uri, uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
    )
    engine = create_engine(
        "sqlite://", creator=creator, poolclass=QueuePool, paramstyle="named", json_serializer=_to_json
    )

    @event.listens_for(engine, "connect")
    def _prepare(connection: sqlite3.Connection, _: Any) -> None:
        with closing(connection.cursor()) as cursor:
            if mode != "ro":
                cursor.execute("PRAGMA journal_mode = WAL")
            cursor.execute("PRAGMA synchronous = NORMAL")
            cursor.execute(f"PRAGMA foreign_keys = {int(purpose != 'upgrade')}")

    return engine


def _to_json(value: Any) -> str:
    return json.dumps(value, allow_nan=False, separators=(",", ":"))


@contextmanager
def _disposing(engine: Engine) -> Iterator[Engine]:
    """Give the engine, whose connections are closed at the end."""
    try:
        yield engine
    finally:
        engine.dispose()


@contextmanager
def _one_line(what: str, hint: str, *, kind: type[DBAPIError] = DBAPIError) -> Iterator[None]:
    """Say what failed, and why in the driver's words, in one line.

    Raises:
        DatabaseError: in place of the driver's error.
    """
    try:
        yield
    except kind as error:
        reason = str(error.orig).strip().splitlines()[0]
        raise DatabaseError(f"{what}: {reason}.", hint) from error


def _failures() -> AbstractContextManager[None]:
    hint = "What was recorded is kept; continue when it is back."
    return _one_line("The database failed", hint, kind=OperationalError)


def _empty(where: Where) -> EmptyDatabaseError:
    return EmptyDatabaseError(f"The database {shown(where)} is empty.", "Start a campaign with `evolve run`.")


@contextmanager
def _reserved(target: Path) -> Iterator[Path]:
    """Give a file to write, which becomes `target` at the end of the block; nobody else can take its name meanwhile."""
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
    """Fill the file `target`; who may read it is as with the database, from the first byte on."""
    target.touch(mode=0o600)
    with (
        _disposing(_sqlite_engine(source, "read")) as engine,
        engine.connect() as connection,
        closing(sqlite3.connect(target)) as copy,
    ):
        original = connection.connection.driver_connection
        assert isinstance(original, sqlite3.Connection)
        try:
            original.backup(copy)
        except sqlite3.Error as error:
            raise DatabaseError(
                f"{source} cannot be copied to {target.parent}: {error}.", "Name another file."
            ) from error
    shutil.copymode(source, target)
