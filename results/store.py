"""The results database, as the engine uses it: `open_store`, then `begin_campaign` or `continue_campaign`."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict
from datetime import UTC, datetime

from sqlalchemy import Connection, Engine, insert
from sqlalchemy.exc import IntegrityError

from results.database import open_engine, reading, writing
from results.errors import BusyError
from results.loading import find_campaign, get_campaign
from results.locks import Locks
from results.records import CampaignRecord, CampaignSpec, LookRecord
from results.schema import Campaign, Look
from results.writer import CampaignWriter, Clock


def utc_now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)


def open_store(
    where: str | os.PathLike[str], *, create: bool = True, read_only: bool = False, clock: Clock = utc_now
) -> Store:
    """The store in a database, which is brought to this version's schema first.

    Args:
        where: the path of a SQLite file, or an SQLAlchemy URL (sqlite or postgresql).
        create: make the file, and the directory it is in, when there is none.
        read_only: the connections cannot write; a missing or empty database is an error then.
        clock: gives the times that are stored; aware.

    Raises:
        DatabaseError: newer than this program, no database of ours, missing, or not to be written.
    """
    engine, locks = open_engine(where, create=create, read_only=read_only)
    return Store(engine, locks, clock)


# The storage contract.
#
# What is durable when. Every method of CampaignWriter is one transaction, and when it returns, its effect
# survives kill -9 of this process. Inside `with writer.transaction():` the methods share one transaction:
# all of it survives from the moment the block has ended, and none of it before. What was acknowledged in
# this sense is never lost and never half there. (A power cut may take the last commits of a SQLite file,
# newest first; see results.database.)
#
# A candidate's way. record_candidate makes the row of an ordinal and may replace it, until tell marks it;
# from then on it never changes. record_evaluation is called when an evaluation finishes, in whatever order
# that happens, and on the campaign's own plan before its candidate is told, so a killed campaign finds the
# evaluation again and does not repeat it. Evaluations on further plans, which refine a score, may follow
# after it was told; no stored evaluation ever changes. The engine tells in the order of ordinals; `load`
# gives the told candidates in that order, and what was recorded but not told by ordinal. A candidate is
# told only when it has an outcome. An evaluation comes back as it was recorded, to the last bit.
#
# Held-out tasks. Every evaluation on a task that the search did not see is a row of its own, also when the
# program failed there, and nothing removes it: the more often a test set is used, the less it proves. A command
# outside any campaign leaves a row of `looks` before it runs a program on such tasks.
#
# Who may write. A campaign has exactly one writer: the CampaignWriter that holds its lock, which dies with
# the process. Different campaigns in one database may be written by different processes; SQLite makes their
# commits queue. Readers need no lock, never wait and never make anyone wait. Programs belong to no
# campaign: they are content-addressed, only ever added, and the same one added twice is one row. Its
# provenance, under what it must run, only ever gets stricter: of two campaigns that made it, the stronger
# level and sandbox and the smaller limits count, whichever was first. Tasks are shared in the same way.
#
# Threads. A CampaignWriter belongs to one thread at a time. A Store may be read from several.


class Store(AbstractContextManager["Store", None]):
    """An open database: find campaigns, read programs, become a campaign's writer. A context manager."""

    def __init__(self, engine: Engine, locks: Locks, clock: Clock) -> None:
        self._engine = engine
        self._locks = locks
        self._clock = clock

    def close(self) -> None:
        """Close all connections. Writers are closed before."""
        self._engine.dispose()

    def __exit__(self, *exc: object) -> None:
        """Close it."""
        self.close()

    def reading(self) -> AbstractContextManager[Connection]:
        """Give a connection that sees one consistent state of the database, in a ``with`` statement."""
        return reading(self._engine)

    @contextmanager
    def reading_campaign(self, name: str) -> Iterator[tuple[Connection, CampaignRecord]]:
        """Give a connection as `reading` does, and the campaign called `name` as it is there.

        Raises:
            UnknownNameError: there is none, with the nearest names.
        """
        with self.reading() as connection:
            yield connection, get_campaign(connection, name)

    def find_campaign(self, name: str) -> CampaignRecord | None:
        """The campaign called `name`, if there is one."""
        with self.reading() as connection:
            return find_campaign(connection, name)

    def writer_of(self, campaign_id: int) -> str | None:
        """Which living process writes the campaign, in words, or None."""
        return self._locks.holder(campaign_id)

    def record_looks(self, looks: Sequence[LookRecord]) -> None:
        """Store that programs were run on held-out tasks, as of now."""
        rows = [vars(look) | {"tasks": list(look.tasks), "looked_at": self._clock()} for look in looks]
        with writing(self._engine) as connection:
            connection.execute(insert(Look), rows)

    def begin_campaign(self, spec: CampaignSpec) -> CampaignWriter:
        """Store a new campaign, with status ``running``, and become its writer.

        Raises:
            BusyError: there is a campaign of this name (another process may have begun it just now).
        """
        row = vars(spec) | {"metric": asdict(spec.metric), "status": "running"}
        row |= {"created_at": self._clock(), "finished_at": None}
        try:
            with writing(self._engine) as connection:
                connection.execute(insert(Campaign), row)
        except IntegrityError as error:
            raise BusyError(
                f"There is a campaign {spec.name!r} in this database already.",
                "Continue it, or choose another name with --name.",
            ) from error
        return self.continue_campaign(spec.name)

    def continue_campaign(self, name: str) -> CampaignWriter:
        """Become the writer of a stored campaign. Its status stays as it is.

        Raises:
            UnknownNameError: there is none of this name.
            BusyError: a living process writes it.
        """
        with self.reading() as connection:
            campaign = get_campaign(connection, name)
        if not self._locks.acquire(campaign.id):
            holder = self._locks.holder(campaign.id) or "another process"
            raise BusyError(
                f"The campaign {name!r} is being written by {holder}.",
                "Wait until it ends, or stop it; its results can be read meanwhile.",
            )
        return CampaignWriter(self._engine, self._locks, self._clock, campaign.id)
