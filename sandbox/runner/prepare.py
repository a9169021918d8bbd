"""Prepares a warm runner once: enter namespaces, load libraries, build rules, try which layers hold."""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import platform
import random
import socket
import sysconfig
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from . import confine, heap, hooks, kernel, landlock, namespaces, roots, seccomp

_PRELOADED = """
abc array bisect cmath collections.abc contextlib copy dataclasses datetime enum functools hashlib heapq itertools
json math numbers operator random re string struct threading time traceback typing unicodedata warnings weakref zlib
_csv _decimal _pickle _posixsubprocess
"""
"""Standard library modules that programs use often, and native code that others cannot do without.

Native code cannot be loaded later. What is Python only, a program that wants it loads itself: for what is loaded here
every child pays, for a megabyte with some hundredths of what it costs.
"""

_LAZY = {"numpy": ("fft", "linalg", "random")}
"""Submodules with native code that a package loads on first use only."""

_HOLDS_NOTHING, _HOLDS_LIMITS, _HOLDS_LANDLOCK, _HOLDS_SECCOMP = 0, 1, 2, 4


class Prepared(NamedTuple):
    """A runner that is ready to fork children."""

    walls: confine.Walls
    empty: int
    """Descriptor that children get as their input."""
    address_space: int
    """Bytes that this process maps, and every child with it."""
    layers: dict[str, str]
    """For each of limits, landlock, seccomp and namespaces: ``on``; ``off: reason`` where it was tried and does not
    hold; ``none: reason`` where it is not to be."""


def prepare(config: Mapping[str, Any]) -> Prepared:
    """Make this process a warm runner.

    Args:
        config: ``modules`` to load, ``namespaces`` (whether to try), ``cpu`` to stay on (or null) and
            ``parent``, the process to die with (or null).

    Raises:
        ImportError: a module to load is missing.
        OSError: not even limits could be set.
    """
    if config["parent"] is not None:
        confine.die_with_parent(config["parent"])
    if config["cpu"] is not None:
        os.sched_setaffinity(0, {config["cpu"]})
    os.environ.clear()
    stdlib = sorted({sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")})
    stdlib = [path for path in stdlib if os.path.isdir(path)]
    namespaces_layer = _enter_namespaces(stdlib) if config["namespaces"] else "none: not asked for"
    packages = _load(config["modules"])
    gc.collect()
    heap.merge_pages()
    empty, address_space = _open_empty(), _address_space()
    if namespaces_layer == "on":
        namespaces_layer = _show_only(stdlib, packages)
    # What is hidden needs no rules that leave it out, two hundred of them, for which every child pays.
    parts = stdlib
    if namespaces_layer != "on":
        parts = [part for path in stdlib for part in landlock.readable_parts(path)]
    rules, landlock_layer = _build_rules([*packages, *parts])
    confine.drop_privileges()
    bound, held = _strongest_walls(rules, confine.OwnFilter.for_this_machine(), empty)
    layers = {
        "limits": "on",
        "landlock": landlock_layer if held & _HOLDS_LANDLOCK or rules is None else "off: it does not hold",
        "seccomp": "on" if held & _HOLDS_SECCOMP else f"off: {_why_unfiltered()}",
        "namespaces": namespaces_layer,
    }
    gc.freeze()
    return Prepared(bound, empty, address_space, layers)


def _strongest_walls(
    rules: int | None, own_filter: confine.OwnFilter | None, empty: int
) -> tuple[confine.Walls, int]:
    """Return the strongest walls that a child could put up in a trial, and bits for the layers that held.

    From here on a child that cannot put up the same ends before it runs anything.

    Raises:
        OSError: a child could not even set its limits.
    """
    for walls in (
        confine.Walls(rules, own_filter),
        confine.Walls(rules, None),
        confine.Walls(None, own_filter),
        confine.Walls(None, None),
    ):
        held = _trial(walls, empty)
        if held & _HOLDS_LIMITS:
            return walls, held
    raise OSError("a child could not confine itself; what it met is above")


def _load(modules: Sequence[str]) -> list[str]:
    """Import what programs may use, and return the directories of the packages."""
    for name in _PRELOADED.split():
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    for name in modules:
        importlib.import_module(name)
        for part in _LAZY.get(name, ()):
            importlib.import_module(f"{name}.{part}")
    _warm_up()
    hooks.restore_registrations()
    # Every session starts from the same state of the global generators, whichever runner it comes from.
    random.seed(0)
    np.random.seed(0)
    kernel.keep_one_arena()
    return roots.uninstall()


def _warm_up() -> None:
    """Have the linear algebra library map its buffers now, in memory that children share."""
    square = np.eye(64)
    np.linalg.solve(square, square @ square)


def _open_empty() -> int:
    """Return a descriptor with nothing to read, above 4, so that later descriptors lie above those of children, too."""
    empty = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    while empty <= confine.RESULTS:
        empty = os.dup(empty)
    return empty


def _address_space() -> int:
    """Return how many bytes this process maps."""
    with open("/proc/self/statm", encoding="ascii") as sizes:
        return int(sizes.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")


def _enter_namespaces(shown: Sequence[str]) -> str:
    """Move to namespaces of our own where every step is allowed; return ``on``, or why not."""
    refusal = _rehearse(shown)
    if refusal:
        return f"off: {refusal}"
    namespaces.enter()
    namespaces.fork_first_process()
    return "on"


def _rehearse(shown: Sequence[str]) -> str:
    """Try all steps of entering namespaces in a process that is thrown away.

    Some systems allow the first steps and refuse a later one, from which there is no way back.

    Returns:
        What was refused, "" when nothing was.
    """
    listen, tell = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            namespaces.enter()
            namespaces.fork_first_process()
            namespaces.show_only(shown, ())
        except OSError as error:
            os.write(tell, str(error.strerror or error).encode())
        finally:
            os._exit(0)
    os.close(tell)
    os.waitpid(pid, 0)
    with os.fdopen(listen, encoding="utf-8", errors="replace") as told:
        return told.read()


def _show_only(stdlib: Sequence[str], packages: Sequence[str]) -> str:
    hidden = [f"{path}/{name}" for path in stdlib for name in ("site-packages", "dist-packages")]
    try:
        namespaces.show_only([*stdlib, *packages], hidden)
    except OSError as error:
        return f"off: {error.strerror or error}"
    return "on"


def _why_unfiltered() -> str:
    """Return why system calls are not filtered."""
    machine = platform.machine()
    known = seccomp.build(seccomp.NOBODY, machine) is not None
    return "the kernel refuses filters" if known else f"no table of system calls for {machine}"


def _build_rules(paths: Sequence[str]) -> tuple[int | None, str]:
    try:
        return landlock.ruleset(paths), f"on: version {landlock.version()}"
    except OSError as error:
        return None, f"off: {error.strerror or error}"


def _trial(walls: confine.Walls, empty: int) -> int:
    """Confine a child for trial, have it attempt what must fail, and return bits for the layers that held."""
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        found = _HOLDS_NOTHING
        try:
            kept = os.dup(2)
            confine.confine(
                confine.Descriptors(empty, kept, kept, kept),
                confine.limits(cpu_s=10.0, address_space=1 << 40),
                walls,
                parent=parent,
            )
            found = _HOLDS_LIMITS
            found |= _HOLDS_LANDLOCK if _refused(os.listdir, "/") else 0
            found |= _HOLDS_SECCOMP if _refused(socket.socket) else 0
        except OSError as error:
            os.write(2, f"{type(error).__name__}: {error}\n".encode())
        finally:
            os._exit(found)
    return max(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), _HOLDS_NOTHING)


def _refused(action: Any, *arguments: object) -> bool:
    try:
        action(*arguments)
    except PermissionError:
        return True
    except OSError:
        return False
    return False
