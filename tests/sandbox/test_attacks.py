"""Attacks, each with its one expected verdict.

An attack is the body of ``attack()``. It returns True when it got through, False when the sandbox contained it;
otherwise the session ends with the verdict in the table.
"""

from __future__ import annotations

import os
import re
import textwrap

import pytest

from sandbox.base import Level, Limits, SandboxFault, Verdict
from sandbox.process import ProcessSandbox

GUEST = """
import numpy as np

def start(program):
    def run(scalars, arrays):
        value = program.attack()
        if isinstance(value, (bool, float)):
            value = np.array([float(value)])
        if not isinstance(value, np.ndarray):
            raise BadResult(f"attack: expected a number or an array, got {type(value).__name__}")
        return (value,)
    return {"run": run}
"""
CONTAINED = "contained"
LIMITS = Limits(cpu_s=0.5, wall_s=8.0, call_wall_s=3.0, memory_mib=256)

LIBC = "import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\n"
REFUSED = "try:\n    {}\nexcept OSError:\n    return False\nreturn True\n"


def refused(statement: str) -> str:
    return REFUSED.format(statement)


# name, attack, expected verdict or CONTAINED, text that the message must have
ATTACKS = [
    ("endless loop", "while True: pass", Verdict.CPU_LIMIT, "used more than 0.5 s of CPU"),
    (
        "loop that ignores signals",
        "import signal\nfor s in set(signal.Signals) - {9, 19}:\n"
        "    try: signal.signal(s, signal.SIG_IGN)\n    except (OSError, ValueError): pass\n"
        "while True: pass",
        Verdict.CPU_LIMIT,
        "",
    ),
    (
        "four threads",
        "import threading\ndef burn():\n    while True: a @ a\na = np.ones((300, 300))\n"
        "for _ in range(4): threading.Thread(target=burn).start()\nburn()",
        Verdict.CPU_LIMIT,
        "",
    ),
    ("uninterruptible product", "return float(len(str(7 ** 10**8)))", Verdict.CPU_LIMIT, ""),
    ("regular expression", "import re\nreturn bool(re.match('(a+)+$', 'a' * 40 + 'b'))", Verdict.CPU_LIMIT, ""),
    ("sleep", "import time\ntime.sleep(3600)", Verdict.TIMEOUT, "a call took longer than 3 s"),
    ("wait for input", "import select\nselect.poll().poll()", Verdict.TIMEOUT, ""),
    ("numpy memory bomb", "return np.ones(10**10)", Verdict.MEMORY, "Unable to allocate"),
    ("many small arrays", "x = []\nwhile True: x.append(np.ones(100_000))", Verdict.MEMORY, "program.py, line"),
    ("list bomb", "x = [0]\nwhile True: x = x + x", Verdict.MEMORY, "MemoryError (program.py"),
    ("string bomb", "x = 'a'\nwhile True: x += x", Verdict.MEMORY, "MemoryError"),
    ("shared mapping bomb", "import mmap\nreturn bool(mmap.mmap(-1, 1 << 34))", Verdict.MEMORY, "Cannot allocate"),
    ("kill itself by SIGSEGV", "import os\nos.kill(os.getpid(), 11)\nreturn True", Verdict.CRASH, "SIGSEGV"),
    ("kill itself", "import os\nos.kill(os.getpid(), 9)\nreturn True", Verdict.CRASH, "SIGKILL"),
    ("abort", "import os\nos.abort()", Verdict.CRASH, "SIGABRT"),
    ("null pointer", "import ctypes\nreturn bool(ctypes.string_at(0))", Verdict.CRASH, "SIGSEGV"),
    ("exit as success", "import os\nos._exit(0)", Verdict.NO_RESULT, "exited with status 0"),
    ("closed channel", "import os, time\nos.closerange(3, 99)\ntime.sleep(99)", Verdict.NO_RESULT, "closed its"),
    ("sys.exit", "import sys\nsys.exit(0)", Verdict.EXCEPTION, "SystemExit: 0"),
    ("recursion", "def f(n): return f(n + 1)\nreturn f(0)", Verdict.EXCEPTION, "RecursionError"),
    ("object array", "return np.array([object()])", Verdict.BAD_RESULT, "got object"),
    ("no array", "return 'score'", Verdict.BAD_RESULT, "expected a number or an array, got str"),
    ("huge result", "return np.zeros(1 << 22)", Verdict.OUTPUT_LIMIT, "of shared memory"),
    ("huge message", "raise ValueError('x' * (1 << 27))", Verdict.EXCEPTION, "ValueError: xxx"),
    ("log flood", "while True: print('x' * 100_000)", Verdict.LOG_FLOOD, "bytes"),
    ("flood of the second stream", "import os\nwhile True: os.write(2, b'x' * 100_000)", Verdict.LOG_FLOOD, ""),
    ("forged nonsense", "import os\nos.write(4, b'nonsense')\nreturn True", Verdict.BAD_RESULT, "token"),
    (
        "forged giant",
        "import os, struct\nbody = bytes([0, 0, 1, 1, 2]) + struct.pack('<QQ', 2**40, 2**40)\n"
        "os.write(4, b'R' + struct.pack('<H', len(body)) + body)\nreturn True",
        Verdict.OUTPUT_LIMIT,
        "",
    ),
    ("forged verdict", "import os\nos.write(4, b'E\\x01\\x00\\x09')\nreturn True", Verdict.BAD_RESULT, "verdict"),
    ("forged callback", "import os\nos.write(4, b'Q\\x04\\x00\\x01\\x00\\x00z')\nreturn True", Verdict.BAD_RESULT, ""),
    ("read a file", "return bool(open({secret!r}).read())", Verdict.EXCEPTION, "Error: "),
    ("read by traversal", "import math, os\nreturn bool(open(os.__file__ + '/../../../../../../../../../../..'"
     " + {secret!r}).read())", Verdict.EXCEPTION, "Error: "),
    ("read passwords", "return bool(open('/etc/passwd').read())", Verdict.EXCEPTION, "Error: "),
    ("list the root", refused("import os; os.listdir('/')"), CONTAINED, ""),
    ("list the packages", refused("import os; os.listdir(os.path.dirname(np.__path__[0]))"), CONTAINED, ""),
    ("read own memory", refused("open('/proc/self/mem', 'rb')"), CONTAINED, ""),
    ("read environment of others", refused("open('/proc/1/environ', 'rb')"), CONTAINED, ""),
    ("environment", "import os\nreturn bool(os.environ)", CONTAINED, ""),
    ("C environment", LIBC + "e = ctypes.POINTER(ctypes.c_char_p).in_dll(libc, 'environ')\n"
     "return bool(e) and e[0] is not None", CONTAINED, ""),
    ("write a file", refused("open('/tmp/marker', 'w')"), CONTAINED, ""),
    ("write beside numpy", refused("open(np.__path__[0] + '/marker', 'w')"), CONTAINED, ""),
    ("remove a file", refused("import os; os.remove(np.__file__)"), CONTAINED, ""),
    ("make a device", refused("import os; os.mknod('/tmp/sda', 0o60600, os.makedev(8, 0))"), CONTAINED, ""),
    ("inherited descriptors", "import os\nfor n in range(5, 4096):\n    try: os.fstat(n)\n"
     "    except OSError: continue\n    return True\nreturn False", CONTAINED, ""),
    ("socket", "import socket\nsocket.socket()", Verdict.EXCEPTION, "PermissionError"),
    ("socket pair", refused("import socket; socket.socketpair()"), CONTAINED, ""),
    ("socket by system call", LIBC + "return libc.socket(2, 1, 0) >= 0", CONTAINED, ""),
    ("fork", refused("import os; os.fork()"), CONTAINED, ""),
    ("vfork by system call", LIBC + "return libc.syscall(58) >= 0", CONTAINED, ""),
    ("exec", refused("import os; os.execv('/bin/sh', ['sh'])"), CONTAINED, ""),
    ("system", "import os\nreturn os.system('true') == 0", CONTAINED, ""),
    ("kill the parent", refused("import os; os.kill(os.getppid(), 9)"), CONTAINED, ""),
    ("stop the parent", refused("import os; os.kill(os.getppid(), 19)"), CONTAINED, ""),
    ("kill everybody", refused("import os; os.kill(-1, 9)"), CONTAINED, ""),
    ("kill the group", refused("import os; os.killpg(0, 9)"), CONTAINED, ""),
    ("signal a thread", LIBC + "import os\nreturn libc.syscall(200, os.getppid(), 9) == 0", CONTAINED, ""),
    ("handle of a process", refused("import os; os.pidfd_open(os.getppid())"), CONTAINED, ""),
    ("trace the parent", LIBC + "import os\nreturn libc.ptrace(16, os.getppid(), 0, 0) == 0", Verdict.VIOLATION, ""),
    ("read another's memory", LIBC + "import os\nlibc.process_vm_readv(os.getppid(), 0, 0, 0, 0, 0)",
     Verdict.VIOLATION, "no program needs"),
    ("new namespace", LIBC + "libc.unshare(0x10000000)", Verdict.VIOLATION, ""),
    ("mount", LIBC + "libc.mount(0, 0, 0, 0, 0)", Verdict.VIOLATION, ""),
    ("keyring", LIBC + "libc.syscall(250, 0, 0, 0)", Verdict.VIOLATION, ""),
    ("asynchronous calls", LIBC + "libc.syscall(425, 1, 0)", Verdict.VIOLATION, ""),
    ("x32 call number", LIBC + "libc.syscall(0x40000000 + 39)", Verdict.VIOLATION, ""),
    ("executable mapping", LIBC + "libc.mmap.restype = ctypes.c_void_p\n"
     "return libc.mmap(0, 4096, 7, 0x22, -1, 0) != ctypes.c_void_p(-1).value", CONTAINED, ""),
    ("make memory executable", LIBC + "b = ctypes.create_string_buffer(8192)\n"
     "at = (ctypes.addressof(b) + 4095) & ~4095\nreturn libc.mprotect(ctypes.c_void_p(at), 4096, 7) == 0",
     CONTAINED, ""),
    ("shared segment", LIBC + "return libc.shmget(1, 4096, 0o1600) >= 0", CONTAINED, ""),
    ("memory file", refused("import os; os.memfd_create('x')"), CONTAINED, ""),
    ("lift limits", "import resource\ntry: resource.setrlimit(resource.RLIMIT_CPU, (99, 99))\n"
     "except (OSError, ValueError): return False\nreturn True", CONTAINED, ""),
    ("other core", refused("import os; os.sched_setaffinity(0, {{0}})"), CONTAINED, ""),
    ("renice", refused("import os; os.setpriority(os.PRIO_PROCESS, os.getppid(), 19)"), CONTAINED, ""),
    ("become root", refused("import os; os.setuid(0)"), CONTAINED, ""),
    ("outlive the parent", LIBC + "return libc.prctl(1, 0, 0, 0, 0) == 0", CONTAINED, ""),
    ("become dumpable", LIBC + "return libc.prctl(4, 1, 0, 0, 0) == 0", CONTAINED, ""),
    ("import the games", "import pyspiel", Verdict.EXCEPTION, "module pyspiel is not available in the sandbox"),
    ("import the evaluators", "import evaluators", Verdict.EXCEPTION, "module evaluators is not available"),
    ("import the engine", "import evolve", Verdict.EXCEPTION, "module evolve is not available in the sandbox"),
    ("import the results", "import results", Verdict.EXCEPTION, "module results is not available in the sandbox"),
    ("import the sandbox", "import sandbox", Verdict.EXCEPTION, "module sandbox is not available in the sandbox"),
    ("import by path", "import os, sys\nsys.path += [os.path.dirname(np.__path__[0]), {root!r}]\n"
     "import evaluators", Verdict.EXCEPTION, "module evaluators is not available in the sandbox"),
    ("import other packages", "import os, sys\nsys.path.insert(0, os.path.dirname(np.__path__[0]))\nimport scipy",
     Verdict.EXCEPTION, "module scipy is not available in the sandbox"),
    ("import native code", "import _sqlite3", Verdict.EXCEPTION, "module _sqlite3 is not available in the sandbox"),
    ("walk the frames", "import sys\nframe, seen = sys._getframe(), set()\n"
     "while frame: seen |= {type(v).__name__ for v in frame.f_locals.values()}; frame = frame.f_back\n"
     "return bool(seen & {'socket', 'Runner', 'Prepared', 'Log'})", CONTAINED, ""),
    ("walk the heap", "import gc\nfound = [o for o in gc.get_objects() if isinstance(o, dict)]\n"
     "needle = ''.join(reversed('revird eht ni detnalp'))\n"
     "return any(isinstance(v, str) and v == needle and v is not needle for d in found for v in list(d.values()))",
     CONTAINED, ""),
]  # fmt: skip

PLANTED = "planted in the driver"


def run(sandbox, body: str, **names) -> float | SandboxFault:
    """1.0 when the attack got through, 0.0 when it was contained, or the fault that it ended with."""
    for name, value in names.items():
        body = body.replace(f"{{{name}!r}}", repr(value))
    program = "import numpy as np\ndef attack():\n" + textwrap.indent(
        body.replace("{{", "{").replace("}}", "}"), "    "
    )
    session = sandbox.open(GUEST, program, limits=LIMITS, shared_bytes=1 << 16)
    try:
        (result,) = session.call("run")
        return float(result[0])
    except SandboxFault as fault:
        return fault
    finally:
        session.close()


@pytest.fixture(scope="module")
def secret(tmp_path_factory):
    path = tmp_path_factory.mktemp("secret") / "key.txt"
    path.write_text("sk-the-planted-key")
    return str(path)


@pytest.fixture(scope="module")
def bare():
    """As where the kernel refuses namespaces: only the first wall stands."""
    with ProcessSandbox(namespaces=False) as sandbox:
        yield sandbox


def verify(sandbox, root, secret, body, expected, message):
    if sandbox.level < Level.KERNEL:
        pytest.skip(f"needs Landlock and seccomp, this kernel gives {sandbox.level.label}")
    if "syscall" in body and os.uname().machine != "x86_64":
        pytest.skip("system call numbers of x86-64")
    outcome = run(sandbox, body, secret=secret, root=str(root))
    if expected == CONTAINED:
        assert outcome == 0.0, outcome
    else:
        assert isinstance(outcome, SandboxFault), f"got through with {outcome}"
        assert outcome.verdict is expected, outcome
        assert message in outcome.message
        assert "sk-the-planted-key" not in outcome.message
        assert len(outcome.message) <= 2000
        assert not re.search(r"[\x00-\x08\x0b-\x1f]", outcome.message)
    # Whatever happened, the next program finds a sandbox that works.
    assert run(sandbox, "return 2.5") == 2.5


@pytest.mark.parametrize(("name", "body", "expected", "message"), ATTACKS, ids=[a[0] for a in ATTACKS])
def test_attack(runner, secret, request, name, body, expected, message):
    verify(runner, request.config.rootpath, secret, body, expected, message)


REACHING = [a for a in ATTACKS if a[2] in {Verdict.EXCEPTION, Verdict.VIOLATION, CONTAINED}]
"""Attacks that reach out, which namespaces would stop once more; the others are about the child alone."""


@pytest.mark.parametrize(("name", "body", "expected", "message"), REACHING, ids=[a[0] for a in REACHING])
def test_attack_without_namespaces(bare, secret, request, name, body, expected, message):
    verify(bare, request.config.rootpath, secret, body, expected, message)


def test_patches_do_not_reach_the_next_program(runner):
    patch = (
        "import sys, math\nnp.sum = lambda *a: 42.0\nmath.mark = 1\nsys.modules['mark'] = math\nreturn 1.0"
    )
    look = "import sys, math\nreturn float(np.sum(np.ones(2)) == 42 or hasattr(math, 'mark') or 'mark' in sys.modules)"
    assert run(runner, patch) == 1.0
    assert run(runner, look) == 0.0


def test_the_log_of_one_program_is_not_in_the_memory_of_the_next(runner):
    """The runner keeps the log in memory that forks do not copy; the child's own copy is its only trace."""
    run(runner, "print('marker-' * 1000)\nreturn 1.0")
    look = (
        "import gc, mmap\nneedle = bytes(reversed(b'-rekram-rekram'))\n"
        "for o in gc.get_objects() + [r for o in gc.get_objects() for r in gc.get_referents(o)]:\n"
        "    if isinstance(o, (mmap.mmap, bytes, bytearray)) and o is not needle:\n"
        "        try:\n            if needle in bytes(o[:100_000]): return True\n"
        "        except ValueError: pass\nreturn False"
    )
    assert run(runner, look) == 0.0


def test_all_programs_start_from_the_same_random_state(runner):
    draw = "import random\nreturn float(np.random.rand() + random.random() + hash('word') % 1000)"
    first = run(runner, draw)
    assert first == run(runner, draw)


def test_arrays_of_the_session_before_are_gone(runner):
    leave = "import time\nreturn np.full(1000, 123456.75)"
    run(runner, leave)
    look = (
        "import gc\nfor o in gc.get_objects():\n"
        "    for r in gc.get_referents(o):\n"
        "        if type(r).__name__ == 'mmap' and np.float64(123456.75).tobytes() in r[:65536]:\n"
        "            return True\nreturn False"
    )
    assert run(runner, look) == 0.0
