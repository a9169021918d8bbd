"""Contract of an operator: parents in, a child out.

An operator knows nothing of games, scores' meaning or databases. Everything random comes from the `rng` it
is handed, so that the same parents, context and rng state always give the same child; an operator that
awaits something outside (a model) records the answer elsewhere. `random.Random` is used rather than numpy's
generators because the streams of its methods are stable across versions.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from evaluators.contract import Component, Mechanism
from evaluators.records import Candidate, Evaluation
from evolve.errors import EvolveError
from evolve.search.log import CandidateLog, LogView


class ProposalError(EvolveError):
    """This operator can make no child of these parents; the campaign draws another operator or parent."""


@dataclass(frozen=True)
class Context:
    """What an operator knows beside the parents.

    Attributes:
        components: the domain's evolvable classes.
        mechanisms: what may go into them.
        domain: the domain's name.
        ordinal: the candidate that is proposed.
        log: the candidates that were told before, which know the name of the objective.
        baselines: name -> evaluation of the programs that the search is compared with.
        objection: why a source would go no further, in words, or ""; the same answer whenever it is asked.
    """

    components: tuple[Component, ...]
    mechanisms: tuple[Mechanism, ...] = ()
    domain: str = ""
    ordinal: int = 0
    log: LogView = field(default_factory=lambda: CandidateLog("").upto(0))
    baselines: Mapping[str, Evaluation] = field(default_factory=dict)
    objection: Callable[[str], str] = field(default=lambda source: "")

    def child(self, kind: str, parents: Sequence[Candidate], source: str = "", note: str = "") -> Candidate:
        """Return the candidate that an operator called `kind` makes of `parents`; without a source, that it failed."""
        ids = tuple(str(parent.program_id) for parent in parents)
        return Candidate(self.ordinal, kind, parents=ids, note=note, source=source)


class Operator(Protocol):
    """Turns parents into a child."""

    kind: str
    """The operator's name in configuration, database and reports."""
    num_parents: int = 1
    """How many parents `propose` wants."""
    waits: bool = False
    """Whether it waits for something outside (a model), so that several should propose at once.

    Such an operator sees to screening itself, by `Context.objection`; the others are asked again instead.
    """

    async def propose(self, parents: Sequence[Candidate], context: Context, rng: random.Random) -> Candidate:
        """Return a child of `parents` (`Context.child`), not screened yet; its note says what was changed.

        Raises:
            ProposalError: the operator can make no child of these parents.
        """


class ScriptedOperator(Operator):
    """Hands out given sources in turn, whatever the parents: the operator of tests and dry runs.

    Args:
        sources: the children's programs.
    """

    kind = "scripted"

    def __init__(self, sources: Iterable[str]) -> None:
        self._sources = iter(sources)

    async def propose(self, parents: Sequence[Candidate], context: Context, rng: random.Random) -> Candidate:
        """Return the next source.

        Raises:
            ProposalError: when there are no more.
        """
        source = next(self._sources, None)
        if source is None:
            raise ProposalError("scripted: expected one more source; all have been handed out.")
        return context.child(self.kind, parents, source)
