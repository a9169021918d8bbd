"""Programs by whatever a user calls them: a path, a seed's name or the id of a stored one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import seeds
from evaluators.base import Domain, InputError, ProgramError, domains, nearest
from evolve.errors import ConfigError

if TYPE_CHECKING:
    from evaluators.cfr.openspiel import CfrSolver
    from evaluators.psro.openspiel import MetaStrategyMethod

_STORED = re.compile(r"[0-9a-fA-F]{4,64}|[\w.+-]+:(\d+|best)")
"""An id (or its beginning), campaign:ordinal or campaign:best."""

_IN_OPENSPIEL = {
    "cfr": "Program.cfr_solver(game) makes an OpenSpiel solver of it, `evolve solve GAME` runs it.",
    "psro": "Program.meta_strategy_method() plugs it into OpenSpiel's psro_v2.PSROSolver, `evolve evaluate` scores it.",
}
"""Domain -> how its programs meet OpenSpiel, for whoever tries it with one of another domain."""


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

    def cfr_solver(
        self, game: Any, *, in_process: bool = False, unsafe_in_process: bool = False
    ) -> CfrSolver:
        """The program as a solver with the calls of OpenSpiel's ``CFRSolver``; close it, or use it in a ``with``.

        Args:
            game: a ``pyspiel.Game`` of perfect recall, an OpenSpiel string or a short name.
            in_process: without the sandbox: for files of your own and seeds.
            unsafe_in_process: the same for a stored program, which a model may have written.

        Raises:
            ProgramError: it is no CFR program.
            GameError: a game that cannot be compiled.
            ConfigError: a stored program asked for in process.
            ProgramFailed: it does not start.
        """
        from evaluators.cfr.openspiel import CfrSolver

        self._expect("cfr")
        unprotected = self.unprotected(in_process=in_process, unsafe_in_process=unsafe_in_process)
        return CfrSolver(self.source, game, in_process=unprotected)

    def meta_strategy_method(
        self,
        which: Literal["train", "eval"] = "train",
        *,
        in_process: bool = False,
        unsafe_in_process: bool = False,
    ) -> MetaStrategyMethod:
        """The program as ``meta_strategy_method`` of OpenSpiel's ``psro_v2.PSROSolver``; close it, or use a ``with``.

        One method serves one solver. Called as ``method(solver, return_joint=True)``, it gives the marginals and, flat,
        the joint distribution. OpenSpiel's psro_v2 imports networkx and cvxpy, which are not installed with it.

        Args:
            which: the mixtures that the next best responses are trained against, or those that judge the population.
            in_process: without the sandbox: for files of your own and seeds.
            unsafe_in_process: the same for a stored program, which a model may have written.

        Raises:
            ProgramError: it is no PSRO program.
            ConfigError: a stored program asked for in process, or `which` is neither.
        """
        from evaluators.psro.openspiel import MetaStrategyMethod

        self._expect("psro")
        if which not in ("train", "eval"):
            raise ConfigError(f"which: expected 'train' or 'eval'; got {which!r}.")
        unprotected = self.unprotected(in_process=in_process, unsafe_in_process=unsafe_in_process)
        return MetaStrategyMethod(self.source, which, in_process=unprotected)

    def _expect(self, domain: str) -> None:
        if self.domain.name != domain:
            raise ProgramError(
                f"program: expected one of the domain {domain}; {self.name} is one of {self.domain.name}.",
                _IN_OPENSPIEL.get(self.domain.name, ""),
            )

    def unprotected(self, *, in_process: bool, unsafe_in_process: bool) -> bool:
        """Whether to run it without a sandbox.

        Raises:
            ConfigError: a stored program, and `unsafe_in_process` was not asked for.
        """
        if in_process and self.stored and not unsafe_in_process:
            raise ConfigError(
                f"--in-process: expected a file or a seed; {self.name!r} is a stored program.",
                "It runs in the sandbox; --unsafe-in-process runs it in this very process.",
            )
        return in_process or unsafe_in_process


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


def baseline_sources(domain: Domain, names: Sequence[str] = ()) -> dict[str, str]:
    """Name -> source of the seeds that programs of a domain are compared with; the domain's choice without `names`.

    Raises:
        ConfigError: a name that no seed of the domain has.
    """
    known = seeds.names(domain.name)
    for name in names:
        if name not in known:
            raise ConfigError(f"baselines: expected names of seeds; got {name!r}.", nearest(name, known))
    return {name: seeds.source(domain.name, name) for name in names or domain.baselines}


def _stored(ref: str, db: str) -> Program | None:
    """The stored program that `ref` stands for; None where there is no database and it may be meant otherwise."""
    from results.programs import program
    from results.store import open_store

    if ":" not in ref and "://" not in db and not Path(db).exists():
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
