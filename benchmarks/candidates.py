"""A whole candidate, as a campaign evaluates it, against OpenSpiel's Python solver."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import seeds
from benchmarks.timing import Measurement, Spread, Work, interleave, ratio
from evaluators.cfr.domain import DOMAIN
from evaluators.contract import Plan
from evaluators.games.compile import load_turn_based
from evaluators.games.game import load
from sandbox.base import Sandbox
from sandbox.inprocess import InProcessSandbox
from sandbox.process import ProcessSandbox

IN_PROCESS, SANDBOXED, OPENSPIEL = "in-process", "sandboxed", "OpenSpiel Python"
TARGETS = {IN_PROCESS: 1200.0, SANDBOXED: 800.0}
"""Times faster than OpenSpiel's Python solver that the project wants to be."""


@dataclass(frozen=True)
class CandidateBench:
    """CFR+ for `iterations` iterations on `games`, exact tier: with sessions, checkpoints and scoring.

    `openspiel_iterations` of OpenSpiel's `CFRPlusSolver` were measured per repeat and extrapolated to `iterations`,
    without any scoring.
    """

    games: tuple[str, ...]
    iterations: int
    isolation: str
    openspiel_iterations: int
    measured: dict[str, Measurement]

    def speedup(self, side: str) -> Spread:
        """How many times faster than OpenSpiel Python `side` is."""
        return ratio(self.measured[OPENSPIEL], self.measured[side])


def measure(games: Sequence[str], *, iterations: int, repeats: int) -> CandidateBench:
    """Evaluate CFR+ in this process and in the sandbox, and run OpenSpiel's solver for an iteration, in turn."""
    plan = DOMAIN.plan(games, tiers=("exact",), iterations=iterations)
    with ProcessSandbox(modules=DOMAIN.sandbox_modules) as sandbox:
        works = {
            IN_PROCESS: _evaluation(plan, InProcessSandbox()),
            SANDBOXED: _evaluation(plan, sandbox),
            OPENSPIEL: _openspiel_iterations(games),
        }
        found = interleave(works, repeats=repeats, slice_s=0.0)
        isolation = sandbox.level.label
    slow = found[OPENSPIEL]
    found[OPENSPIEL] = Measurement(tuple(s * iterations for s in slow.seconds), slow.units)
    return CandidateBench(tuple(games), iterations, isolation, slow.units, found)


def _evaluation(plan: Plan, sandbox: Sandbox) -> Work:
    source = seeds.source("cfr", "cfr_plus")

    def work(units: int) -> None:
        for _ in range(units):
            outcome = DOMAIN.evaluate(source, plan, sandbox).outcome
            if not outcome.ok:
                raise RuntimeError(f"CFR+ ended as {outcome.tag}: {outcome.message}")

    return work


def _openspiel_iterations(games: Sequence[str]) -> Work:
    from open_spiel.python.algorithms import cfr

    solvers = [cfr.CFRPlusSolver(load_turn_based(load(game).game_string)) for game in games]

    def work(units: int) -> None:
        for _ in range(units):
            for solver in solvers:
                solver.evaluate_and_update_policy()

    return work
