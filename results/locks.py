"""One writer per campaign: locks that die with their process, so that kill -9 leaves nothing to clean up.

SQLite: a POSIX record lock on one byte (the campaign's number) of a file beside the database. The kernel
drops it with the process; unlike flock it is not inherited by forked workers that outlive their parent, and
it can be asked who holds it. Its one trap, that closing *any* descriptor of the file drops all of the
process's locks on it, is why this module opens each lock file once per process.

PostgreSQL: an advisory lock of a session that is kept for it; the server drops it with the connection.

Not covered: network file systems without lock support (SQLite's own locks do not work there either).
"""

from __future__ import annotations

import fcntl
import os
import struct
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from results.errors import DatabaseError

_FLOCK = struct.Struct("hhqqi4x")
"""Linux's ``struct flock``: type, whence, start, length, process."""

ADVISORY_CLASS = 0x65766F6C
"""First half of the advisory locks' key, so that they meet no other application's."""


@dataclass
class _LockFile:
    descriptor: int
    held: set[int] = field(default_factory=set)


_files: dict[Path, _LockFile] = {}
"""Lock files in which this process holds a lock."""

_guard = threading.Lock()

# Record locks stay with the parent: a forked child holds none, whatever it inherited here.
os.register_at_fork(after_in_child=_files.clear)


class FileLocks:
    """The writers' locks beside an SQLite database, by the campaign's number."""

    def __init__(self, database: Path) -> None:
        resolved = database.resolve()
        self._path = resolved.with_name(resolved.name + "-lock")

    def acquire(self, campaign_id: int) -> bool:
        """Take the lock; False when somebody, in this process or another, holds it."""
        with _guard:
            file = _files.get(self._path) or _LockFile(self._open())
            if campaign_id in file.held:
                return False
            try:
                fcntl.lockf(file.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, campaign_id)
            except (BlockingIOError, PermissionError):
                if not file.held:
                    os.close(file.descriptor)
                return False
            file.held.add(campaign_id)
            _files[self._path] = file
            return True

    def release(self, campaign_id: int) -> None:
        """Give a lock back that `acquire` took; the last one of this process closes the file."""
        with _guard:
            file = _files.get(self._path)
            if file is None or campaign_id not in file.held:
                return
            fcntl.lockf(file.descriptor, fcntl.LOCK_UN, 1, campaign_id)
            file.held.remove(campaign_id)
            if not file.held:
                del _files[self._path]
                os.close(file.descriptor)

    def holder(self, campaign_id: int) -> str | None:
        """Return who holds the lock, in words, or None. Takes nothing, so it never stands in a writer's way."""
        with _guard:
            file = _files.get(self._path)
            if file is not None:
                own = campaign_id in file.held
                return f"process {os.getpid()}" if own else _other_holder(file.descriptor, campaign_id)
            try:
                unheld = self._path.open("rb")
            except OSError:
                return None
            with unheld:
                return _other_holder(unheld.fileno(), campaign_id)

    def _open(self) -> int:
        try:
            return os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise DatabaseError(
                f"The lock file {self._path} cannot be opened: {error.strerror}.",
                "Make it and its directory writable, or name another database with --db.",
            ) from error


class AdvisoryLocks:
    """Locks in a PostgreSQL server; its methods are those of `FileLocks`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._held: dict[int, Connection] = {}

    def acquire(self, campaign_id: int) -> bool:
        """Take the lock on a connection of its own; False when another session holds it."""
        connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        taken = connection.scalar(
            text("SELECT pg_try_advisory_lock(:class, :id)"), {"class": ADVISORY_CLASS, "id": campaign_id}
        )
        if not taken:
            connection.close()
            return False
        self._held[campaign_id] = connection
        return True

    def release(self, campaign_id: int) -> None:
        """Give the lock back and end its session, if the server has not."""
        connection = self._held.pop(campaign_id, None)
        if connection is not None:
            # The server notices later that a session ended: the lock would still be seen as taken meanwhile.
            with suppress(DBAPIError):
                connection.execute(
                    text("SELECT pg_advisory_unlock(:class, :id)"),
                    {"class": ADVISORY_CLASS, "id": campaign_id},
                )
            connection.invalidate()
            connection.close()

    def holder(self, campaign_id: int) -> str | None:
        """Return which session holds the lock, in words, or None."""
        with self._engine.connect() as connection:
            process = connection.scalar(
                text(
                    "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND classid = :class"
                    " AND objid = :id"
                    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
                ),
                {"class": ADVISORY_CLASS, "id": campaign_id},
            )
        return None if process is None else f"database session {process}"


Locks = FileLocks | AdvisoryLocks
"""The writers' locks of one database."""


def _other_holder(descriptor: int, campaign_id: int) -> str | None:
    asked = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, campaign_id, 1, 0)
    kind, _, _, _, process = _FLOCK.unpack(fcntl.fcntl(descriptor, fcntl.F_GETLK, asked))
    return None if kind == fcntl.F_UNLCK else f"process {process}"
