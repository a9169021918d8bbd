"""Lists attacks on other processes, on privileges, and on the confinement itself."""

from __future__ import annotations

from sandbox.attacks.base import CONTAINED, Attack
from sandbox.base import Verdict

_VIOLATION = Verdict.VIOLATION

PROCESSES = (
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
)
