"""How values are written into columns, alike on SQLite and PostgreSQL."""

from __future__ import annotations

import struct
import zlib
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple

from sqlalchemy import DateTime, LargeBinary, Text
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

Points = tuple[tuple[int, float], ...]

_LEVEL = 3
"""Takes half the time of the library's own choice; prompts become 6% larger."""


class _Width(NamedTuple):
    padding: str
    point_bytes: int


_WIDTHS = {"H": _Width("x", 10), "I": _Width("", 12), "Q": _Width("xx", 16)}
"""Format of budgets -> what stands before them, so that lengths differ: they are odd, 4n and 4n + 2."""


class UtcDateTime(TypeDecorator[datetime]):
    """A moment: aware in Python, UTC without a zone in the database (SQLite has no zones)."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """The moment in UTC.

        Raises:
            ValueError: a time without a zone, which could mean any moment of a day.
        """
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"expected a time with a zone; got {value}")
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """The moment, aware."""
        return None if value is None else value.replace(tzinfo=UTC)


class AnyText(TypeDecorator[str]):
    """Text that a candidate may have written.

    Lone surrogates (no UTF-8) and NUL (refused by PostgreSQL) become U+FFFD: a candidate's message must not
    be able to stop the campaign that records it.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """The text, storable."""
        return None if value is None else storable(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        """The text."""
        return value


class CompressedText(TypeDecorator[str]):
    """Long text, deflated: sources and logs."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> bytes | None:
        """The deflated text; nothing for nothing."""
        if value is None:
            return None
        return zlib.compress(storable(value).encode(), _LEVEL) if value else b""

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> str | None:
        """The text."""
        if value is None:
            return None
        return zlib.decompress(value).decode() if value else ""


class PackedPoints(TypeDecorator[Points]):
    """A curve: all budgets (uint16, 32 or 64, as they need), then all values (float64), little-endian and exact.

    What its length leaves when divided by four says how wide the budgets are (`_WIDTHS`).
    """

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: Points | None, dialect: Dialect) -> bytes | None:
        """The packed curve."""
        if value is None:
            return None
        budgets, numbers = zip(*value, strict=True)
        return _packed(budgets) + struct.pack(f"<{len(numbers)}d", *numbers)

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> Points | None:
        """The curve as (budget, value) pairs."""
        if value is None:
            return None
        kind = "H" if len(value) % 2 else "Q" if len(value) % 4 else "I"
        count = len(value) // _WIDTHS[kind].point_bytes
        numbers = struct.unpack(f"<{_WIDTHS[kind].padding}{count}{kind}{count}d", value)
        return tuple(zip(numbers[:count], numbers[count:], strict=True))


@lru_cache(maxsize=1024)
def _packed(budgets: tuple[int, ...]) -> bytes:
    """The first half of a curve: its budgets are those of thousands of others."""
    largest = max(budgets)
    kind = "H" if largest < 1 << 16 else "I" if largest < 1 << 32 else "Q"
    return struct.pack(f"<{_WIDTHS[kind].padding}{len(budgets)}{kind}", *budgets)


def storable(text: str) -> str:
    """`text` with U+FFFD for what no database takes."""
    if text.isascii() and "\0" not in text:
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\0", "\ufffd")
