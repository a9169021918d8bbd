"""Whole evaluations of a program, as a campaign makes them, beside a solver of OpenSpiel's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from rich.table import Table

from benchmarks.timing import Measurement, Spread, Work, interleave, ratio, repeated, spread
from evaluators.records import Evaluation
from evaluators.task_domain import TaskDomain
from evolve.cli.tables import plain_table
from sandbox.base import Sandbox
from sandbox.inprocess import InProcessSandbox

IN_PROCESS, SANDBOXED = "in-process", "sandboxed"


def evaluated(
    domain: TaskDomain, source: str, games: Sequence[str], iterations: int, sandbox: Sandbox
) -> Evaluation:
    """Return the evaluation of a program, exact tier: with sessions, checkpoints and scores.

    Raises:
        RuntimeError: the program did not end well, so that nothing was measured.
    """
    plan = domain.plan(games, tiers=("exact",), budget=iterations)
    evaluation = domain.evaluate(source, plan, sandbox)
    if not evaluation.outcome.ok:
        raise RuntimeError(f"a seed ended as {evaluation.outcome.tag}: {evaluation.outcome.message}")
    return evaluation


@dataclass(frozen=True)
class Whole:
    """One program on `games` for `iterations` iterations, and OpenSpiel's solver, which scores nothing.

    Attributes:
        games: what was played.
        iterations: of every game.
        isolation: level of the sandbox.
        peer: name of OpenSpiel's solver.
        measured: side -> one unit of it is the whole run; the peer is missing where it could not be measured.
        targets: side of ours -> times faster than the peer that the project wants it to be.
    """

    games: tuple[str, ...]
    iterations: int
    isolation: str
    peer: str
    measured: Mapping[str, Measurement]
    targets: Mapping[str, float]

    def speedup(self, side: str) -> Spread | None:
        """Return how many times faster than the peer a side of ours is, if that was measured."""
        theirs = self.measured.get(self.peer)
        return ratio(theirs, self.measured[side]) if theirs and side != self.peer else None

    def seconds(self, side: str) -> Spread:
        """Return the seconds that a side takes."""
        return spread(self.measured[side].seconds)

    def to_json(self) -> dict[str, Any]:
        """Return what reports of all domains share, as plain data; a spread is [min, median, max]."""
        speedups = [(side, self.speedup(side)) for side in self.measured]
        return {
            "iterations": self.iterations,
            "isolation": self.isolation,
            "speedups": [
                {"side": side, "times": list(times), "target": self.targets.get(side)}
                for side, times in speedups
                if times
            ],
        }

    def table(self) -> Table:
        """Return a row per side."""
        table = plain_table("", right=["seconds", "times faster", "target"])
        for side in self.measured:
            label = side if side == self.peer else f"evolve, {side}"
            label += f" ({self.isolation})" if side == SANDBOXED else ""
            times = self.speedup(side)
            target = f"≥ {self.targets[side]:,.0f}" if times and side in self.targets else ""
            table.add_row(label, str(self.seconds(side)), str(times or ""), target)
        return table


def measure(
    domain: TaskDomain,
    source: str,
    games: Sequence[str],
    *,
    iterations: int,
    sandbox: Sandbox,
    repeats: int,
    peer: Mapping[str, Work],
    few: bool = False,
) -> dict[str, Measurement]:
    """Evaluate a program in this process and in a sandbox, and run OpenSpiel's solver, in turn.

    Args:
        domain: whose program it is.
        source: the program.
        games: what it plays.
        iterations: of every game.
        sandbox: in which it is evaluated beside this process.
        repeats: rounds.
        peer: name -> work of OpenSpiel's solver; empty where it cannot be run.
        few: have the peer make do with two rounds.
    """
    works = {
        side: repeated(partial(evaluated, domain, source, games, iterations, box))
        for side, box in ((IN_PROCESS, InProcessSandbox()), (SANDBOXED, sandbox))
    }
    return interleave({**works, **peer}, repeats=repeats, slice_s=0.0, few=list(peer) if few else ())
