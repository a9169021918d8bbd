"""What a user of the results database can get wrong: the whole tree of this package's user errors.

StoreError
├── DatabaseError     the database cannot be opened, read or written
│   └── EmptyDatabaseError  it exists, and nothing was ever stored in it
├── UnknownNameError  no campaign, program or objective of that name
├── AmbiguousError    an abbreviated program id that fits several
└── BusyError         the campaign has a living writer already

A mistake in our own code is a ValueError instead (a candidate told twice, a score that is not finite), or
SQLAlchemy's IntegrityError (an evaluation stored twice, a program that was never added).
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class StoreError(Exception):
    """One line that says what was expected and what came, and one that says what to do next (or "")."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class DatabaseError(StoreError):
    """The database is newer than this program, is none, is missing, or its place cannot be written."""


class EmptyDatabaseError(DatabaseError):
    """The database is there and has no table yet."""


class UnknownNameError(StoreError):
    """Nothing in the database is called that."""


class AmbiguousError(StoreError):
    """The beginning of a program's id fits more than one program."""


class BusyError(StoreError):
    """Another living process writes this campaign."""


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint that names those of `known` that are close to `name`, or the first few when none is."""
    names = sorted(known)
    close = get_close_matches(name, names, n=3)
    if close:
        return f"Did you mean {' or '.join(repr(match) for match in close)}?"
    if not names:
        return "There is none yet."
    return f"Known: {', '.join(names[:8])}{', ...' if len(names) > 8 else ''}."
