"""The yardstick: how well definitions of the score tell which programs are good on games that they are not scored on.

Programs of every origin (seeds, draws of the mechanism library, candidates of searches) were run on tasks of the
training games and on validation games, to 3,000 iterations; their exploitabilities lie in ``data/``. A definition of
the score is a function of the training part. It is judged by

* the rank correlation with the programs' mean rank over validation families at 300, 1,000 and 3,000 iterations, over
  all programs and over the better half, where a search spends its time (weak programs inflate correlations);
* the same where the family to predict is left out of training: what it says of families without a sibling;
* the standard error of the difference of two programs of the better half, from two blocks of the same definition;
* the winner's curse: the score of the best of 40 programs on the block that chose it, less its score on another block,
  over 1,000 draws of 40 from the fixture;
* its CPU seconds for a program.

Intervals are percentiles of a bootstrap over programs. What one half of the validation families says of the other half,
stepped up to the whole by Spearman and Brown's formula, stands beside them.
"""

from __future__ import annotations

import gzip
import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, as_completed
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import rankdata

from evaluators.cfr.domain import DOMAIN
from evaluators.contract import Plan, Stage
from evaluators.games import suites
from evaluators.games.form import Floats
from evaluators.games.game_domain import DECADES_MAX, GENERIC, draws, is_law, variants
from evaluators.records import SMALLEST, Evaluation, Task
from evolve.evaluation.job import run_job
from evolve.evaluation.local import LocalExecutor

DATA = Path(__file__).parent / "data"
PROGRAMS, VALUES = DATA / "ruler_cfr_programs.json", DATA / "ruler_cfr_values.json.gz"

HORIZONS = (100, 300, 1000, 3000)
"""Iterations that are kept of every curve."""
TARGETS = (300, 1000, 3000)
"""Iterations at which a program is judged on validation games."""
SIZE_OF_SEARCH, DRAWS = 40, 1000
"""Of the winner's curse: programs that the best is chosen from, and how often."""


class Source(NamedTuple):
    """Where tasks of a game come from: its name, the iterations of a run, the first payoff seed and how many."""

    game: str
    budget: int
    first: int
    seeds: int

    def tasks(self) -> list[Task]:
        """Return them."""
        seeds = range(self.first, self.first + self.seeds)
        if is_law(self.game):
            return draws(self.game, self.budget, seeds)
        return variants(self.game, GENERIC, self.budget, seeds)


TRAINING = (
    Source("leduc2", 1000, 100, 4),
    Source("goofspiel4", 1000, 100, 16),
    Source("liars_dice4", 1000, 100, 12),
    Source("battleship22_2", 1000, 100, 12),
    Source("blotto10", 1000, 100, 6),
    Source("river60", 1000, 100, 4),
    Source("random", 1000, 100, 16),
)
"""What definitions of the score may use; two blocks of the recommended one."""
FIRST_RULER = ("kuhn3", "leduc2", "goofspiel4", "liars_dice5")
"""Games of the first ruler: exact payoffs and generic ones of seeds 0 to 2, decades over the uniform policy."""
VALIDATION = (
    Source("leduc2_ranks5", 3000, 200, 2),
    Source("goofspiel4_random", 3000, 200, 2),
    Source("goofspiel5_diff", 3000, 200, 2),
    Source("liars_dice5", 3000, 200, 2),
    Source("battleship22_3", 3000, 200, 2),
    Source("blotto5", 3000, 200, 6),
    Source("random", 3000, 200, 6),
)
"""What programs are judged by: other trees, payoffs and types, three times as long."""


SEALED = (
    Source("river", 1000, 300, 1),
    Source("battleship32_2", 1000, 300, 1),
    Source("oshi_zumo4", 1000, 300, 2),
    Source("random_sealed", 1000, 300, 6),
    Source("matrix_brps", 1000, 300, 1),
    Source("matrix_nfg2", 1000, 300, 1),
    Source("matrix_nfg3", 1000, 300, 1),
    Source("matrix_nfg5", 1000, 300, 1),
)
"""No definition was chosen by these: they were looked at once, for the final one, at 300 and 1,000 iterations."""


def all_tasks() -> list[Task]:
    """Return every task that the fixture has."""
    first = [
        task
        for game in FIRST_RULER
        for tier in ("exact", GENERIC)
        for task in variants(game, tier, 1000, range(3))
    ]
    sources = (*TRAINING, *VALIDATION, *SEALED)
    return [*first, *(task for source in sources for task in source.tasks())]


class Definition(NamedTuple):
    """A definition of the score.

    Attributes:
        name: what the table calls it.
        block: game -> how many of its tasks.
        readings: iterations at which curves are read off.
        clip: of the advantage in one reading.
        reference: name of the program that advantages are over.
    """

    name: str
    block: Mapping[str, int]
    readings: tuple[int, ...] = (100, 300, 1000)
    clip: float = 1.0
    reference: str = "dcfr"


class Row(NamedTuple):
    """What the yardstick says of a definition: correlations with 95 % intervals, in decades the rest."""

    name: str
    cpu_s: float
    everything: tuple[float, float, float]
    better_half: tuple[float, float, float]
    unseen_family: tuple[float, float] | None
    stderr: float | None
    curse: float | None


@dataclass(frozen=True)
class Fixture:
    """Programs and what they reached.

    Attributes:
        origins: name of a program -> where it is from.
        curves: (task, budget) -> program -> exploitability at `HORIZONS`, as far as the budget goes.
        uniform: (task, budget) -> exploitability of the uniform policy.
        cpu_s: (task, budget) -> program -> seconds.
    """

    origins: Mapping[str, str]
    curves: Mapping[tuple[str, int], Mapping[str, Sequence[float]]]
    uniform: Mapping[tuple[str, int], float]
    cpu_s: Mapping[tuple[str, int], Mapping[str, float]]
    _advantages: dict[tuple[Any, ...], Floats] = field(default_factory=dict)

    @cached_property
    def programs(self) -> list[str]:
        """Programs that finished every task."""
        keys = [(task.name, task.budget) for task in all_tasks()]
        return [p for p in self.origins if all(p in self.curves.get(key, {}) for key in keys)]

    def advantages(
        self, tasks: Iterable[Task], readings: Sequence[int], clip: float, reference: str
    ) -> Floats:
        """Return (programs, tasks): the mean over readings of the clipped advantage over the reference program."""
        columns = []
        for task in tasks:
            key = (task.name, task.budget, tuple(readings), clip, reference)
            if key not in self._advantages:
                self._advantages[key] = self._column((task.name, task.budget), readings, clip, reference)
            columns.append(self._advantages[key])
        return np.stack(columns, axis=1)

    def _column(self, key: tuple[str, int], readings: Sequence[int], clip: float, reference: str) -> Floats:
        floor = self.uniform[key] * 10**-DECADES_MAX
        at = [HORIZONS.index(k) for k in readings]
        curves = np.array([self.curves[key][p] for p in (*self.programs, reference)])[:, at]
        logs = np.log10(np.maximum(curves, max(floor, SMALLEST)))
        gains: Floats = np.clip(logs[-1] - logs[:-1], -clip, clip).mean(axis=1)
        return gains

    def score(self, definition: Definition, *, second: bool = False) -> Floats:
        """Return (programs,) scores on the first block of a definition, or on the second one."""
        return _mean(self.by_game(definition, second=second).values())

    def by_game(self, definition: Definition, *, second: bool = False) -> dict[str, Floats]:
        """Return game -> (programs,) means over its tasks in a block."""
        known = {s.game: s for s in TRAINING}
        means = {}
        for game, count in definition.block.items():
            tasks = known[game].tasks()[count : 2 * count] if second else known[game].tasks()[:count]
            advantages = self.advantages(tasks, definition.readings, definition.clip, definition.reference)
            means[game] = advantages.mean(axis=1)
        return means

    def has_second(self, definition: Definition) -> bool:
        """Return whether there are tasks for another block of a definition."""
        known = {s.game: s.seeds for s in TRAINING}
        return all(2 * count <= known[game] for game, count in definition.block.items())

    def first_ruler(self) -> Floats:
        """Return (programs,) scores of the first ruler: mean decades, every game the same in every tier."""
        cells = []
        for game in FIRST_RULER:
            for tier in ("exact", GENERIC):
                keys = [(task.name, task.budget) for task in variants(game, tier, 1000, range(3))]
                decades = [self._decades(key) for key in keys]
                cells.append(_mean(decades))
        return _mean(cells)

    def _decades(self, key: tuple[str, int]) -> Floats:
        last = np.array([self.curves[key][p][-1] for p in self.programs])
        decades: Floats = np.clip(
            np.log10(self.uniform[key]) - np.log10(np.maximum(last, SMALLEST)), 0.0, DECADES_MAX
        )
        return decades

    def ranks(
        self, sources: Sequence[Source] = VALIDATION, targets: Sequence[int] = TARGETS
    ) -> dict[str, Floats]:
        """Return family -> (programs,) mean rank over its validation games and the iterations to judge at."""
        ranks: dict[str, list[Floats]] = {}
        for source in sources:
            for k in targets:
                means = self.advantages(source.tasks(), [k], 1.0, "dcfr").mean(axis=1)
                ranks.setdefault(suites.family(source.game), []).append(rankdata(means))
        return {family: _mean(own) for family, own in ranks.items()}

    def seconds(self, definition: Definition) -> float:
        """Return the mean CPU seconds that a program takes for a block."""
        known = {s.game: s for s in TRAINING}
        tasks = [t for game, count in definition.block.items() for t in known[game].tasks()[:count]]
        return self._mean_seconds(tasks)

    def _mean_seconds(self, tasks: Iterable[Task]) -> float:
        return float(sum(np.mean([self.cpu_s[t.name, t.budget][p] for p in self.programs]) for t in tasks))


def load(programs: Path = PROGRAMS, values: Path = VALUES) -> Fixture:
    """Return the fixture that the project ships, or another one of the same form."""
    listed = json.loads(programs.read_text(encoding="utf-8"))
    with gzip.open(values, "rt", encoding="utf-8") as file:
        kept = json.load(file)
    curves: dict[tuple[str, int], dict[str, Sequence[float]]] = {}
    cpu_s: dict[tuple[str, int], dict[str, float]] = {}
    uniform = {}
    for name, budget, trivial, by_program in kept:
        uniform[name, budget] = trivial
        curves[name, budget] = {p: own[:-1] for p, own in by_program.items()}
        cpu_s[name, budget] = {p: own[-1] for p, own in by_program.items()}
    return Fixture({one["name"]: one["origin"] for one in listed}, curves, uniform, cpu_s)


def measure(programs: Path, values: Path, *, workers: int, progress: Callable[[int, int], None]) -> None:
    """Run every program on the tasks that the file of values lacks, in the sandbox, and write the file again.

    Hours of CPU for the whole fixture. A run that was stopped goes on where it ended.
    """
    sources = {one["name"]: one["source"] for one in json.loads(programs.read_text(encoding="utf-8"))}
    kept: dict[tuple[str, int], tuple[float, dict[str, list[float]]]] = {}
    if values.exists():
        with gzip.open(values, "rt", encoding="utf-8") as file:
            kept = {(name, budget): (trivial, own) for name, budget, trivial, own in json.load(file)}
    jobs = {}
    for name in sources:
        missing = [t for t in all_tasks() if name not in kept.get((t.name, t.budget), (0.0, {}))[1]]
        if missing:
            jobs[name] = Plan((Stage("all", tuple(missing)),), DOMAIN.limits_for(missing))
    with LocalExecutor(workers) as executor:
        futures: dict[Future[Evaluation], str] = {
            executor.submit(run_job, DOMAIN.name, sources[name], plan): name for name, plan in jobs.items()
        }
        for done, future in enumerate(as_completed(futures), start=1):
            for result in future.result().results:
                key = result.task.name, result.task.budget
                kept.setdefault(key, (float(result.uniform or 0.0), {}))[1][futures[future]] = [
                    *(value for k, value in result.curve if k in HORIZONS),
                    round(result.cost.cpu_s, 4),
                ]
            _save(values, kept)
            progress(done, len(jobs))


def _save(path: Path, kept: Mapping[tuple[str, int], tuple[float, Mapping[str, list[float]]]]) -> None:
    rows = [
        [name, budget, trivial, {p: [float(f"{v:.6g}") for v in own] for p, own in by_program.items()}]
        for (name, budget), (trivial, by_program) in kept.items()
    ]
    beside = path.with_suffix(".new")
    with gzip.GzipFile(beside, "wb", mtime=0) as file:
        file.write(json.dumps(rows, separators=(",", ":")).encode())
    beside.replace(path)


@dataclass(frozen=True)
class Report:
    """What the yardstick says.

    Attributes:
        programs: how many, by origin.
        rows: definitions of the score.
        between: what validation families say of each other, over all programs and over the better half.
        by_family: family -> correlation of the default definition with it, of all and of the better half, then the same
            where the family is left out of training.
        by_horizon: iterations -> the same first two for validation games at so many iterations alone.
        sealed: the same first two for sealed families, and for those with and without a sibling in training.
    """

    programs: Mapping[str, int]
    rows: tuple[Row, ...]
    between: tuple[float, float]
    by_family: Mapping[str, tuple[float, float, float, float]]
    by_horizon: Mapping[int, tuple[float, float]]
    sealed: Mapping[str, tuple[float, float]]

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            "programs": dict(self.programs),
            "definitions": [row._asdict() for row in self.rows],
            "between_validation_families": self.between,
            "families": dict(self.by_family),
            "horizons": dict(self.by_horizon),
            "sealed": dict(self.sealed),
        }

    def show(self) -> None:
        """Print Markdown tables."""
        origins = ", ".join(f"{count} {origin}" for origin, count in self.programs.items())
        print(f"{sum(self.programs.values())} programs: {origins}\n")
        print("| score | CPU s | all programs | better half | family unseen: all, half | stderr | curse |")
        print("|---|--:|---|---|---|--:|--:|")
        for row in self.rows:
            cells = [_interval(row.everything), _interval(row.better_half)]
            cells += ["{:.2f}, {:.2f}".format(*row.unseen_family) if row.unseen_family else "-"]
            cells += ["-" if value is None else f"{value:.3f}" for value in (row.stderr, row.curse)]
            print(f"| {row.name} | {row.cpu_s:.1f} | " + " | ".join(cells) + " |")
        print("| between validation families | | {:.2f} | {:.2f} | | | |\n".format(*self.between))
        print("| family | all programs | better half | unseen: all | unseen: better half |")
        print("|---|--:|--:|--:|--:|")
        for family, values in self.by_family.items():
            print(f"| {family} | " + " | ".join(f"{value:.2f}" for value in values) + " |")
        for head, rows in (("validation games at", self.by_horizon), ("sealed families", self.sealed)):
            print(f"\n| {head} | all programs | better half |\n|---|--:|--:|")
            for name, (everything, better) in rows.items():
                print(f"| {name} | {everything:.2f} | {better:.2f} |")


def definitions() -> tuple[Definition, ...]:
    """Return the definitions that are compared; the last but one of the first group is the default."""
    block = dict(DOMAIN.block)
    readings = DOMAIN.read_at(DOMAIN.iterations)
    default = Definition("**the block**", block, readings, DOMAIN.clip, DOMAIN.reference)
    half = {game: max(1, count // 2) for game, count in block.items()}
    small = ("leduc2", "goofspiel4", "liars_dice4", "battleship22_2", "blotto10")
    return (
        Definition("leduc2, goofspiel4, liars_dice4: one seed each", dict.fromkeys(small[:3], 1), (1000,)),
        Definition("and battleship22_2, blotto10", dict.fromkeys(small, 1), (1000,)),
        Definition(
            "the same, four seeds", dict.fromkeys(small[1:], 4) | {"leduc2": 2, "blotto10": 3}, (1000,)
        ),
        Definition("and river60, random: the block, read at 1,000", block, (1000,)),
        Definition("the block, read at 100, 300, 1,000", block),
        default._replace(name="the block's first rung", block=half),
        default,
        default._replace(name="the block, clipped at 0.5", clip=0.5),
        default._replace(name="the block, clipped at 2", clip=2.0),
        default._replace(name="the block, over CFR+", reference="cfr_plus"),
        default._replace(name="the block, over AOD-CFR", reference="aod_cfr_nofloor"),
    )


def judge(fixture: Fixture) -> Report:
    """Return what the yardstick says of every definition."""
    ranks = fixture.ranks()
    target = _mean(ranks.values())
    half = target >= np.median(target)
    rows = [_first_row(fixture, ranks, target, half)]
    for definition in definitions():
        scores = fixture.score(definition)
        again = fixture.score(definition, second=True) if fixture.has_second(definition) else None
        rows.append(
            Row(
                definition.name,
                fixture.seconds(definition),
                _correlation(scores, target),
                _correlation(scores[half], target[half]),
                _unseen(fixture, definition, ranks, half),
                None if again is None else _stderr(scores[half], again[half]),
                None if again is None else _curse(scores, again),
            )
        )
    default = _default()
    origins: dict[str, int] = {}
    for program in fixture.programs:
        origins[fixture.origins[program]] = origins.get(fixture.origins[program], 0) + 1
    return Report(
        origins,
        tuple(rows),
        _between(ranks, half),
        _by_family(fixture, default, ranks, half),
        _by_horizon(fixture, fixture.score(default)),
        _sealed(fixture, fixture.score(default)),
    )


def draw(fixture: Fixture, report: Report, path: Path) -> None:
    """Draw what definitions say of validation games, and the scores of the block beside them, program by program."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.4), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1, 1))
    places = np.arange(len(report.rows))[::-1]
    for offset, label, values in (
        (0.15, "all programs", [row.everything for row in report.rows]),
        (-0.15, "better half", [row.better_half for row in report.rows]),
    ):
        middle = np.array([value[0] for value in values])
        ends = np.array([(value[0] - value[1], value[2] - value[0]) for value in values]).T
        left.errorbar(middle, places + offset, xerr=np.maximum(ends, 0), fmt="o", label=label, capsize=2)
    left.set_yticks(places, [row.name.replace("**", "") for row in report.rows], fontsize="small")
    left.set_xlabel("rank correlation with validation games, 95 % interval")
    left.set_xlim(right=1.0)
    left.grid(axis="x", alpha=0.3)
    left.legend(loc="lower left")
    score, ranks = fixture.score(_default()), _mean(fixture.ranks().values())
    for origin in report.programs:
        own = [number for number, p in enumerate(fixture.programs) if fixture.origins[p] == origin]
        right.plot(score[own], ranks[own], "o", ms=4, alpha=0.7, label=origin)
    right.set_xlabel("advantage over DCFR on a block")
    right.set_ylabel("mean rank on validation games, last to first")
    right.grid(alpha=0.3)
    right.legend(loc="lower right", fontsize="small")
    figure.savefig(path)


def _default() -> Definition:
    return next(one for one in definitions() if one.name == "**the block**")


def _first_row(
    fixture: Fixture, ranks: Mapping[str, Floats], target: Floats, half: np.ndarray[Any, Any]
) -> Row:
    scores = fixture.first_ruler()
    tasks = [t for g in FIRST_RULER for tier in ("exact", GENERIC) for t in variants(g, tier, 1000, range(3))]
    return Row(
        "version 1: decades, four games",
        fixture._mean_seconds(tasks),
        _correlation(scores, target),
        _correlation(scores[half], target[half]),
        None,
        None,
        None,
    )


def _unseen(
    fixture: Fixture, definition: Definition, ranks: Mapping[str, Floats], half: np.ndarray[Any, Any]
) -> tuple[float, float]:
    """Return mean correlations with each family, of the score without the games of that family."""
    own = fixture.by_game(definition)
    pairs = []
    for family, target in ranks.items():
        others = [means for game, means in own.items() if _family(game) != family]
        if others:
            score = _mean(others)
            pairs.append((_spearman(score, target), _spearman(score[half], target[half])))
    alone, better = np.mean(pairs, axis=0)
    return float(alone), float(better)


def _by_family(
    fixture: Fixture, definition: Definition, ranks: Mapping[str, Floats], half: np.ndarray[Any, Any]
) -> dict[str, tuple[float, float, float, float]]:
    own, rows = fixture.by_game(definition), {}
    whole = _mean(own.values())
    for family, target in ranks.items():
        score = _mean([means for game, means in own.items() if _family(game) != family])
        rows[family] = (
            _spearman(whole, target),
            _spearman(whole[half], target[half]),
            _spearman(score, target),
            _spearman(score[half], target[half]),
        )
    return rows


def _both(scores: Floats, target: Floats) -> tuple[float, float]:
    """Return correlations over all programs and over the half that is better on the target."""
    half = target >= np.median(target)
    return _spearman(scores, target), _spearman(scores[half], target[half])


def _by_horizon(fixture: Fixture, scores: Floats) -> dict[int, tuple[float, float]]:
    return {k: _both(scores, _mean(fixture.ranks(targets=[k]).values())) for k in TARGETS}


def _sealed(fixture: Fixture, scores: Floats) -> dict[str, tuple[float, float]]:
    """Return correlations with each sealed family, and with those that have a sibling in training and those without."""
    ranks = fixture.ranks(SEALED, (300, 1000))
    own = {_family(game) for game in DOMAIN.block}
    groups = {family: [family] for family in ranks} | {
        "those with a sibling": [family for family in ranks if family in own],
        "those without": [family for family in ranks if family not in own],
    }
    return {
        name: _both(scores, _mean([ranks[family] for family in families]))
        for name, families in groups.items()
    }


def _family(game: str) -> str:
    return suites.DRAWN[game].family if is_law(game) else suites.family(game)


def _mean(arrays: Iterable[Floats]) -> Floats:
    """Return the mean of arrays (programs,) of one shape."""
    mean: Floats = np.mean(list(arrays), axis=0)
    return mean


def _spearman(one: Floats, other: Floats) -> float:
    return float(np.corrcoef(rankdata(one), rankdata(other))[0, 1])


def _correlation(one: Floats, other: Floats) -> tuple[float, float, float]:
    """Return Spearman's correlation with the 95 % interval of a bootstrap over programs."""
    rng = np.random.default_rng(0)
    picks = rng.integers(0, len(one), (DRAWS, len(one)))
    low, high = np.percentile([_spearman(one[pick], other[pick]) for pick in picks], [2.5, 97.5])
    return _spearman(one, other), float(low), float(high)


def _stderr(one: Floats, other: Floats) -> float:
    """Return the standard error of the difference of two programs on a block, from their scores on two blocks."""
    return float(np.std(one - other, ddof=1))  # Of one program on two blocks, or of two programs on one.


def _curse(one: Floats, other: Floats) -> float:
    """Return the mean fall of the best of `SIZE_OF_SEARCH` from the block that chose it to another one."""
    rng = np.random.default_rng(0)
    falls = []
    for _ in range(DRAWS):
        pick = rng.choice(len(one), SIZE_OF_SEARCH, replace=False)
        best = pick[np.argmax(one[pick])]
        falls.append((one[best] - other[best]) - np.mean(one[pick] - other[pick]))
    return float(np.mean(falls))


def _between(ranks: Mapping[str, Floats], half: np.ndarray[Any, Any]) -> tuple[float, float]:
    """Return the root of the reliability of the validation families: how well they tell others of their kind.

    The reliability is the mean correlation of halves of the families, stepped up to all of them (Spearman and Brown).
    """
    families = list(ranks)

    def of(chosen: slice | np.ndarray[Any, Any]) -> float:
        halves = []
        for part in combinations(families, len(families) // 2):
            rest = [family for family in families if family not in part]
            one, other = (_mean([ranks[f] for f in group]) for group in (part, rest))
            halves.append(_spearman(one[chosen], other[chosen]))
        r = float(np.mean(halves))
        return 2 * r / (1 + r)

    return math.sqrt(of(slice(None))), math.sqrt(max(of(half), 0.0))


def _interval(value: tuple[float, float, float]) -> str:
    return "{:.2f} [{:.2f}, {:.2f}]".format(*value)
