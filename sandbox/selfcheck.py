"""Attacks a sandbox through real sessions, to see what it contains on this machine.

Shown by ``evolve doctor``, and the ground for the level that is recorded with results: a sandbox that claims
`Level.KERNEL` and lets one of these through does not have it.
"""

from __future__ import annotations

import platform
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from sandbox.attacks import ATTACKS, SHORT, THROUGH, Attack, Result, attempt, planted
from sandbox.base import Level, Sandbox


def check(sandbox: Sandbox, attacks: Sequence[Attack] = SHORT) -> list[Result]:
    """Attack `sandbox` and return the results; a short attack beyond the claimed level is tried all the same.

    At `Level.NONE` nothing is tried: the attacks would hit this very process, and nothing would end them.

    Raises:
        SandboxFault: `SANDBOX_ERROR`, the sandbox itself failed.
    """
    if sandbox.level is Level.NONE:
        return [Result(attack, THROUGH, "not tried: this process contains nothing") for attack in attacks]
    with planted() as plants:
        return [attempt(sandbox, attack, plants) for attack in attacks if may_try(attack, sandbox.level)]


class Row(NamedTuple):
    """One line of the report on a suite."""

    name: str
    expected: str
    came: str
    ok: bool


def check_all(sandbox: Sandbox, attacks: Sequence[Attack] | None = None) -> Iterator[Row]:
    """Try all attacks that make sense here, or only `attacks`, then see whether anything reached a canary.

    Raises:
        SandboxFault: `SANDBOX_ERROR`, the sandbox itself failed.
    """
    with planted() as plants:
        for attack in ATTACKS if attacks is None else attacks:
            if sandbox.level > Level.NONE and may_try(attack, sandbox.level):
                result = attempt(sandbox, attack, plants)
                came = result.came if result.ok else f"{result.came}: {result.detail}"
                yield Row(attack.name, str(result.attack.expected), came, result.ok)
        for canary, hits in plants.reached().items():
            yield Row(f"canary: {canary}", "0 hits", f"{hits} hits", hits == 0)


def confirmed(level: Level, results: Sequence[Result]) -> Level:
    """Return what `results` leave of a claimed level: one below any that promised to contain what got through."""
    broken = [result.attack.since for result in results if not result.contained]
    return min([level, *(Level(needed - 1) for needed in broken)])


def may_try(attack: Attack, level: Level) -> bool:
    """Return whether to try `attack` at `level`: where nothing promises to stop it, only if it does no harm."""
    return attack.machine in {"", platform.machine()} and (attack.short or level >= attack.since)
