"""How strong the sandbox must be for a program, and how strong it is on this machine."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from functools import reduce
from typing import NamedTuple
from weakref import WeakKeyDictionary

from evaluators.records import Provenance
from evolve.config import CampaignConfig
from evolve.errors import ConfigError, IsolationError
from evolve.evaluation.job import warm_sandbox
from sandbox.base import Level, Sandbox
from sandbox.selfcheck import Result, check, confirmed

_log = logging.getLogger("evolve")
_ATTACKED: WeakKeyDictionary[Sandbox, list[Result]] = WeakKeyDictionary()
"""What came of the attacks on a sandbox: each is attacked once, however many campaigns this process runs in it."""
_WRITES_NOTHING_NEW = frozenset({"symbolic"})
"""Operators whose programs are put together from parts that people wrote."""


class Probe(NamedTuple):
    """What a worker observed of its sandbox.

    Attributes:
        level: the strongest that holds.
        off: layer that was tried and does not hold -> why.
        through: attacks that the sandbox should have contained and did not.
    """

    level: Level
    off: Mapping[str, str]
    through: tuple[str, ...]

    @property
    def reasons(self) -> str:
        """Why the sandbox is weaker than it could be, "" when it is not."""
        layers = [f"{layer} {state}" for layer, state in self.off.items()]
        return "; ".join([*layers, *(f"{name!r} got through" for name in self.through)])


def default_minimum(operator_kind: str) -> Level:
    """Return the weakest level that a campaign accepts unless told otherwise: `kernel` as soon as a model writes code.

    Args:
        operator_kind: the operator's name in the configuration, such as ``"symbolic"``.
    """
    return Level.RLIMITS if operator_kind in _WRITES_NOTHING_NEW else Level.KERNEL


def protection(config: CampaignConfig, *, start: Provenance | None = None) -> Provenance:
    """Return what a campaign demands of the sandbox: as configured, else what its operator needs.

    Args:
        config: the campaign's.
        start: of the stored program that it starts from; its children inherit what that one demands.

    Raises:
        ConfigError: no such level.
    """
    try:
        level = (
            Level.parse(config.min_isolation) if config.min_isolation else default_minimum(config.operator)
        )
    except ValueError as error:
        raise ConfigError(f"min_{error}.") from error
    own = Provenance(level.label, config.sandbox, config.limits.model_dump(exclude_none=True))
    return strictest([own, start])


def strictest(provenances: Iterable[Provenance | None]) -> Provenance:
    """Return what satisfies all of them; those of files and seeds demand nothing."""
    return reduce(Provenance.stricter, filter(None, provenances), Provenance("none"))


def require(level: Level, demanded: Provenance, *, reasons: str = "") -> None:
    """See that a sandbox is strong enough.

    Raises:
        IsolationError: it is weaker; the message names the level that is missing.
    """
    if level < Level.parse(demanded.minimum):
        raise IsolationError(
            f"isolation: expected at least {demanded.minimum} ({demanded.sandbox} sandbox), which the program or its"
            f" campaign demands; this machine achieves {level.label}"
            + (f" ({reasons})." if reasons else "."),
            f"`evolve doctor` tells more; a new campaign accepts it with --min-isolation {level.label}.",
        )
    if reasons:
        _log.warning("evolve: the sandbox runs at level %s: %s.", level.label, reasons)


def probe(modules: tuple[str, ...], kind: str) -> Probe:
    """Try this process's sandbox by attacking it: a level that does not hold is not reported."""
    sandbox = warm_sandbox(modules, kind)
    if sandbox not in _ATTACKED:
        _ATTACKED[sandbox] = check(sandbox)
    results = _ATTACKED[sandbox]
    layers: Mapping[str, str] = getattr(sandbox, "layers", {})
    off = {name: state for name, state in layers.items() if state.startswith("off")}
    through = tuple(r.attack.name for r in results if not r.contained and r.attack.since <= sandbox.level)
    return Probe(confirmed(sandbox.level, results), off, through)
