"""The table of the literature: every CFR seed on every listed game, with standard errors over payoff seeds.

A cell has the exploitability of the average policy on the game's own payoffs, and on generic copies (payoffs perturbed
by ten percent) its geometric mean, with the standard error of the mean in decades, since exploitabilities compare by
ratios. Of a law of drawn games (`random`, `river`) it has the geometric mean over the games of the first seeds. Every
result is written to a JSON file as soon as it is there: a run that was stopped goes on where it ended.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, as_completed
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from statistics import fmean, stdev
from typing import Any, NamedTuple

from evaluators.cfr.domain import DOMAIN
from evaluators.contract import InputError, Plan, Stage
from evaluators.games import suites
from evaluators.games.game_domain import DRAWN, variants
from evaluators.records import SMALLEST, Evaluation, Task
from evolve.evaluation.job import IN_PROCESS, run_job
from evolve.evaluation.local import LocalExecutor
from evolve.programs import baseline_sources
from evolve.search.run import versions

ITERATIONS, LARGE_ITERATIONS = 1000, 300
LARGE = 2_000_000
"""Games of more terminals are run for `LARGE_ITERATIONS`: a thousand of Big Leduc take a minute for each program."""


class Run(NamedTuple):
    """A program on a task."""

    program: str
    task: Task

    @property
    def key(self) -> str:
        """What the file of results calls it."""
        return f"{self.program} {self.task.name} {self.task.budget}"


class Cell(NamedTuple):
    """A program on a game.

    Attributes:
        exact: exploitability on the game's own payoffs; None where the program failed or did not run yet.
        generic: geometric mean over generic copies; None if one of them is missing.
        stderr: of log10 of that mean; None for fewer than two copies.
    """

    exact: float | None
    generic: float | None
    stderr: float | None


@dataclass(frozen=True)
class Report:
    """What was measured.

    Attributes:
        programs: names of seeds, the rows.
        games: names of games, family by family.
        payoff_seeds: number of generic copies.
        values: key of a run -> exploitability, or why there is none.
    """

    programs: tuple[str, ...]
    games: tuple[str, ...]
    payoff_seeds: int
    values: Mapping[str, float | str]

    def cell(self, program: str, game: str) -> Cell:
        """Return what a program achieved on a game."""
        tasks = _tasks(game, self.payoff_seeds)
        exact = next((self._value(program, task) for task in tasks if task.seed is None), None)
        generic = [self._value(program, task) for task in tasks if task.seed is not None]
        logs = [math.log10(max(value, SMALLEST)) for value in generic if value is not None]
        if not logs or len(logs) < len(generic):
            return Cell(exact, None, None)
        return Cell(exact, 10 ** fmean(logs), stdev(logs) / len(logs) ** 0.5 if len(logs) > 1 else None)

    def to_json(self) -> dict[str, Any]:
        """Return the table as plain data."""
        return {
            "suites_version": suites.SUITES_VERSION,
            "payoff_seeds": self.payoff_seeds,
            "cells": [
                {
                    "game": game,
                    "family": suites.family(game),
                    "iterations": iterations(game),
                    "program": program,
                }
                | self.cell(program, game)._asdict()
                for game in self.games
                for program in self.programs
            ],
            "failures": {key: value for key, value in self.values.items() if isinstance(value, str)},
        }

    def show(self) -> None:
        """Print a Markdown table for each family."""
        for line in self.markdown():
            print(line)

    def markdown(self) -> Iterator[str]:
        """Yield the lines of a Markdown table for each family, the best of each game in bold."""
        for family, members in groupby(self.games, key=suites.family):
            games = list(members)
            yield f"\n### {family}\n"
            yield "| program | " + " | ".join(f"`{game}`, K = {iterations(game):,}" for game in games) + " |"
            yield "|---|" + "--:|" * len(games)
            rows = {program: [self.cell(program, game) for game in games] for program in self.programs}
            best = [_best(column) for column in zip(*rows.values(), strict=True)]
            for program, cells in rows.items():
                yield f"| `{program}` | " + " | ".join(map(_text, cells, best)) + " |"

    def _value(self, program: str, task: Task) -> float | None:
        value = self.values.get(Run(program, task).key)
        return value if isinstance(value, float) else None


def measure(
    games: Sequence[str],
    programs: Sequence[str],
    *,
    payoff_seeds: int,
    path: Path,
    workers: int,
    progress: Callable[[int, int], None],
) -> Report:
    """Run what the file does not have yet.

    Args:
        games: names; all listed ones when empty.
        programs: names of CFR seeds; all when empty.
        payoff_seeds: number of generic copies of each game.
        path: where results are kept.
        workers: processes.
        progress: is told how many runs are done, and of how many.

    Raises:
        InputError: an unknown game, or a file of other versions.
        ConfigError: an unknown program.
    """
    names = [game if game in suites.DRAWN else suites.resolve(game).name for game in games]
    names = names or [*suites.GAMES, *suites.DRAWN]
    families = list(dict.fromkeys(map(suites.family, names)))
    names.sort(key=lambda name: families.index(suites.family(name)))
    sources = baseline_sources(DOMAIN, programs or DOMAIN.seed_names())
    chosen = tuple(sources)
    values = _load(path)
    by_size = sorted(names, key=_terminals)
    # Exact payoffs of all games before any copy, the small games first: a table is there early.
    tasks = sorted(
        (task for name in by_size for task in _tasks(name, payoff_seeds)), key=lambda t: t.seed is not None
    )
    missing = [run for task in tasks for run in (Run(p, task) for p in chosen) if run.key not in values]
    for run, evaluation in _evaluated(missing, sources, workers):
        values[run.key] = evaluation.results[0].value if evaluation.outcome.ok else evaluation.outcome.message
        _save(path, values)
        missing.remove(run)
        progress(len(tasks) * len(chosen) - len(missing), len(tasks) * len(chosen))
    return Report(chosen, tuple(names), payoff_seeds, values)


def iterations(game: str) -> int:
    """Return for how many iterations a game is run."""
    return LARGE_ITERATIONS if _terminals(game) > LARGE else ITERATIONS


def _terminals(game: str) -> int:
    """Return the listed terminals of a game; 0 for other games, which are never large."""
    listed = suites.member(game)
    return listed.sizes.terminals if listed else 0


def _tasks(game: str, payoff_seeds: int) -> list[Task]:
    k, law = iterations(game), suites.DRAWN.get(game)
    if law and law.seeded:
        return [Task(f"{game}-{seed}", law.family, DRAWN, k, seed) for seed in range(payoff_seeds)]
    return variants(game, "exact", k) + variants(game, "generic", k, range(payoff_seeds))


def _evaluated(
    runs: Sequence[Run], sources: Mapping[str, str], workers: int
) -> Iterator[tuple[Run, Evaluation]]:
    """Yield evaluations as they end. The programs are our own, so they run in the workers themselves."""
    with LocalExecutor(workers) as executor:
        futures: dict[Future[Evaluation], Run] = {}
        for run in runs:
            plan = Plan((Stage("all", (run.task,)),), DOMAIN.limits_for([run.task]))
            job = (DOMAIN.name, sources[run.program], plan, None, IN_PROCESS)
            futures[executor.submit(run_job, *job)] = run
        for future in as_completed(futures):
            yield futures[future], future.result()


def _load(path: Path) -> dict[str, float | str]:
    """Return the results so far.

    Raises:
        InputError: the file is none of ours, or of other versions.
    """
    if not path.exists():
        return {}
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        made_by, values = kept["versions"], kept["values"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"results: expected a file of this benchmark; {path} is something else.") from error
    if made_by != _versions():
        raise InputError(
            f"results: expected those of {_versions()}; {path} has those of {made_by}.",
            "Choose another --results.",
        )
    return dict(values)


def _save(path: Path, values: Mapping[str, float | str]) -> None:
    """Write the results so far in one step."""
    text = json.dumps({"versions": _versions(), "values": values}, indent=1)
    beside = path.with_suffix(".new")
    beside.write_text(text + "\n", encoding="utf-8")
    beside.replace(path)


def _versions() -> dict[str, str]:
    return versions() | {"suites": str(suites.SUITES_VERSION)}


def _best(cells: Sequence[Cell]) -> float | None:
    return min((cell.generic for cell in cells if cell.generic is not None), default=None)


def _text(cell: Cell, best: float | None) -> str:
    """Return exact and generic exploitability, the second with the standard error of its decimal logarithm."""
    exact = "-" if cell.exact is None else f"{cell.exact:.1e}"
    if cell.generic is None:
        return exact
    mean = f"{cell.generic:.1e}"
    mean = f"**{mean}**" if cell.generic == best else mean
    return f"{exact}; {mean}" + ("" if cell.stderr is None else f" ± {cell.stderr:.2f}")
