"""What a campaign knows: its populations after each tell, and its candidates in the order in which they were told.

All of it can be told again from the database, which is how an interrupted campaign continues.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from evaluators.records import Candidate, Evaluation, Tag
from evaluators.task_domain import TaskDomain
from evolve.search import population as populations
from evolve.search.log import CandidateLog, LogView
from evolve.search.population import Population, Settings


class History:
    """A campaign's candidates in the order in which they were told.

    Args:
        domain: makes scores of further results.
        objective: name of the score that decides "better".
        settings: of the population.
        refinements: how often an island's leader is evaluated on further seeds.

    Attributes:
        refinements: see above.
        best: the best program as far as it is known: where leaders are evaluated on further seeds, of those that were,
            since a score that decided who leads flatters the leader; the first one until there is such a program.
        outcomes: how many candidates ended with each outcome.
    """

    def __init__(self, domain: TaskDomain, objective: str, settings: Settings, refinements: int) -> None:
        metric = domain.metric
        resolution = metric.resolution / (metric.unit if metric.scale == "linear" else 1.0)
        self._domain, self.refinements = domain, refinements
        self._current = Population.empty(objective, settings, resolution)
        """With the refinements that were told since the last candidate: those are in the population after the next."""
        self._populations = [self._current]
        self._log = CandidateLog(objective)
        self._refined: Counter[int] = Counter()
        """Ordinal -> how many refinements of it were begun."""
        self._confirmed: set[int] = set()
        """Ordinals of members with results on further seeds."""
        self.best: Candidate | None = None
        self.outcomes: Counter[str] = Counter()

    @property
    def told(self) -> int:
        """Candidates told so far: the ordinal that is told next."""
        return len(self._log.entries)

    def population(self, told: int) -> Population:
        """Return the population as it stood when so many candidates were told."""
        return self._populations[told]

    def log(self, told: int) -> LogView:
        """Return what was known when so many candidates were told, as operators see it."""
        return self._log.upto(told)

    def tell(self, candidate: Candidate) -> bool:
        """Tell the population; return whether another program is the best now. Where it raises, nothing was told."""
        member = candidate if candidate.ok else None
        population = populations.tell(self._current, candidate.ordinal, member)
        self._log.append(candidate)
        self._current = population
        self._populations.append(population)
        self.outcomes[candidate.ending.tag.value] += 1
        return self._is_another_best()

    def _is_another_best(self) -> bool:
        before, current = self.best, self._current
        self.best = current.best_of(lambda m: m.ordinal in self._confirmed if self.refinements else True)
        if self.best is None:
            self.best = before or current.leader
        elif before is not None and before.ordinal in self._confirmed and before not in current:
            # Programs that lead by luck took its room in the archives; what is left may be worse.
            self.best = min(before, self.best, key=current.order)
        return self.best is not None and (before is None or before.ordinal != self.best.ordinal)

    def next_refinement(self, ordinal: int) -> tuple[Candidate, int] | None:
        """Return the leader of the island that was told last, and the how many-th refinement it is due; or None."""
        islands = self._current.islands
        archive = islands[ordinal % len(islands)].archive
        if not archive or self._refined[archive[0].ordinal] >= self.refinements:
            return None
        self._refined[archive[0].ordinal] += 1
        return archive[0], self._refined[archive[0].ordinal]

    def refine(self, ordinal: int, further: Evaluation) -> tuple[Candidate | None, bool]:
        """Add further results to a member.

        A fault of ours says nothing about the member.

        Returns:
            The member as it is now, None where no archive has it any more; whether another program is the best now.
        """
        if further.outcome.tag is Tag.ENGINE_ERROR:
            return None, False
        members = (m for island in self._current.islands for m in island.archive if m.ordinal == ordinal)
        member = next(members, None)
        if member is None or member.evaluation is None:
            return None, False
        evaluation = self._merged(member.evaluation, further)
        refined = replace(member, evaluation=evaluation, outcome=further.outcome)
        self._current = populations.refine(self._current, refined)
        self._confirmed.add(ordinal)
        if self.best is not None and self.best.ordinal == ordinal and not refined.ok:
            self.best = None
        return refined, self._is_another_best()

    def _merged(self, evaluation: Evaluation, further: Evaluation) -> Evaluation:
        """Return an evaluation with the results of another one too, and the scores of both together."""
        results = (*evaluation.results, *further.results)
        scores = self._domain.scores(results) if further.outcome.ok else {}
        return replace(
            evaluation,
            outcome=further.outcome,
            results=results,
            scores=scores,
            cost=evaluation.cost + further.cost,
        )
