"""The PSRO benchmark: whole runs beside OpenSpiel's psro_v2, and what SHOR-PSRO costs in a search."""

from __future__ import annotations

import contextlib
import importlib.util
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import seeds
from benchmarks.timing import Measurement, Spread, Work, interleave, machine, pinned, ratio
from evaluators.games import suites
from evaluators.games.compile import load_turn_based
from evaluators.psro.domain import DOMAIN
from evaluators.records import Evaluation
from sandbox.base import Sandbox
from sandbox.inprocess import InProcessSandbox
from sandbox.process import ProcessSandbox

IN_PROCESS, SANDBOXED, OPENSPIEL = "in-process", "sandboxed", "OpenSpiel psro_v2"

GAME, TARGET = "leduc2", 100.0
"""A game, and how many times faster than psro_v2 the project wants to be on it."""

COSTLY, COSTLY_ITERATIONS, COSTLY_TARGET_CPU_S = "shor_psro", 100, 180.0
"""A program whose own inner loops are most of its cost, and its CPU seconds on the training games together."""

TRAINING = suites.SUITES["train"]

NEEDS = ("matplotlib", "networkx", "cvxpy")
"""What OpenSpiel's psro_v2 imports and OpenSpiel does not install."""


@dataclass(frozen=True)
class Whole:
    """`iterations` PSRO iterations of the uniform solver, with exact payoffs and best responses.

    Ours are evaluations as in a search, with their sessions and scores; psro_v2 scores nothing. `skipped` says why
    psro_v2 was not measured, or is "".
    """

    game: str
    iterations: int
    isolation: str
    measured: Mapping[str, Measurement]
    skipped: str

    def speedup(self, side: str) -> Spread | None:
        """How many times faster than psro_v2 `side` is, if that was measured."""
        theirs = self.measured.get(OPENSPIEL)
        return ratio(theirs, self.measured[side]) if theirs else None

    @property
    def target(self) -> float | None:
        """What `speedup` should be, on the game that there is a target for."""
        return TARGET if self.game == GAME else None


@dataclass(frozen=True)
class Costly:
    """What `program` costs in the sandbox: game -> CPU seconds of its whole evaluation."""

    program: str
    iterations: int
    isolation: str
    cpu_s: Mapping[str, float]

    @property
    def total_cpu_s(self) -> float:
        """CPU seconds on all games."""
        return sum(self.cpu_s.values())


@dataclass(frozen=True)
class Report:
    """All of it; `costly` where it was asked for."""

    machine: Mapping[str, Any]
    openspiel: str
    whole: Whole
    costly: Costly | None


def measure(
    game: str,
    *,
    iterations: int,
    repeats: int,
    costly_games: Sequence[str] = (),
    costly_iterations: int = COSTLY_ITERATIONS,
    progress: Callable[[str], None],
) -> Report:
    """Measure on the core that this thread is pinned to meanwhile.

    Args:
        game: short name or OpenSpiel string, for the run beside psro_v2.
        iterations: of that run.
        repeats: interleaved repeats; psro_v2 makes do with two.
        costly_games: what `COSTLY` is evaluated on.
        costly_iterations: of these evaluations.
        progress: is told what is being measured.
    """
    name = suites.resolve(game).name
    with pinned() as core, ProcessSandbox(modules=DOMAIN.sandbox_modules) as sandbox:
        progress(f"{iterations} iterations on {name}")
        whole = _whole(name, sandbox, iterations=iterations, repeats=repeats)
        costly = (
            _costly(costly_games, sandbox, iterations=costly_iterations, progress=progress)
            if costly_games
            else None
        )
        return Report(machine() | {"core": core}, version("open_spiel"), whole, costly)


def missing() -> tuple[str, ...]:
    """What psro_v2 imports and is not installed here."""
    return tuple(name for name in NEEDS if importlib.util.find_spec(name) is None)


def _whole(name: str, sandbox: Sandbox, *, iterations: int, repeats: int) -> Whole:
    source, absent = seeds.source("psro", "uniform"), missing()
    works = {
        side: _evaluation(source, [name], iterations, box)
        for side, box in ((IN_PROCESS, InProcessSandbox()), (SANDBOXED, sandbox))
    }
    if not absent:
        works[OPENSPIEL] = _psro_v2(name, iterations)
    found = interleave(works, repeats=repeats, slice_s=0.0, few=[OPENSPIEL])
    skipped = f"not installed: {', '.join(absent)}; pip install {' '.join(absent)}" if absent else ""
    return Whole(name, iterations, sandbox.level.label, found, skipped)


def _costly(
    games: Sequence[str], sandbox: Sandbox, *, iterations: int, progress: Callable[[str], None]
) -> Costly:
    source, cpu_s = seeds.source("psro", COSTLY), {}
    for game in games:
        progress(f"{COSTLY} on {game}")
        cpu_s[game] = _evaluated(source, [game], iterations, sandbox).cpu_s
    return Costly(COSTLY, iterations, sandbox.level.label, cpu_s)


def _evaluated(source: str, games: Sequence[str], iterations: int, sandbox: Sandbox) -> Evaluation:
    plan = DOMAIN.plan(games, tiers=("exact",), iterations=iterations)
    found = DOMAIN.evaluate(source, plan, sandbox)
    if not found.outcome.ok:
        raise RuntimeError(f"a seed ended as {found.outcome.tag}: {found.outcome.message}")
    return found


def _evaluation(source: str, games: Sequence[str], iterations: int, sandbox: Sandbox) -> Work:
    def work(units: int) -> None:
        for _ in range(units):
            _evaluated(source, games, iterations, sandbox)

    return work


def _psro_v2(name: str, iterations: int) -> Work:
    """OpenSpiel's solver with its best-response oracle in C++ and its exact payoffs; nothing is scored."""
    from open_spiel.python.algorithms.expected_game_score import policy_value
    from open_spiel.python.algorithms.psro_v2 import best_response_oracle, psro_v2

    class Exact(psro_v2.PSROSolver):  # type: ignore[misc]
        def sample_episodes(self, policies: Any, num_episodes: int) -> Any:
            return policy_value(self._game.new_initial_state(), policies)

    game = load_turn_based(suites.resolve(name).game_string)

    def work(units: int) -> None:
        for _ in range(units):
            with contextlib.redirect_stdout(io.StringIO()):
                solver = Exact(
                    game,
                    best_response_oracle.BestResponseOracle(game=game),
                    1,
                    meta_strategy_method="uniform",
                    training_strategy_selector="probabilistic",
                    sample_from_marginals=True,
                )
            for _ in range(iterations):
                solver.iteration()

    return work


def to_json(report: Report) -> dict[str, Any]:
    """The report as plain data; a spread is [min, median, max]."""
    whole = report.whole
    sides = {
        side: {
            "seconds": [ms / 1e3 for ms in value.ms],
            "repeats": len(value.seconds),
        }
        for side, value in whole.measured.items()
    }
    speedups = [(side, whole.speedup(side)) for side in (IN_PROCESS, SANDBOXED)]
    return {
        "machine": dict(report.machine),
        "open_spiel": report.openspiel,
        "whole": {
            "game": whole.game,
            "iterations": whole.iterations,
            "isolation": whole.isolation,
            "measured": sides,
            "skipped": whole.skipped or None,
            "speedups": [
                {"side": side, "times": list(times), "target": whole.target}
                for side, times in speedups
                if times
            ],
        },
        "costly": _costly_json(report.costly) if report.costly else None,
    }


def _costly_json(costly: Costly) -> dict[str, Any]:
    return {
        "program": costly.program,
        "iterations": costly.iterations,
        "isolation": costly.isolation,
        "cpu_s": dict(costly.cpu_s),
        "total_cpu_s": costly.total_cpu_s,
        "target_cpu_s": COSTLY_TARGET_CPU_S,
    }
