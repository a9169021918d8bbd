"""Lists attacks on the machine's resources: time, memory, output, limits."""

from __future__ import annotations

from sandbox.attacks.base import CONTAINED, Attack
from sandbox.base import Level, Verdict

_CPU, _MEMORY, _FLOOD = Verdict.CPU_LIMIT, Verdict.MEMORY, Verdict.LOG_FLOOD
_ANY = Level.RLIMITS

RESOURCES = (
    Attack(1, "endless loop", "while True: pass", _CPU, "used more than 1 s of CPU", since=_ANY, short=True),
    Attack(2, "loop in the linear algebra library", "a = np.ones((1500, 1500))\nwhile True: a @ a", _CPU, since=_ANY),
    Attack(3, "sleep", "import time\ntime.sleep(3600)", Verdict.TIMEOUT, "a call took longer than 3 s", since=_ANY),
    Attack(3, "wait for input", "import select\nselect.poll().poll()", Verdict.TIMEOUT, since=_ANY),
    Attack(
        4,
        "four threads",
        "import threading\ndef burn():\n    while True: a @ a\na = np.ones((300, 300))\n"
        "for _ in range(4): threading.Thread(target=burn).start()\nburn()",
        _CPU,
        since=_ANY,
    ),
    Attack(
        5,
        "loop that ignores signals",
        "import signal\nfor s in set(signal.Signals) - {9, 19}:\n"
        "    try: signal.signal(s, signal.SIG_IGN)\n    except (OSError, ValueError): pass\nwhile True: pass",
        _CPU,
        since=_ANY,
    ),
    Attack(6, "one large array", "return np.ones(10**10)", _MEMORY, "Unable to allocate", since=_ANY),
    Attack(
        6,
        "many small arrays",
        "x = []\nwhile True: x.append(np.ones(100_000))",
        _MEMORY,
        "program.py, line",
        since=_ANY,
        short=True,
    ),
    Attack(7, "list bomb", "x = [0]\nwhile True: x = x + x", _MEMORY, "MemoryError (program.py", since=_ANY),
    Attack(7, "string bomb", "x = 'a'\nwhile True: x += x", _MEMORY, "MemoryError", since=_ANY),
    Attack(8, "shared mapping bomb", "import mmap\nreturn bool(mmap.mmap(-1, 1 << 34))", _MEMORY, "Cannot allocate",
           since=_ANY),
    Attack(9, "memory file", "return through(os.memfd_create, 'x')", CONTAINED),
    Attack(10, "fill the shared memory of the machine", "return through(open, '/dev/shm/marker', 'wb')", CONTAINED),
    Attack(11, "fork", "return bool(os.fork() or os._exit(0))", Verdict.EXCEPTION, "PermissionError", short=True),
    Attack(11, "fork by system call", "return call(56, 220, 17, 0, 0, 0, 0) >= 0", CONTAINED),
    Attack(11, "vfork by system call", "return libc.syscall(58) >= 0", CONTAINED, machine="x86_64"),
    Attack(
        12,
        "thread bomb",
        "import threading\nforever = threading.Event()\n"
        "for _ in range(100_000): threading.Thread(target=forever.wait, daemon=True).start()\nreturn True",
        Verdict.EXCEPTION,
        "can't start new thread",
        since=_ANY,
    ),
    Attack(13, "descriptor bomb", "return through(lambda: [os.dup(0) for _ in range(10_000)])", CONTAINED, since=_ANY),
    Attack(14, "recursion", "def f(n): return f(n + 1)\nreturn f(0)", Verdict.EXCEPTION, "RecursionError", since=_ANY),
    Attack(
        14,
        "recursion without a limit",
        "import sys\nsys.setrecursionlimit(10**9)\ndef f():\n    x = bytes(1 << 20)\n    return f() or x\nreturn f()",
        _MEMORY,
        since=_ANY,
    ),
    Attack(
        15,
        "deeply nested list",
        "x = []\nfor _ in range(200_000): x = [x]\nreturn bool(repr(x))",
        Verdict.EXCEPTION,
        "RecursionError",
        since=_ANY,
    ),
    Attack(
        16,
        "colliding keys",
        "class Key:\n    def __hash__(self): return 1\nreturn bool({Key(): 1 for _ in range(10**6)})",
        _CPU,
        since=_ANY,
    ),
    Attack(17, "regular expression", "import re\nreturn bool(re.match('(a+)+$', 'a' * 40 + 'b'))", _CPU, since=_ANY),
    Attack(18, "uninterruptible product", "return float(len(str(7 ** 10**8)))", _CPU, since=_ANY),
    Attack(19, "log flood", "while True: print('x' * 100_000)", _FLOOD, "bytes", since=_ANY),
    Attack(20, "flood of the second stream", "while True: os.write(2, b'x' * 100_000)", _FLOOD, since=_ANY),
    Attack(21, "huge result", "return np.zeros(1 << 22)", Verdict.OUTPUT_LIMIT, "of shared memory", since=_ANY),
    Attack(23, "huge message", "raise ValueError('x' * (1 << 25))", Verdict.EXCEPTION, "ValueError: xxx", since=_ANY),
    Attack(
        24,
        "lift limits",
        "import resource\ntry: resource.setrlimit(resource.RLIMIT_CPU, (99, 99))\n"
        "except (OSError, ValueError): return False\nreturn True",
        CONTAINED,
    ),
    Attack(25, "other core", "return through(os.sched_setaffinity, 0, {0})", CONTAINED),
    Attack(25, "renice the parent", "return through(os.setpriority, os.PRIO_PROCESS, os.getppid(), 19)", CONTAINED),
)  # fmt: skip
