"""Lists the attacks that programs may try against a sandbox, each with the one verdict that it must end with.

One table serves three: the short check when a campaign starts (`sandbox.selfcheck`), ``evolve doctor --attack``,
and the tests. A new attack is a new row.
"""

from __future__ import annotations

from typing import NamedTuple

from sandbox.base import Level, Verdict

CONTAINED, OK, THROUGH = "contained", "ok", "GOT THROUGH"
"""How an attack ends whose session goes on: what it tried failed; it is of no consequence; it succeeded."""


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


_ANY = Level.RLIMITS
_BAD, _CRASH, _ERROR, _VIOLATION = Verdict.BAD_RESULT, Verdict.CRASH, Verdict.EXCEPTION, Verdict.VIOLATION
_CPU, _MEMORY, _FLOOD = Verdict.CPU_LIMIT, Verdict.MEMORY, Verdict.LOG_FLOOD
_MARKERS = [f"{place}/evolve-marker" for place in ("/tmp", "/var/tmp", "/run", "/dev", "/dev/shm", "")]

FAKING = (
    Attack(22, "forged giant", "import struct\nbody = bytes([0, 0, 1, 1, 2]) + struct.pack('<QQ', 2**40, 2**40)\n"
           "os.write(4, b'R' + struct.pack('<H', len(body)) + body)\nreturn True", Verdict.OUTPUT_LIMIT, since=_ANY),
    Attack(53, "kill itself by SIGSEGV", "os.kill(os.getpid(), 11)\nreturn True", _CRASH, "SIGSEGV", since=_ANY),
    Attack(53, "kill itself", "os.kill(os.getpid(), 9)\nreturn True", _CRASH, "SIGKILL", since=_ANY),
    Attack(53, "abort", "os.abort()", _CRASH, "SIGABRT", since=_ANY),
    Attack(53, "null pointer", "return bool(ctypes.string_at(0))", _CRASH, "SIGSEGV", since=_ANY),
    Attack(54, "exit as success", "os._exit(0)", Verdict.NO_RESULT, "exited with status 0", since=_ANY),
    Attack(54, "sys.exit", "import sys\nsys.exit(0)", _ERROR, "SystemExit: 0", since=_ANY),
    Attack(55, "act after returning", "import threading, time\n"
           "def later():\n    time.sleep(0.3)\n    os.write(4, b'nonsense')\n    open(MARKER, 'w')\n"
           "threading.Thread(target=later).start()\nreturn True", OK, since=_ANY),
    Attack(55, "act at the end", "import atexit\natexit.register(os.write, 4, b'nonsense')\nreturn True",
           OK, since=_ANY),
    Attack(56, "raise KeyboardInterrupt", "raise KeyboardInterrupt", _ERROR, "KeyboardInterrupt", since=_ANY),
    Attack(56, "error that cannot be shown", "class E(BaseException):\n    def __str__(self): raise self\nraise E",
           _ERROR, "its __str__ failed", since=_ANY),
    Attack(57, "forged result", "os.write(4, b'R\\x0d\\x00\\x00\\x00\\x01\\x01\\x01\\x01' + bytes(7))\n"
           "import time\ntime.sleep(9)", OK, since=_ANY),
    Attack(58, "forged nonsense", "os.write(4, b'nonsense')\nreturn True", _BAD, "token", since=_ANY),
    Attack(58, "forged type", "os.write(4, b'R\\x05\\x00\\x00\\x00\\x01\\x63\\x00')\nreturn True", _BAD, "dtype",
           since=_ANY),
    Attack(58, "forged dimensions", "os.write(4, b'R\\x05\\x00\\x00\\x00\\x01\\x01\\xff')\nreturn True", _BAD, "ndim",
           since=_ANY),
    Attack(58, "forged verdict", "os.write(4, b'E\\x01\\x00\\x09')\nreturn True", _BAD, "verdict", since=_ANY),
    Attack(58, "forged callback", "os.write(4, b'Q\\x04\\x00\\x01\\x00\\x00z')\nreturn True", _BAD, since=_ANY),
    Attack(58, "closed channel", "import time\nos.closerange(3, 99)\ntime.sleep(99)", Verdict.NO_RESULT, "closed its",
           since=_ANY),
    Attack(59, "print the protocol", "print('R\\x0d\\x00', {'status': 0, 'cpu_s': 0.0})\nreturn True", OK, since=_ANY),
    Attack(60, "write to the runner", "return through(os.write, 0, b'{}')", CONTAINED, since=_ANY),
    Attack(61, "array in disguise", "class A:\n    def __array__(self, *a, **k): return np.ones(1)\nreturn A()", _BAD,
           "expected a number or an array, got A", since=_ANY),
    Attack(61, "subclass of an array", "class A(np.ndarray):\n    def __eq__(self, other): return True\n"
           "return np.ones(1).view(A)", OK, since=_ANY),
    Attack(62, "object array", "return np.array([object()])", _BAD, "got object", since=_ANY),
    Attack(62, "no array", "return 'score'", _BAD, "expected a number or an array, got str", since=_ANY),
    Attack(63, "pickle as a result", "import pickle\nclass E:\n    def __reduce__(self): return open, (MARKER, 'w')\n"
           "return np.frombuffer(pickle.dumps(E()), np.uint8)", OK, since=_ANY),
    Attack(64, "patch numpy and modules",
           "import math, sys\nnp.sum = lambda *a: 42.0\nmath.mark = 1\nsys.modules['mark'] = math\nreturn True", OK,
           trace="import math, sys\nreturn np.sum(np.ones(2)) == 42 or hasattr(math, 'mark') or 'mark' in sys.modules",
           since=_ANY),
    Attack(65, "find the scorer", "import sys\nours = {'evaluators', 'evolve', 'results', 'seeds', 'pyspiel'}\n"
           "main = sys.modules.get('__main__')\n"
           "return any(m.split('.')[0] in ours for m in sys.modules) or hasattr(main, 'score')", CONTAINED, since=_ANY),
    Attack(66, "walk the frames", "import sys\nframe, seen = sys._getframe(), set()\n"
           "while frame: seen |= {type(v).__name__ for v in frame.f_locals.values()}; frame = frame.f_back\n"
           "return bool(seen & {'socket', 'Runner', 'Prepared', 'Log'})", CONTAINED, since=_ANY),
    Attack(66, "walk the heap", "import gc\n"
           "return any(isinstance(v, str) and v.startswith('sk-') and len(v) == 27\n"
           "           for o in gc.get_objects() if isinstance(o, dict) for v in list(o.values()))", CONTAINED,
           since=_ANY),
    Attack(70, "stop the clocks", "import time\nfor n in ('time', 'perf_counter', 'monotonic', 'process_time'):\n"
           "    setattr(time, n, lambda: 0.0)\nreturn True", OK, trace="import time\nreturn time.perf_counter() == 0.0",
           since=_ANY),
    Attack(71, "hook that resists", "import sys\ndef hook(*a): raise RuntimeError\nsys.addaudithook(hook)\n"
           "while True: pass", Verdict.CPU_LIMIT, since=_ANY),
)  # fmt: skip
"""Crashes, forged results, and tampering with what runs in their own process."""

ATTACKS: tuple[Attack, ...] = (
    # The machine's resources: time, memory, output, limits.
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
    # Files and secrets: reading what is not theirs, leaving something for the next program.
    Attack(26, "write a file", "return through(open, MARKER, 'w')", CONTAINED, short=True),
    Attack(
        26, "write to the home directory", "return through(open, HOME + '/.evolve-marker', 'x')", CONTAINED
    ),
    Attack(26, "write beside numpy", "return through(open, np.__path__[0] + '/marker', 'w')", CONTAINED),
    Attack(27, "remove a file", "return through(os.remove, np.__file__)", CONTAINED),
    Attack(27, "change a file's mode", "return through(os.chmod, np.__file__, 0o777)", CONTAINED),
    Attack(27, "change a file's times", "return through(os.utime, np.__file__, (1, 1))", CONTAINED),
    Attack(
        28,
        "read a secret file",
        "with open(SECRET) as file: return bool(file.read())",
        _ERROR,
        "Error: ",
        short=True,
    ),
    Attack(28, "read passwords", "return bool(open('/etc/passwd').read())", _ERROR, "Error: "),
    Attack(28, "list the home directory", "return through(os.listdir, HOME)", CONTAINED, in_gvisor=OK),
    Attack(28, "list the root", "return through(os.listdir, '/')", CONTAINED, in_gvisor=OK),
    Attack(
        28,
        "list the packages",
        "return through(os.listdir, os.path.dirname(np.__path__[0]))",
        CONTAINED,
        in_gvisor=OK,
    ),
    Attack(
        26,
        "leave a marker in a temporary directory",
        f"return any(through(open, name, 'x') for name in {_MARKERS})",
        CONTAINED,
        trace=f"return any(map(os.path.exists, {_MARKERS}))",
    ),
    Attack(
        29,
        "read by traversal",
        "return bool(open(os.path.dirname(os.__file__) + '/..' * 20 + SECRET).read())",
        _ERROR,
        "Error: ",
    ),
    Attack(30, "environment", "return bool(os.environ)", CONTAINED, since=Level.RLIMITS, short=True),
    Attack(
        30,
        "C environment",
        "e = ctypes.POINTER(ctypes.c_char_p).in_dll(libc, 'environ')\nreturn bool(e) and e[0] is not None",
        CONTAINED,
        since=Level.RLIMITS,
    ),
    Attack(
        30, "own environment", "return through(open, '/proc/self/environ', 'rb')", CONTAINED, in_gvisor=OK
    ),
    Attack(
        31,
        "environment of others",
        "return any(through(open, f'/proc/{p}/environ', 'rb') for p in [1, os.getppid(), *range(2, 500)])",
        CONTAINED,
        in_gvisor=OK,
    ),
    Attack(
        31,
        "key in an environment",
        "import pathlib\nfor p in ['self', os.getppid(), *range(1, 500)]:\n"
        "    try: found = pathlib.Path(f'/proc/{p}/environ').read_bytes()\n"
        "    except OSError: continue\n    if b'EVOLVE_CANARY_KEY' in found: return True\nreturn False",
        CONTAINED,
    ),
    Attack(32, "own memory as a file", "return through(open, '/proc/self/mem', 'rb')", CONTAINED),
    Attack(32, "own memory map", "return through(open, '/proc/self/maps')", CONTAINED, in_gvisor=OK),
    Attack(
        33,
        "inherited descriptors",
        "return any(through(os.fstat, n) for n in range(5, 4096))",
        CONTAINED,
        since=Level.RLIMITS,
    ),
    Attack(34, "make a device", "return through(os.mknod, MARKER, 0o60600, os.makedev(8, 0))", CONTAINED),
    Attack(35, "make a library", "return through(open, MARKER + '.so', 'wb')", CONTAINED),
    Attack(
        35, "import native code", "import _sqlite3", _ERROR, "module _sqlite3 is not available in the sandbox"
    ),
    Attack(68, "lock a file", "import fcntl\nreturn through(fcntl.flock, open(np.__file__), 6)", CONTAINED),
    Attack(68, "rename itself", "return through(open, '/proc/self/comm', 'w')", CONTAINED),
    Attack(
        67,
        "overwrite the shared memory",
        "import gc, mmap\nfor o in gc.get_objects():\n    for r in gc.get_referents(o):\n"
        "        if isinstance(r, mmap.mmap):\n            r[:8] = np.float64(123456.75).tobytes()\nreturn True",
        OK,
        trace="import gc, mmap\nneedle = np.float64(123456.75).tobytes()\n"
        "return any(isinstance(r, mmap.mmap) and needle in r[:65536]\n"
        "           for o in gc.get_objects() for r in gc.get_referents(o))",
    ),
    Attack(
        66, "import the games", "import pyspiel", _ERROR, "module pyspiel is not available in the sandbox"
    ),
    *(
        Attack(
            66, f"import {name}", f"import {name}", _ERROR, f"module {name} is not available in the sandbox"
        )
        for name in ("evaluators", "evolve", "results", "sandbox", "seeds")
    ),
    Attack(
        66,
        "import by path",
        "import sys\nsys.path += [os.path.dirname(np.__path__[0]), ROOT]\nimport evaluators",
        _ERROR,
        "module evaluators is not available in the sandbox",
    ),
    Attack(
        66,
        "import other packages",
        "import sys\nsys.path.insert(0, os.path.dirname(np.__path__[0]))\nimport sqlalchemy",
        _ERROR,
        "module sqlalchemy is not available in the sandbox",
    ),
    # The network and other processes; planted listeners count what reaches them.
    Attack(36, "open a socket", "import socket\nreturn through(socket.socket)", CONTAINED, short=True),
    Attack(36, "socket by system call", "return libc.socket(2, 1, 0) >= 0", CONTAINED),
    Attack(
        36,
        "connect over loopback",
        "import socket\nreturn through(socket.create_connection, ('127.0.0.1', PORT), 1)",
        CONTAINED,
    ),
    Attack(
        37,
        "connect to a socket in the file system",
        "import socket\nreturn through(lambda: socket.socket(socket.AF_UNIX).connect(SOCKET))",
        CONTAINED,
    ),
    Attack(
        37,
        "connect to Docker",
        "import socket\nreturn through(lambda: socket.socket(socket.AF_UNIX).connect('/var/run/docker.sock'))",
        CONTAINED,
    ),
    Attack(
        38,
        "connect to an abstract socket",
        "import socket\nreturn through(lambda: socket.socket(socket.AF_UNIX).connect(ABSTRACT))",
        CONTAINED,
    ),
    Attack(38, "socket pair", "import socket\nreturn through(socket.socketpair)", CONTAINED),
    Attack(39, "shared segment", "return libc.shmget(1, 4096, 0o1600) >= 0", CONTAINED),
    Attack(39, "named shared memory", "return libc.shm_open(b'/marker', 66, 0o600) >= 0", CONTAINED),
    Attack(39, "message queue", "return call(240, 180, b'marker', 66, 0o600, 0) >= 0", CONTAINED),
    Attack(39, "keyring", "call(250, 219, 0, 0, 0)", Verdict.VIOLATION, "no program needs"),
    Attack(40, "asynchronous calls", "call(425, 425, 1, 0)", Verdict.VIOLATION),
    Attack(
        41,
        "ask for an address",
        "import socket\nreturn through(socket.getaddrinfo, 'example.org', 80)",
        CONTAINED,
    ),
    # Other processes, privileges, and the confinement itself.
    Attack(42, "kill the parent", "return through(os.kill, os.getppid(), 9)", CONTAINED),
    Attack(
        42, "ask whether the parent lives", "return through(os.kill, os.getppid(), 0)", CONTAINED, short=True
    ),
    Attack(42, "kill everybody", "return through(os.kill, -1, 9)", CONTAINED),
    Attack(42, "kill the group", "return through(os.killpg, 0, 9)", CONTAINED),
    Attack(42, "signal a thread", "return call(200, 130, os.getppid(), 9) == 0", CONTAINED),
    Attack(
        42,
        "signal a thread of the parent",
        "return call(234, 131, os.getppid(), os.getppid(), 9) == 0",
        CONTAINED,
    ),
    Attack(
        42,
        "queue a signal",
        "return call(129, 138, os.getppid(), 9, ctypes.create_string_buffer(128)) == 0",
        CONTAINED,
    ),
    Attack(43, "handle of a process", "return through(os.pidfd_open, os.getppid())", CONTAINED),
    Attack(44, "stop the parent", "return through(os.kill, os.getppid(), 19)", CONTAINED),
    Attack(
        45, "trace the parent", "return libc.ptrace(0x4206, os.getppid(), 0, 0) == 0", _VIOLATION, short=True
    ),
    Attack(45, "attach to the parent", "return libc.ptrace(16, os.getppid(), 0, 0) == 0", _VIOLATION),
    Attack(
        45,
        "read another's memory",
        "libc.process_vm_readv(os.getppid(), 0, 0, 0, 0, 0)",
        _VIOLATION,
        "no program needs",
    ),
    Attack(46, "exec", "return through(os.execv, '/bin/sh', ['sh'])", CONTAINED),
    Attack(
        46,
        "run a command",
        "return through(os.posix_spawn, '/bin/true', ['true'], {})",
        CONTAINED,
        short=True,
    ),
    Attack(46, "system", "return os.system('true') == 0", CONTAINED),
    Attack(46, "subprocess", "import subprocess\nsubprocess.run(['/bin/true'])", Verdict.EXCEPTION),
    Attack(47, "become root", "return through(os.setuid, 0)", CONTAINED),
    Attack(48, "new namespace", "libc.unshare(0x10000000)", _VIOLATION),
    Attack(48, "enter a namespace", "libc.setns(0, 0)", _VIOLATION),
    Attack(48, "mount", "libc.mount(0, 0, 0, 0, 0)", _VIOLATION),
    Attack(48, "change the root", "libc.chroot(b'/')", _VIOLATION),
    Attack(48, "kernel programs", "call(321, 280, 0, 0, 0)", _VIOLATION),
    Attack(48, "page faults by hand", "call(323, 282, 0)", _VIOLATION),
    Attack(48, "performance counters", "call(298, 241, 0, 0, 0, 0, 0)", _VIOLATION),
    Attack(
        49,
        "another filter",
        "return call(317, 277, 1, 0, 0) == 0 or libc.prctl(22, 2, 0, 0, 0) == 0",
        CONTAINED,
    ),
    Attack(49, "outlive the parent", "return libc.prctl(1, 0, 0, 0, 0) == 0", CONTAINED),
    Attack(49, "become dumpable", "return libc.prctl(4, 1, 0, 0, 0) == 0", CONTAINED),
    Attack(50, "x32 call number", "libc.syscall(0x40000000 + 39)", _VIOLATION, machine="x86_64"),
    Attack(
        51,
        "executable mapping",
        "import mmap\nreturn through(lambda: mmap.mmap(-1, 4096, prot=7))",
        CONTAINED,
        short=True,
    ),
    Attack(
        51,
        "make memory executable",
        "b = ctypes.create_string_buffer(8192)\nat = (ctypes.addressof(b) + 4095) & ~4095\n"
        "return libc.mprotect(ctypes.c_void_p(at), 4096, 7) == 0",
        CONTAINED,
    ),
    Attack(
        52,
        "another interpreter",
        "try: import _interpreters as api\nexcept ImportError: import _xxsubinterpreters as api\n"
        "run = getattr(api, 'exec', None) or api.run_string\n"
        "if run(api.create(), 'import os; os.fork()') is not None: raise OSError('it was refused there too')\n"
        "return True",
        Verdict.EXCEPTION,
    ),
    *FAKING,
)  # fmt: skip
SHORT: tuple[Attack, ...] = tuple(attack for attack in ATTACKS if attack.short)
