"""A short attack suite through real sessions: what this sandbox contains on this machine.

Shown by ``evolve doctor``, and the ground for the level that is recorded with results: a sandbox that says
`Level.KERNEL` and lets one of these through is not what it says.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from sandbox.base import Level, Limits, Sandbox, SandboxFault, Verdict

_LIMITS = Limits(cpu_s=1.0, wall_s=20.0, call_wall_s=5.0, memory_mib=256)
_SECRET = "the planted secret"
_GUEST = """
import numpy as np

def start(program):
    return {"attack": lambda scalars, arrays: (np.array([float(bool(program.attack()))]),)}
"""


class Finding(NamedTuple):
    """What came of one attack."""

    attack: str
    contained: bool
    detail: str
    """How it ended, in words."""


class _Attack(NamedTuple):
    name: str
    body: str
    """Statements that return whether the attack got through; an exception means that it did not."""
    needs: Level = Level.KERNEL
    """The weakest level that contains it."""


_ATTACKS = (
    _Attack("endless loop", "while True: pass", Level.RLIMITS),
    _Attack("take all memory", "return len([bytearray(1 << 20) for _ in range(1 << 14)])", Level.RLIMITS),
    _Attack("read the environment", "import os; return os.environ", Level.RLIMITS),
    _Attack("read a secret file", "with open({secret!r}) as file: return file.read()"),
    _Attack("write a file", "open({marker!r}, 'w').close(); return True"),
    _Attack("open a socket", "import socket; socket.socket().close(); return True"),
    _Attack("start a process", "import os; return os.fork() or os._exit(0)"),
    _Attack("run a command", "import os; return os.posix_spawn('/bin/true', ['true'], {{}})"),
    _Attack("kill the parent", "import os; os.kill(os.getppid(), 0); return True"),
    _Attack(
        "trace the parent",
        "import ctypes, os; return ctypes.CDLL(None).ptrace(0x4206, os.getppid(), 0, 0) == 0",
    ),
    _Attack(
        "map executable memory",
        "import mmap; return mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)",
    ),
)


def check(sandbox: Sandbox) -> list[Finding]:
    """Attack `sandbox` and say what it contained; an attack beyond the claimed level is tried all the same.

    At `Level.NONE` nothing is tried: the attacks would hit this very process, and nothing would end them.

    Raises:
        SandboxFault: `SANDBOX_ERROR`, the sandbox itself failed.
    """
    if sandbox.level is Level.NONE:
        return [
            Finding(attack.name, False, "not tried: this process contains nothing") for attack in _ATTACKS
        ]
    with _planted() as names:
        return [_try(sandbox, attack, names) for attack in _ATTACKS]


def confirmed(level: Level, findings: list[Finding]) -> Level:
    """The level that `findings` leave of the claimed one: below any that should have contained what got through."""
    needs = {attack.name: attack.needs for attack in _ATTACKS}
    broken = [needs[finding.attack] for finding in findings if not finding.contained]
    return min([level, *(Level(needed - 1) for needed in broken)])


@contextlib.contextmanager
def _planted() -> Iterator[dict[str, str]]:
    """A secret file that anybody outside may read, and the place of one that no program may write."""
    with tempfile.TemporaryDirectory() as directory:
        secret = Path(directory) / "secret.txt"
        secret.write_text(_SECRET)
        yield {"secret": str(secret), "marker": str(Path(directory) / "marker.txt")}


def _try(sandbox: Sandbox, attack: _Attack, names: dict[str, str]) -> Finding:
    """Run one attack in a session of its own."""
    program = f"def attack():\n    {attack.body.format(**names)}\n"
    session = None
    try:
        session = sandbox.open(_GUEST, program, limits=_LIMITS, shared_bytes=4096)
        (got_through,) = session.call("attack")
        contained = not got_through[0]
        detail = "had no effect" if contained else "GOT THROUGH"
    except SandboxFault as fault:
        if fault.verdict is Verdict.SANDBOX_ERROR:
            raise
        contained = _SECRET not in fault.message
        detail = f"{fault.verdict}: {fault.message.partition(' (program.py')[0]}"
    finally:
        if session is not None:
            session.close()
    return Finding(attack.name, contained, detail)
