"""Calls functions of the C library that Python has no functions for."""

from __future__ import annotations

import ctypes
import os

_libc = ctypes.CDLL(None, use_errno=True)

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS = 1, 4, 22, 38
# These numbers are the same on every architecture: they were added after tables were unified.
SYS_MOUNT_SETATTR = 442
SYS_LANDLOCK_CREATE, SYS_LANDLOCK_ADD, SYS_LANDLOCK_RESTRICT = 444, 445, 446


class KernelError(OSError):
    """A call that the kernel refused; the message has its name."""


def call(function: str, *arguments: object, name: str = "") -> int:
    """Return what a function of the C library returns; integers become C longs, other arguments pass as they are.

    Args:
        function: its name.
        arguments: what it is called with; None is a null pointer, bytes are passed by their address.
        name: what messages call it, where its own name does not say enough.

    Raises:
        KernelError: it returned -1.
    """
    converted = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    result = int(getattr(_libc, function)(*converted))
    if result == -1:
        number = ctypes.get_errno()
        raise KernelError(number, f"{name or function}: {os.strerror(number)}")
    return result


def syscall(name: str, number: int, *arguments: object) -> int:
    """Make the system call `number`.

    Raises:
        KernelError: it was refused.
    """
    return call("syscall", number, *arguments, name=name)


def prctl(option: int, value: int, third: object = 0) -> None:
    """Set a property of this process.

    Raises:
        KernelError: it was refused.
    """
    call("prctl", option, value, third, 0, 0)
