"""Evolve one function of somebody's own: `evolve.optimize`, the shortest way to a campaign.

The function runs in the sandbox; what it returns is scored in this process, by a callable of the user's. Around the
function stands a class that only calls it, since programs are classes with methods; in the result it is gone again.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path
from typing import Any, Literal

from evaluators import source as static
from evaluators.contract import Component, InvalidAnswer, ProgramError, nearest
from evaluators.functions import Function, shown
from evaluators.records import Evaluation, Metric, Score, Tag, Task, TaskResult
from evaluators.registry import register
from evaluators.task_domain import TaskDomain
from evolve.config import parse_config
from evolve.database_url import default_database
from evolve.errors import ConfigError
from evolve.search.events import BaselineScored, Event
from evolve.source.code import Code
from results import programs as stored
from results.store import open_store
from sandbox.base import Limits, Sandbox

UNEVALUATED = frozenset({Tag.DUPLICATE, Tag.REJECTED})
GIVEN = "given"
"""Name of the program that the search starts from."""


@dataclass(frozen=True)
class Optimized:
    """What `optimize` achieved.

    Attributes:
        source: the best program.
        score: mean of what the callable gave for it; on a log scale the geometric mean.
        given: the same for the program that was given.
        evaluations: how many programs were evaluated.
        campaign: name of the campaign in the database.
        db: path or URL of the database.
    """

    source: str
    score: float
    given: float
    evaluations: int
    campaign: str
    db: str


def optimize(  # noqa: PLR0913 - the options of one call
    program: str | Path,
    inputs: Sequence[tuple[Any, ...]],
    score: Callable[..., float],
    *,
    function: str = "",
    candidates: int = 100,
    seed: int = 0,
    direction: Literal["min", "max"] = "max",
    metric: Metric | None = None,
    limits: Limits | None = None,
    name: str = "",
    db: str | None = None,
) -> Optimized:
    """Search for a better version of a function, with the symbolic operator; everything is stored as a campaign.

    Args:
        program: Python source, or the path of a file; the function and whatever it needs.
        inputs: argument tuples, of one length: numbers, strings, lists, dicts, and arrays, which arrive as lists.
        score: gives ``score(output, *inputs)``, or ``score(output)``, a number. It runs in this process, outside the
            sandbox. Where it raises, the output is no answer, and the program no candidate.
        function: the function's name; by default the last one at the top level that has no leading underscore.
        candidates: how many programs are tried.
        seed: of everything random.
        direction: whether a larger or a smaller number is better.
        metric: says more than `direction`, instead of it: a log scale, what counts as a tie, words for views.
        limits: of one call of the function.
        name: of the campaign, which is continued where it exists; by default a new one.
        db: results database; by default ``$EVOLVE_DB``, then ``results/data/evolve.db``.

    Raises:
        EvolveError: what was given cannot be used, or the given program fails on an input.
        InputError: the source has no such function.
        StoreError: a database that cannot be used.
    """
    path = default_database(db)
    metric = metric or Metric("score", "score", direction, "linear", 1e-9, task="input", budget="call")
    domain = FunctionDomain(_text(program), inputs, score, function=function, metric=metric)
    domain.limits = limits or domain.limits
    domain.name = name or _free_name(f"optimize-{domain.components[0].method}", path)
    config = {"name": domain.name, "candidates": candidates, "seed": seed}
    return _searched(domain, config, path)


def _searched(domain: FunctionDomain, options: Mapping[str, Any], db: str) -> Optimized:
    """Run a campaign of a domain that no process but this one has."""
    from evolve.search.run import run

    register(domain)
    config = parse_config({**options, "domain": domain.name, "workers": 1})
    given: list[Evaluation] = []

    def observe(event: Event) -> None:
        if isinstance(event, BaselineScored):
            given.append(event.evaluation)

    summary = run(config, db=db, observer=observe, workers=0)
    assert summary.best is not None
    with open_store(db, read_only=True) as store:
        best = stored.program(store, summary.best).program.source
    return Optimized(
        source=domain.unwrapped(best),
        score=_value(domain.metric, summary.scores[domain.objective]),
        given=_value(domain.metric, given[0].scores[domain.objective]),
        evaluations=sum(n for tag, n in summary.outcomes.items() if tag not in UNEVALUATED),
        campaign=summary.campaign,
        db=db,
    )


class FunctionDomain(TaskDomain):
    """A domain that lives in one process: a function, its inputs, and a callable that scores what it returns.

    Args:
        source: text with the function.
        inputs: argument tuples, each a task.
        score: see `optimize`.
        function: the function's name, "" for the last public one.
        metric: what the callable's numbers mean.

    Raises:
        ConfigError: inputs that are none.
        ProgramError: the source has no such function, or it does not take the inputs.
    """

    seed = GIVEN
    baselines = (GIVEN,)
    limits = Limits(cpu_s=5.0, wall_s=30.0, call_wall_s=10.0, memory_mib=512)

    def __init__(
        self,
        source: str,
        inputs: Sequence[tuple[Any, ...]],
        score: Callable[..., float],
        *,
        function: str,
        metric: Metric,
    ) -> None:
        self.metric = metric
        self._inputs, self._score = _checked(inputs), score
        self._all_arguments = _takes(score, 1 + len(self._inputs[0]))
        node = _find(source, function)
        arguments = _arguments(node, len(self._inputs[0]))
        owner = "Program"
        while static.may_name(source, owner):
            owner += "_"
        self.components = (Component(owner, node.name, arguments),)
        self._source = f"{source.rstrip()}\n\n\n{_wrapper(owner, node.name, arguments)}"

    def tasks(
        self,
        suite: str,
        tiers: Sequence[str] | None = None,
        budget: int | None = None,
        seeds: Sequence[int] | None = None,
    ) -> Sequence[Task]:
        """See `TaskDomain.tasks`: one for each input."""
        names = [f"input-{number}" for number in range(len(self._inputs))]
        return [Task(name, name, budget=budget or 1) for name in names]

    def run(self, program: str, task: Task, sandbox: Sandbox, limits: Limits) -> TaskResult:
        """See `TaskDomain.run`."""
        arguments = self._inputs[int(task.name.rpartition("-")[2])]
        output = Function(program, self.components[0], sandbox, limits)(*arguments)
        try:
            value = self._score(output, *(arguments if self._all_arguments else ()))
            return TaskResult(task, float(value))
        except Exception as error:  # The callable raises for what is no answer: that is how it says so.
            reason = f"{type(error).__name__}: {error}"
            raise InvalidAnswer(f"{task.name}: {reason}; the output is {shown(output)}") from error

    def seed_names(self) -> tuple[str, ...]:
        """See `TaskDomain.seed_names`."""
        return (GIVEN,)

    def seed_source(self, name: str) -> str:
        """See `TaskDomain.seed_source`."""
        return self._source

    def unwrapped(self, source: str) -> str:
        """Return a program without the class around its function."""
        code = Code(source)
        owner = static.classes(code.text)[self.components[0].name]
        return code.without([node for node in code.tree.body if ast.dump(node) == ast.dump(owner)]).text


def _text(program: str | Path) -> str:
    """Return the source that is meant: a text, or what is in a file."""
    if isinstance(program, str) and (len(program.splitlines()) > 1 or not program.endswith(".py")):
        return program
    try:
        return Path(program).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ProgramError(f"program: expected source, or a Python file at {program}: {error}.") from error


def _find(source: str, name: str) -> ast.FunctionDef:
    """Return the function that is called `name`, or the last public one."""
    functions = {node.name: node for node in static.parse(source).body if isinstance(node, ast.FunctionDef)}
    public = [function for function in functions if not function.startswith("_")]
    if not public:
        raise ProgramError("program: expected a function at the top level; there is none.")
    if name and name not in functions:
        raise ProgramError(f"function: expected the name of one; got {name!r}.", nearest(name, [*functions]))
    return functions[name or public[-1]]


def _arguments(node: ast.FunctionDef, count: int) -> tuple[str, ...]:
    """Return the names of a function's first arguments, as many as an input has."""
    names = [argument.arg for argument in (*node.args.posonlyargs, *node.args.args)]
    required = len(names) - len(node.args.defaults)
    if not required <= count <= len(names):
        raise ProgramError(
            f"inputs: expected {node.name}({ast.unparse(node.args)}) to take {count} arguments, as many as an"
            " input has; it does not."
        )
    return tuple(names[:count])


def _wrapper(owner: str, function: str, arguments: Sequence[str]) -> str:
    """Return a class whose method calls a function, and nothing else."""
    taken, given = ", ".join(["self", *arguments]), ", ".join(arguments)
    return f"class {owner}:\n    def {function}({taken}):\n        return {function}({given})\n"


def _checked(inputs: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    chosen = list(inputs)
    if not chosen or not all(isinstance(one, tuple) and len(one) == len(chosen[0]) for one in chosen):
        raise ConfigError(
            "inputs: expected a list of tuples of one length, such as [(3,), (7,)].",
            "Each is a task: the arguments of one call.",
        )
    return chosen


def _takes(score: Callable[..., float], count: int) -> bool:
    """Whether a callable takes so many arguments; else it is given the output alone."""
    try:
        inspect.signature(score).bind(*range(count))
    except (TypeError, ValueError):  # The second: a builtin that does not say what it takes.
        return False
    return True


def _free_name(wanted: str, db: str) -> str:
    """Return a name that no campaign of a database has."""
    with open_store(db) as store:
        names = chain([wanted], (f"{wanted}-{number}" for number in count(2)))
        return next(name for name in names if store.find_campaign(name) is None)


def _value(metric: Metric, score: Score) -> float:
    """Return the mean that a score stands for, in the metric's unit."""
    oriented = -score.mean if metric.direction == "min" else score.mean
    return float(10**oriented) if metric.scale == "log" else oriented * metric.unit
