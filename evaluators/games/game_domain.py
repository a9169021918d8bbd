"""What domains that play games share: tasks from suites and payoff tiers, the race over them, and scores.

``advantage`` is by how many powers of ten a program's exploitability is below the reference program's on the same
game, payoffs and iterations, at a few points of the run, clipped to [-1, 1]: the mean over families of games. A search
measures it on a *block*, games and payoffs that are drawn from its seed.

``decades`` is how many powers of ten a program gained over the uniform policy (clipped to [0, 6]: below about 1e-6
the usual small games measure their degeneracy, not the program), averaged over games and tiers. It is reported.

Sealed tasks are drawn after a program is frozen, so that neither a search nor its author can have seen them: *generic*
copies of games, payoffs perturbed by ten percent from a seed that is drawn once the finalists are fixed.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib.resources import files
from itertools import pairwise
from statistics import fmean
from typing import NamedTuple, Protocol

from evaluators.contract import MeanGate, Plan, Stage, TaskError, nearest
from evaluators.games import suites
from evaluators.games.game import NOISE, Game, parse_variant
from evaluators.games.loading import load
from evaluators.games.suites import SUITES_VERSION
from evaluators.records import SMALLEST, Cost, Metric, Score, Task, TaskResult
from evaluators.scores import family_score
from evaluators.scripts import Exporter, Script
from evaluators.task_domain import TaskDomain
from sandbox.base import Limits, Sandbox

COPIES = 3
"""Payoff seeds of a game that no block names."""

VARIANTS: Mapping[str, tuple[str, ...]] = {
    "exact": ("exact",),
    "generic": tuple(f"generic-{seed}" for seed in range(COPIES)),
    "jitter": ("jitter-0", "jitter-1", "jitter-2"),
    "scale": ("scale-0.1", "scale-10"),
}
"""Tier -> payoff variants of each game (`evaluators.games.game.Variant`)."""

RACE_MARGIN = 0.25
"""Decades: how far below its parent a program may be on the first rung before the rest of its block is skipped."""

DECADES_MAX = 6.0

RULER_VERSION = 2
"""Version 1 followed `decades` over exact and generic payoffs of four games, with seeds 0 to 2 in every campaign."""

EXPLOITABILITY = Metric(
    name="exploitability",
    label="exploitability (NashConv / N)",
    direction="min",
    scale="log",
    resolution=0.1,
    task="game",
    budget="iteration",
)

_COSTLY_TERMINALS = 20_000

_LAW_TERMINALS = 2_000
"""Of a drawn game, about, to put games in order without drawing it."""

DRAWN = "drawn"
"""Tier of tasks whose game is drawn, not only its payoffs."""
DRAWS = 4
"""Games that each law of `GameDomain.drawn` gives for a seed."""
GENERIC = "generic"
"""Tier of games whose payoffs are perturbed from a task's seed."""

MAX_DRAWN_TERMINALS = 1_000_000
"""Of sealed games that promotion plays, some thousand iterations of ten programs: Big Leduc would take an hour."""


@lru_cache(maxsize=64)
def compiled(name: str, variant: str) -> Game:
    """Return a game, kept for the next candidate: a worker plays the same few variants thousands of times.

    Raises:
        GameError: as `evaluators.games.game.load`.
    """
    return load(name, variant)


class Played(NamedTuple):
    """The game of a task by name, and its payoff variant, such as ``exact`` or ``generic-2``."""

    game: str
    variant: str


def played(task: Task) -> Played:
    """Return what a task is played on."""
    if task.tier in ("exact", DRAWN):
        return Played(task.name, "exact")
    game, _, variant = task.name.rpartition("/")
    return Played(game, variant)


def decades(exploitability: float, uniform: float) -> float:
    """Return log10(uniform / exploitability), clipped to [0, 6]; exploitability may come out as -4e-16."""
    return min(max(math.log10(uniform / max(exploitability, SMALLEST)), 0.0), DECADES_MAX)


def decades_of(result: TaskResult) -> float:
    """Return the decades that a result is worth."""
    assert result.uniform is not None
    return decades(result.value, result.uniform)


def area(result: TaskResult) -> float:
    """Return the mean of `decades` along the curve over log10(iteration): early progress counts too."""
    assert result.uniform is not None
    points = [(math.log10(k), decades(value, result.uniform)) for k, value in result.curve]
    if len(points) == 1:
        return points[0][1]
    return sum((b[0] - a[0]) * (a[1] + b[1]) / 2 for a, b in pairwise(points)) / (
        points[-1][0] - points[0][0]
    )


@dataclass(frozen=True)
class Prepared:
    """A program as the trusted loop sees it: its source, and the guest that goes with it."""

    source: str
    guest: str


class GameRun(Protocol):
    """A program at work on a game, one iteration at a time."""

    @property
    def oracle_calls(self) -> int:
        """How often the program asked for best responses itself."""

    def iterate(self) -> None:
        """Do one iteration.

        Raises:
            SandboxFault: the program failed.
            InvalidAnswer: what it returned is no answer.
        """

    def exploitability(self) -> float:
        """Return NashConv / N of what the program has come to. Raises as `iterate`."""


class GameDomain(TaskDomain):
    """A domain whose tasks are games with exact exploitability.

    Attributes:
        iterations: of a task unless another budget is given.
        block: name of a game or law -> payoff seeds that a search plays it with: the suite ``train``. What it takes to
            resolve differences of 0.1 at the least CPU (docs/ruler.md).
        search_tiers: tiers that a search runs.
        drawn: laws of games that a promotion draws (`suites.DRAWN`).
        shown: name of a sealed game or law -> instances that the end of a campaign shows programs on.
        marks: where checkpoints stand, times powers of ten.
        script: what exported programs have in common.
    """

    metric = EXPLOITABILITY
    objective = "advantage"
    suites = ("train", *suites.SUITES)
    suites_version = SUITES_VERSION
    clip = 1.0
    ruler_version = RULER_VERSION
    refinements = 3
    tiers = (*VARIANTS, DRAWN)
    iterations: int
    block: Mapping[str, int]
    search_tiers: tuple[str, ...] = (GENERIC, DRAWN)
    drawn: tuple[str, ...] = ("random_sealed", "river")
    shown: Mapping[str, int]
    marks: tuple[int, ...]
    script: Script

    @abstractmethod
    def prepare(self, source: str) -> Prepared:
        """Return a program as the trusted loop takes it."""

    @abstractmethod
    def begin(self, program: str, game: Game, iterations: int, sandbox: Sandbox, limits: Limits) -> GameRun:
        """Start a program on a game, for so many iterations.

        Raises:
            SandboxFault: the program failed.
        """

    def checkpoints(self, iterations: int) -> tuple[int, ...]:
        """Return the iterations after which a program is measured: `marks` times powers of ten, and where it is scored.

        Args:
            iterations: number of iterations of the run, at least 1.
        """
        steps = (mark * 10**e for e in range(len(str(iterations))) for mark in self.marks)
        return tuple(sorted({*(step for step in steps if step < iterations), *self.read_at(iterations)}))

    @cached_property
    def guest(self) -> str:
        """Source of the module that runs beside every program."""
        return self.source_of("guest")

    def source_of(self, module: str) -> str:
        """Return the source of a module of the domain's package."""
        package = type(self).__module__.rpartition(".")[0]
        return (files(package) / f"{module}.py").read_text(encoding="utf-8")

    @property
    def exporter(self) -> Exporter:
        """See `TaskDomain.exporter`."""
        return self._as_script

    def _as_script(self, source: str, *, title: str, file: str = "program.py") -> str:
        """See `evaluators.scripts.Exporter`."""
        self.check(source)
        prepared = self.prepare(source)
        machinery = [prepared.guest, self.source_of("standalone")]
        return self.script.of(source, machinery, title=title, file=file, values=vars(prepared))

    def run(self, program: str, task: Task, sandbox: Sandbox, limits: Limits) -> TaskResult:
        """See `TaskDomain.run`."""
        game = compiled(*played(task))
        play = self.begin(program, game, task.budget, sandbox, limits)
        measured = frozenset(self.checkpoints(task.budget))
        curve: list[tuple[int, float]] = []
        for k in range(1, task.budget + 1):
            play.iterate()
            if k in measured:
                curve.append((k, play.exploitability()))
        uniform = game.uniform_exploitability
        return TaskResult(
            task,
            curve[-1][1],
            curve=tuple(curve),
            uniform=uniform,
            floor=uniform * 10**-DECADES_MAX,
            cost=Cost(oracle_calls=play.oracle_calls),
        )

    def tasks(
        self,
        suite: str,
        tiers: Sequence[str] | None = None,
        budget: int | None = None,
        seeds: Sequence[int] | None = None,
    ) -> Sequence[Task]:
        """See `TaskDomain.tasks`: every variant of each game of a suite, the cheap games first."""
        games = tuple(self.block) if suite == "train" else suites.suite(suite)
        return self.select(games, tiers, budget, seeds)

    def select(
        self,
        names: Sequence[str],
        tiers: Sequence[str] | None = None,
        budget: int | None = None,
        seeds: Sequence[int] | None = None,
    ) -> Sequence[Task]:
        """See `TaskDomain.select`. Names may be OpenSpiel strings; games that are not listed are compiled here.

        A game or law takes as many of `seeds`, the first ones, as it has in a block, else `COPIES`. The name of one
        task, such as ``leduc2/generic-7`` or ``random-17``, stands for it alone.

        Raises:
            GameError: an unknown game, or one that cannot be compiled.
        """
        iterations = budget or self.iterations
        chosen: list[Task] = []
        for name in names:
            if (one := None if tiers else named(name, iterations)) is not None:
                chosen.append(one)
                continue
            game = name if is_law(name) else suites.resolve(name).name
            for tier in self.search_tiers if tiers is None else tiers:
                chosen += self._in_tier(game, tier, iterations, seeds)
        return sorted(dict.fromkeys(chosen), key=lambda task: (_num_terminals(played(task).game), task.group))

    def _in_tier(self, game: str, tier: str, iterations: int, seeds: Sequence[int] | None) -> list[Task]:
        """Return the tasks of a game or law in a tier: laws have drawn games only, and other games none."""
        count = self.block.get(game, COPIES)
        own = range(count) if seeds is None else seeds[:count]
        if is_law(game):
            return draws(game, iterations, own) if tier == DRAWN else []
        if tier == DRAWN:
            return []
        return variants(game, tier, iterations, own if tier == GENERIC else seeds and seeds[:COPIES])

    def stages(self, tasks: Sequence[Task]) -> tuple[Stage, ...]:
        """Return a first rung, half of the seeds of each small game, and the rest behind a gate (`RACE_MARGIN`)."""
        count = Counter((task.group, task.tier, task.budget) for task in tasks)
        seen: Counter[tuple[str, str, int]] = Counter()
        first: list[Task] = []
        rest: list[Task] = []
        for task in tasks:
            key = task.group, task.tier, task.budget
            seen[key] += 1
            early = seen[key] <= max(1, count[key] // 2)
            (first if early and _num_terminals(played(task).game) < _COSTLY_TERMINALS else rest).append(task)
        gate = MeanGate(RACE_MARGIN) if rest else None
        stages = Stage("first rung", tuple(first), gate), Stage("the rest", tuple(rest))
        return tuple(stage for stage in stages if stage.tasks)

    def held_out(self, seed: int, budget: int | None = None) -> Sequence[Task]:
        """See `TaskDomain.held_out`: instances of sealed games and laws (`shown`)."""
        iterations = budget or self.iterations
        return [
            task
            for name, count in self.shown.items()
            for own in [range(count * seed, count * (seed + 1))]
            for task in (
                draws(name, iterations, own) if is_law(name) else variants(name, GENERIC, iterations, own)
            )
        ]

    def draw(self, seed: int) -> Sequence[Task]:
        """See `TaskDomain.draw`: `DRAWS` games of each law of `drawn`, and copies of the sealed games.

        Payoffs of copies are perturbed from `seed`. Games of more than `MAX_DRAWN_TERMINALS` terminals are left out;
        nothing is compiled here.

        Raises:
            TaskError: a seed below 0.
        """
        if seed < 0:
            raise TaskError(f"seed: expected a whole number from 0; got {seed}.")
        fresh = (draws(law, self.iterations, range(DRAWS * seed, DRAWS * (seed + 1))) for law in self.drawn)
        return [task for own in fresh for task in own] + [
            task
            for game in suites.suite("sealed")
            if _num_terminals(game) <= MAX_DRAWN_TERMINALS
            for task in variants(game, GENERIC, self.iterations, (seed,))
        ]

    def score_decades(self, results: Iterable[TaskResult]) -> Score:
        """Return the mean decades, in which every game counts the same in every tier, however many seeds it has."""
        cells: dict[tuple[str, str], list[TaskResult]] = {}
        for result in results:
            cells.setdefault((result.task.group, result.task.tier), []).append(result)
        means = [family_score(cell, self.metric, decades_of) for cell in cells.values()]
        stderr = math.sqrt(math.fsum(mean.stderr**2 for mean in means)) / len(means)
        return Score(fmean([mean.mean for mean in means]), stderr, sum(mean.n for mean in means))

    def score_names(self, plan: Plan) -> tuple[str, ...]:
        """See `TaskDomain.score_names` and `scores`."""
        exact = [task.group for task in plan.tasks if task.tier == "exact"]
        return (
            *super().score_names(plan),
            *("decades", *(f"decades/{group}" for group in plan.groups)),
            *(f"decades_{tier}" for tier in dict.fromkeys(task.tier for task in plan.tasks)),
            "log_area",
            *(["neg_exploitability", *(f"neg_exploitability/{game}" for game in exact)] if exact else []),
        )

    def scores(self, results: Sequence[TaskResult]) -> dict[str, Score]:
        """See `TaskDomain.scores`; beside the usual ones those in ``decades``, ``log_area``, and those of the paper.

        The objectives of arXiv 2602.16928 are ``neg_exploitability`` and ``neg_exploitability/<game>``, over exact
        games.
        """
        scores = super().scores(results)
        scores["decades"] = self.score_decades(results)
        for group in dict.fromkeys(result.task.group for result in results):
            scores[f"decades/{group}"] = self.score_decades(r for r in results if r.task.group == group)
        for tier in dict.fromkeys(result.task.tier for result in results):
            scores[f"decades_{tier}"] = _mean([decades_of(r) for r in results if r.task.tier == tier])
        scores["log_area"] = _mean([area(result) for result in results])
        exact = {result.task.group: -result.value for result in results if result.task.tier == "exact"}
        if exact:
            scores["neg_exploitability"] = _mean(list(exact.values()))
            scores |= {f"neg_exploitability/{game}": Score(value) for game, value in exact.items()}
        return scores


def is_law(name: str) -> bool:
    """Return whether a name stands for games that are drawn from seeds, such as ``river60``."""
    return name in suites.DRAWN and suites.DRAWN[name].seeded


def draws(law: str, iterations: int, seeds: Sequence[int]) -> list[Task]:
    """Return the tasks of a law's games of these seeds."""
    family = suites.DRAWN[law].family
    return [Task(f"{law}-{seed}", family, DRAWN, iterations, seed) for seed in seeds]


def named(name: str, iterations: int) -> Task | None:
    """Return the task that a name stands for alone: a game with a variant, or one that is drawn; else None.

    Raises:
        GameError: an unknown game or variant.
    """
    game, _, variant = name.rpartition("/")
    tier, _, value = variant.partition("-")
    if game and tier in VARIANTS:
        parse_variant(variant)
        game, seed = suites.resolve(game).name, int(value) if tier in NOISE else None
        own = game if tier == "exact" else f"{game}/{variant}"
        return Task(own, suites.family(game), tier, iterations, seed)
    law, _, value = name.partition("-")
    return draws(law, iterations, (int(value),))[0] if is_law(law) and value.isdecimal() else None


def variants(game: str, tier: str, iterations: int, seeds: Sequence[int] | None = None) -> list[Task]:
    """Return the tasks of one game in one tier; `seeds` replaces those of a search where payoffs are perturbed.

    Raises:
        TaskError: no such tier.
    """
    if tier not in VARIANTS:
        raise TaskError(f"tier: expected the name of a tier; got {tier!r}.", nearest(tier, [*VARIANTS]))
    seeded = tier in (GENERIC, "jitter")
    chosen = [f"{tier}-{seed}" for seed in seeds] if seeded and seeds is not None else VARIANTS[tier]
    return [
        Task(
            name=game if tier == "exact" else f"{game}/{one}",
            family=suites.family(game),
            tier=tier,
            budget=iterations,
            seed=int(one.rpartition("-")[2]) if seeded else None,
        )
        for one in chosen
    ]


def _mean(values: Sequence[float]) -> Score:
    """Return a mean over games of different difficulty, which has no standard error."""
    return Score(fmean(values), n=len(values))


@lru_cache(maxsize=256)
def _num_terminals(game: str) -> int:
    if suites.law(game):
        return _LAW_TERMINALS
    listed = suites.member(game)
    return listed.sizes.terminals if listed else compiled(game, "exact").size
