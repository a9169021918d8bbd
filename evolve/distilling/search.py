"""Greedy delta debugging: what can go, coarse before fine, as long as the score stays within a tolerance.

The score is always compared with the best on the way, so many small losses do not add up to a large one, and what a
removal gains is not given away again. Reductions are measured several at a time and the one with the best score is
made; those beside it that cost next to nothing are tried together next. How many are measured at a time does not depend
on the number of workers, so that neither does the outcome. What was refused is tried again once nothing else is left,
because another removal may have made it dispensable.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import NamedTuple

from evaluators.contract import ProgramError
from evaluators.records import Evaluation
from evolve.distilling.reductions import Reduction, reduced, reductions
from evolve.errors import EvolveError
from evolve.operators.base import Context
from evolve.source.canonical import canonical_hash
from evolve.source.code import Code
from evolve.source.size import Size, size_of

BATCH = 4
"""Reductions measured at a time."""

_NEARLY_FREE = 0.25
"""Share of the tolerance that a reduction may cost to be tried together with others."""

Measure = Callable[[str, Mapping[str, float]], Awaitable[Evaluation]]
"""Evaluates a source; the mapping is stage -> mean that the stage must reach (`evaluators.contract.Stage`)."""


class Version(NamedTuple):
    """A program on the way."""

    source: str
    size: Size
    score: float
    objectives: Mapping[str, float]


@dataclass(frozen=True)
class Step:
    """What went at once: the programs before and after it, and how many evaluations had been made."""

    removed: tuple[str, ...]
    before: Version
    after: Version
    evaluations: int

    @property
    def worth(self) -> float:
        """What it had contributed to the score: negative when the score rose without it."""
        return self.before.score - self.after.score


@dataclass(frozen=True)
class Distilled:
    """What a search came to. `complete`: nothing is left that could go; else the budget or the user ended it."""

    original: Version
    smallest: Version
    steps: tuple[Step, ...] = ()
    evaluations: int = 1
    complete: bool = False


@dataclass(frozen=True)
class Budget:
    """How much the score may fall, in the objective's unit, and how many evaluations there are, the first included."""

    tolerance: float
    evaluations: int


@dataclass(frozen=True)
class _Trial:
    """The present program after a reduction, or after several, ready to be measured."""

    reductions: tuple[Reduction, ...]
    source: str
    size: Size
    tree_hash: str


@dataclass
class _Memory:
    """What has been measured: by tree, so that nothing is twice, and by reduction, so that the untried come first."""

    by_tree: dict[str, Evaluation] = field(default_factory=dict)
    refused: dict[tuple[str, int], tuple[int, float]] = field(default_factory=dict)
    """Key of a reduction -> number of steps that had been made, and its score (minus infinity: it failed)."""
    together: list[tuple[str, int]] = field(default_factory=list)
    """Keys of reductions that cost next to nothing and were not made yet."""


class Distiller:
    """Makes one program smaller. `state` is what it came to so far, also after a cancellation.

    Args:
        domain: the program's.
        measure: evaluates a source.
        budget: when to stop.
        on_step: is told what went.
        margins: stage -> by how much its mean may fall below the program's before the costly games are skipped.
    """

    def __init__(
        self,
        domain: Domain,
        measure: Measure,
        *,
        budget: Budget,
        on_step: Callable[[Step], None],
        margins: Mapping[str, float] | None = None,
    ) -> None:
        self._domain = domain
        self._context = Context(domain.components, domain.mechanisms, domain.name)
        self._measure = measure
        self._budget = budget
        self._on_step = on_step
        self._margins = margins or {}
        self._floors: dict[str, float] = {}
        self._memory = _Memory()
        self._evaluations = 0
        self.state: Distilled | None = None

    async def run(self, source: str) -> Distilled:
        """Remove until nothing can go, or the budget is spent.

        Raises:
            EvolveError: the program itself does not run.
        """
        self.state = state = await self._begin(source)
        while not state.complete:
            trials = self._trials(state)
            if not trials:
                spent = self._evaluations >= self._budget.evaluations
                self.state = state = self._replaced(state, complete=not spent)
                break
            measured = await asyncio.gather(*(self._evaluated(t) for t in trials))
            self.state = state = self._after(state, list(zip(trials, measured, strict=True)))
        return state

    async def _begin(self, source: str) -> Distilled:
        evaluation = await self._measure(source, {})
        self._evaluations = 1
        if not evaluation.outcome.ok:
            raise EvolveError(
                f"distill: expected a program that runs; it ended as {evaluation.outcome.tag.value}: "
                f"{evaluation.outcome.message}"
            )
        for stage, margin in self._margins.items():
            if (mean := evaluation.objectives.get(f"stage/{stage}")) is not None:
                self._floors[stage] = mean - margin
        first = self._version(source, size_of(Code(source).tree), evaluation)
        self._memory.by_tree[canonical_hash(source)] = evaluation
        return Distilled(first, first)

    def _version(self, source: str, size: Size, evaluation: Evaluation) -> Version:
        score = evaluation.objectives[self._domain.default_objective]
        return Version(source, size, score, dict(evaluation.objectives))

    def _trials(self, state: Distilled) -> list[_Trial]:
        """The next reductions to look at: untried ones in their order, then those that were refused earlier.

        At most `BATCH` that have to be measured, and no more than the budget has left.
        """
        code, refused = Code(state.smallest.source), self._memory.refused
        now = len(state.steps)
        left = [r for r in reductions(code, self._context) if r.key not in refused or refused[r.key][0] < now]
        left.sort(key=lambda r: (r.key in refused, -refused[r.key][1] if r.key in refused else 0.0))
        room = min(BATCH, self._budget.evaluations - self._evaluations)
        trials: dict[str, _Trial] = {}
        for trial in filter(None, chain([self._joint(code)], (self._single(code, r) for r in left))):
            if room <= 0:
                break
            known = self._memory.by_tree.get(trial.tree_hash)
            if trial.tree_hash not in trials and (known is None or self._acceptable(known, state)):
                trials[trial.tree_hash] = trial
                room -= known is None
        return list(trials.values())

    def _single(self, code: Code, reduction: Reduction) -> _Trial | None:
        smaller = reduced(code, reduction, self._context)
        return self._checked((reduction,), Code(smaller.source)) if smaller else None

    def _joint(self, code: Code) -> _Trial | None:
        """What costs next to nothing, one after the other; None where that is one reduction or none."""
        made: list[Reduction] = []
        for key in self._memory.together:
            found = next((r for r in reductions(code, self._context) if r.key == key), None)
            smaller = reduced(code, found, self._context) if found else None
            if found and smaller:
                made.append(found)
                code = Code(smaller.source)
        self._memory.together = []
        return self._checked(tuple(made), code) if len(made) > 1 else None

    def _checked(self, made: tuple[Reduction, ...], code: Code) -> _Trial | None:
        try:
            self._domain.check(code.text)
        except ProgramError:
            return None
        return _Trial(made, code.text, size_of(code.tree), canonical_hash(code.text))

    async def _evaluated(self, trial: _Trial) -> Evaluation:
        known = self._memory.by_tree.get(trial.tree_hash)
        if known is not None:
            return known
        self._evaluations += 1
        evaluation = await self._measure(trial.source, self._floors)
        self._memory.by_tree[trial.tree_hash] = evaluation
        return evaluation

    def _acceptable(self, evaluation: Evaluation, state: Distilled) -> bool:
        best = max(version.score for version in (state.original, *(step.after for step in state.steps)))
        return self._score(evaluation) >= best - self._budget.tolerance

    def _score(self, evaluation: Evaluation) -> float:
        ok = evaluation.outcome.ok
        return evaluation.objectives[self._domain.default_objective] if ok else -float("inf")

    def _after(self, state: Distilled, measured: list[tuple[_Trial, Evaluation]]) -> Distilled:
        """The state after the best acceptable trial, or the joint one; others that were acceptable stay untried."""
        good = [(trial, self._score(e)) for trial, e in measured if self._acceptable(e, state)]
        for trial, evaluation in measured:
            if not self._acceptable(evaluation, state) and len(trial.reductions) == 1:
                key = trial.reductions[0].key
                self._memory.refused[key] = (len(state.steps), self._score(evaluation))
        if not good:
            return self._replaced(state)
        # Equal scores: the smaller program; equal sizes: the first.
        chosen, _ = min(good, key=lambda pair: (len(pair[0].reductions) == 1, -pair[1], pair[0].size))
        cheap = state.smallest.score - _NEARLY_FREE * self._budget.tolerance
        done = {r.key for r in chosen.reductions}
        free = [trial.reductions[0] for trial, score in good if score >= cheap and len(trial.reductions) == 1]
        self._memory.together = [r.key for r in free if r.key not in done]
        after = self._version(chosen.source, chosen.size, self._memory.by_tree[chosen.tree_hash])
        step = Step(tuple(r.what for r in chosen.reductions), state.smallest, after, self._evaluations)
        self._on_step(step)
        return self._replaced(state, smallest=after, steps=(*state.steps, step))

    def _replaced(
        self,
        state: Distilled,
        *,
        smallest: Version | None = None,
        steps: tuple[Step, ...] | None = None,
        complete: bool = False,
    ) -> Distilled:
        return Distilled(
            state.original, smallest or state.smallest, steps or state.steps, self._evaluations, complete
        )
