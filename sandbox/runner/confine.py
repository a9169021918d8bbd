"""Confines a child, for good, before it executes a program.

What no child may have and the runner does not need, the runner gives up once, and children inherit that. Order
matters for the rest: limits first, then Landlock (whose rules are a descriptor), the descriptors, and the system call
filter last, since it forbids everything above.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import struct
from collections.abc import Sequence
from typing import NamedTuple

from . import kernel, seccomp

CALLS, RESULTS = 3, 4
"""The descriptors of a child's channel to its driver; 0 is empty, 1 and 2 are the log."""

_NOFILE = 32
_HIGHEST_DESCRIPTOR = 4096
_CAPABILITY_VERSION_3 = 0x20080522
_SECCOMP_MODE_FILTER = 2
_VALUE = struct.Struct("<I")

_VERSION_QUERY = 1
_RULE_PATH_BENEATH = 1
_READ_FILE, _READ_DIR = 1 << 2, 1 << 3
# Landlock's rights by the version that added them: the first thirteen, then refer, truncate and ioctl on devices.
_FILE_RIGHTS_SINCE = ((1, (1 << 13) - 1), (2, 1 << 13), (3, 1 << 14), (5, 1 << 15))
_TCP_BIND_AND_CONNECT, _TCP_SINCE = 0b11, 4
_ABSTRACT_SOCKETS_AND_SIGNALS, _SCOPES_SINCE = 0b11, 6

Limits = tuple[tuple[int, tuple[int, int]], ...]
"""Resource limits of one child: which, soft and hard."""


class Filter:
    """The filter of system calls but for the process id, which every child puts in itself.

    To build all of it takes a child longer than to install it.
    """

    def __init__(self, program: bytes) -> None:
        """Take what `seccomp.build` returns for `seccomp.NOBODY`."""
        self._code = ctypes.create_string_buffer(program, len(program))
        # The kernel's ``struct sock_fprog``: how many instructions, of 8 bytes each, and where they are.
        self._program = struct.pack("HP", len(program) // 8, ctypes.addressof(self._code))
        nobody = _VALUE.pack(seccomp.NOBODY)
        self._places = [at for at in range(4, len(program), 8) if program[at : at + 4] == nobody]

    def install(self) -> None:
        """Bind this process, for good.

        Raises:
            KernelError: it was refused.
        """
        pid = os.getpid()
        for place in self._places:
            _VALUE.pack_into(self._code, place, pid)
        kernel.prctl(kernel.PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, self._program)


class Walls(NamedTuple):
    """What binds every child, made and tried once by its runner; None where the machine or its kernel has none."""

    rules: int | None
    """Descriptor of the Landlock rules."""
    filter: Filter | None


def landlock_version() -> int:
    """Return the kernel's Landlock version, 0 when it has none."""
    try:
        return kernel.syscall("landlock_create_ruleset", kernel.SYS_LANDLOCK_CREATE, 0, 0, _VERSION_QUERY)
    except kernel.KernelError:
        return 0


def landlock_rules(paths: Sequence[str]) -> int:
    """Return a descriptor of Landlock rules that allow reading what is at and below `paths`, and nothing else.

    Raises:
        KernelError: the kernel has no Landlock.
    """
    abi = landlock_version()
    files = sum(rights for since, rights in _FILE_RIGHTS_SINCE if abi >= since)
    attributes = struct.pack("<Q", files)
    if abi >= _TCP_SINCE:
        attributes += struct.pack("<Q", _TCP_BIND_AND_CONNECT)
    if abi >= _SCOPES_SINCE:
        attributes += struct.pack("<Q", _ABSTRACT_SOCKETS_AND_SIGNALS)
    rules = kernel.syscall(
        "landlock_create_ruleset", kernel.SYS_LANDLOCK_CREATE, attributes, len(attributes), 0
    )
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            _allow_reading(rules, path)
    return rules


def _allow_reading(rules: int, path: str) -> None:
    descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        rights = _READ_FILE | (_READ_DIR if os.path.isdir(path) else 0)
        rule = struct.pack("<Qi", rights, descriptor)
        kernel.syscall("landlock_add_rule", kernel.SYS_LANDLOCK_ADD, rules, _RULE_PATH_BENEATH, rule, 0)
    finally:
        os.close(descriptor)


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when the process `parent` ends; leave at once if it has."""
    kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)


def drop_privileges() -> None:
    """Give up privileges, and resources that neither this process nor its children need; children inherit that.

    Raises:
        KernelError: it was refused.
    """
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    kernel.prctl(kernel.PR_SET_DUMPABLE, 0)
    # This process, and no capability in any of the three sets.
    kernel.call("capset", struct.pack("<II", _CAPABILITY_VERSION_3, 0), bytes(24))
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    for which, value in (
        (resource.RLIMIT_NOFILE, _NOFILE),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_MEMLOCK, 0),
    ):
        resource.setrlimit(which, _within(which, value, value))
    # Not every kernel lets go of queues, which the filter refuses as well.
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_MSGQUEUE, (0, 0))


def limits(*, cpu_s: float, address_space: int) -> Limits:
    """Return a child's own limits, none above what the runner has.

    Args:
        cpu_s: seconds of CPU; this limit is a backstop in whole seconds: the runner watches the exact one.
        address_space: bytes, with what the warm runner already maps and with the shared mapping.
    """
    seconds = int(cpu_s) + 2
    return (
        (resource.RLIMIT_AS, _within(resource.RLIMIT_AS, address_space, address_space)),
        (resource.RLIMIT_CPU, _within(resource.RLIMIT_CPU, seconds, seconds + 1)),
        (resource.RLIMIT_FSIZE, (0, 0)),
    )


def confine(descriptors: Sequence[int], limits: Limits, walls: Walls, *, parent: int) -> None:
    """Confine this process, after its parent gave up what it could.

    Args:
        descriptors: what becomes 0 to 4, all of them above; everything else is closed.
        limits: the resource limits.
        walls: what binds this process.
        parent: the runner's process id, as this process sees it.

    Raises:
        Exception: a step failed. The runner announced that children have every one of them, so nothing untrusted
            may run in this process.
    """
    os.setsid()
    die_with_parent(parent)
    for which, values in limits:
        resource.setrlimit(which, values)
    if walls.rules is not None:
        kernel.syscall("landlock_restrict_self", kernel.SYS_LANDLOCK_RESTRICT, walls.rules, 0)
    _arrange_descriptors(descriptors)
    if walls.filter is not None:
        walls.filter.install()


def _within(which: int, soft: int, hard: int) -> tuple[int, int]:
    """Return a limit that is not above the hard one that this process already has."""
    highest = resource.getrlimit(which)[1]
    return (soft, hard) if highest == resource.RLIM_INFINITY else (min(soft, highest), min(hard, highest))


def _arrange_descriptors(kept: Sequence[int]) -> None:
    """Make the kept descriptors 0 to 4 and close all others."""
    for number, descriptor in enumerate(kept):
        os.dup2(descriptor, number)
    os.closerange(RESULTS + 1, _HIGHEST_DESCRIPTOR)
