"""Prepares a warm runner once: enter namespaces, load libraries, build rules, try which layers hold."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import gc
import importlib
import os
import platform
import random
import signal
import socket
import struct
import sysconfig
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from . import confine, imports, kernel, seccomp

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

_M_ARENA_MAX, _MADV_COLLAPSE = -8, 25
_LARGE_PAGE = 2 << 20

_NEW_NS, _NEW_UTS, _NEW_IPC = 0x00020000, 0x04000000, 0x08000000
_NEW_USER, _NEW_PID, _NEW_NET = 0x10000000, 0x20000000, 0x40000000
_INSIDE_ID = 65534
_MS_RDONLY, _MS_NOSUID, _MS_NODEV, _MS_BIND, _MS_REC, _MS_PRIVATE = 1, 2, 4, 4096, 16384, 1 << 18
_MS_REMOUNT = 32
_MNT_DETACH = 2
_AT_FDCWD, _AT_RECURSIVE = -100, 0x8000
_ATTR_RDONLY, _ATTR_NOSUID, _ATTR_NODEV = 1, 2, 4
_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
_STAGE = "/tmp"
"""Where the new root is built; hidden by it for this process only."""

_OTHER_PACKAGES = ("site-packages", "dist-packages")
"""What lies in the standard library's directory and is none of it."""

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
    _merge_pages()
    empty, address_space = _open_empty(), _address_space()
    if namespaces_layer == "on":
        namespaces_layer = _hide_the_rest(stdlib, packages)
    # What is hidden needs no rules that leave it out, two hundred of them, for which every child pays.
    parts = stdlib if namespaces_layer == "on" else _readable_parts(stdlib)
    rules, landlock_layer = _build_rules([*packages, *parts])
    confine.drop_privileges()
    program = seccomp.build(seccomp.NOBODY)
    walls, held = _strongest_walls(rules, None if program is None else confine.Filter(program), empty)
    unfiltered = (
        "the kernel refuses filters" if program else f"no table of system calls for {platform.machine()}"
    )
    layers = {
        "limits": "on",
        "landlock": landlock_layer if held & _HOLDS_LANDLOCK or rules is None else "off: it does not hold",
        "seccomp": "on" if held & _HOLDS_SECCOMP else f"off: {unfiltered}",
        "namespaces": namespaces_layer,
    }
    gc.freeze()
    return Prepared(walls, empty, address_space, layers)


def _load(modules: Sequence[str]) -> list[str]:
    """Import what programs may use, and return the directories of the packages."""
    for name in _PRELOADED.split():
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    for name in modules:
        importlib.import_module(name)
        for part in _LAZY.get(name, ()):
            importlib.import_module(f"{name}.{part}")
    # The linear algebra library maps its buffers now, in memory that children share.
    square = np.eye(64)
    np.linalg.solve(square, square @ square)
    # Every session starts from the same state of the global generators, whichever runner it comes from.
    random.seed(0)
    np.random.seed(0)
    # One arena for all threads, so that address space measures what is used.
    kernel.call("mallopt", _M_ARENA_MAX, 1)
    return imports.shut()


def _merge_pages() -> None:
    """Merge pages of this process where at least half of a large one is in use.

    The fewer pages, the faster a child is forked and reaped. A child that writes to a large page gets a copy of the
    small part that it wrote to, as ever. Nothing depends on this: a kernel that has no large pages, or none left, keeps
    small ones.
    """
    present = (ctypes.c_ubyte * (_LARGE_PAGE // os.sysconf("SC_PAGE_SIZE")))()
    with contextlib.suppress(OSError):
        for start, end in _private_mappings():
            for place in range(-(-start // _LARGE_PAGE) * _LARGE_PAGE, end - _LARGE_PAGE + 1, _LARGE_PAGE):
                kernel.call("mincore", place, _LARGE_PAGE, present)
                if 2 * sum(present) >= len(present):
                    kernel.call("madvise", place, _LARGE_PAGE, _MADV_COLLAPSE)


def _private_mappings() -> list[tuple[int, int]]:
    """Return start and end of every mapping that is writable, private and backed by no file."""
    with open("/proc/self/maps", encoding="ascii") as maps:
        rows = [line.split() for line in maps]
    spans = [row[0].split("-") for row in rows if row[1] == "rw-p" and row[5:] in ([], ["[heap]"])]
    return [(int(start, 16), int(end, 16)) for start, end in spans]


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
    """Move to namespaces of our own where every step is allowed; return ``on``, or why not.

    Some systems allow the first steps and refuse a later one, from which there is no way back: all are tried first,
    in a process that is thrown away.
    """
    listen, tell = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            _unshare()
            _show_only(shown, ())
        except OSError as error:
            os.write(tell, str(error.strerror or error).encode())
        finally:
            os._exit(0)
    os.close(tell)
    os.waitpid(pid, 0)
    with os.fdopen(listen, encoding="utf-8", errors="replace") as told:
        refusal = told.read()
    if refusal:
        return f"off: {refusal}"
    _unshare()
    return "on"


def _unshare() -> None:
    """Move into namespaces of our own, as nobody: return in the first process of their tree.

    The caller stays behind, waits for that process and ends as it ends. The first process dies with the one that waits,
    and everything below it dies with it. (Should the waiting one die before this is arranged, the end of the control
    socket tells the first process.)

    Raises:
        OSError: the kernel or its configuration forbids it; this process may then be half-way.
    """
    user, group = os.getuid(), os.getgid()
    kernel.call("unshare", _NEW_USER | _NEW_NS | _NEW_UTS | _NEW_IPC | _NEW_PID | _NEW_NET)
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{_INSIDE_ID} {user} 1"),
        ("gid_map", f"{_INSIDE_ID} {group} 1"),
    ):
        with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
            file.write(text)
    pid = os.fork()
    if pid == 0:
        kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
        return
    os.closerange(0, 3)
    _, status = os.waitpid(pid, 0)
    os._exit(os.waitstatus_to_exitcode(status) & 0x7F)


def _hide_the_rest(stdlib: Sequence[str], packages: Sequence[str]) -> str:
    """Show nothing but these directories, without what else is installed there; return ``on``, or why not."""
    hidden = [f"{path}/{name}" for path in stdlib for name in _OTHER_PACKAGES]
    try:
        _show_only([*stdlib, *packages], hidden)
    except OSError as error:
        return f"off: {error.strerror or error}"
    return "on"


def _show_only(directories: Sequence[str], hidden: Sequence[str]) -> None:
    """Replace the file system of this process by `directories`, read-only, where they were.

    Args:
        directories: absolute paths to keep, with everything below them.
        hidden: directories below those that become empty (packages below the standard library).

    Raises:
        OSError: a step was refused; the old file system may then still be the one in use.
    """
    _mount(None, "/", None, _MS_REC | _MS_PRIVATE)
    sources = {path: os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC) for path in directories}
    _mount("none", _STAGE, "tmpfs", _MS_NOSUID | _MS_NODEV, "size=1m,mode=755")
    try:
        for path, source in sources.items():
            os.makedirs(_STAGE + path, exist_ok=True)
            _mount(f"/proc/self/fd/{source}", _STAGE + path, None, _MS_BIND | _MS_REC)
            for name in hidden:
                if name.startswith(f"{path}/") and os.path.isdir(_STAGE + name):
                    _mount("none", _STAGE + name, "tmpfs", _MS_NOSUID | _MS_NODEV, "size=64k,mode=755")
    finally:
        for source in sources.values():
            os.close(source)
    os.chdir(_STAGE)
    machine = os.uname().machine
    if machine not in _PIVOT_ROOT:
        raise kernel.KernelError(errno.ENOSYS, f"no system call numbers for {machine}")
    kernel.syscall("pivot_root", _PIVOT_ROOT[machine], b".", b".")
    kernel.call("umount2", b".", _MNT_DETACH)
    os.chdir("/")
    _make_read_only()


def _make_read_only() -> None:
    """Make every mount read-only; older kernels do so for the root only, and file permissions do the rest."""
    attributes = struct.pack("<QQQQ", _ATTR_RDONLY | _ATTR_NOSUID | _ATTR_NODEV, 0, 0, 0)
    arguments = (_AT_FDCWD, b"/", _AT_RECURSIVE, attributes, len(attributes))
    try:
        kernel.syscall("mount_setattr", kernel.SYS_MOUNT_SETATTR, *arguments)
    except kernel.KernelError:
        _mount(None, "/", None, _MS_BIND | _MS_REMOUNT | _MS_RDONLY | _MS_NOSUID | _MS_NODEV)


def _mount(source: str | None, target: str, kind: str | None, flags: int, options: str = "") -> None:
    """Mount something.

    Raises:
        KernelError: it was refused.
    """
    encoded = [None if text is None else os.fsencode(text) for text in (source, target, kind)]
    kernel.call("mount", *encoded, flags, os.fsencode(options), name=f"mount {target}")


def _readable_parts(stdlib: Sequence[str]) -> list[str]:
    """Return what a program may read of the standard library: all but the packages installed below it.

    The directories themselves are not granted, since a grant reaches everything below; the import system keeps the
    listing that the runner made.
    """
    return [entry.path for path in stdlib for entry in os.scandir(path) if entry.name not in _OTHER_PACKAGES]


def _build_rules(paths: Sequence[str]) -> tuple[int | None, str]:
    """Return Landlock's rules and that layer's state."""
    try:
        return confine.landlock_rules(paths), f"on: version {confine.landlock_version()}"
    except OSError as error:
        return None, f"off: {error.strerror or error}"


def _strongest_walls(
    rules: int | None, own_filter: confine.Filter | None, empty: int
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


def _trial(walls: confine.Walls, empty: int) -> int:
    """Confine a child for trial, have it attempt what must fail, and return bits for the layers that held."""
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        held = _HOLDS_NOTHING
        try:
            kept = os.dup(2)
            confine.confine(
                (empty, kept, kept, kept, kept),
                confine.limits(cpu_s=10.0, address_space=1 << 40),
                walls,
                parent=parent,
            )
            held = _HOLDS_LIMITS
            held |= _HOLDS_LANDLOCK if _refused(os.listdir, "/") else 0
            held |= _HOLDS_SECCOMP if _refused(socket.socket) else 0
        except OSError as error:
            os.write(2, f"{type(error).__name__}: {error}\n".encode())
        finally:
            os._exit(held)
    return max(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), _HOLDS_NOTHING)


def _refused(action: Any, *arguments: object) -> bool:
    try:
        action(*arguments)
    except OSError as error:
        return isinstance(error, PermissionError)
    return False
