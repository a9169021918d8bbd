"""The tables, and how values are written into their columns, alike on SQLite and PostgreSQL.

Changing a table means a new revision under `migrations/versions/`: a test compares the two.
"""

from __future__ import annotations

import struct
import zlib
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    DateTime,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    MetaData,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

from results.records import Status

Points = tuple[tuple[int, float], ...]

_LEVEL = 3
"""Takes half the time of the library's own choice; prompts become 6% larger."""

_PADDING = {"H": "x", "I": "", "Q": "xx"}
"""Format of budgets -> what stands before them, so that lengths differ: they are odd, 4n and 4n + 2."""


class UtcDateTime(TypeDecorator[datetime]):
    """A moment: aware in Python, UTC without a zone in the database (SQLite has no zones)."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the moment in UTC.

        Raises:
            ValueError: a time without a zone, which could mean any moment of a day.
        """
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"expected a time with a zone; got {value}")
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the moment, aware."""
        return None if value is None else value.replace(tzinfo=UTC)


class AnyText(TypeDecorator[str]):
    """Text that a candidate may have written.

    Lone surrogates (no UTF-8) and NUL (refused by PostgreSQL) become U+FFFD: a candidate's message must not
    be able to stop the campaign that records it.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Return the text, storable."""
        return None if value is None else storable(value)


class CompressedText(TypeDecorator[str]):
    """Long text, deflated: sources and logs."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> bytes | None:
        """Return the deflated text; nothing for nothing."""
        if value is None:
            return None
        return zlib.compress(storable(value).encode(), _LEVEL) if value else b""

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> str | None:
        """Return the text."""
        if value is None:
            return None
        return zlib.decompress(value).decode() if value else ""


class PackedPoints(TypeDecorator[Points]):
    """A curve: all budgets (uint16, 32 or 64, as they need), then all values (float64), little-endian and exact.

    What its length leaves when divided by four says how wide the budgets are (`_PADDING`).
    """

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: Points | None, dialect: Dialect) -> bytes | None:
        """Return the packed curve."""
        if value is None:
            return None
        budgets, numbers = zip(*value, strict=True)
        return _packed(budgets) + struct.pack(f"<{len(numbers)}d", *numbers)

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> Points | None:
        """Return the curve as (budget, value) pairs."""
        if value is None:
            return None
        kind = "H" if len(value) % 2 else "Q" if len(value) % 4 else "I"
        count = len(value) // struct.calcsize(f"<{kind}d")
        numbers = struct.unpack(f"<{_PADDING[kind]}{count}{kind}{count}d", value)
        return tuple(zip(numbers[:count], numbers[count:], strict=True))


@lru_cache(maxsize=1024)
def _packed(budgets: tuple[int, ...]) -> bytes:
    """Return the first half of a curve: its budgets are those of thousands of others."""
    largest = max(budgets)
    kind = "H" if largest < 1 << 16 else "I" if largest < 1 << 32 else "Q"
    return struct.pack(f"<{_PADDING[kind]}{len(budgets)}{kind}", *budgets)


def storable(text: str) -> str:
    """Return `text` with U+FFFD for what no database takes."""
    if text.isascii() and "\0" not in text:
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\0", "\ufffd")


class Base(DeclarativeBase):
    """Common metadata; constraints have names, which later revisions need to change them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 - the name and form that SQLAlchemy asks for
        str: AnyText,
        float: Double,
        datetime: UtcDateTime,
        dict[str, Any]: JSON,
    }


class Campaign(Base):
    """One search."""

    __tablename__ = "campaigns"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    domain: Mapped[str]
    seed: Mapped[int] = mapped_column(BigInteger)
    objective: Mapped[str]
    metric: Mapped[dict[str, Any]]
    plan: Mapped[str]
    config: Mapped[dict[str, Any]]
    versions: Mapped[dict[str, Any]]
    machine: Mapped[dict[str, Any]]
    git_commit: Mapped[str | None]
    status: Mapped[Status] = mapped_column(String(16))
    created_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]


class Program(Base):
    """A program, once, whichever campaigns made it: `id` is the SHA-256 of its normalised source.

    `provenance` is the strictest under which a campaign made it, null for seeds and baselines.
    """

    __tablename__ = "programs"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    tree_hash: Mapped[str]
    name: Mapped[str]
    source: Mapped[str] = mapped_column(CompressedText)
    provenance: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))


class Candidate(Base):
    """One ordinal of a campaign."""

    __tablename__ = "candidates"

    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaigns.id"), primary_key=True)
    ordinal: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    program_id: Mapped[str | None] = mapped_column(ForeignKey("programs.id"), index=True)
    operator: Mapped[str]
    note: Mapped[str]
    island: Mapped[int]
    outcome: Mapped[str | None]
    message: Mapped[str]
    created_at: Mapped[datetime]
    told_at: Mapped[datetime | None]


class Parent(Base):
    """One parent of a candidate; position 0 is the one that was changed."""

    __tablename__ = "parents"
    __table_args__ = (
        ForeignKeyConstraint(["campaign_id", "ordinal"], ["candidates.campaign_id", "candidates.ordinal"]),
        {"sqlite_with_rowid": False},
    )

    campaign_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    ordinal: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    program_id: Mapped[str] = mapped_column(ForeignKey("programs.id"), index=True)


class Costs:
    """The columns of a `Cost`."""

    cpu_s: Mapped[float]
    wall_s: Mapped[float]
    candidate_cpu_s: Mapped[float]
    oracle_calls: Mapped[int] = mapped_column(BigInteger)


class TaskColumns:
    """The columns of a `Task` beside its name."""

    family: Mapped[str]
    tier: Mapped[str]
    budget: Mapped[int] = mapped_column(BigInteger)
    seed: Mapped[int | None] = mapped_column(BigInteger)


class Evaluation(Costs, Base):
    """One program on one plan; `ordinal` is null for baselines. `stages`: stage -> [mean, stderr, n]."""

    __tablename__ = "evaluations"
    __table_args__ = (
        ForeignKeyConstraint(["campaign_id", "ordinal"], ["candidates.campaign_id", "candidates.ordinal"]),
        UniqueConstraint("campaign_id", "ordinal", "plan"),
        Index(
            "ix_evaluations_baselines",
            "campaign_id",
            "program_id",
            "plan",
            unique=True,
            sqlite_where=text("ordinal IS NULL"),
            postgresql_where=text("ordinal IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaigns.id"))
    ordinal: Mapped[int | None]
    program_id: Mapped[str] = mapped_column(ForeignKey("programs.id"), index=True)
    plan: Mapped[str]
    outcome: Mapped[str]
    message: Mapped[str]
    isolation: Mapped[str]
    stages: Mapped[dict[str, list[Any]] | None] = mapped_column(JSON(none_as_null=True))
    log: Mapped[str] = mapped_column(CompressedText)
    finished_at: Mapped[datetime]


class Score(Base):
    """One score of an evaluation that ended ok; larger is better."""

    __tablename__ = "scores"
    __table_args__ = ({"sqlite_with_rowid": False},)

    evaluation_id: Mapped[int] = mapped_column(ForeignKey("evaluations.id"), primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    mean: Mapped[float]
    stderr: Mapped[float]
    n: Mapped[int] = mapped_column(BigInteger)


class Task(TaskColumns, Base):
    """A task and what is known of it whichever program works on it, once.

    `key` is a hash of all other columns: some of them may be null, and nulls do not compare.
    """

    __tablename__ = "tasks"

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(64), unique=True)
    name: Mapped[str]
    uniform: Mapped[float | None]
    floor: Mapped[float | None]
    reference: Mapped[Points | None] = mapped_column(PackedPoints)


class TaskResult(Costs, Base):
    """What a program achieved on one task of an evaluation, in the plan's order; the last point is the value."""

    __tablename__ = "task_results"
    __table_args__ = ({"sqlite_with_rowid": False},)

    evaluation_id: Mapped[int] = mapped_column(ForeignKey("evaluations.id"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    task_id: Mapped[int] = mapped_column(ForeignKey("tasks.id"))
    points: Mapped[Points] = mapped_column(PackedPoints)
    stderr: Mapped[float]
    samples: Mapped[int] = mapped_column(BigInteger)
    extra: Mapped[dict[str, float] | None] = mapped_column(JSON(none_as_null=True))


class HeldOut(TaskColumns, Base):
    """A program on a task that the search did not see; `value` is null when it failed there."""

    __tablename__ = "held_out"

    id: Mapped[int] = mapped_column(primary_key=True)
    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaigns.id"), index=True)
    program_id: Mapped[str] = mapped_column(ForeignKey("programs.id"))
    task: Mapped[str]
    outcome: Mapped[str]
    message: Mapped[str]
    value: Mapped[float | None]
    stderr: Mapped[float]
    floor: Mapped[float | None]
    score: Mapped[float | None]
    isolation: Mapped[str]
    purpose: Mapped[str]
    evaluated_at: Mapped[datetime]


class Look(Base):
    """A command that ran a program on held-out tasks, outside any campaign; `tasks` are [name, budget] pairs."""

    __tablename__ = "looks"

    id: Mapped[int] = mapped_column(primary_key=True)
    domain: Mapped[str]
    suites_version: Mapped[int]
    program_id: Mapped[str] = mapped_column(String(64))
    program: Mapped[str]
    tasks: Mapped[list[Any]] = mapped_column(JSON)
    command: Mapped[str]
    looked_by: Mapped[str]
    looked_at: Mapped[datetime]


class Event(Base):
    """Something worth remembering."""

    __tablename__ = "events"

    id: Mapped[int] = mapped_column(primary_key=True)
    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaigns.id"), index=True)
    kind: Mapped[str]
    payload: Mapped[dict[str, Any]]
    happened_at: Mapped[datetime]


class ModelText(Base):
    """A message of a conversation with a language model, once: `id` is the SHA-256 of the text."""

    __tablename__ = "model_texts"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    text: Mapped[str] = mapped_column(CompressedText)


class ModelCall(Base):
    """One call to a language model; `messages` are [role, id of the text] pairs."""

    __tablename__ = "model_calls"
    __table_args__ = (Index(None, "campaign_id", "ordinal", "attempt"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaigns.id"))
    ordinal: Mapped[int]
    attempt: Mapped[int]
    state: Mapped[str] = mapped_column(String(16))
    model: Mapped[str]
    request_hash: Mapped[str] = mapped_column(String(64))
    messages: Mapped[list[Any]] = mapped_column(JSON)
    answer_id: Mapped[str | None] = mapped_column(ForeignKey("model_texts.id"))
    stop: Mapped[str]
    answered_by: Mapped[str]
    input_tokens: Mapped[int] = mapped_column(BigInteger)
    output_tokens: Mapped[int] = mapped_column(BigInteger)
    cached_tokens: Mapped[int] = mapped_column(BigInteger)
    cost_usd: Mapped[float]
    latency_s: Mapped[float]
    message: Mapped[str]
    sent_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
