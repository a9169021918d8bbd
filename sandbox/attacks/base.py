"""Defines what an attack is, plants what attacks look for, and tries them."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import tempfile
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from sandbox.base import Level, Limits, Sandbox, SandboxFault, Verdict

_AMPLE = Limits(cpu_s=20.0, wall_s=120.0, call_wall_s=60.0, memory_mib=256)
"""Little memory, and more time than any attack needs on a slow or loaded machine, unless it is to run out of that."""
_LIMITS: dict[str, Limits] = {
    Verdict.CPU_LIMIT: replace(_AMPLE, cpu_s=1.0),
    Verdict.TIMEOUT: replace(_AMPLE, wall_s=8.0, call_wall_s=3.0),
}

CONTAINED, OK, THROUGH = "contained", "ok", "GOT THROUGH"
"""How an attack ends whose session goes on: what it tried failed; it is of no consequence; it succeeded."""

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
        came = action(*arguments)
    except OSError:
        return False
    getattr(came, "close", int)()
    return True

def call(x86, arm, *arguments):
    return libc.syscall(arm if ARM else x86, *arguments)
"""
"""Put before every attack: the C library, system calls by number, and a test whether something was refused."""


class Attack(NamedTuple):
    """One thing that a program may try."""

    row: int
    """Its number in the list of attacks in ``docs/sandbox_levels.md``; a number may have several."""
    name: str
    body: str
    """Statements that return whether the attack got through."""
    expected: str
    """A verdict, `CONTAINED` or `OK`."""
    message: str = ""
    """What the fault's message contains."""
    since: Level = Level.KERNEL
    """The weakest level that promises this. Below it an attack is tried only if it is `short`."""
    short: bool = False
    """Whether it belongs to the check at every start; such an attack does no harm where it succeeds."""
    trace: str = ""
    """Statements that return, in the session after, whether the attack left something behind."""
    machine: str = ""
    """The only machine that it makes sense on."""
    in_gvisor: str = ""
    """What it ends with there, where that differs: files of the image may be read, which hold nothing secret."""

    def at(self, level: Level) -> Attack:
        """Return this attack with what is expected of it at `level`."""
        return self._replace(expected=self.in_gvisor) if self.in_gvisor and level is Level.GVISOR else self


class Result(NamedTuple):
    """What came of one attack."""

    attack: Attack
    came: str
    """A verdict, `CONTAINED`, `OK` or `THROUGH`."""
    detail: str
    """The fault's message, or what it left behind."""

    @property
    def ok(self) -> bool:
        """Return whether this is what was expected, to the letter."""
        return self.came == self.attack.expected and self.attack.message in self.detail

    @property
    def contained(self) -> bool:
        """Return whether the sandbox held, whatever the verdict."""
        return self.came != THROUGH


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
            "ROOT": str(Path(__file__).resolve().parents[2]),
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
    came, detail = _run(sandbox, attack, "run", plants)
    if attack.trace:
        left, fault = _run(sandbox, attack, "trace", plants)
        if left != CONTAINED:
            return Result(attack, THROUGH, f"left a trace: {fault or left}")
    if plants.secret in detail:
        return Result(attack, THROUGH, "the secret is in its message")
    return Result(attack, came, detail)


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
