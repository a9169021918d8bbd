"""Checks of the machine that a campaign would run on.

Our packages are imported inside the checks: where another distribution's package of the same name comes first, the
imports fail, and that is what this module is to report.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from evolve.errors import ConfigError, IsolationError

if TYPE_CHECKING:
    from sandbox.process import WarmSandbox
    from sandbox.selfcheck import Result, Row

_FEW_TOKENS, _PATIENCE_S = 64, 60.0
PACKAGES = ("evolve", "evaluators", "sandbox", "results", "seeds", "prompts")


class Finding(NamedTuple):
    """One check: what, whether it is as it should be, and what was observed."""

    check: str
    ok: bool
    detail: str


def examine(db: str, sandbox: str = "process", *, model: str | None = None) -> list[Finding]:
    """Return all checks, quick ones first. Writes nothing but the caches of kernels and games.

    Args:
        db: results database.
        sandbox: kind of sandbox to look at.
        model: is asked for one word, which costs next to nothing; None asks nobody.

    Raises:
        ConfigError: no such kind of sandbox.
    """
    ours = packages()
    if not ours.ok:
        return [ours]  # The other checks would run somebody else's code.
    asked = [_ask(model)] if model else []
    return [_versions(), ours, *_sandbox(sandbox), _kernels(), _database(db), *_keys(), *asked]


def _versions() -> Finding:
    from evolve.search.run import versions

    return Finding("versions", True, ", ".join(f"{name} {version}" for name, version in versions().items()))


def packages() -> Finding:
    """Check for other distributions, which install top-level packages called `results` and `evaluators` too."""
    import importlib.util

    check = "packages from one place"
    folders = {}
    for name in PACKAGES:
        spec = importlib.util.find_spec(name)
        folders[name] = str(Path(spec.origin).parent.parent) if spec and spec.origin else "nowhere"
    if len(set(folders.values())) == 1:
        return Finding(check, True, folders["evolve"])
    return Finding(check, False, ", ".join(f"{name}: {folder}" for name, folder in folders.items()))


def attack_sandbox(kind: str) -> tuple[str, list[Row]]:
    """Try every attack of the suite; return the level of the sandbox, and how each ended.

    Raises:
        ConfigError: no such kind of sandbox.
        IsolationError: it does not start.
    """
    from sandbox.selfcheck import check_all

    with sandbox_errors(), open_sandbox(kind) as sandbox:
        return sandbox.level.label, list(check_all(sandbox))


@contextlib.contextmanager
def sandbox_errors() -> Iterator[None]:
    """Report what is wrong with a sandbox in one line.

    Raises:
        IsolationError: in place of the sandbox's own fault.
    """
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
    """Return a sandbox for a check or a measurement.

    Raises:
        ConfigError: no such kind of sandbox.
        SandboxFault: it does not start.
    """
    from sandbox.process import make

    try:
        return make(kind)
    except ValueError as error:
        raise ConfigError(f"{error}.") from None


def _words(result: Result) -> str:
    """Return how an attack ended, without the program's line."""
    detail = result.detail.partition(" (program.py")[0]
    return f"{result.actual}: {detail}" if detail else result.actual


def _kernels() -> Finding:
    """Compile and run the smallest game with the seed of the CFR domain, in process."""
    from evaluators.registry import get_domain
    from sandbox.inprocess import InProcessSandbox

    domain = get_domain("cfr")
    plan = domain.plan(["kuhn2"], tiers=("exact",), budget=100)
    with InProcessSandbox() as sandbox:
        evaluation = domain.evaluate(domain.seed_source(domain.seed), plan, sandbox)
    ended = evaluation.results[0].value if evaluation.outcome.ok else evaluation.outcome.message
    return Finding(
        "CFR+ on Kuhn poker", evaluation.outcome.ok, f"exploitability {ended} after 100 iterations"
    )


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


def _keys() -> list[Finding]:
    """Return which kinds of models can be asked. None is needed, so that a missing key is no fault."""
    findings = []
    for kind, keys, address in (
        ("openai", ("OPENAI_API_KEY",), "OPENAI_BASE_URL"),
        ("gemini", ("GEMINI_API_KEY", "GOOGLE_API_KEY"), "GOOGLE_GEMINI_BASE_URL"),
    ):
        names = [name for name in (*keys, address) if os.environ.get(name)]
        usable = any(name in names for name in keys) or (kind == "openai" and address in names)
        known = f"{' and '.join(names)} set" if names else f"{keys[0]} is not set"
        findings.append(
            Finding(f"models {kind}:NAME", True, f"{known}: {'can' if usable else 'cannot'} be asked")
        )
    return findings


def _ask(name: str) -> Finding:
    """Ask a model for one word; one that answers by files is only looked at."""
    import asyncio

    from evolve.models.base import Completion, Message, ModelError, Request
    from evolve.models.config import LlmConfig
    from evolve.models.registry import make_model

    check = f"model {name}"
    request = Request((Message("user", "Answer with the one word: ready"),), max_output_tokens=_FEW_TOKENS)

    async def ask() -> Completion | None:
        model = make_model(name, LlmConfig(timeout_s=_PATIENCE_S))
        try:
            return None if model.free else await model.complete(request)
        finally:
            await model.close()

    try:
        answer = asyncio.run(ask())
    except ModelError as error:
        return Finding(check, False, f"{error.message} {error.hint}".strip())
    if answer is None:
        return Finding(check, True, "is there; not asked, since it answers by files")
    used = f"{answer.usage.input_tokens} tokens in, {answer.usage.output_tokens} out"
    return Finding(check, True, f"{answer.model} answered in {answer.latency_s:.1f} s ({used})")
