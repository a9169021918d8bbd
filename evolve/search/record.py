"""What a search has seen so far, as operators see it: plain data, cut off where the population of a proposal is."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import overload

from evaluators.base import Outcome, Tag

BEST = 13
"""How many of the best candidates are kept at hand: a dozen beside a parent that is one of them."""

FAILURES = frozenset(Tag) - {Tag.OK, Tag.EARLY_STOPPED, Tag.DUPLICATE}
"""Outcomes that say that something is wrong with a program."""

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


@dataclass(frozen=True)
class Standing:
    """What running sums say of the first so many candidates.

    Attributes:
        outcomes: tag -> how many ended so, in the order in which the tags came up first.
        best: the `BEST` best that ended ok, best first, the earliest among equals.
        parts: part of the objective -> the best score there.
    """

    outcomes: Mapping[str, int] = field(default_factory=dict)
    best: tuple[Tried, ...] = ()
    parts: Mapping[str, float] = field(default_factory=dict)

    def after(self, tried: Tried, objective: str) -> Standing:
        """The standing with a candidate more; what it does not change is shared."""
        tag = tried.outcome.tag.value
        outcomes = {**self.outcomes, tag: self.outcomes.get(tag, 0) + 1}
        if not tried.ok:
            return Standing(outcomes, self.best, self.parts)
        scores, best, parts = tried.scored.objectives, self.best, self.parts
        if len(best) < BEST or scores[objective] > best[-1].scored.objectives[objective]:
            best = tuple(sorted([*best, tried], key=lambda t: -t.scored.objectives[objective])[:BEST])
        own = {name: value for name, value in scores.items() if name.startswith(f"{objective}/")}
        if any(value > parts.get(name, -math.inf) for name, value in own.items()):
            parts = {**parts, **{name: max(value, parts.get(name, value)) for name, value in own.items()}}
        return Standing(outcomes, best, parts)


class Log:
    """Candidates in the order in which they are told, with what makes looking back cost the same however many.

    Args:
        objective: the name of what decides "better".
        entries: the first of them.
    """

    def __init__(self, objective: str, entries: Iterable[Tried] = ()) -> None:
        self._objective = objective
        self.entries: list[Tried] = []
        self.standings = [Standing()]
        self.places: dict[str, int] = {}
        """Program id -> where it ended ok first."""
        self.children: defaultdict[str, list[int]] = defaultdict(list)
        """Program id -> where the candidates are whose first parent it is."""
        self.failed: list[int] = []
        """Where those are that failed (`FAILURES`)."""
        self.gains: list[float | None] = []
        """By how much each is better than its first parent; None where one of the two has no scores."""
        for tried in entries:
            self.append(tried)

    def append(self, tried: Tried) -> None:
        """Tell of one more."""
        place = len(self.entries)
        self.gains.append(self._gain(tried))
        if tried.ok and tried.program_id is not None:
            self.places.setdefault(tried.program_id, place)
        if tried.parents:
            self.children[tried.parents[0]].append(place)
        if tried.outcome.tag in FAILURES:
            self.failed.append(place)
        self.entries.append(tried)
        self.standings.append(self.standings[-1].after(tried, self._objective))

    def _gain(self, tried: Tried) -> float | None:
        before = self.places.get(tried.parents[0]) if tried.ok and tried.parents else None
        if before is None:
            return None
        old, new = self.entries[before].scored.objectives, tried.scored.objectives
        return new.get(self._objective, 0.0) - old.get(self._objective, 0.0)

    def upto(self, count: int) -> Beginning:
        """The first `count`, or all as long as there are fewer."""
        return Beginning(self, count)


class Beginning(Sequence[Tried]):
    """The first `count` entries of a log that grows: a view, so that proposing costs nothing per candidate."""

    def __init__(self, log: Log, count: int) -> None:
        self._log = log
        self._count = min(count, len(log.entries))

    def __len__(self) -> int:
        """How many there are."""
        return self._count

    def __iter__(self) -> Iterator[Tried]:
        """Oldest first."""
        return (self._log.entries[place] for place in range(self._count))

    @overload
    def __getitem__(self, place: int) -> Tried: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Tried]: ...
    def __getitem__(self, place: int | slice) -> Tried | Sequence[Tried]:
        """As of a list of this length."""
        if isinstance(place, slice):
            return [self._log.entries[n] for n in range(*place.indices(self._count))]
        return self._log.entries[range(self._count)[place]]

    @property
    def standing(self) -> Standing:
        """Counts and bests."""
        return self._log.standings[self._count]

    def scored(self, program_id: str) -> Tried | None:
        """The candidate that this program was when it ended ok."""
        place = self._log.places.get(program_id, self._count)
        return self._log.entries[place] if place < self._count else None

    def children(self, program_id: str, most: int) -> list[Tried]:
        """The last candidates whose first parent is this program, oldest first."""
        return self._last(self._log.children.get(program_id, []), most)

    def gains(self, most: int) -> list[tuple[Tried, float]]:
        """Of the last candidates those that have scores, as their first parents have: by how much they are better."""
        last = slice(max(0, self._count - most), self._count)
        pairs = zip(self._log.entries[last], self._log.gains[last], strict=True)
        return [(tried, gain) for tried, gain in pairs if gain is not None]

    def failed(self, most: int) -> list[Tried]:
        """The last candidates that failed, oldest first."""
        return self._last(self._log.failed, most)

    def _last(self, places: list[int], most: int) -> list[Tried]:
        end = bisect_left(places, self._count)
        return [self._log.entries[place] for place in places[max(0, end - most) : end]]


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

    @cached_property
    def seen(self) -> Beginning:
        """`tried`, to look things up in."""
        if isinstance(self.tried, Beginning):
            return self.tried
        return Log(self.objective, self.tried).upto(len(self.tried))
