"""Screening: what never reaches an evaluation, because it is no program of the domain or a known one."""

from __future__ import annotations

from functools import lru_cache

from evaluators.contract import ProgramError
from evaluators.records import Outcome, Tag
from evaluators.task_domain import TaskDomain
from evolve.source.canonical import canonical_hash


class Screen:
    """Judges sources in the order in which they are shown; remembers what passed.

    Args:
        domain: whose interface sources must implement.
    """

    def __init__(self, domain: TaskDomain) -> None:
        self._domain = domain
        self._first: dict[str, int] = {}
        # A model's program is judged when it answers, and once more in the order of ordinals.
        self._tree_hash = lru_cache(maxsize=64)(self._read)

    def judge(self, source: str, *, before: int | None = None) -> tuple[str, Outcome | None]:
        """Return a source's canonical hash ("" when it does not parse), and why it goes no further (None: it does).

        Does not remember it: see `admit`.

        Args:
            source: the program.
            before: compare with candidates of smaller ordinals only; with all that were admitted when None.
        """
        try:
            tree_hash = self._tree_hash(source)
        except ProgramError as error:
            return "", Outcome(Tag.REJECTED, f"{error.message} {error.hint}".strip())
        first = self._first.get(tree_hash)
        if first is not None and (before is None or first < before):
            return tree_hash, Outcome(Tag.DUPLICATE, f"the same program as candidate {first}")
        return tree_hash, None

    def _read(self, source: str) -> str:
        """Return the canonical hash of a program of the domain.

        Raises:
            ProgramError: it is none.
        """
        self._domain.check(source)
        return canonical_hash(source)

    def admit(self, tree_hash: str, ordinal: int) -> None:
        """Remember a program: later ones with the same tree are its duplicates."""
        self._first.setdefault(tree_hash, ordinal)
