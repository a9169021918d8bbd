"""The PSRO benchmark: whole runs beside OpenSpiel's psro_v2, and what SHOR-PSRO costs in a search."""

from __future__ import annotations

import contextlib
import importlib.util
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any

import seeds
from benchmarks import whole
from benchmarks.timing import Work, describe, machine, pinned, repeated
from evaluators.games import suites
from evaluators.games.compile import load_turn_based
from evaluators.psro.domain import DOMAIN
from evolve.cli.output import console
from evolve.cli.tables import plain_table
from sandbox.base import Sandbox
from sandbox.process import ProcessSandbox

OPENSPIEL = "OpenSpiel psro_v2"

TARGETS = {"leduc2": 100.0}
"""Game -> how many times faster than psro_v2 the project wants to be on it."""

COSTLY, COSTLY_ITERATIONS, COSTLY_TARGET_CPU_S = "shor_psro", 100, 180.0
"""A program whose own inner loops are most of its cost, and its CPU seconds on the suite paper together."""

TRAINING = suites.SUITES["paper"]

NEEDS = ("matplotlib", "networkx", "cvxpy")
"""What OpenSpiel's psro_v2 imports and OpenSpiel does not install."""


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
    """All of it; `skipped` is why psro_v2 was not measured, or ""; `costly` is there where it was asked for."""

    machine: Mapping[str, Any]
    openspiel: str
    whole: whole.Whole
    skipped: str
    costly: Costly | None

    def to_json(self) -> dict[str, Any]:
        """Return the report as plain data; a spread is [min, median, max]."""
        sides = {
            side: {"seconds": list(self.whole.seconds(side)), "repeats": len(measured.seconds)}
            for side, measured in self.whole.measured.items()
        }
        run = {"game": self.whole.games[0], "measured": sides, "skipped": self.skipped or None}
        costly = self.costly and {
            **asdict(self.costly),
            "total_cpu_s": self.costly.total_cpu_s,
            "target_cpu_s": COSTLY_TARGET_CPU_S,
        }
        return {
            "machine": dict(self.machine),
            "open_spiel": self.openspiel,
            "whole": run | self.whole.to_json(),
            "costly": costly,
        }

    def show(self) -> None:
        """Print the report for a person."""
        out = console()
        out.print(describe(self.machine))
        out.print(
            f"{self.whole.iterations} PSRO iterations on {self.whole.games[0]}: uniform solver, exact payoffs and "
            f"responses.\nOpenSpiel {self.openspiel}; min–median–max of interleaved repeats:",
            markup=False,
        )
        out.print(self.whole.table())
        if self.skipped:
            out.print(f"{OPENSPIEL}: {self.skipped}", markup=False)
        if self.costly is not None:
            _show_costly(self.costly)


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
        progress: called with what is being measured.
    """
    name, absent = suites.resolve(game).name, missing()
    skipped = f"not installed: {', '.join(absent)}; pip install {' '.join(absent)}" if absent else ""
    with pinned() as core, ProcessSandbox(modules=DOMAIN.sandbox_modules) as sandbox:
        progress(f"{iterations} iterations on {name}")
        measured = whole.measure(
            DOMAIN,
            seeds.source("psro", "uniform"),
            [name],
            iterations=iterations,
            sandbox=sandbox,
            repeats=repeats,
            peer={} if absent else {OPENSPIEL: _psro_v2(name, iterations)},
            few=True,
        )
        targets = dict.fromkeys((whole.IN_PROCESS, whole.SANDBOXED), TARGETS[name]) if name in TARGETS else {}
        run = whole.Whole((name,), iterations, sandbox.level.label, OPENSPIEL, measured, targets)
        costly = _costly(costly_games, sandbox, costly_iterations, progress) if costly_games else None
        return Report(machine() | {"core": core}, version("open_spiel"), run, skipped, costly)


def missing() -> tuple[str, ...]:
    """Return what psro_v2 imports and is not installed here."""
    return tuple(name for name in NEEDS if importlib.util.find_spec(name) is None)


def _costly(
    games: Sequence[str], sandbox: Sandbox, iterations: int, progress: Callable[[str], None]
) -> Costly:
    source, cpu_s = seeds.source("psro", COSTLY), {}
    for game in games:
        progress(f"{COSTLY} on {game}")
        cpu_s[game] = whole.evaluated(DOMAIN, source, [game], iterations, sandbox).cost.cpu_s
    return Costly(COSTLY, iterations, sandbox.level.label, cpu_s)


def _psro_v2(name: str, iterations: int) -> Work:
    """Return OpenSpiel's solver with its best-response oracle in C++ and its exact payoffs; nothing is scored."""
    from open_spiel.python.algorithms.expected_game_score import policy_value
    from open_spiel.python.algorithms.psro_v2 import best_response_oracle, psro_v2

    class Exact(psro_v2.PSROSolver):  # type: ignore[misc]
        def sample_episodes(self, policies: Any, num_episodes: int) -> Any:
            return policy_value(self._game.new_initial_state(), policies)

    game = load_turn_based(suites.resolve(name).game_string)

    def run() -> None:
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

    return repeated(run)


def _show_costly(costly: Costly) -> None:
    out = console()
    out.print(
        f"{costly.program}, {costly.iterations} iterations, exact payoffs, {costly.isolation}:", markup=False
    )
    table = plain_table("game", right=["CPU s", "target"])
    for game, cpu_s in costly.cpu_s.items():
        table.add_row(game, f"{cpu_s:.1f}")
    table.add_row("together", f"{costly.total_cpu_s:.1f}", f"≤ {COSTLY_TARGET_CPU_S:.0f}")
    out.print(table)
