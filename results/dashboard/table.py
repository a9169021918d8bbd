"""The candidates of a campaign as a table: filtered, sorted and cut into pages by the database."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, func, select

from results.errors import UnknownNameError, nearest
from results.records import CampaignRecord
from results.schema import Candidate, Evaluation, Score
from results.store import Store
from results.text import cell

PAGE_ROWS = 100
CSV_ROWS = 1000
"""Rows of a CSV file that are read in one transaction: a slow reader must not keep one open."""

UNDECIDED = "undecided"
"""Stands for the outcome of a candidate that has none yet."""

_SORTS: Mapping[str, Any] = {
    "candidate": Candidate.ordinal,
    "score": Score.mean,
    "outcome": Candidate.outcome,
    "operator": Candidate.operator,
    "island": Candidate.island,
    "cpu": Evaluation.cpu_s,
}
_BEST_FIRST = frozenset({"score", "cpu"})
"""Columns whose first click shows the largest on top."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """Which part of the table is wanted; "" and None filter nothing. `page` counts from 1."""

    sort: str = "candidate"
    descending: bool = True
    outcome: str = ""
    operator: str = ""
    island: int | None = None
    page: int = 1

    def query(self, **changes: Any) -> str:
        """Return the query string of this request, or of one that differs from it; the default part is left out."""
        wanted = replace(self, **changes)
        values = {
            "sort": ("-" if wanted.descending else "") + wanted.sort,
            "outcome": wanted.outcome,
            "operator": wanted.operator,
            "island": "" if wanted.island is None else str(wanted.island),
            "page": str(wanted.page),
        }
        usual = {"sort": "-candidate", "page": "1"}
        return urlencode({key: value for key, value in values.items() if value != usual.get(key, "")})

    def sorted_by(self, column: str) -> str:
        """Return the query string that sorts by a column: the other way round where it is sorted by it already."""
        descending = not self.descending if column == self.sort else column in _BEST_FIRST
        return self.query(sort=column, descending=descending, page=1)


def parse(query: Mapping[str, str]) -> Request:
    """Return the request that a query string describes.

    Raises:
        UnknownNameError: a column or a number that is none.
    """
    sort = query.get("sort") or "-candidate"
    column = sort.removeprefix("-")
    if column not in _SORTS:
        raise UnknownNameError(f"The table has no column {column!r} to sort by.", nearest(column, _SORTS))
    island = query.get("island", "")
    return Request(
        sort=column,
        descending=sort.startswith("-"),
        outcome=query.get("outcome", ""),
        operator=query.get("operator", ""),
        island=_number("island", island) if island else None,
        page=max(1, _number("page", query.get("page") or "1")),
    )


def _number(name: str, text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise UnknownNameError(f"Expected a number as {name}; got {text!r}.")
    return int(text)


_COLUMNS: tuple[Any, ...] = (
    Candidate.ordinal, Candidate.program_id, Candidate.operator, Candidate.island, Candidate.outcome, Candidate.note,
    Candidate.message, Candidate.created_at, Score.mean.label("score"), Score.stderr.label("stderr"),
    Evaluation.cpu_s,
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Page:
    """A part of the table.

    Attributes:
        request: what was asked for; its page is the last one where a later one was.
        rows: in the order asked for, with `_COLUMNS`; scores are None unless the evaluation ended ok.
        total: how many candidates the filters leave.
        pages: how many pages that makes, at least one.
        outcomes: outcome -> candidates, as the other filters leave them.
        operators: operator -> candidates, likewise.
    """

    request: Request
    rows: Sequence[Row[Any]]
    total: int
    pages: int
    outcomes: Mapping[str, int]
    operators: Mapping[str, int]


def page(connection: Connection, record: CampaignRecord, request: Request) -> Page:
    """Return one page of a campaign's table."""
    total = connection.scalar(select(func.count()).select_from(Candidate).where(*_filters(record, request)))
    pages = max(1, -(-int(total or 0) // PAGE_ROWS))
    request = replace(request, page=min(request.page, pages))
    column = _SORTS[request.sort]
    order = column.desc().nulls_last() if request.descending else column.asc().nulls_last()
    rows = connection.execute(
        _rows(record, request)
        .order_by(order, Candidate.ordinal)
        .limit(PAGE_ROWS)
        .offset((request.page - 1) * PAGE_ROWS)
    )
    return Page(
        request=request,
        rows=rows.all(),
        total=int(total or 0),
        pages=pages,
        outcomes=_counts(connection, record, replace(request, outcome=""), Candidate.outcome),
        operators=_counts(connection, record, replace(request, operator=""), Candidate.operator),
    )


def csv_lines(store: Store, record: CampaignRecord, request: Request) -> Iterator[str]:
    """Yield the rows that the filters leave as CSV, by ordinal, a piece at a time."""
    yield _csv([_rows(record, request).selected_columns.keys()])
    after = -1
    while True:
        with store.reading() as connection:
            query = _rows(record, request).where(Candidate.ordinal > after)
            rows = connection.execute(query.order_by(Candidate.ordinal).limit(CSV_ROWS)).all()
        if not rows:
            return
        yield _csv([[_cell(value) for value in row] for row in rows])
        after = rows[-1].ordinal


def _csv(rows: Iterable[Iterable[Any]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue()


def _cell(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    return cell(value) if isinstance(value, str) else value


def _rows(record: CampaignRecord, request: Request) -> Select[Any]:
    evaluated = and_(
        Evaluation.campaign_id == Candidate.campaign_id,
        Evaluation.ordinal == Candidate.ordinal,
        Evaluation.plan == record.plan,
    )
    return (
        select(*_COLUMNS)
        .select_from(Candidate)
        .outerjoin(Evaluation, evaluated)
        .outerjoin(Score, and_(Score.evaluation_id == Evaluation.id, Score.name == record.objective))
        .where(*_filters(record, request))
    )


def _filters(record: CampaignRecord, request: Request) -> list[ColumnElement[bool]]:
    filters = [Candidate.campaign_id == record.id]
    if request.outcome == UNDECIDED:
        filters.append(Candidate.outcome.is_(None))
    elif request.outcome:
        filters.append(Candidate.outcome == request.outcome)
    if request.operator:
        filters.append(Candidate.operator == request.operator)
    if request.island is not None:
        filters.append(Candidate.island == request.island)
    return filters


def _counts(connection: Connection, record: CampaignRecord, request: Request, column: Any) -> dict[str, int]:
    """Return value -> how many candidates have it, most frequent first."""
    rows = connection.execute(
        select(column, func.count())
        .where(*_filters(record, request))
        .group_by(column)
        .order_by(func.count().desc(), column)
    )
    return {UNDECIDED if value is None else str(value): count for value, count in rows}
