"""The candidates of a search in the order in which they were told, as operators look back on them.

A fault of the engine says nothing about a program or an idea: such candidates keep their place and are not looked
back on.

What looking back needs is worked out once for each candidate, when it is told, so that a proposal costs the same
however long the search is. A `LogView` is the log as it stood when the parents of a proposal were chosen.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import overload

from evaluators.records import NOT_THE_PROGRAMS_FAULT, Candidate, Tag

BEST = 13
"""How many of the best candidates are kept at hand: a dozen beside a parent that is one of them."""

FAILURES = frozenset(Tag) - NOT_THE_PROGRAMS_FAULT
"""Outcomes that say that something is wrong with a program."""


class CandidateLog:
    """Candidates as they are told.

    Args:
        objective: name of the score that decides "better".
        candidates: the first of them.
    """

    def __init__(self, objective: str, candidates: Iterable[Candidate] = ()) -> None:
        self.objective = objective
        self.entries: list[Candidate] = []
        self.outcomes: list[Mapping[str, int]] = [{}]
        """After each candidate: tag -> how many ended so, faults of the engine apart; the first to come up is first."""
        self.best: list[tuple[Candidate, ...]] = [()]
        """After each candidate: the `BEST` best that ended ok, best first, the earliest among equals."""
        self.parts: list[Mapping[str, float]] = [{}]
        """After each candidate: part of the objective -> the best score there."""
        self.positions: dict[str, int] = {}
        """Program id -> where it ended ok first."""
        self.children: defaultdict[str, list[int]] = defaultdict(list)
        """Program id -> where the candidates are whose first parent it is."""
        self.failed: list[int] = []
        """Where those are that failed (`FAILURES`)."""
        self.gains: list[float | None] = []
        """By how much each is better than its first parent; None where one of the two has no scores."""
        for candidate in candidates:
            self.append(candidate)

    def append(self, candidate: Candidate) -> None:
        """Add the next candidate. Either all of it is added or, where it raises, nothing."""
        position, gain = len(self.entries), self._gain(candidate)
        tag, outcomes = candidate.ending.tag, self.outcomes[-1]
        ours = tag is Tag.ENGINE_ERROR
        if not ours:
            outcomes = {**outcomes, tag.value: outcomes.get(tag.value, 0) + 1}
        best, parts = self._best_after(candidate) if candidate.ok else (self.best[-1], self.parts[-1])
        self.gains.append(gain)
        if candidate.ok and candidate.program_id is not None:
            self.positions.setdefault(candidate.program_id, position)
        if candidate.parents and not ours:
            self.children[candidate.parents[0]].append(position)
        if tag in FAILURES:
            self.failed.append(position)
        self.entries.append(replace(candidate, evaluation=candidate.evaluation if candidate.ok else None))
        self.outcomes.append(outcomes)
        self.best.append(best)
        self.parts.append(parts)

    def _best_after(self, candidate: Candidate) -> tuple[tuple[Candidate, ...], Mapping[str, float]]:
        """Return `best` and `parts` with a candidate more; what it does not change is shared."""
        objective, best, parts = self.objective, self.best[-1], self.parts[-1]
        if len(best) < BEST or candidate.scores[objective].mean > best[-1].scores[objective].mean:
            best = tuple(sorted([*best, candidate], key=lambda c: -c.scores[objective].mean)[:BEST])
        own = {
            name: score.mean for name, score in candidate.scores.items() if name.startswith(f"{objective}/")
        }
        if any(value > parts.get(name, -math.inf) for name, value in own.items()):
            parts = {**parts, **{name: max(value, parts.get(name, value)) for name, value in own.items()}}
        return best, parts

    def _gain(self, candidate: Candidate) -> float | None:
        before = self.positions.get(candidate.parents[0]) if candidate.ok and candidate.parents else None
        return (
            None
            if before is None
            else candidate.scores[self.objective].mean - self.entries[before].scores[self.objective].mean
        )

    def upto(self, count: int) -> LogView:
        """Return the first `count` candidates, or all as long as there are fewer."""
        return LogView(self, count)


class LogView(Sequence[Candidate]):
    """The first `count` candidates of a log that grows: a view, so that proposing costs nothing per candidate."""

    def __init__(self, log: CandidateLog, count: int) -> None:
        self._log = log
        self._count = min(count, len(log.entries))

    def __len__(self) -> int:
        """How many there are."""
        return self._count

    def __iter__(self) -> Iterator[Candidate]:
        """Oldest first."""
        return (self._log.entries[position] for position in range(self._count))

    @overload
    def __getitem__(self, index: int) -> Candidate: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Candidate]: ...
    def __getitem__(self, index: int | slice) -> Candidate | Sequence[Candidate]:
        """As of a list of this length."""
        if isinstance(index, slice):
            return [self._log.entries[n] for n in range(*index.indices(self._count))]
        return self._log.entries[range(self._count)[index]]

    @property
    def objective(self) -> str:
        """Name of the score that decides "better"; ``<objective>/<family>`` are its parts."""
        return self._log.objective

    @property
    def outcomes(self) -> Mapping[str, int]:
        """Tag -> how many ended so, faults of the engine apart; the first to come up is first."""
        return self._log.outcomes[self._count]

    @property
    def best(self) -> tuple[Candidate, ...]:
        """The `BEST` best that ended ok, best first, the earliest among equals."""
        return self._log.best[self._count]

    @property
    def parts(self) -> Mapping[str, float]:
        """Part of the objective -> the best score there."""
        return self._log.parts[self._count]

    def scored(self, program_id: str) -> Candidate | None:
        """Return the candidate that this program was when it ended ok."""
        position = self._log.positions.get(program_id, self._count)
        return self._log.entries[position] if position < self._count else None

    def children(self, program_id: str, most: int) -> list[Candidate]:
        """Return the last candidates whose first parent is this program, oldest first."""
        return self._last(self._log.children.get(program_id, []), most)

    def gains(self, most: int) -> list[tuple[Candidate, float]]:
        """Return those of the last candidates that are scored, as their first parents are: how much better they are."""
        last = slice(max(0, self._count - most), self._count)
        pairs = zip(self._log.entries[last], self._log.gains[last], strict=True)
        return [(candidate, gain) for candidate, gain in pairs if gain is not None]

    def failed(self, most: int) -> list[Candidate]:
        """Return the last candidates that failed, oldest first."""
        return self._last(self._log.failed, most)

    def _last(self, positions: list[int], most: int) -> list[Candidate]:
        end = bisect_left(positions, self._count)
        return [self._log.entries[position] for position in positions[max(0, end - most) : end]]
