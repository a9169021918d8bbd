"""Builds a seccomp filter of the system calls that a program may make (x86-64 and aarch64).

Three answers: *allow* what numpy and pure Python need, some of it only with harmless arguments; *kill* what
only an attack uses (the verdict is ``violation``, which nothing inside can hide); refuse everything else with
EPERM, which Python shows as a readable PermissionError. Nothing may be mapped executable any more, so
whatever native code a program uses was loaded before.
"""

from __future__ import annotations

import platform
import struct
from collections.abc import Mapping, Sequence

_LOAD, _JUMP_EQUAL, _JUMP_GREATER_EQUAL, _JUMP_SET, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER_AT, _ARCH_AT, _ARGUMENTS_AT = 0, 4, 16
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_EPERM, _ENOSYS = 1, 38
_X32_BIT = 0x40000000

NOBODY = 0x7FFFFFFF
"""A process id that no process has."""

_GROUP = 12
"""About the root of how many numbers there are; a jump over a group must not exceed 255 instructions."""

PROT_EXEC = 4
_FOR_WRITING = 0o1103
"""O_WRONLY, O_RDWR, O_CREAT and O_TRUNC: the same on both machines."""

_CLONE_THREAD = 0x00010000
_CLONE_NEW_ANYTHING = 0x7E020080
_PRCTL = {"PR_SET_NAME": 15, "PR_GET_NAME": 16, "PR_SET_VMA": 0x53564D41}
_IOCTL = {"TCGETS": 0x5401, "TIOCGWINSZ": 0x5413, "FIONREAD": 0x541B, "FIONBIO": 0x5421, "FIOCLEX": 0x5451}
_FCNTL = {"F_DUPFD": 0, "F_GETFD": 1, "F_SETFD": 2, "F_GETFL": 3, "F_SETFL": 4, "F_DUPFD_CLOEXEC": 1030}

# name, number on x86-64, number on aarch64 ("-": there is none).
_ALLOWED = """
read 0 63                 write 1 64                readv 19 65               writev 20 66
pread64 17 67             close 3 57                fstat 5 80                newfstatat 262 79
statx 332 291             lseek 8 62
stat 4 -                  lstat 6 -                 access 21 -               faccessat 269 48
faccessat2 439 439        getdents 78 -             getdents64 217 61         readlink 89 -
readlinkat 267 78         getcwd 79 17              dup 32 23                 dup2 33 -
dup3 292 24               close_range 436 436       poll 7 -                  ppoll 271 73
select 23 -               pselect6 270 72           munmap 11 215             mremap 25 216
madvise 28 233            mincore 27 232            brk 12 214                futex 202 98
futex_waitv 449 449       set_robust_list 273 99    get_robust_list 274 100   rseq 334 293
membarrier 324 283        sched_yield 24 124        sched_getaffinity 204 123 getcpu 309 168
set_tid_address 218 96    rt_sigaction 13 134       rt_sigprocmask 14 135     rt_sigreturn 15 139
rt_sigpending 127 136     rt_sigtimedwait 128 137   rt_sigsuspend 130 133     sigaltstack 131 132
pause 34 -                restart_syscall 219 128   getrandom 318 278         clock_gettime 228 113
clock_getres 229 114      clock_nanosleep 230 115   nanosleep 35 101          gettimeofday 96 169
time 201 -                times 100 153             getrusage 98 165          getrlimit 97 163
sysinfo 99 179            uname 63 160              getpid 39 172             gettid 186 178
getppid 110 173           getpgrp 111 -             getpgid 121 155           getsid 124 156
getuid 102 174            geteuid 107 175           getgid 104 176            getegid 108 177
getgroups 115 158         exit 60 93                exit_group 231 94
"""
_KILLED = """
ptrace 101 117            process_vm_readv 310 270  process_vm_writev 311 271 bpf 321 280
userfaultfd 323 282       io_uring_setup 425 425    io_uring_enter 426 426    io_uring_register 427 427
perf_event_open 298 241   mount 165 40              umount2 166 39            unshare 272 97
setns 308 268             keyctl 250 219            add_key 248 217           request_key 249 218
pivot_root 155 41         chroot 161 51             init_module 175 105       finit_module 313 273
delete_module 176 106     kexec_load 246 104        kexec_file_load 320 294   pidfd_getfd 438 438
process_madvise 440 440   open_by_handle_at 304 265 fsopen 430 430            fsconfig 431 431
fsmount 432 432           move_mount 429 429        open_tree 428 428         mount_setattr 442 442
swapon 167 224            swapoff 168 225           reboot 169 142            acct 163 89
quotactl 179 60           modify_ldt 154 -          iopl 172 -                ioperm 173 -
"""
_CONDITIONAL = """
clone 56 220              clone3 435 435            mmap 9 222                mprotect 10 226
prctl 157 167             prlimit64 302 261         kill 62 129               tgkill 234 131
ioctl 16 29               fcntl 72 25               open 2 -                  openat 257 56
"""


# How the kernel calls a machine, and which column of the tables is its own.
_ARCHITECTURES = {"x86_64": (0xC000003E, 1), "aarch64": (0xC00000B7, 2)}


def build(pid: int, machine: str | None = None) -> bytes | None:
    """Return the filter for the process `pid` (which may signal itself only), or None on an unknown machine.

    Args:
        pid: the process's own id as it sees it.
        machine: as ``platform.machine()`` names it; this one by default.
    """
    machine = machine or platform.machine()
    if machine not in _ARCHITECTURES:
        return None
    audit, column = _ARCHITECTURES[machine]
    program = [
        _op(_LOAD, _ARCH_AT),
        _op(_JUMP_EQUAL, audit, 1, 0),
        _op(_RETURN, _KILL),
        _op(_LOAD, _NUMBER_AT),
    ]
    if machine == "x86_64":
        program += [_op(_JUMP_GREATER_EQUAL, _X32_BIT, 0, 1), _op(_RETURN, _KILL)]
    blocks: dict[int, Sequence[bytes]] = {}
    for table, answer in ((_ALLOWED, _ALLOW), (_KILLED, _KILL)):
        blocks |= dict.fromkeys(numbers(table, column).values(), (_op(_RETURN, answer),))
    conditions = _conditions(pid)
    blocks |= {n: conditions[name] for name, n in numbers(_CONDITIONAL, column).items()}
    return b"".join([*program, *_dispatch(blocks)])


def _dispatch(blocks: Mapping[int, Sequence[bytes]]) -> list[bytes]:
    """Return jumps to the block of the call whose number is loaded; a call without one is refused.

    Numbers are tested in groups, and groups without the number are skipped at once: the kernel runs a new filter on
    every number that there is, once per child, which took longer than all else about it.
    """
    ordered = sorted(blocks)
    program: list[bytes] = []
    for begin in range(0, len(ordered), _GROUP):
        group: list[bytes] = []
        for number in ordered[begin : begin + _GROUP]:
            group += [_op(_JUMP_EQUAL, number, 0, len(blocks[number])), *blocks[number]]
        group.append(_op(_RETURN, _ERRNO | _EPERM))
        if begin + _GROUP < len(ordered):
            program.append(_op(_JUMP_GREATER_EQUAL, ordered[begin + _GROUP], len(group), 0))
        program += group
    return program


def numbers(table: str, column: int) -> dict[str, int]:
    """Return system call numbers by name from one of the tables above."""
    words = table.split()
    rows = (words[i : i + 3] for i in range(0, len(words), 3))
    return {row[0]: int(row[column]) for row in rows if row[column] != "-"}


def _conditions(pid: int) -> dict[str, list[bytes]]:
    """Return for each conditional call the block that decides it by its arguments; a block ends in a return."""
    allow, refuse = _op(_RETURN, _ALLOW), _op(_RETURN, _ERRNO | _EPERM)
    no_exec = [_argument(2), _op(_JUMP_SET, PROT_EXEC, 1, 0), allow, refuse]
    reading = [_op(_JUMP_SET, _FOR_WRITING, 1, 0), allow, refuse]
    own_pid = [_argument(0), _op(_JUMP_EQUAL, pid, 0, 1), allow, refuse]
    return {
        # A thread, and neither a new process nor a new namespace.
        "clone": [
            _argument(0),
            _op(_JUMP_SET, _CLONE_NEW_ANYTHING, 2, 0),
            _op(_JUMP_SET, _CLONE_THREAD, 0, 1),
            allow,
            refuse,
        ],
        # Its flags lie in memory, out of a filter's sight; told that it is missing, libc uses clone.
        "clone3": [_op(_RETURN, _ERRNO | _ENOSYS)],
        # Which files may be read is for Landlock to say, where there is one.
        "open": [_argument(1), *reading],
        "openat": [_argument(2), *reading],
        "mmap": no_exec,
        "mprotect": no_exec,
        "prctl": _one_of(0, list(_PRCTL.values())),
        # Reading limits (a null `new_limit`) of oneself, never setting any.
        "prlimit64": [
            _argument(0),
            _op(_JUMP_EQUAL, 0, 0, 5),
            _argument(2),
            _op(_JUMP_EQUAL, 0, 0, 3),
            _argument(2, high=True),
            _op(_JUMP_EQUAL, 0, 0, 1),
            allow,
            refuse,
        ],
        "kill": own_pid,
        "tgkill": own_pid,
        "ioctl": _one_of(1, list(_IOCTL.values())),
        "fcntl": _one_of(1, list(_FCNTL.values())),
    }


def _one_of(argument: int, values: list[int]) -> list[bytes]:
    """Return a block that allows the call when `argument` is one of `values`."""
    last = len(values) - 1
    tests = [_op(_JUMP_EQUAL, value, last - i, 0 if i < last else 1) for i, value in enumerate(values)]
    return [_argument(argument), *tests, _op(_RETURN, _ALLOW), _op(_RETURN, _ERRNO | _EPERM)]


def _argument(index: int, *, high: bool = False) -> bytes:
    """Load one half of an argument (both machines are little-endian)."""
    return _op(_LOAD, _ARGUMENTS_AT + 8 * index + (4 if high else 0))


def _op(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("<HBBI", code, if_true, if_false, value)
