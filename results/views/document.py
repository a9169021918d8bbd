"""What a section of a view is made of: plain records that the templates write as HTML or as Markdown.

A `Section` has blocks: text, tables, figures, code and the steps of a lineage. The style of a cell
holds classes of the style sheet, such as ``num`` (a number, right-aligned), ``ours``, ``won``, ``up``, ``wrap``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar, NamedTuple, TypeVar

from results.text import percent
from results.views.campaign import Change

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing


T = TypeVar("T")


class Cell(NamedTuple):
    """A cell of a table: its text, the page of the dashboard that it names, its style, and the length of its bar."""

    text: str
    href: str = ""
    style: str = ""
    bar: float | None = None


def num(text: object, style: str = "", href: str = "") -> Cell:
    """Return a cell that holds a number."""
    return Cell(str(text), href, f"num {style}".rstrip())


Rows = list[list[Cell | str]]


@dataclass(frozen=True)
class Table:
    """A table whose first column names its rows; `fold` is the line under which it is folded away, if any."""

    kind: ClassVar = "table"
    head: Sequence[Cell | str]
    rows: Sequence[Sequence[Cell | str]]
    caption: str = ""
    fold: str = ""

    @classmethod
    def of(
        cls,
        items: Iterable[T],
        columns: Mapping[str, Callable[[T], Cell | str]],
        caption: str = "",
        fold: str = "",
    ) -> Table:
        """Return a table with a row per item; `columns`: heading -> what an item's cell there is."""
        rows = [[cell(item) for cell in columns.values()] for item in items]
        return cls(list(columns), rows, caption, fold)

    @property
    def cells(self) -> list[list[Cell]]:
        """The rows, of cells."""
        return [[as_cell(value) for value in row] for row in self.rows]

    @property
    def columns(self) -> list[Cell]:
        """The head, of cells; above numbers it has their style."""
        numeric = (
            {"num"} & {word for cell in column for word in cell.style.split()}
            for column in zip(*self.cells, strict=True)
        )
        heads = map(as_cell, self.head)
        return [
            c._replace(style=" ".join([*c.style.split(), *n])) for c, n in zip(heads, numeric, strict=True)
        ]

    def transposed(self) -> Table:
        """Return the same table with rows for columns."""
        head, *rows = zip(self.head, *self.rows, strict=True)
        return Table(head, rows, self.caption, self.fold)


def share(part: float, whole: float) -> Cell:
    """Return a cell with a part in percent and as a bar."""
    return Cell(percent(part, whole), "", "num", part / whole if whole > 0 else 0.0)


def as_cell(value: Cell | str) -> Cell:
    """Return text as a cell."""
    return value if isinstance(value, Cell) else Cell(value)


class Figure(NamedTuple):
    """A figure and how to draw it; `title` tells those who cannot see it what it shows, `width` is 1 to 4 columns."""

    name: str
    title: str
    draw: partial[Drawing]
    width: int = 1

    @property
    def kind(self) -> str:
        """Which block it is."""
        return "figure"


@dataclass(frozen=True)
class Code:
    """A source or another text as it is, folded under a line unless that is ""."""

    kind: ClassVar = "code"
    text: str
    title: str
    language: str = ""
    fold: str = ""


@dataclass(frozen=True)
class Steps:
    """The steps of a lineage with what each changed."""

    kind: ClassVar = "steps"
    campaign: str
    changes: Sequence[Change]


Block = str | Table | Figure | Code | Steps


class Section(NamedTuple):
    """A part of a page: the id of its place there, its heading and what it holds."""

    name: str
    title: str
    blocks: Sequence[Block]
