"""Attacks on files and secrets: reading what is not theirs, leaving something for the next program."""

from __future__ import annotations

from sandbox.attacks.base import CONTAINED, OK, Attack
from sandbox.base import Level, Verdict

_ERROR = Verdict.EXCEPTION
_MARKERS = [f"{place}/evolve-marker" for place in ("/tmp", "/var/tmp", "/run", "/dev", "/dev/shm", "")]

FILES = (
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
)
