"""Checks of the machine that a campaign would run on.

Our packages are imported inside the checks: where another distribution's package of the same name comes first, the
imports fail, and that is what this module is to report.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

PACKAGES = ("evolve", "evaluators", "sandbox", "results", "seeds", "prompts")


class Finding(NamedTuple):
    """One check: what, whether it is as it should be, and what came."""

    check: str
    ok: bool
    came: str


def examine(db: str) -> list[Finding]:
    """All checks, quick ones first. Writes nothing but the caches of kernels and games."""
    place = _one_place()
    if not place.ok:
        return [place]  # The other checks would run somebody else's code.
    return [_versions(), place, *_sandbox(), _kernels(), _database(db)]


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


def _sandbox() -> list[Finding]:
    from sandbox.base import Level, SandboxFault
    from sandbox.process import ProcessSandbox
    from sandbox.selfcheck import check as attack

    try:
        with ProcessSandbox() as sandbox:
            layers = ", ".join(f"{name} {state}" for name, state in sandbox.layers.items())
            level = Finding(
                "sandbox level", sandbox.level >= Level.KERNEL, f"{sandbox.level.label} ({layers})"
            )
            return [
                level,
                *(Finding(f"contained: {f.attack}", f.contained, f.detail) for f in attack(sandbox)),
            ]
    except SandboxFault as fault:
        return [Finding("sandbox level", False, fault.message)]


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
