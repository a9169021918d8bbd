"""What a campaign knows: its programs, its populations after each tell, and what came of every candidate.

All of it can be told again from the database, which is how an interrupted campaign continues.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from evaluators.base import Evaluation, Outcome, Tag
from evolve.search import population as populations
from evolve.search.population import Member, Population, Settings
from evolve.search.record import Log, Record, Scored, Tried
from evolve.search.stored import scored
from evolve.source.canonical import canonical_hash
from results.records import CandidateRecord
from results.writer import CampaignWriter


class History:
    """A campaign's candidates in the order in which they were told.

    Attributes:
        sources: program id -> source.
        hashes: program id -> canonical syntax-tree hash.
        outcomes: how many candidates ended with each outcome.
    """

    def __init__(self, objective: str, settings: Settings, writer: CampaignWriter) -> None:
        self._objective, self._writer = objective, writer
        self._populations = [Population.empty(objective, settings)]
        self._log = Log(objective)
        self._baselines: dict[str, Scored] = {}
        self.sources: dict[str, str] = {}
        self.hashes: dict[str, str] = {}
        self.outcomes: Counter[str] = Counter()

    @property
    def told(self) -> int:
        """Candidates told so far: the ordinal that is told next."""
        return len(self._populations) - 1

    @property
    def best(self) -> Member | None:
        """The best member so far."""
        return self._populations[-1].best

    def population(self, told: int) -> Population:
        """The population as it stood when so many candidates were told."""
        return self._populations[told]

    def record(self, told: int, baselines: Mapping[str, Evaluation]) -> Record:
        """What was known when so many candidates were told, as operators see it."""
        for name in baselines.keys() - self._baselines.keys():
            self._baselines[name] = scored(baselines[name])
        named = {name: self._baselines[name] for name in baselines}
        return Record(self._objective, named, self._log.upto(told))

    def load_programs(self) -> None:
        """Remember every program that the database holds of this campaign."""
        for program in self._writer.load_programs().values():
            self.sources[program.id], self.hashes[program.id] = program.source, program.tree_hash

    def add(self, source: str, name: str, tree_hash: str | None = None) -> str:
        """Store a program, if it is new, and say its id."""
        tree_hash = canonical_hash(source) if tree_hash is None else tree_hash
        program_id = self._writer.add_program(source, tree_hash=tree_hash, name=name)
        self.sources[program_id], self.hashes[program_id] = source, tree_hash
        return program_id

    def tell(self, candidate: CandidateRecord, evaluation: Evaluation | None) -> bool:
        """Tell the population; whether the candidate is the best so far."""
        member, objectives = None, evaluation.objectives if evaluation else {}
        if candidate.outcome == Tag.OK and candidate.program_id is not None:
            member = Member(candidate.program_id, candidate.ordinal, candidate.island, objectives)
        now = populations.tell(self._populations[-1], candidate.ordinal, member)
        self._populations.append(now)
        self.outcomes[candidate.outcome or ""] += 1
        self._log.append(
            Tried(
                ordinal=candidate.ordinal,
                operator=candidate.operator,
                program_id=candidate.program_id,
                source=self.sources.get(candidate.program_id or "", ""),
                parents=candidate.parents,
                note=candidate.note,
                outcome=Outcome(Tag(candidate.outcome or Tag.INFRASTRUCTURE), candidate.message),
                scored=scored(evaluation) if evaluation else Scored(),
            )
        )
        return member is not None and now.best is member
