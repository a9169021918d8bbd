"""What a child does to itself, for good, before it executes a program.

Order matters: limits and privileges first, then Landlock (whose rules are a descriptor), the descriptors, and
the system call filter last, since it forbids everything above.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import resource
import signal
from typing import NamedTuple

from . import kernel, landlock, seccomp

CALLS, RESULTS = 3, 4
"""The descriptors of a child's channel to its driver; 0 is empty, 1 and 2 are the log."""

_NOFILE = 32
_MIB = 1 << 20
_OWN_FOREVER = 4096


class Budget(NamedTuple):
    """The resource limits of one child."""

    cpu_s: float
    address_space: int
    """Bytes, with what the warm runner already maps and with the shared mapping."""


class Descriptors(NamedTuple):
    """What a child keeps of its runner's descriptors, and the rules that it is bound to (-1: none)."""

    empty: int
    log: int
    calls: int
    results: int
    rules: int


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when the process `parent` ends; leave at once if it has."""
    kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)


def confine(descriptors: Descriptors, budget: Budget, *, parent: int) -> list[str]:
    """Confine this process; says which of ``landlock`` and ``seccomp`` hold.

    Args:
        descriptors: what becomes 0 to 4; everything else is closed.
        budget: the resource limits.
        parent: the runner's process id, as this process sees it.
    """
    os.setsid()
    die_with_parent(parent)
    _restore_signals()
    os.environ.clear()
    _set_limits(budget)
    held = []
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    kernel.prctl(kernel.PR_SET_DUMPABLE, 0)
    kernel.drop_capabilities()
    if descriptors.rules >= 0:
        landlock.restrict(descriptors.rules)
        held.append("landlock")
    _arrange(descriptors)
    if _filter_calls():
        held.append("seccomp")
    return held


def _restore_signals() -> None:
    """Take back what the runner installed, so that the program finds an ordinary interpreter."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _set_limits(budget: Budget) -> None:
    """Set hard limits, never above those that this process already has.

    The limit on CPU is a backstop in whole seconds: the runner watches the exact one.
    """
    seconds = int(budget.cpu_s) + 2
    wanted = {
        resource.RLIMIT_AS: (budget.address_space, budget.address_space),
        resource.RLIMIT_CPU: (seconds, seconds + 1),
        resource.RLIMIT_FSIZE: (0, 0),
        resource.RLIMIT_NOFILE: (_NOFILE, _NOFILE),
        resource.RLIMIT_CORE: (0, 0),
        resource.RLIMIT_MEMLOCK: (0, 0),
    }
    for which, pair in wanted.items():
        highest = resource.getrlimit(which)[1]
        unlimited = highest == resource.RLIM_INFINITY
        soft, hard = pair if unlimited else (min(value, highest) for value in pair)
        resource.setrlimit(which, (soft, hard))
    # Not every kernel lets go of queues, which the filter refuses as well.
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_MSGQUEUE, (0, 0))


def _arrange(descriptors: Descriptors) -> None:
    """Make the kept descriptors 0 to 4 and close all others.

    They are first moved out of the way, above all that may be in use.
    """
    kept = (descriptors.empty, descriptors.log, descriptors.log, descriptors.calls, descriptors.results)
    moved = [fcntl.fcntl(descriptor, fcntl.F_DUPFD, RESULTS + 1) for descriptor in kept]
    for number, descriptor in enumerate(moved):
        os.dup2(descriptor, number)
    os.closerange(RESULTS + 1, _OWN_FOREVER)


def _filter_calls() -> bool:
    """Install the filter; False where the machine or its kernel has none."""
    program = seccomp.build(os.getpid())
    if program is None:
        return False
    try:
        kernel.set_filter(program)
    except kernel.KernelError:
        return False
    return True
