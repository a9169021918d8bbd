"""The population: islands of archived programs, and who becomes a parent.

Pure functions of (population, rng): the same tells in the same order give the same population, and the same rng
state the same parents. Island k mod n receives candidate k. An island's archive keeps the best program of each
cluster (programs whose scores by family agree to the metric's resolution), so that copies do not crowd and specialists
survive; it is bounded, so that a campaign of ten thousand candidates asks as fast as one of a hundred.

Scores are estimates. Members are ranked by a lower bound, so that one that was measured once has to be better by more
than one that was measured on several blocks; and of those that cannot be told from the leader the smallest is the best.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

from pydantic import BaseModel, ConfigDict, Field

from evaluators.contract import ProgramError
from evaluators.records import Candidate
from evaluators.source import parse
from evolve.source.tree import Size, size_of


class Settings(BaseModel):
    """How the population is kept and sampled."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    islands: int = Field(2, ge=1)
    """Archives that evolve apart; candidate k belongs to island k mod islands."""
    archive: int = Field(24, ge=2)
    """Programs that an island keeps."""
    temperature: float = Field(2.0, gt=0)
    """In ranks: the parent of rank r is drawn with probability proportional to exp(-r / temperature)."""
    specialists: float = Field(0.2, ge=0, le=1)
    """Share of the parents that are ranked by the score of one family, drawn at random, instead of the objective."""
    migrate_every: int = Field(16, ge=1)
    """Tells of an island between two visits of its neighbour's best program."""
    caution: float = Field(1.0, ge=0)
    """Standard errors that are taken off a score before programs are ranked by it."""
    parsimony: float = Field(1.0, ge=0)
    """Standard errors of the leader's score within which a smaller program, measured as often, is the better one."""
    stagnation: int = Field(60, ge=1)
    """Tells of an island without a better program before it is reseeded from the best of all islands."""


@dataclass(frozen=True)
class Island:
    """One archive, best first by the objective, and the tells that it counted."""

    archive: tuple[Candidate, ...] = ()
    tells: int = 0
    improved_at: int = 0
    """`tells` when its best program was found, or when it was reseeded last."""


@dataclass(frozen=True)
class Population:
    """All islands.

    Attributes:
        objective: the score that decides what "best" means; larger is better.
        resolution: scores that agree to a multiple of it are one behaviour.
    """

    objective: str
    settings: Settings
    resolution: float
    islands: tuple[Island, ...] = field(default=())

    @classmethod
    def empty(cls, objective: str, settings: Settings, resolution: float) -> Population:
        """Return a population before the first tell."""
        return cls(objective, settings, resolution, tuple(Island() for _ in range(settings.islands)))

    def __contains__(self, member: Candidate) -> bool:
        """Whether an archive has a candidate, whatever results it has by now."""
        return any(m.ordinal == member.ordinal for island in self.islands for m in island.archive)

    @property
    def leader(self) -> Candidate | None:
        """The member that is ranked first; the earliest among equals."""
        tops = [island.archive[0] for island in self.islands if island.archive]
        return min(tops, key=self.order, default=None)

    def best_of(self, known: Callable[[Candidate], bool]) -> Candidate | None:
        """Return the best of the members that are `known` well enough: the smallest that is level with their leader."""
        members = {m.ordinal: m for island in self.islands for m in island.archive if known(m)}
        if not members:
            return None
        leader = min(members.values(), key=self.order)
        score = leader.scores[self.objective]
        least = score.mean - self.settings.parsimony * score.stderr
        level = [
            m
            for m in members.values()
            if m is leader
            or (m.scores[self.objective].mean > least and m.scores[self.objective].n >= score.n)
        ]
        return min(level, key=lambda m: (_size(m.source), self.order(m))) if len(level) > 1 else leader

    def order(self, member: Candidate, ranking: str | None = None) -> tuple[float, int]:
        """Return what sorts members, the best first: a lower bound of a score, then their age.

        Args:
            member: of this population.
            ranking: name of the score; the objective when None.
        """
        score = member.scores[ranking or self.objective]
        return (self.settings.caution * score.stderr - score.mean, member.ordinal)


def tell(population: Population, ordinal: int, member: Candidate | None) -> Population:
    """The population after a candidate of its turn ended; `member` is None when it did not end ok.

    The first member (the seed) founds every island.
    """
    if member is not None and population.leader is None:
        founded = Island(archive=(member,))
        return replace(population, islands=tuple(founded for _ in population.islands))
    index = ordinal % len(population.islands)
    island = population.islands[index]
    island = replace(island, tells=island.tells + 1)
    if member is not None:
        island = _insert(island, member, population)
    if island.tells % population.settings.migrate_every == 0:
        neighbour = population.islands[index - 1]
        island = _insert(island, neighbour.archive[0], population) if neighbour.archive else island
    stagnates = island.tells - island.improved_at > population.settings.stagnation
    if stagnates and population.leader is not None:
        tops = {i.archive[0].program_id: i.archive[0] for i in population.islands if i.archive}
        island = Island(tells=island.tells, improved_at=island.tells)
        for top in sorted(tops.values(), key=population.order):
            island = _insert(island, top, population)
    islands = (*population.islands[:index], island, *population.islands[index + 1 :])
    return replace(population, islands=islands)


def refine(population: Population, refined: Candidate) -> Population:
    """Return the population in which a member has further results; it is gone where it failed on them."""

    def island(old: Island) -> Island:
        if all(member.ordinal != refined.ordinal for member in old.archive):
            return old
        kept = [member for member in old.archive if member.ordinal != refined.ordinal]
        members = [*kept, refined] if refined.ok else kept
        return replace(old, archive=tuple(sorted(members, key=population.order)))

    return replace(population, islands=tuple(map(island, population.islands)))


def choose(population: Population, ordinal: int, count: int, rng: random.Random) -> list[Candidate]:
    """Distinct parents for a candidate, from its island; fewer than `count` when the archive has fewer.

    One ranking is drawn for each call: the objective, or the score of one family (`Settings.specialists`).
    """
    settings, own = population.settings, ordinal % len(population.islands)
    islands = (*population.islands[own:], *population.islands[:own])
    archive = next((island.archive for island in islands if island.archive), ())
    ranking = population.objective
    parts = sorted(name for name in archive[0].scores if name.startswith(f"{ranking}/")) if archive else []
    if parts and rng.random() < settings.specialists:
        ranking = rng.choice(parts)
    ranked = sorted(archive, key=lambda m: population.order(m, ranking))
    chosen: list[Candidate] = []
    while ranked and len(chosen) < count:
        weights = [math.exp(-rank / settings.temperature) for rank in range(len(ranked))]
        chosen.append(ranked.pop(rng.choices(range(len(ranked)), weights)[0]))
    return chosen


def signature(member: Candidate, objective: str, resolution: float) -> tuple[int, ...]:
    """Return the member's scores by family, in multiples of the resolution: members that share it are one cluster."""
    parts = sorted(name for name in member.scores if name.startswith(f"{objective}/"))
    return tuple(round(member.scores[name].mean / resolution) for name in parts or [objective])


@lru_cache(maxsize=1024)
def _size(source: str) -> Size:
    """Return the size of a program; of one that does not parse, which no domain of ours takes, its length."""
    try:
        return size_of(parse(source))
    except ProgramError:
        return Size(len(source), 0)


def _insert(island: Island, member: Candidate, population: Population) -> Island:
    objective = population.objective
    if any(m.program_id == member.program_id for m in island.archive):
        return island
    own = signature(member, objective, population.resolution)
    rivals = [m for m in island.archive if signature(m, objective, population.resolution) == own]
    if any(population.order(rival) <= population.order(member) for rival in rivals):
        return island
    others = [m for m in island.archive if m not in rivals]
    archive = _trim([*others, member], population)
    top = island.archive[0] if island.archive else None
    better = top is None or population.order(member)[0] < population.order(top)[0]
    return replace(island, archive=archive, improved_at=island.tells if better else island.improved_at)


def _trim(members: Sequence[Candidate], population: Population) -> tuple[Candidate, ...]:
    """Return the best `size` members, the best of all first, with the best of each family as far as there is room."""
    objective, size = population.objective, population.settings.archive
    ranked = sorted(members, key=population.order)
    parts = sorted(name for name in ranked[0].scores if name.startswith(f"{objective}/"))
    specialists = {
        min(ranked, key=lambda m: population.order(m, part)).ordinal for part in (objective, *parts)
    }
    kept = [m for m in ranked if m.ordinal in specialists][:size]
    room = size - len(kept)
    rest = [m for m in ranked if m.ordinal not in specialists][:room]
    return tuple(sorted([*kept, *rest], key=population.order))
