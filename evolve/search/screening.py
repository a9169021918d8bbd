"""Screening: what never reaches an evaluation, because it is no program of the domain or a known one."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from evaluators.base import Domain, Outcome, ProgramError, Tag
from evolve.source.canonical import canonical_hash


@dataclass(frozen=True)
class Screened:
    """A source's canonical tree hash ("" when it does not parse), and why it goes no further (None: it does)."""

    tree_hash: str
    stopped: Outcome | None = None


class Screen:
    """Judges sources in the order in which they are shown; remembers what passed.

    Args:
        domain: whose interface sources must implement.
    """

    def __init__(self, domain: Domain) -> None:
        self._domain = domain
        self._first: dict[str, int] = {}
        # A model's program is judged when it comes, and once more in its turn.
        self._tree_hash = lru_cache(maxsize=64)(self._read)

    def judge(self, source: str, *, before: int | None = None) -> Screened:
        """Whether a source may be evaluated. Does not remember it: see `admit`.

        Args:
            source: the program.
            before: compare with candidates of smaller ordinals only; with all that were admitted when None.
        """
        try:
            tree_hash = self._tree_hash(source)
        except ProgramError as error:
            return Screened("", Outcome(Tag.REJECTED, f"{error.message} {error.hint}".strip()))
        first = self._first.get(tree_hash)
        if first is not None and (before is None or first < before):
            message = f"the same program as candidate {first}"
            return Screened(tree_hash, Outcome(Tag.DUPLICATE, message))
        return Screened(tree_hash)

    def _read(self, source: str) -> str:
        """The canonical tree hash of a program of the domain.

        Raises:
            ProgramError: it is none.
        """
        self._domain.check(source)
        return canonical_hash(source)

    def admit(self, tree_hash: str, ordinal: int) -> None:
        """Remember a program: later ones with the same tree are its duplicates."""
        self._first.setdefault(tree_hash, ordinal)
