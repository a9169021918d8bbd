"""Discover game-solving algorithms by evolving their source.

The public interface; everything else may change between versions:

>>> import evolve
>>> program = evolve.load_program("pdcfr_plus")              # a seed, a file or the id of a stored program
>>> with program.cfr_solver("leduc_poker(players=2)") as solver:
...     for _ in range(100):
...         solver.evaluate_and_update_policy()
...     policy = solver.average_policy()                     # OpenSpiel's TabularPolicy
>>> method = evolve.load_program("nash").meta_strategy_method() # for OpenSpiel's psro_v2.PSROSolver

>>> best = evolve.optimize(program=source, inputs=[(3,), (7,)], score=lambda output, n: ...)   # a function of yours

`evaluate` scores a program on games, `run` searches for new ones, `campaigns` and `top` read what searches found,
`frame` makes a pandas frame of such records, `load_policy` and `load_populations` read what ``evolve solve --save``
wrote, and `exploitability_lower_bound` is for policies of games that are too large to be walked. Importing this
package is quick: what a function needs is loaded when it is called for the first time.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evaluators.games.local_best_response import LowerBound, exploitability_lower_bound
    from evaluators.games.policies import StoredPolicy
    from evaluators.games.stored_populations import StoredPopulations
    from evaluators.records import Evaluation, TaskResult
    from evolve.api import campaigns, evaluate, frame, load_policy, load_populations, load_program, run, top
    from evolve.config import CampaignConfig
    from evolve.optimization import Optimized, optimize
    from evolve.programs import Program
    from evolve.search.events import Summary
    from results.queries import CampaignSummary, RankedCandidate

__all__ = [
    "CampaignConfig",
    "CampaignSummary",
    "Evaluation",
    "LowerBound",
    "Optimized",
    "Program",
    "RankedCandidate",
    "StoredPolicy",
    "StoredPopulations",
    "Summary",
    "TaskResult",
    "campaigns",
    "evaluate",
    "exploitability_lower_bound",
    "frame",
    "load_policy",
    "load_populations",
    "load_program",
    "optimize",
    "run",
    "top",
]

_HOMES = {
    "CampaignConfig": "evolve.config",
    "CampaignSummary": "results.queries",
    "Evaluation": "evaluators.records",
    "TaskResult": "evaluators.records",
    "LowerBound": "evaluators.games.local_best_response",
    "Optimized": "evolve.optimization",
    "Program": "evolve.programs",
    "RankedCandidate": "results.queries",
    "StoredPolicy": "evaluators.games.policies",
    "StoredPopulations": "evaluators.games.stored_populations",
    "Summary": "evolve.search.events",
    "campaigns": "evolve.api",
    "evaluate": "evolve.api",
    "exploitability_lower_bound": "evaluators.games.local_best_response",
    "frame": "evolve.api",
    "load_policy": "evolve.api",
    "load_populations": "evolve.api",
    "load_program": "evolve.api",
    "optimize": "evolve.optimization",
    "run": "evolve.api",
    "top": "evolve.api",
}


def __getattr__(name: str) -> Any:
    """Load a public name at its first use."""
    if name not in _HOMES:
        raise AttributeError(f"module 'evolve' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    """The public names too, for completion and help."""
    return sorted({*globals(), *__all__})
