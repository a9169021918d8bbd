"""The database behind the pages: opened when there is something in it, opened anew when the file was replaced."""

from __future__ import annotations

import os
import threading
from hashlib import sha256
from pathlib import Path

from sqlalchemy import Connection, func, select

from results.loading import get_campaign, load_campaigns
from results.records import CampaignRecord
from results.schema import Candidate, Evaluation, Event, HeldOut, Look, ModelCall
from results.store import Store, open_store


class LiveDatabase:
    """A read-only store that is there as long as the database is. May be used by several threads."""

    def __init__(self, where: str | os.PathLike[str]) -> None:
        self.where = os.fspath(where)
        self._lock = threading.Lock()
        self._store: Store | None = None
        self._identity: tuple[int, int] | None = None

    @property
    def shown_name(self) -> str:
        """The database as a page names it: a file's path; of a URL, neither user nor password."""
        return self.where.rpartition("@")[2] if "://" in self.where else self.where

    def store(self) -> Store:
        """Return the store.

        Raises:
            EmptyDatabaseError: there is nothing in the database yet.
            DatabaseError: it is gone, or cannot be read.
        """
        with self._lock:
            identity = self._file()
            if self._store is None or identity != self._identity:
                self._close()
                self._store = open_store(self.where, create=False, read_only=True)
                self._identity = identity
            return self._store

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            self._close()

    def _close(self) -> None:
        if self._store is not None:
            self._store.close()
            self._store = None

    def _file(self) -> tuple[int, int] | None:
        """Return which file it is: a search that begins anew may have replaced it. None for a server's database."""
        if "://" in self.where:
            return None
        try:
            status = Path(self.where).expanduser().stat()
        except OSError:
            return None
        return status.st_dev, status.st_ino


def state(store: Store, campaign: str | None = None) -> str:
    """Return a word that differs whenever a page about the campaign (or about all) would differ.

    Raises:
        UnknownNameError: no such campaign.
    """
    with store.reading() as connection:
        records = load_campaigns(connection) if campaign is None else [get_campaign(connection, campaign)]
        facts = [_facts(connection, None if campaign is None else records[0])]
    facts += [(r.id, r.name, r.status, r.finished_at, store.writer_of(r.id)) for r in records]
    return sha256(repr(facts).encode("utf-8", "replace")).hexdigest()[:16]


def _facts(connection: Connection, record: CampaignRecord | None) -> tuple[object, ...]:
    """Return numbers that no writer can leave as they are: rows are only ever added, or filled in once."""
    facts: list[object] = []
    for table, columns in (
        (Candidate, (func.count(), *map(func.count, (Candidate.program_id, Candidate.outcome, Candidate.told_at)))),
        (Evaluation, (func.max(Evaluation.id),)),
        (ModelCall, (func.max(ModelCall.id), func.count(ModelCall.ended_at))),
        (Event, (func.max(Event.id),)),
        (HeldOut, (func.max(HeldOut.id),)),
    ):  # fmt: skip
        query = select(*columns).select_from(table)
        if record is not None:
            query = query.where(table.campaign_id == record.id)
        facts += connection.execute(query).one()
    return *facts, connection.execute(select(func.max(Look.id))).scalar()
