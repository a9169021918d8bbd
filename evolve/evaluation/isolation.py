"""How strong the sandbox must be for a campaign, and how strong it is on this machine."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from concurrent.futures import Executor
from typing import NamedTuple

from evolve.config import CampaignConfig
from evolve.errors import ConfigError, IsolationError
from evolve.evaluation.job import warm_sandbox
from sandbox.base import Level, SandboxFault
from sandbox.selfcheck import check, confirmed

_log = logging.getLogger("evolve")
_WRITES_NOTHING_NEW = frozenset({"symbolic"})
"""Operators whose programs are put together from parts that people wrote."""


class Found(NamedTuple):
    """What a worker found out about its sandbox."""

    level: Level
    off: Mapping[str, str]
    """Layer that was tried and does not hold -> why."""
    through: tuple[str, ...]
    """Attacks that the sandbox should have contained and did not."""


def default_minimum(operator_kind: str) -> Level:
    """The weakest level that a campaign accepts unless told otherwise: `kernel` as soon as a model writes code.

    Args:
        operator_kind: the operator's name in the configuration, such as ``"symbolic"``.
    """
    return Level.RLIMITS if operator_kind in _WRITES_NOTHING_NEW else Level.KERNEL


def minimum(config: CampaignConfig) -> Level:
    """The weakest level that the campaign accepts: the configured one, else its operator's.

    Raises:
        ConfigError: no such level.
    """
    if not config.min_isolation:
        return default_minimum(config.operator)
    try:
        return Level.parse(config.min_isolation)
    except ValueError as error:
        raise ConfigError(f"min_{error}.") from error


def achieved(executor: Executor, modules: tuple[str, ...], config: CampaignConfig) -> str:
    """The level that a worker's sandbox achieves; a layer that is off is named in a warning.

    Raises:
        IsolationError: there is no sandbox, or it is below the campaign's minimum.
    """
    try:
        found: Found = executor.submit(probe, modules, config.sandbox).result()
    except SandboxFault as fault:
        raise IsolationError(f"sandbox: {fault.message}", "--sandbox process needs nothing else.") from fault
    needed, why = minimum(config), reasons(found)
    if found.level < needed:
        asked = "as configured" if config.min_isolation else f"for operator {config.operator}"
        raise IsolationError(
            f"isolation: expected at least {needed.label} ({asked}); this machine achieves {found.level.label}"
            + (f" ({why})." if why else "."),
            f"`evolve doctor` tells more; --min-isolation {found.level.label} accepts it.",
        )
    if why:
        _log.warning("evolve: the sandbox runs at level %s: %s.", found.level.label, why)
    return found.level.label


def reasons(found: Found) -> str:
    """Why the sandbox is weaker than it could be, "" when it is not."""
    return "; ".join(
        [
            *(f"{layer} {state}" for layer, state in found.off.items()),
            *(f"{name!r} got through" for name in found.through),
        ]
    )


def probe(modules: tuple[str, ...], kind: str) -> Found:
    """Try this process's sandbox by attacking it: a level that does not hold is not reported."""
    sandbox = warm_sandbox(modules, kind)
    results = check(sandbox)
    off = {name: state for name, state in sandbox.layers.items() if state.startswith("off")}
    through = tuple(r.attack.name for r in results if not r.contained and r.attack.since <= sandbox.level)
    return Found(confirmed(sandbox.level, results), off, through)
