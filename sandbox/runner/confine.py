"""Confines a child, for good, before it executes a program.

What no child may have and the runner does not need, the runner gives up once, and children inherit that. Order
matters for the rest: limits first, then Landlock (whose rules are a descriptor), the descriptors, and the system call
filter last, since it forbids everything above.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import struct
from typing import NamedTuple

from . import kernel, landlock, seccomp

CALLS, RESULTS = 3, 4
"""The descriptors of a child's channel to its driver; 0 is empty, 1 and 2 are the log."""

_NOFILE = 32
_HIGHEST_DESCRIPTOR = 4096
_VALUE = struct.Struct("<I")


Limits = tuple[tuple[int, tuple[int, int]], ...]
"""Resource limits of one child: which, soft and hard."""


class OwnFilter:
    """The filter of system calls but for the process id, which every child puts in itself.

    To build all of it takes a child longer than to install it.
    """

    def __init__(self, program: bytes) -> None:
        """Take what `seccomp.build` returns for `seccomp.NOBODY`."""
        self._filter = kernel.Filter(program)
        nobody = _VALUE.pack(seccomp.NOBODY)
        self._places = [at for at in range(4, len(program), 8) if program[at : at + 4] == nobody]

    @classmethod
    def for_this_machine(cls) -> OwnFilter | None:
        """Return the filter for this machine, or None where its system calls are not known."""
        program = seccomp.build(seccomp.NOBODY)
        return None if program is None else cls(program)

    def install(self) -> None:
        """Bind this process, for good.

        Raises:
            KernelError: it was refused.
        """
        pid = os.getpid()
        for place in self._places:
            _VALUE.pack_into(self._filter.code, place, pid)
        self._filter.install()


class Walls(NamedTuple):
    """What binds every child, made and tried once by its runner; None where the machine or its kernel has none."""

    rules: int | None
    """Descriptor of the Landlock rules."""
    filter: OwnFilter | None


class Descriptors(NamedTuple):
    """What a child keeps of its runner's descriptors."""

    empty: int
    log: int
    calls: int
    results: int


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
    kernel.drop_capabilities()
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    resource.setrlimit(resource.RLIMIT_NOFILE, _within(resource.RLIMIT_NOFILE, _NOFILE, _NOFILE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_MEMLOCK, (0, 0))
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


def confine(descriptors: Descriptors, limits: Limits, walls: Walls, *, parent: int) -> None:
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
        landlock.restrict(walls.rules)
    _arrange_descriptors(descriptors)
    if walls.filter is not None:
        walls.filter.install()


def _within(which: int, soft: int, hard: int) -> tuple[int, int]:
    """Return a limit that is not above the hard one that this process already has."""
    highest = resource.getrlimit(which)[1]
    return (soft, hard) if highest == resource.RLIM_INFINITY else (min(soft, highest), min(hard, highest))


def _arrange_descriptors(descriptors: Descriptors) -> None:
    """Make the kept descriptors 0 to 4 and close all others."""
    kept = (descriptors.empty, descriptors.log, descriptors.log, descriptors.calls, descriptors.results)
    for number, descriptor in enumerate(kept):
        os.dup2(descriptor, number)
    os.closerange(RESULTS + 1, _HIGHEST_DESCRIPTOR)
