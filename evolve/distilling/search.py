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
from dataclasses import dataclass, replace
from itertools import chain
from typing import NamedTuple

from evaluators.contract import ProgramError
from evaluators.records import Evaluation, Score
from evaluators.task_domain import TaskDomain
from evolve.distilling.reductions import Reduction, reduced, reductions
from evolve.errors import EvolveError
from evolve.operators.base import Context
from evolve.source.canonical import canonical_hash
from evolve.source.code import Code
from evolve.source.tree import Size, size_of

BATCH = 4
"""Reductions measured at a time."""

_NEARLY_FREE = 0.25
"""Share of the tolerance that a reduction may cost to be tried together with others."""

Measure = Callable[[str, Mapping[str, Score] | None], Awaitable[Evaluation]]
"""Evaluates a source; the mapping is stage -> score that the gates compare with, None for the first program."""


class Version(NamedTuple):
    """A program on the way."""

    source: str
    size: Size
    score: float
    scores: Mapping[str, Score]


@dataclass(frozen=True)
class Step:
    """What was removed at once: the programs before and after it, and how many evaluations there had been."""

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
    """What a search reached. `complete`: nothing is left that could go; else the budget or the user ended it."""

    original: Version
    smallest: Version
    steps: tuple[Step, ...] = ()
    evaluations: int = 1
    complete: bool = False


class _Trial(NamedTuple):
    """The present program after a reduction, or after several, ready to be measured."""

    reductions: tuple[Reduction, ...]
    code: Code

    @property
    def tree_hash(self) -> str:
        return canonical_hash(self.code.text)


_Key = tuple[str, int]


class Distiller:
    """Makes one program smaller. `state` is what it has reached so far, also after a cancellation.

    Args:
        domain: the program's.
        measure: evaluates a source.
        tolerance: how much the score may fall, in the objective's unit.
        evaluations: how many there are, the first included.
        on_step: is called with every step.
    """

    def __init__(
        self,
        domain: TaskDomain,
        measure: Measure,
        *,
        tolerance: float,
        evaluations: int,
        on_step: Callable[[Step], None],
    ) -> None:
        self.context = Context(domain.components, domain.mechanisms, domain.name)
        self.state: Distilled | None = None
        self._domain = domain
        self._measure = measure
        self._tolerance = tolerance
        self._most = evaluations
        self._on_step = on_step
        self._against: Mapping[str, Score] | None = None
        self._measured: dict[str, Evaluation] = {}
        """By tree, so that nothing is measured twice."""
        self._refused: dict[_Key, tuple[int, float]] = {}
        """Reduction -> number of steps that had been made, and its score; the untried come before these."""
        self._cheap: list[_Key] = []
        """Reductions that cost next to nothing and were not made yet."""

    async def run(self, source: str) -> Distilled:
        """Remove until nothing can go, or the budget is spent.

        Raises:
            EvolveError: the program itself does not run.
        """
        self.state = state = await self._begin(source)
        while trials := self._trials(state):
            evaluations = await asyncio.gather(*map(self._evaluated, trials))
            self.state = state = self._after(state, list(zip(trials, evaluations, strict=True)))
        self.state = replace(state, complete=state.evaluations < self._most)
        return self.state

    async def _begin(self, source: str) -> Distilled:
        first = _Trial((), Code(source))
        evaluation = await self._evaluated(first)
        if not evaluation.outcome.ok:
            raise EvolveError(
                f"distill: expected a program that runs; it ended as {evaluation.outcome.tag.value}: "
                f"{evaluation.outcome.message}"
            )
        # What may be lost altogether may be lost in any stage.
        self._against = {
            name: replace(score, mean=score.mean - self._tolerance)
            for name, score in evaluation.stages.items()
        }
        original = self._version(first)._replace(source=source)
        return Distilled(original, original)

    def _version(self, trial: _Trial) -> Version:
        evaluation = self._measured[trial.tree_hash]
        size = size_of(trial.code.tree)
        return Version(trial.code.text, size, self._score(evaluation), evaluation.scores)

    def _trials(self, state: Distilled) -> list[_Trial]:
        """Return the next reductions to look at: untried ones in their order, then those that were refused earlier.

        At most `BATCH` that have to be measured, and no more than the budget has left.
        """
        code, refused = Code(state.smallest.source), self._refused
        steps = len(state.steps)
        left = [r for r in reductions(code, self.context) if refused.get(r.key, (-1,))[0] < steps]
        left.sort(key=lambda r: (r.key in refused, -refused[r.key][1] if r.key in refused else 0.0))
        room = min(BATCH, self._most - len(self._measured))
        trials: dict[str, _Trial] = {}
        for trial in filter(None, chain([self._joint(code)], (self._single(code, r) for r in left))):
            if room <= 0:
                break
            known = self._measured.get(trial.tree_hash)
            if trial.tree_hash not in trials and (known is None or self._is_acceptable(known, state)):
                trials[trial.tree_hash] = trial
                room -= known is None
        return list(trials.values())

    def _single(self, code: Code, reduction: Reduction) -> _Trial | None:
        smaller = reduced(code, reduction, self.context)
        return self._checked((reduction,), smaller) if smaller else None

    def _joint(self, code: Code) -> _Trial | None:
        """Return the trial of what costs next to nothing, one after the other; None where that is one or none."""
        made: list[Reduction] = []
        for key in self._cheap:
            again = next((r for r in reductions(code, self.context) if r.key == key), None)
            smaller = reduced(code, again, self.context) if again else None
            if again and smaller:
                made.append(again)
                code = smaller
        self._cheap = []
        return self._checked(tuple(made), code) if len(made) > 1 else None

    def _checked(self, made: tuple[Reduction, ...], code: Code) -> _Trial | None:
        try:
            self._domain.check(code.text)
        except ProgramError:
            return None
        return _Trial(made, code)

    async def _evaluated(self, trial: _Trial) -> Evaluation:
        known = self._measured.get(trial.tree_hash)
        if known is None:
            known = self._measured[trial.tree_hash] = await self._measure(trial.code.text, self._against)
        return known

    def _is_acceptable(self, evaluation: Evaluation, state: Distilled) -> bool:
        best = max(version.score for version in (state.original, *(step.after for step in state.steps)))
        return self._score(evaluation) >= best - self._tolerance

    def _score(self, evaluation: Evaluation) -> float:
        return evaluation.scores[self._domain.objective].mean if evaluation.outcome.ok else -float("inf")

    def _after(self, state: Distilled, measured: list[tuple[_Trial, Evaluation]]) -> Distilled:
        """Return the state after the joint trial or the best acceptable one; the other acceptable ones stay untried."""
        good = []
        for trial, evaluation in measured:
            score = self._score(evaluation)
            if self._is_acceptable(evaluation, state):
                good.append((trial, score))
            elif len(trial.reductions) == 1:
                self._refused[trial.reductions[0].key] = (len(state.steps), score)
        state = replace(state, evaluations=len(self._measured))
        if not good:
            return state
        # Equal scores: the smaller program; equal sizes: the first.
        chosen, _ = min(good, key=lambda g: (len(g[0].reductions) == 1, -g[1], size_of(g[0].code.tree)))
        enough = state.smallest.score - _NEARLY_FREE * self._tolerance
        cheap = [t.reductions[0] for t, score in good if score >= enough and len(t.reductions) == 1]
        self._cheap = [r.key for r in cheap if r.key not in {made.key for made in chosen.reductions}]
        after = self._version(chosen)
        removed = tuple(r.what for r in chosen.reductions)
        step = Step(removed, state.smallest, after, len(self._measured))
        self._on_step(step)
        return replace(state, smallest=after, steps=(*state.steps, step))
