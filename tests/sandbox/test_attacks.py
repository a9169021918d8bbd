"""The attack table of the product against every kind of sandbox, and what its attacks cannot say themselves."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from sandbox.attacks import ATTACKS, CONTAINED, FAKING, SHORT, Attack
from sandbox.base import Level, Limits, Verdict
from sandbox.selfcheck import attempt

pytestmark = pytest.mark.slow

ACCEPTED = {69}
"""Rows that nothing stops: timing between programs that run at the same time."""

REACHING = [a for a in ATTACKS if a.expected in {Verdict.EXCEPTION, Verdict.VIOLATION, CONTAINED}]
"""Attacks that reach out, which an outer wall would stop once more; the others are about the child alone."""

NOBODY = 65534


def params(attacks):
    return pytest.mark.parametrize("attack", [pytest.param(a, id=f"{a.row} {a.name}") for a in attacks])


def verify(sandbox, plants, attack):
    if sandbox.level < attack.since:
        pytest.skip(f"needs {attack.since.label}, this machine gives {sandbox.level.label}")
    if attack.machine not in {"", platform.machine()}:
        pytest.skip(f"an attack on {attack.machine}")
    result = attempt(sandbox, attack, plants)
    assert result.ok, result
    assert len(result.detail) <= 2000
    assert not re.search(r"[\x00-\x08\x0b-\x1f]", result.detail)
    # Whatever happened, the next program finds a sandbox that works.
    assert attempt(sandbox, Attack(0, "none", "return False", CONTAINED), plants).ok


def test_every_row_of_the_list_is_attacked():
    assert {attack.row for attack in ATTACKS} == set(range(1, 72)) - ACCEPTED
    assert len({attack.name for attack in ATTACKS}) == len(ATTACKS)
    assert {attack.row for attack in SHORT} == {1, 6, 11, 26, 28, 30, 36, 42, 45, 46, 51}


@params(ATTACKS)
def test_with_namespaces(runner, plants, attack):
    verify(runner, plants, attack)


@params(REACHING)
def test_without_namespaces(bare, plants, attack):
    verify(bare, plants, attack)


@pytest.mark.docker
@pytest.mark.xdist_group("docker")
@params(ATTACKS)
def test_in_docker(container, plants, attack):
    verify(container, plants, attack)


@pytest.mark.docker
@pytest.mark.xdist_group("docker")
@params(ATTACKS)
def test_in_gvisor(gvisor, plants, attack):
    verify(gvisor, plants, attack)


@params(FAKING)
def test_over_a_stream(streamed, plants, attack):
    verify(streamed, plants, attack)


PROBE = "import sys; sys.path[:0] = {paths!r}; import numpy, sandbox.process; print('works')"
SUITE = """
import sys
sys.path[:0] = {paths!r}
import json
from sandbox.attacks import ATTACKS
from sandbox.process import ProcessSandbox
from sandbox.selfcheck import check_all
with ProcessSandbox(namespaces=False) as sandbox:
    rows = list(check_all(sandbox, [a for a in ATTACKS if a.name in {names!r}]))
print(json.dumps([sandbox.level.label, rows]))
"""


def as_nobody(python, code):
    options = {"user": NOBODY, "group": NOBODY, "extra_groups": [], "cwd": "/", "env": {}}
    try:
        return subprocess.run(
            [python, "-c", code], capture_output=True, text=True, check=False, **options
        ).stdout
    except PermissionError:
        return ""


def test_as_an_unprivileged_user_without_namespaces(request):
    """The attacks that reach out, in a process of its own whose user owns nothing here."""
    if os.geteuid() != 0:
        pytest.skip("only root may become another user")
    paths = [str(request.config.rootpath), str(Path(np.__path__[0]).parent)]
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    candidates = filter(None, [sys.executable, shutil.which(version), f"/usr/bin/{version}"])
    usable = [p for p in candidates if as_nobody(p, PROBE.format(paths=paths)) == "works\n"]
    if not usable:
        pytest.skip("nobody may run this interpreter or read this checkout")
    done = as_nobody(usable[0], SUITE.format(paths=paths, names={a.name for a in REACHING}))
    level, rows = json.loads(done)
    assert level == Level.KERNEL.label
    assert len(rows) >= len(REACHING)
    assert [row for row in rows if not row[3]] == []


def test_what_a_program_does_to_its_arrays_the_caller_does_not_see(runner):
    guest = "def start(program):\n    return {'step': lambda s, a: (program.step(*a),)}\n"
    program = "def step(x):\n    x.flags.writeable = True\n    x[:] = 7\n    return x\n"
    session = runner.open(guest, program, limits=Limits(cpu_s=2.0), shared_bytes=4096)
    mine = np.arange(3.0)
    (result,) = session.call("step", (), (mine,))
    session.close()
    assert mine.tolist() == [0.0, 1.0, 2.0]
    assert result.tolist() == [7.0, 7.0, 7.0]


def test_the_log_of_one_program_is_not_in_the_memory_of_the_next(runner, plants):
    """The runner keeps the log in memory that forks do not copy; the child's own copy is its only trace."""
    look = (
        "import gc, mmap\nneedle = bytes(reversed(b'-rekram-rekram'))\n"
        "for o in gc.get_objects() + [r for o in gc.get_objects() for r in gc.get_referents(o)]:\n"
        "    if isinstance(o, (mmap.mmap, bytes, bytearray)) and o is not needle:\n"
        "        try:\n            if needle in bytes(o[:100_000]): return True\n"
        "        except ValueError: pass\nreturn False"
    )
    leave = "print('-'.join(['mark' + 'er'] * 1000))\nreturn False"
    result = attempt(runner, Attack(68, "look for the log", leave, CONTAINED, trace=look), plants)
    assert result.ok, result


def test_arrays_of_the_session_before_are_gone(runner, plants):
    look = (
        "import gc\nfor o in gc.get_objects():\n    for r in gc.get_referents(o):\n"
        "        if type(r).__name__ == 'mmap' and np.float64(123456.75).tobytes() in r[:65536]:\n"
        "            return True\nreturn False"
    )
    result = attempt(
        runner, Attack(68, "look for arrays", "return np.full(1000, 123456.75)", "ok", trace=look), plants
    )
    assert result.ok, result


def test_all_programs_start_from_the_same_random_state(runner):
    guest = "def start(program):\n    return {'draw': lambda s, a: (program.draw(),)}\n"
    program = (
        "import random\nimport numpy as np\n"
        "def draw():\n    return np.array([np.random.rand() + random.random() + hash('word') % 1000])\n"
    )
    drawn = set()
    for _ in range(2):
        session = runner.open(guest, program, limits=Limits(cpu_s=2.0), shared_bytes=4096)
        drawn.add(float(session.call("draw")[0][0]))
        session.close()
    assert len(drawn) == 1
