"""Programs by whatever a user calls them: a path, a seed's name or the id of a stored one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import seeds
from evaluators.base import Domain, InputError, ProgramError, domains, nearest

_STORED = re.compile(r"[0-9a-fA-F]{4,64}|[\w.+-]+:\d+")
"""An id (or its beginning), or campaign:ordinal."""


@dataclass(frozen=True)
class Program:
    """A program's source with its identity (see `results.writing.program_id`), its domain and a name to show.

    `stored`: it comes from a results database, so a model may have written it.
    """

    id: str
    name: str
    domain: Domain
    source: str
    stored: bool = False


def find_program(ref: str, *, domain: str | None = None, db: str | None = None) -> Program:
    """The program that `ref` stands for.

    Args:
        ref: path of a file, name of a seed, or (the beginning of) the id of a stored program.
        domain: name of its domain; seen from its classes when None.
        db: database for stored programs; they are looked up only when it exists.

    Raises:
        ProgramError: nothing of that name, or no program of the domain.
        StoreError: an id that is ambiguous, or a database that cannot be read.
    """
    found = domains()
    known = {name: d for d in found for name in seeds.names(d)}
    path = Path(ref)
    if ref in known:
        return _identified(ref, seeds.source(known[ref], ref), domain or known[ref])
    if path.suffix == ".py" or path.is_file():
        try:
            return _identified(path.stem, path.read_text(encoding="utf-8"), domain)
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            raise ProgramError(f"program: expected a Python file at {ref}; {reason}.") from error
    if _STORED.fullmatch(ref) and db is not None:
        stored = _stored(ref, db)
        if stored is not None:
            return stored
    raise ProgramError(
        f"program: expected a file, a seed's name or the id of a stored program; got {ref!r}.",
        nearest(ref, list(known)),
    )


def _stored(ref: str, db: str) -> Program | None:
    """The stored program whose id begins with `ref`; None where there is no database."""
    from results.programs import program
    from results.store import open_store

    if "://" not in db and not Path(db).exists():
        return None
    with open_store(db, create=False, read_only=True) as store:
        details = program(store, ref)
    record = details.program
    name = record.name or f"{details.origins[0].campaign}:{details.origins[0].ordinal}"
    return Program(record.id, name, _domain_of(record.source, None), record.source, stored=True)


def _identified(name: str, source: str, domain: str | None) -> Program:
    from results.writing import program_id

    chosen = _domain_of(source, domain)
    chosen.check(source)
    return Program(program_id(source), name, chosen, source)


def _domain_of(source: str, name: str | None) -> Domain:
    """The named domain, or the only one whose interface the source comes closest to."""
    found = domains()
    if name is not None:
        if name not in found:
            raise InputError(
                f"domain: expected the name of a domain; got {name!r}.", nearest(name, sorted(found))
            )
        return found[name]
    return max(found.values(), key=lambda d: sum(f"class {c.name}" in source for c in d.components))
