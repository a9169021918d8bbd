"""Attacks a sandbox through real sessions, to see what it contains on this machine.

Shown by ``evolve doctor``, and the ground for the level that is recorded with results: a sandbox that claims
`Level.KERNEL` and lets one of these through does not have it.
"""

from __future__ import annotations

import contextlib
import os
import platform
import secrets
import socket
import tempfile
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from sandbox.attacks import ATTACKS, CONTAINED, OK, SHORT, THROUGH, Attack
from sandbox.base import Level, Limits, Sandbox, SandboxFault, Verdict

_AMPLE = Limits(cpu_s=20.0, wall_s=120.0, call_wall_s=60.0, memory_mib=256)
"""Little memory, and more time than any attack needs on a slow or loaded machine, unless it is to run out of that."""
_LIMITS: dict[str, Limits] = {
    Verdict.CPU_LIMIT: replace(_AMPLE, cpu_s=1.0),
    Verdict.TIMEOUT: replace(_AMPLE, wall_s=8.0, call_wall_s=3.0),
}

_GUEST = """
import numpy as np

def start(program):
    def run(scalars, arrays):
        value = program.attack()
        if isinstance(value, (bool, float)):
            value = np.array([float(value)])
        if not isinstance(value, np.ndarray):
            raise BadResult(f"attack: expected a number or an array, got {type(value).__name__}")
        return (value,)
    return {"run": run, "trace": lambda scalars, arrays: (np.array([float(bool(program.trace()))]),)}
"""

_HELPERS = """
import ctypes, os
import numpy as np

libc = ctypes.CDLL(None, use_errno=True)
ARM = os.uname().machine == "aarch64"

def through(action, *arguments):
    try:
        made = action(*arguments)
    except OSError:
        return False
    getattr(made, "close", int)()
    return True

def call(x86, arm, *arguments):
    return libc.syscall(arm if ARM else x86, *arguments)
"""
"""Put before every attack: the C library, system calls by number, and a test whether something was refused."""


class Result(NamedTuple):
    """How one attack ended."""

    attack: Attack
    actual: str
    """A verdict, `CONTAINED`, `OK` or `THROUGH`."""
    detail: str
    """The fault's message, or what it left behind."""

    @property
    def ok(self) -> bool:
        """Return whether this is what was expected, to the letter."""
        return self.actual == self.attack.expected and self.attack.message in self.detail

    @property
    def contained(self) -> bool:
        """Return whether the sandbox held, whatever the verdict."""
        return self.actual != THROUGH


@dataclass
class Planted:
    """What attacks look for: a file, listeners that count who reaches them, and a key in the environment."""

    directory: Path
    secret: str
    tcp: socket.socket
    pathname: socket.socket
    abstract: socket.socket

    @property
    def names(self) -> dict[str, object]:
        """Return the globals that tell an attack where to look; not knowing them would protect nothing."""
        return {
            "SECRET": str(self.directory / "secret.txt"),
            "MARKER": str(self.directory / "marker"),
            "PORT": self.tcp.getsockname()[1],
            "SOCKET": self.pathname.getsockname(),
            "ABSTRACT": self.abstract.getsockname().decode(),
            "HOME": str(Path.home()),
            "ROOT": str(Path(__file__).resolve().parents[1]),
        }

    def reached(self) -> dict[str, int]:
        """Return how often something reached each canary."""
        listeners = {
            "TCP listener": self.tcp,
            "socket in the file system": self.pathname,
            "abstract socket": self.abstract,
        }
        hits = {name: _connections(listener) for name, listener in listeners.items()}
        return hits | {"files written": len(list(self.directory.glob("marker*")))}


@contextlib.contextmanager
def planted() -> Iterator[Planted]:
    """Plant everything where any other program of this user would find it."""
    secret = f"sk-{secrets.token_hex(12)}"
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="evolve-canary-")))
        directory.chmod(0o777)
        (directory / "secret.txt").write_text(secret)
        tcp = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        pathname, abstract = (stack.enter_context(socket.socket(socket.AF_UNIX)) for _ in range(2))
        pathname.bind(str(directory / "socket"))
        (directory / "socket").chmod(0o666)
        abstract.bind(f"\0evolve-canary-{secrets.token_hex(6)}")
        for listener in (tcp, pathname, abstract):
            listener.listen(64)
            listener.setblocking(False)
        os.environ["EVOLVE_CANARY_KEY"] = secret
        stack.callback(os.environ.pop, "EVOLVE_CANARY_KEY", None)
        yield Planted(directory, secret, tcp, pathname, abstract)


def attempt(sandbox: Sandbox, attack: Attack, plants: Planted) -> Result:
    """Try one attack in a session of its own, and look for its traces in the next one.

    Raises:
        SandboxFault: `SANDBOX_ERROR`, the sandbox itself failed.
    """
    attack = attack.at(sandbox.level)
    actual, detail = _run(sandbox, attack, "run", plants)
    if attack.trace:
        left, fault = _run(sandbox, attack, "trace", plants)
        if left != CONTAINED:
            return Result(attack, THROUGH, f"left a trace: {fault or left}")
    if plants.secret in detail:
        return Result(attack, THROUGH, "the secret is in its message")
    return Result(attack, actual, detail)


def _run(sandbox: Sandbox, attack: Attack, handler: str, plants: Planted) -> tuple[str, str]:
    session = None
    limits = _LIMITS.get(attack.expected, _AMPLE)
    try:
        session = sandbox.open(_GUEST, _program(attack, plants), limits=limits, shared_bytes=1 << 16)
        (value,) = session.call(handler)
        if attack.expected == OK and handler == "run":
            return OK, ""
        return (THROUGH if value.size != 1 or value.any() else CONTAINED), ""
    except SandboxFault as fault:
        if fault.verdict is Verdict.SANDBOX_ERROR:
            raise
        return str(fault.verdict), fault.message
    finally:
        if session is not None:
            session.close()


def _program(attack: Attack, plants: Planted) -> str:
    names = "".join(f"{name} = {value!r}\n" for name, value in plants.names.items())
    program = f"{_HELPERS}\n{names}\ndef attack():\n{textwrap.indent(attack.body, '    ')}\n"
    return program + (f"\ndef trace():\n{textwrap.indent(attack.trace, '    ')}\n" if attack.trace else "")


def _connections(listener: socket.socket) -> int:
    """Return how many have connected to `listener` since it was last asked."""
    count = 0
    with contextlib.suppress(BlockingIOError):
        while True:
            listener.accept()[0].close()
            count += 1
    return count


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
    actual: str
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
                actual = result.actual if result.ok else f"{result.actual}: {result.detail}"
                yield Row(attack.name, str(result.attack.expected), actual, result.ok)
        for canary, hits in plants.reached().items():
            yield Row(f"canary: {canary}", "0 hits", f"{hits} hits", hits == 0)


def confirmed(level: Level, results: Sequence[Result]) -> Level:
    """Return what `results` leave of a claimed level: one below any that promised to contain what got through."""
    broken = [result.attack.since for result in results if not result.contained]
    return min([level, *(Level(needed - 1) for needed in broken)])


def may_try(attack: Attack, level: Level) -> bool:
    """Return whether to try `attack` at `level`: where nothing promises to stop it, only if it does no harm."""
    return attack.machine in {"", platform.machine()} and (attack.short or level >= attack.since)
