"""Calls functions of the C library that Python has no functions for."""

from __future__ import annotations

import ctypes
import errno
import os

_libc = ctypes.CDLL(None, use_errno=True)
_libc.prctl.argtypes = (ctypes.c_int, *[ctypes.c_ulong] * 4)

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS = 1, 4, 22, 38
SECCOMP_MODE_FILTER = 2
# These numbers are the same on every architecture: they were added after tables were unified.
SYS_MOUNT_SETATTR = 442
SYS_LANDLOCK_CREATE, SYS_LANDLOCK_ADD, SYS_LANDLOCK_RESTRICT = 444, 445, 446

_CAPABILITY_VERSION_3 = 0x20080522


class KernelError(OSError):
    """A call that the kernel refused; the message has its name."""


def check(result: int, name: str) -> int:
    """Return `result` of the call `name`.

    Raises:
        KernelError: it is -1.
    """
    if result == -1:
        number = ctypes.get_errno()
        raise KernelError(number, f"{name}: {os.strerror(number)}")
    return result


def syscall(name: str, number: int, *arguments: object) -> int:
    """Make the system call `number`; integers become C longs, other arguments pass as they are.

    Raises:
        KernelError: it was refused.
    """
    converted = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    return check(int(_libc.syscall(ctypes.c_long(number), *converted)), name)


def prctl(option: int, value: int = 0, third: int = 0) -> None:
    """Set a property of this process.

    Raises:
        KernelError: it was refused.
    """
    check(_libc.prctl(option, value, third, 0, 0), "prctl")


def drop_capabilities() -> None:
    """Give up every capability of this process.

    Raises:
        KernelError: it was refused.
    """
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    nothing = (ctypes.c_uint32 * 6)()
    check(int(_libc.capset(header, nothing)), "capset")


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_void_p))


class Filter:
    """A filter of system calls as the kernel takes it, made once and installed in many processes.

    Attributes:
        code: the instructions, 8 bytes each; they may be changed until it is installed.
    """

    def __init__(self, program: bytes) -> None:
        """Lay out `program`."""
        self.code = ctypes.create_string_buffer(program, len(program))
        self._program = _Program(len(program) // 8, ctypes.addressof(self.code))
        self._address = ctypes.addressof(self._program)

    def install(self) -> None:
        """Restrict the system calls of this process, for good.

        Raises:
            KernelError: it was refused.
        """
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, self._address)


def unshare(flags: int) -> None:
    """Leave namespaces that are shared with others.

    Raises:
        KernelError: it was refused.
    """
    check(int(_libc.unshare(flags)), "unshare")


def mount(source: str | None, target: str, kind: str | None, flags: int, options: str = "") -> None:
    """Mount something.

    Raises:
        KernelError: it was refused.
    """
    encode = [None if text is None else os.fsencode(text) for text in (source, target, kind)]
    check(int(_libc.mount(*encode, ctypes.c_ulong(flags), os.fsencode(options))), f"mount {target}")


def unmount(target: str, flags: int) -> None:
    """Unmount something.

    Raises:
        KernelError: it was refused.
    """
    check(int(_libc.umount2(os.fsencode(target), flags)), f"umount {target}")


def pivot_root(new: str, old: str) -> None:
    """Make `new` the root, with what was the root at `old`.

    Raises:
        KernelError: it was refused, or the call's number on this machine is not known.
    """
    machine = os.uname().machine
    number = {"x86_64": 155, "aarch64": 41}.get(machine)
    if number is None:
        raise KernelError(errno.ENOSYS, f"no system call numbers for {machine}")
    syscall("pivot_root", number, ctypes.c_char_p(os.fsencode(new)), ctypes.c_char_p(os.fsencode(old)))


def pages_present(address: int, size: int) -> int:
    """Return how many pages from `address` on, the start of one, lie in memory.

    Raises:
        KernelError: something there is not mapped.
    """
    present = (ctypes.c_ubyte * -(-size // os.sysconf("SC_PAGE_SIZE")))()
    check(int(_libc.mincore(ctypes.c_void_p(address), ctypes.c_size_t(size), present)), "mincore")
    return sum(present)


def merge_pages(address: int, size: int) -> None:
    """Put the `size` bytes from `address` on, a multiple of a large page, into large pages.

    Raises:
        KernelError: the kernel knows none, or has none left.
    """
    madv_collapse = 25
    check(int(_libc.madvise(ctypes.c_void_p(address), ctypes.c_size_t(size), madv_collapse)), "madvise")


def keep_one_arena() -> None:
    """Make the allocator use one arena for all threads, so that address space measures what is used."""
    mallopt_arena_max = -8
    _libc.mallopt(mallopt_arena_max, 1)
