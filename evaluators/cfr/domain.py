"""The CFR domain: programs are the three update rules of a CFR variant, scored by exact exploitability."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from types import MappingProxyType

from evaluators.cfr.loop import CfrProgram, CfrRun, shared_bytes
from evaluators.cfr.mechanisms import MECHANISMS
from evaluators.contract import Component, ProgramError
from evaluators.games.game import Game
from evaluators.games.game_domain import GameDomain
from evaluators.records import Task
from evaluators.scripts import Script
from evaluators.source import arguments, classes, may_name, methods, parse, require_class, require_method
from sandbox.base import Limits, Sandbox

_STATES = "info_states"
_NODE = "info_state_node"
_REACH = "counterfactual_reach_prob"

COMPONENTS = (
    Component("RegretAccumulator", "update_accumulate_regret", (_STATES, "iteration_number", "cfr_regrets")),
    Component(
        "PolicyFromRegretAccumulator",
        "get_updated_current_policy",
        (_STATES, "iteration_number", "cfr_regrets", "previous_policy"),
    ),
    Component(
        "PolicyAccumulator",
        "update_accumulate_policy",
        (
            _STATES,
            "iteration_number",
            "info_state_policy",
            "cfr_regrets",
            "reach_prob",
            _REACH,
        ),
    ),
)
"""The evolvable classes, with the names and arguments of arXiv 2602.16928; arrays replace its dictionaries.

A program whose methods take `info_state_node` first, in all three classes, is in the paper's own form: dictionaries,
one information set at a time.
"""

_FORMS = f"The first argument is {_STATES} (arrays over all information sets) or {_NODE} (dictionaries, one at a time)"

ITERATIONS = 1000

BLOCK = MappingProxyType(
    {
        "leduc2": 2,
        "goofspiel4": 8,
        "liars_dice4": 5,
        "battleship22_2": 5,
        "blotto10": 3,
        "river60": 2,
        "random": 6,
    }
)
"""See `GameDomain.block`: a family each, with the seeds that made the least standard error for a CPU second."""

SHOWN = MappingProxyType(
    {
        "random_sealed": 6,
        "oshi_zumo4": 2,
        "matrix_brps": 1,
        "matrix_nfg2": 1,
        "matrix_nfg3": 1,
        "matrix_nfg5": 1,
    }
)
"""See `GameDomain.shown`: sealed games without a sibling in training, a second of CPU for a program in all."""

PER_INFOSET_TIME = 4
"""Times a task's CPU and wall limits that programs over dictionaries get: 1000 iterations of CFR+ on 5-sided Liar's
Dice, 0.2 s over arrays, take 20 s, those of VAD-CFR 45 s."""

_LONG_LIMITS = Limits(cpu_s=180.0, wall_s=901.0, call_wall_s=20.0, memory_mib=512)
"""Of a session of 3,000 iterations on 3-player Leduc: six times what a search allows for its games."""

_PLANNED = re.compile(r"^PLANNED_ITERATIONS = \d+$", re.MULTILINE)
"""What a seed that is told the horizon is told it by (see `seeds.planned`)."""

SCRIPT = Script(
    head="""\
# It runs without a sandbox: read it first, a model may have written it.
# Needs numpy and open_spiel, nothing else. Play it on any OpenSpiel game of perfect recall:
#
#     python {file} "leduc_poker(players=2)" 1000
#
# or from another module: solver = make_solver(game), then solver.evaluate_and_update_policy() as often as you like,
# solver.average_policy() and solver.exploitability(). The program comes first, as it was scored; what calls it, below.

""",
    about="What calls the program: its view of the information sets, and a CFR loop over OpenSpiel's tree.",
    foot='''

def make_solver(game):
    """The program at work on an OpenSpiel game, or the string of one."""
    return Solver(start, sys.modules[__name__], game, per_infoset={per_infoset})


if __name__ == "__main__":
    main(make_solver)
''',
)


class CfrDomain(GameDomain):
    """See `evaluators.task_domain.TaskDomain`."""

    name = "cfr"
    components = COMPONENTS
    mechanisms = MECHANISMS
    seed = "cfr_plus"
    baselines = ("cfr", "cfr_plus", "dcfr", "pcfr_plus", "pdcfr_plus")
    reference = "dcfr"
    readings = (0.3, 1.0)
    """At a hundred iterations another property is measured: that reading says less of every later one."""
    iterations = ITERATIONS
    block = BLOCK
    shown = SHOWN
    marks = (1, 2, 3, 5)
    script = SCRIPT
    horizons = (300, 1000, 3000)
    """A search at one horizon breeds constants that fit it."""
    limits = Limits(cpu_s=30.0, wall_s=151.0, call_wall_s=20.0, memory_mib=512)

    @cached_property
    def guest_per_infoset(self) -> str:
        """Source of the module that runs beside every program over dictionaries: the other one and an adapter."""
        return self.guest + self.source_of("guest_per_infoset")

    @property
    def solver(self) -> type:
        """See `TaskDomain.solver`."""
        from evaluators.cfr.openspiel import CfrSolver

        return CfrSolver

    def prepare(self, source: str) -> CfrProgram:
        """Return a program as the trusted loop takes it, in whichever form it is written."""
        per_infoset = is_per_infoset(source)
        guest = self.guest_per_infoset if per_infoset else self.guest
        return CfrProgram(source, guest, wants_counterfactual_reach(source), per_infoset)

    def check(self, source: str) -> None:
        """See `TaskDomain.check`: the interface has two forms."""
        defined = classes(source)
        hint = "A CFR program has the classes " + ", ".join(c.name for c in self.components) + "."
        forms = {c.name: _form(require_class(defined, c.name, hint=hint), c) for c in self.components}
        if len(set(forms.values())) > 1:
            used = ", ".join(f"{form} in {name}" for name, form in forms.items())
            raise ProgramError(
                f"program: expected the same first argument in all three methods; got {used}.",
                f"{_FORMS}; a program keeps to one of them.",
            )

    def limits_for(self, tasks: Sequence[Task]) -> Limits:
        """See `TaskDomain.limits_for`."""
        return _LONG_LIMITS if any(task.budget > ITERATIONS for task in tasks) else self.limits

    @cached_property
    def _planned_seeds(self) -> frozenset[str]:
        """Sources of the seeds that are told the horizon."""
        return frozenset(filter(_PLANNED.search, map(self.seed_source, self.seed_names())))

    def with_horizon(self, source: str, iterations: int) -> str:
        """Return a seed that is told the horizon with this one in it; any other program as it is.

        Programs are not told how long they run, whatever they call their constants: a rule that knows could serve the
        last iteration alone. Seeds from papers whose equations have the horizon in them are the exception.
        """
        if source not in self._planned_seeds:
            return source
        return _PLANNED.sub(f"PLANNED_ITERATIONS = {iterations}", source)

    def begin(self, program: str, game: Game, iterations: int, sandbox: Sandbox, limits: Limits) -> CfrRun:
        """See `GameDomain.begin`."""
        prepared = self.prepare(program)
        if prepared.per_infoset:
            limits = replace(
                limits, cpu_s=PER_INFOSET_TIME * limits.cpu_s, wall_s=PER_INFOSET_TIME * limits.wall_s
            )
        prepared = replace(prepared, source=self.with_horizon(prepared.source, iterations))
        room = shared_bytes(game)
        session = sandbox.open(prepared.guest, prepared.source, limits=limits, shared_bytes=room)
        return CfrRun(prepared, game, session)


def is_per_infoset(source: str) -> bool:
    """Whether a program is written over dictionaries, one information set at a time.

    Raises:
        ProgramError: it does not parse, where that has to be seen.
    """
    if not may_name(source, _NODE):
        return False
    first, defined = COMPONENTS[0], classes(source)
    method = methods(defined[first.name]).get(first.method) if first.name in defined else None
    return method is not None and _NODE in arguments(method)[1:2]


def _form(node: ast.ClassDef, component: Component) -> str:
    """The first argument of a component's method: `info_states` or `info_state_node`."""
    method = methods(node).get(component.method)
    form = _NODE if method and _NODE in arguments(method)[1:] else _STATES
    require_method(node, component.method, (form, *component.arguments[1:]), hint=f"{_FORMS}.")
    return form


def wants_counterfactual_reach(source: str) -> bool:
    """Whether a program reads the counterfactual reach, which costs a pass over the terminals to compute."""
    if source.count(_REACH) == 1 and "locals" not in source and "vars" not in source:
        return False  # The argument itself, and quicker to see than by a walk through the tree.
    return any(
        isinstance(node, ast.Name)
        and node.id in (_REACH, "locals", "vars")
        and isinstance(node.ctx, ast.Load)
        for node in ast.walk(parse(source))
    )


DOMAIN = CfrDomain()
