"""What a search has seen so far, as operators see it: plain data, cut off where the population of a proposal is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import overload

from evaluators.base import Outcome, Tag

Curves = Mapping[str, tuple[tuple[int, float], ...]]
"""Game -> (iteration, exploitability) pairs, with exact payoffs."""


@dataclass(frozen=True)
class Scored:
    """A program's scores: objective -> value, larger is better, and its curves."""

    objectives: Mapping[str, float] = field(default_factory=dict)
    curves: Curves = field(default_factory=dict)


@dataclass(frozen=True)
class Tried:
    """A candidate that was told. `source` is "" when it never became a program; `parents` are program ids."""

    ordinal: int
    operator: str
    program_id: str | None
    source: str
    parents: tuple[str, ...]
    note: str
    outcome: Outcome
    scored: Scored

    @property
    def ok(self) -> bool:
        """Whether it has scores."""
        return self.outcome.tag is Tag.OK


class Beginning(Sequence[Tried]):
    """The first `count` entries of a list that grows: a view, so that proposing costs nothing per candidate."""

    def __init__(self, entries: Sequence[Tried], count: int) -> None:
        self._entries = entries
        self._count = min(count, len(entries))

    def __len__(self) -> int:
        """How many there are."""
        return self._count

    def __iter__(self) -> Iterator[Tried]:
        """Oldest first."""
        return (self._entries[place] for place in range(self._count))

    @overload
    def __getitem__(self, place: int) -> Tried: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Tried]: ...
    def __getitem__(self, place: int | slice) -> Tried | Sequence[Tried]:
        """As of a list of this length."""
        if isinstance(place, slice):
            return [self._entries[n] for n in range(*place.indices(self._count))]
        return self._entries[range(self._count)[place]]


@dataclass(frozen=True)
class Record:
    """All that a proposal may know.

    Attributes:
        objective: the name of what decides "better"; ``<objective>/<game>`` are its parts.
        baselines: name -> scores of the programs that it is compared with.
        tried: candidates in the order in which they were told.
    """

    objective: str = ""
    baselines: Mapping[str, Scored] = field(default_factory=dict)
    tried: Sequence[Tried] = ()
