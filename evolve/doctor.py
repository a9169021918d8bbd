"""Checks of the machine that a campaign would run on.

Our packages are imported inside the checks: where another distribution's package of the same name comes first, the
imports fail, and that is what this module is to report.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from sandbox.attacks import Result
    from sandbox.selfcheck import Row
    from sandbox.warm import WarmSandbox

PACKAGES = ("evolve", "evaluators", "sandbox", "results", "seeds", "prompts")


class Finding(NamedTuple):
    """One check: what, whether it is as it should be, and what came."""

    check: str
    ok: bool
    came: str


def examine(db: str, sandbox: str = "process") -> list[Finding]:
    """All checks, quick ones first. Writes nothing but the caches of kernels and games.

    Raises:
        ConfigError: no such kind of sandbox.
    """
    place = _one_place()
    if not place.ok:
        return [place]  # The other checks would run somebody else's code.
    return [_versions(), place, *_sandbox(sandbox), _kernels(), _database(db)]


def _versions() -> Finding:
    from evolve.start import versions

    return Finding("versions", True, ", ".join(f"{name} {version}" for name, version in versions().items()))


def _one_place() -> Finding:
    """Other distributions install top-level packages called `results` and `evaluators` too."""
    import importlib.util

    found = {}
    for name in PACKAGES:
        spec = importlib.util.find_spec(name)
        found[name] = str(Path(spec.origin).parent.parent) if spec and spec.origin else "nowhere"
    places = set(found.values())
    if len(places) == 1:
        return Finding("packages from one place", True, places.pop())
    return Finding("packages from one place", False, ", ".join(f"{k}: {v}" for k, v in found.items()))


def attack_sandbox(kind: str) -> tuple[str, list[Row]]:
    """Try every attack of the suite: the level of the sandbox, and what came of each.

    Raises:
        ConfigError: no such kind of sandbox.
        IsolationError: it does not start.
    """
    from sandbox.selfcheck import check_all

    with sandbox_errors(), open_sandbox(kind) as sandbox:
        return sandbox.level.label, list(check_all(sandbox))


@contextlib.contextmanager
def sandbox_errors() -> Iterator[None]:
    """Tell a user what is wrong with a sandbox in one line.

    Raises:
        IsolationError: in place of the sandbox's own fault.
    """
    from evolve.errors import IsolationError
    from sandbox.base import SandboxFault

    try:
        yield
    except SandboxFault as fault:
        raise IsolationError(f"sandbox: {fault.message}") from fault


def _sandbox(kind: str) -> list[Finding]:
    from sandbox.base import Level, SandboxFault
    from sandbox.selfcheck import check

    try:
        with open_sandbox(kind) as sandbox:
            layers = ", ".join(f"{name} {state}" for name, state in sandbox.layers.items())
            strong = sandbox.level >= Level.KERNEL
            level = Finding("sandbox level", strong, f"{sandbox.level.label} ({layers})")
            return [
                level,
                *(Finding(f"contained: {r.attack.name}", r.contained, _words(r)) for r in check(sandbox)),
            ]
    except SandboxFault as fault:
        return [Finding("sandbox level", False, fault.message)]


def open_sandbox(kind: str) -> WarmSandbox:
    """A sandbox for a check or a measurement.

    Raises:
        ConfigError: no such kind of sandbox.
        SandboxFault: it does not start.
    """
    from evolve.errors import ConfigError

    if kind == "docker":
        from sandbox.docker import DockerSandbox

        return DockerSandbox()
    if kind != "process":
        raise ConfigError(f"sandbox: expected process or docker; got {kind!r}.")
    from sandbox.process import ProcessSandbox

    return ProcessSandbox()


def _words(result: Result) -> str:
    """How an attack ended, without the program's line."""
    detail = result.detail.partition(" (program.py")[0]
    return f"{result.came}: {detail}" if detail else result.came


def _kernels() -> Finding:
    """Compile and run the smallest training game with the seed, in process."""
    import seeds
    from evaluators.base import get_domain
    from sandbox.inprocess import InProcessSandbox

    domain = get_domain("cfr")
    plan = domain.plan(["kuhn2"], tiers=("exact",), iterations=100)
    with InProcessSandbox() as sandbox:
        evaluation = domain.evaluate(seeds.source("cfr", domain.seed), plan, sandbox)
    came = evaluation.results[0].exploitability if evaluation.outcome.ok else evaluation.outcome.message
    return Finding("CFR+ on Kuhn poker", evaluation.outcome.ok, f"exploitability {came} after 100 iterations")


def _database(db: str) -> Finding:
    from results.errors import StoreError
    from results.store import open_store

    if "://" not in db and not Path(db).exists():
        return Finding("database", True, f"none at {db} yet; the first campaign makes it")
    try:
        with open_store(db, create=False, read_only=True):
            return Finding("database", True, db)
    except StoreError as error:
        return Finding("database", False, f"{error.message} {error.hint}".strip())
