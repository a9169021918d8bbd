"""How values are written into columns, alike on SQLite and PostgreSQL."""

from __future__ import annotations

import struct
import zlib
from datetime import UTC, datetime

from sqlalchemy import DateTime, LargeBinary, Text
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

Points = tuple[tuple[int, float], ...]

_POINT_BYTES = 12
_LEVEL = 3
"""Takes half the time of the library's own choice; prompts become 6% larger."""


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
    """A curve: all budgets (uint32), then all values (float64), little-endian; 12 bytes a point, exact."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: Points | None, dialect: Dialect) -> bytes | None:
        """The packed curve."""
        if value is None:
            return None
        budgets = [budget for budget, _ in value]
        return struct.pack(f"<{len(value)}I{len(value)}d", *budgets, *(number for _, number in value))

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> Points | None:
        """The curve as (budget, value) pairs."""
        if value is None:
            return None
        count = len(value) // _POINT_BYTES
        numbers = struct.unpack(f"<{count}I{count}d", value)
        return tuple(zip(numbers[:count], numbers[count:], strict=True))


def storable(text: str) -> str:
    """`text` with U+FFFD for what no database takes."""
    if text.isascii() and "\0" not in text:
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\0", "\ufffd")
