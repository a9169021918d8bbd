"""The CFR domain: programs are the three update rules of a CFR variant, scored by exact exploitability."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from importlib.resources import files

from evaluators.cfr import interface
from evaluators.cfr.loop import CfrProgram, run
from evaluators.cfr.mechanisms import MECHANISMS
from evaluators.games.game import Game
from evaluators.games.game_domain import GameDomain
from evaluators.records import Curve, Task
from evaluators.scripts import Exporter
from sandbox.base import Limits, Sandbox

ITERATIONS = 1000

PER_INFOSET_TIME = 4
"""Times a task's CPU and wall limits that programs over dictionaries get: 1000 iterations of CFR+ on 5-sided Liar's
Dice, 0.2 s over arrays, take 20 s, those of VAD-CFR 45 s."""

_LONG_LIMITS = Limits(cpu_s=180.0, wall_s=901.0, call_wall_s=20.0, memory_mib=512)
"""Of a session of 3,000 iterations on 3-player Leduc: six times what a search allows for its games."""


class CfrDomain(GameDomain):
    """See `evaluators.task_domain.TaskDomain`."""

    name = "cfr"
    components = interface.COMPONENTS
    mechanisms = MECHANISMS
    seed = "cfr_plus"
    baselines = ("cfr", "cfr_plus", "dcfr", "pcfr_plus", "pdcfr_plus")
    iterations = ITERATIONS
    horizons = (300, 1000, 3000)
    """A search at one horizon breeds constants that fit it."""
    limits = Limits(cpu_s=30.0, wall_s=151.0, call_wall_s=20.0, memory_mib=512)

    @cached_property
    def guest(self) -> str:
        """Source of the module that runs beside every program over arrays."""
        return (files(__package__) / "guest.py").read_text(encoding="utf-8")

    @cached_property
    def guest_per_infoset(self) -> str:
        """Source of the module that runs beside every program over dictionaries: the other one and an adapter."""
        return self.guest + (files(__package__) / "guest_per_infoset.py").read_text(encoding="utf-8")

    @property
    def exporter(self) -> Exporter:
        """See `TaskDomain.exporter`."""
        from evaluators.cfr.export import as_script

        return as_script

    @property
    def solver(self) -> type:
        """See `TaskDomain.solver`."""
        from evaluators.cfr.openspiel import CfrSolver

        return CfrSolver

    def prepare(self, source: str) -> CfrProgram:
        """Return a program as the trusted loop takes it, in whichever form it is written."""
        per_infoset = interface.is_per_infoset(source)
        guest = self.guest_per_infoset if per_infoset else self.guest
        return CfrProgram(source, guest, interface.wants_counterfactual_reach(source), per_infoset)

    def check(self, source: str) -> None:
        """See `TaskDomain.check`: the interface has two forms."""
        interface.check(source)

    def limits_for(self, tasks: Sequence[Task]) -> Limits:
        """See `TaskDomain.limits_for`."""
        return _LONG_LIMITS if any(task.budget > ITERATIONS for task in tasks) else self.limits

    def play(self, program: str, game: Game, iterations: int, sandbox: Sandbox, limits: Limits) -> Curve:
        """See `GameDomain.play`."""
        prepared = self.prepare(program)
        if prepared.per_infoset:
            limits = replace(
                limits, cpu_s=PER_INFOSET_TIME * limits.cpu_s, wall_s=PER_INFOSET_TIME * limits.wall_s
            )
        return run(prepared, game, iterations, sandbox, limits)


DOMAIN = CfrDomain()
