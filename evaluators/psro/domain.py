"""The PSRO domain: programs choose a population's mixtures, scored by the exact exploitability of what they lead to."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from statistics import fmean
from types import MappingProxyType

from evaluators.contract import Component, GameError, InvalidAnswer, Plan, ProgramError, TaskError
from evaluators.games.compiled import CompiledGame
from evaluators.games.game import Game
from evaluators.games.game_domain import GameDomain, compiled, played
from evaluators.games.river.spots import is_spot
from evaluators.psro.loop import TENSOR_PLAYERS, PsroProgram, PsroRun
from evaluators.psro.mechanisms import MECHANISMS
from evaluators.records import Score, Task, TaskResult
from evaluators.scripts import Script
from evaluators.source import parse
from sandbox.base import Limits, Sandbox

_ARGUMENTS = ("game", "policy_sets", "meta_games")

COMPONENTS = (
    Component("TrainMetaStrategySolver", "get_meta_strategy", _ARGUMENTS),
    Component("EvalMetaStrategySolver", "get_meta_strategy", _ARGUMENTS),
)
"""The evolvable classes, with the names and arguments of arXiv 2602.16928."""

_OF_THE_GAME = {"best_response_values", "best_response_payoffs", "pure", "support"}
"""What a program cannot be given where only payoffs of policies are known."""

_ABSENT = ("pyspiel", "open_spiel")

ITERATIONS = 100

BLOCK = MappingProxyType({"leduc2": 1, "liars_dice4": 1, "battleship22_2": 1, "random": 4})
"""See `GameDomain.block`. What costs is the program's inner loop, whatever the game, so a budget is a number of games.
A hundred best responses exhaust Goofspiel-4 and Blotto: there the digits of the inner loop would be measured."""

SHOWN = MappingProxyType({"random_sealed": 3})
"""See `GameDomain.shown`."""

CPU_OBJECTIVE = "neg_candidate_cpu_s_per_iteration"
"""Minus the program's own CPU seconds per iteration, measured outside, mean over tasks. Time is the machine's mood:
a campaign that names this objective repeats only nearly, and none reads it by default."""

_COSTLY_LIMITS = Limits(cpu_s=3600.0, wall_s=14_401.0, call_wall_s=600.0, memory_mib=1536)
"""Of a session on a large game of three players, where inner loops contract tensors of all profiles, or on games of
more, where each step of an inner loop asks the trusted side; and of long runs."""

_COSTLY_TERMINALS = 100_000

_NO_TREE = "psro: expected a game that is compiled to a tree; got {!r}."

SCRIPT = Script(
    head="""\
# It runs without a sandbox: read it first, a model may have written it.
# Needs open_spiel, and what OpenSpiel's psro_v2 imports without installing it:
#
#     pip install open_spiel numpy scipy matplotlib networkx cvxpy
#
# Play it on any OpenSpiel game of perfect recall, with exact payoffs and exact best responses:
#
#     python {file} "kuhn_poker(players=2)" 20
#
# or from another module, in a solver of your own: PSROSolver(game, oracle, meta_strategy_method=method, ...), where
# method = meta_strategy_method("train"); meta_strategy_method("eval")(solver) are the mixtures that judge the
# populations. A method serves one solver. The program comes first, as it was scored; what calls it, below.

""",
    about="What calls the program: its view of the game and the populations, and OpenSpiel's psro_v2.",
    foot='''

def callback(name, scalars=(), arrays=()):
    """What the program asks for while it chooses mixtures."""
    return MetaStrategyMethod.at_work.answer(name, scalars, arrays)


def meta_strategy_method(which="train"):
    """The program's mixtures for a ``PSROSolver``: for training ("train") or for judging the populations ("eval")."""
    return MetaStrategyMethod(start, sys.modules[__name__], which, wants_support={wants_game})


if __name__ == "__main__":
    main(meta_strategy_method)
''',
)


class PsroDomain(GameDomain):
    """See `evaluators.task_domain.TaskDomain`."""

    name = "psro"
    components = COMPONENTS
    mechanisms = MECHANISMS
    seed = "uniform"
    baselines = (
        "uniform",
        "prd",
        "regret_matching",
        "regret_matching_plus",
        "shor_psro",
        "best_response_line_search",
    )
    reference = "regret_matching_plus_1000"
    readings = (0.25, 0.5, 1.0)
    iterations = ITERATIONS
    block = BLOCK
    shown = SHOWN
    drawn = ("random_sealed",)
    """Best responses and populations work on compiled trees, which river subgames are not."""
    marks = (10, 25, 50)
    """Few, since judging may cost a program more than an iteration does."""
    script = SCRIPT
    horizons = (50, 100, 150)
    """A search at one horizon breeds constants that fit it. With three players an inner loop that reads all profiles'
    payoffs takes five times as long at 150 as at 100."""
    sandbox_modules = ("numpy", "scipy.optimize", "scipy.sparse", "scipy.sparse.linalg")
    limits = Limits(cpu_s=120.0, wall_s=601.0, call_wall_s=30.0, memory_mib=512)
    """SHOR-PSRO takes 14 s of 3-player Kuhn, its longest call below a second."""

    @property
    def meta_strategy_method(self) -> type:
        """See `TaskDomain.meta_strategy_method`."""
        from evaluators.psro.openspiel import MetaStrategyMethod

        return MetaStrategyMethod

    @property
    def psro_solver(self) -> type:
        """See `TaskDomain.psro_solver`."""
        from evaluators.psro.openspiel import PsroSolver

        return PsroSolver

    def prepare(self, source: str) -> PsroProgram:
        """Return a program as the trusted loop takes it."""
        attributes = {node.attr for node in ast.walk(parse(source)) if isinstance(node, ast.Attribute)}
        return PsroProgram(
            source,
            self.guest,
            wants_meta_games=reads_meta_games(source),
            wants_deviation_payoffs="deviation_payoffs" in attributes,
            wants_game=not attributes.isdisjoint(_OF_THE_GAME),
        )

    def check(self, source: str) -> None:
        """See `TaskDomain.check`.

        Source as arXiv 2602.16928 prints it passes if it imports nothing of OpenSpiel: its `game` is a view, its
        policies are records (see `guest`), and both say so to a program that asks them for more.
        """
        super().check(source)
        absent = sorted({name for name in _imports(parse(source)) if name in _ABSENT})
        if absent:
            raise ProgramError(
                f"program: expected no import of {' or '.join(_ABSENT)}; it imports {', '.join(absent)}.",
                "A PSRO program works on payoffs: read meta_games, or ask game.deviation_payoffs(strategies).",
            )

    def select(
        self,
        names: Sequence[str],
        tiers: Sequence[str] | None = None,
        budget: int | None = None,
        seeds: Sequence[int] | None = None,
    ) -> Sequence[Task]:
        """See `GameDomain.select`, where a campaign finds out before it is stored.

        Raises:
            GameError: also for a river subgame, which is not compiled to a tree.
        """
        for name in names:
            if is_spot(name):
                raise GameError(_NO_TREE.format(name), "Domain cfr plays it.")
        return super().select(names, tiers, budget, seeds)

    def limits_for(self, tasks: Sequence[Task]) -> Limits:
        """See `TaskDomain.limits_for`: costly tasks get limits of their own, for the whole plan."""
        long = any(task.budget > ITERATIONS for task in tasks)
        return _COSTLY_LIMITS if long or any(_is_costly(played(task).game) for task in tasks) else self.limits

    def score_names(self, plan: Plan) -> tuple[str, ...]:
        """See `TaskDomain.score_names`; beside the usual ones, `CPU_OBJECTIVE`."""
        return (*super().score_names(plan), CPU_OBJECTIVE)

    def scores(self, results: Sequence[TaskResult]) -> dict[str, Score]:
        """See `TaskDomain.scores`; beside the usual ones, `CPU_OBJECTIVE`."""
        costs = [result.cost.candidate_cpu_s / result.task.budget for result in results]
        return super().scores(results) | {CPU_OBJECTIVE: Score(-fmean(costs), n=len(costs))}

    def run(self, program: str, task: Task, sandbox: Sandbox, limits: Limits) -> TaskResult:
        """See `TaskDomain.run`."""
        try:
            return super().run(program, task, sandbox, limits)
        except InvalidAnswer as error:
            raise InvalidAnswer(f"{task.name}: {error}") from error

    def begin(self, program: str, game: Game, iterations: int, sandbox: Sandbox, limits: Limits) -> PsroRun:
        """See `GameDomain.begin`; best responses and populations work on a compiled tree.

        Raises:
            TaskError: the game is none.
        """
        if not isinstance(game, CompiledGame):
            raise TaskError(_NO_TREE.format(game.name), "Domain cfr plays it.")
        return PsroRun(self.prepare(program), game, iterations + 1, sandbox, limits)


def _imports(tree: ast.Module) -> list[str]:
    """Top-level packages that a program imports, wherever in it."""
    packages = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            packages += [alias.name.partition(".")[0] for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            packages.append(node.module.partition(".")[0])
    return packages


def reads_meta_games(source: str) -> bool:
    """Whether a program reads the payoff tensors, which for three players take a while to compute."""
    return any(
        isinstance(node, ast.Name)
        and node.id in ("meta_games", "locals", "vars")
        and isinstance(node.ctx, ast.Load)
        for node in ast.walk(parse(source))
    )


def _is_costly(name: str) -> bool:
    game = compiled(name, "exact")
    large = game.size > _COSTLY_TERMINALS
    return game.num_players > TENSOR_PLAYERS or (game.num_players == TENSOR_PLAYERS and large)


DOMAIN = PsroDomain()
