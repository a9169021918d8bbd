"""Programs by whatever a user calls them: a path, a seed's name or the id of a stored one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from evaluators.contract import Plan, ProgramError, nearest
from evaluators.records import Provenance
from evaluators.registry import domains, get_domain
from evaluators.task_domain import TaskDomain
from evolve.errors import ConfigError
from evolve.evaluation.isolation import strictest
from evolve.evaluation.job import IN_PROCESS
from evolve.evaluation.service import limited, open_sandbox

if TYPE_CHECKING:
    from evaluators.cfr.openspiel import CfrSolver
    from evaluators.psro.openspiel import MetaStrategyMethod, PsroSolver

_STORED = re.compile(r"[0-9a-fA-F]{4,64}|[\w.+-]+:(\d+|best)")
"""An id (or its beginning), campaign:ordinal or campaign:best."""


@dataclass(frozen=True)
class Program:
    """A program's source with its identity (see `results.writer.program_id`), its domain and a name to show.

    Attributes:
        stored: it comes from a results database, so a model may have written it.
        provenance: what the campaign that made it demands of whatever runs it; None for files and seeds.
    """

    id: str
    name: str
    domain: TaskDomain
    source: str
    stored: bool = False
    provenance: Provenance | None = None

    def cfr_solver(
        self, game: Any, *, in_process: bool = False, unsafe_in_process: bool = False
    ) -> CfrSolver:
        """Return the program as a solver with the calls of OpenSpiel's ``CFRSolver``; close it, or use a ``with``.

        Args:
            game: a ``pyspiel.Game`` of perfect recall, an OpenSpiel string or a short name.
            in_process: without the sandbox: for files of your own and seeds.
            unsafe_in_process: the same for a stored program, which a model may have written.

        Raises:
            CapabilityError: its domain has no solver.
            GameError: a game that cannot be compiled.
            ConfigError: a stored program asked for in process.
            IsolationError: the sandbox is weaker than the program's campaign demanded.
            ProgramFailed: it does not start.
        """
        demanded = self.demanded(in_process=in_process, unsafe_in_process=unsafe_in_process)
        solver: CfrSolver = self._plugged(self.domain.require("solver", command="solve"), game, demanded)
        return solver

    def psro_solver(
        self, game: Any, *, iterations: int = 100, in_process: bool = False, unsafe_in_process: bool = False
    ) -> PsroSolver:
        """Return the program as a PSRO solver with exact best responses; close it, or use a ``with``.

        Args:
            game: a ``pyspiel.Game`` of perfect recall, an OpenSpiel string or a short name.
            iterations: how many there is room for.
            in_process: without the sandbox: for files of your own and seeds.
            unsafe_in_process: the same for a stored program, which a model may have written.

        Raises:
            CapabilityError: its domain has no PSRO solver.
            InputError: too many iterations.
            GameError: a game that cannot be compiled to a tree.
            ConfigError: a stored program asked for in process.
            IsolationError: the sandbox is weaker than the program's campaign demanded.
            ProgramFailed: it does not start.
        """
        demanded = self.demanded(in_process=in_process, unsafe_in_process=unsafe_in_process)
        host = self.domain.require("psro_solver", command="solve")
        solver: PsroSolver = self._plugged(host, game, demanded, iterations=iterations)
        return solver

    def meta_strategy_method(
        self,
        which: Literal["train", "eval"] = "train",
        *,
        in_process: bool = False,
        unsafe_in_process: bool = False,
    ) -> MetaStrategyMethod:
        """Return the program as ``meta_strategy_method`` of ``psro_v2.PSROSolver``; close it, or use a ``with``.

        One method serves one solver. Called as ``method(solver, return_joint=True)``, it gives the marginals and, flat,
        the joint distribution. OpenSpiel's psro_v2 imports networkx and cvxpy, which are not installed with it.

        Args:
            which: the mixtures that the next best responses are trained against, or those that judge the population.
            in_process: without the sandbox: for files of your own and seeds.
            unsafe_in_process: the same for a stored program, which a model may have written.

        Raises:
            CapabilityError: its domain has no meta-strategy method.
            ConfigError: a stored program asked for in process, or `which` is neither.
            IsolationError: the sandbox is weaker than the program's campaign demanded.
        """
        host = self.domain.require("meta_strategy_method", command="meta_strategy_method")
        if which not in ("train", "eval"):
            raise ConfigError(f"which: expected 'train' or 'eval'; got {which!r}.")
        demanded = self.demanded(in_process=in_process, unsafe_in_process=unsafe_in_process)
        method: MetaStrategyMethod = self._plugged(host, which, demanded)
        return method

    def demanded(self, *, in_process: bool = False, unsafe_in_process: bool = False) -> Provenance:
        """Return what running the program demands of the sandbox.

        Raises:
            ConfigError: a stored program asked for in process, and not by `unsafe_in_process`.
        """
        if in_process and self.stored and not unsafe_in_process:
            raise ConfigError(
                f"--in-process: expected a file or a seed; {self.name!r} is a stored program.",
                "It runs in the sandbox; --unsafe-in-process runs it in this very process.",
            )
        if in_process or unsafe_in_process:
            return Provenance("none", IN_PROCESS)
        return strictest([self.provenance])

    def _plugged(self, host: type[Any], what: Any, demanded: Provenance, **options: Any) -> Any:
        """Return the program in one of its domain's hosts, in a sandbox and under limits as demanded."""
        sandbox = open_sandbox(self.domain.sandbox_modules, demanded)
        limits = limited(Plan((), host.limits), demanded).limits
        try:
            return host(self.source, what, sandbox=sandbox, limits=limits, **options)
        except BaseException:
            sandbox.close()
            raise


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
    chosen = get_domain(domain) if domain else None
    known = {name: d for d in ([chosen] if chosen else domains().values()) for name in d.seed_names()}
    path = Path(ref)
    if ref in known:
        return _identified(ref, known[ref].seed_source(ref), known[ref])
    if path.suffix == ".py" or path.is_file():
        try:
            return _identified(path.stem, path.read_text(encoding="utf-8"), chosen)
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


def baseline_sources(domain: TaskDomain, names: Sequence[str] = ()) -> dict[str, str]:
    """Return name -> source of the seeds that programs of a domain are compared with; its choice without `names`.

    Raises:
        ConfigError: a name that no seed of the domain has.
    """
    known = domain.seed_names()
    for name in names:
        if name not in known:
            raise ConfigError(f"baselines: expected names of seeds; got {name!r}.", nearest(name, known))
    return {name: domain.seed_source(name) for name in names or domain.baselines}


def _stored(ref: str, db: str) -> Program | None:
    """Return the stored program of a reference; None where there is no database and it may be meant otherwise."""
    from results.programs import program
    from results.store import open_store

    if ":" not in ref and "://" not in db and not Path(db).exists():
        return None
    with open_store(db, create=False, read_only=True) as store:
        details = program(store, ref)
        names = [*(origin.campaign for origin in details.origins), *(name for name, _ in details.evaluations)]
        campaigns = [store.find_campaign(name) for name in dict.fromkeys(names)]
    record = details.program
    name = record.name or f"{details.origins[0].campaign}:{details.origins[0].ordinal}"
    made_by = [
        campaign.config.get("domain", campaign.domain) for campaign in campaigns if campaign is not None
    ]
    domain = get_domain(made_by[0]) if made_by else _domain_of(record.source)
    return Program(record.id, name, domain, record.source, stored=True, provenance=record.provenance)


def _identified(name: str, source: str, domain: TaskDomain | None) -> Program:
    from results.writer import program_id

    chosen = domain or _domain_of(source)
    chosen.check(source)
    return Program(program_id(source), name, chosen, source)


def _domain_of(source: str) -> TaskDomain:
    """Return the domain whose interface a source comes closest to."""
    return max(domains().values(), key=lambda domain: domain.resembles(source))
