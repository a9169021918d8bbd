"""Gives a runner its own network, IPC, processes and files, which needs no privilege outside."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import struct
from collections.abc import Sequence

from . import kernel

_NEW_NS, _NEW_UTS, _NEW_IPC = 0x00020000, 0x04000000, 0x08000000
_NEW_USER, _NEW_PID, _NEW_NET = 0x10000000, 0x20000000, 0x40000000
_INSIDE_ID = 65534

_MS_RDONLY, _MS_NOSUID, _MS_NODEV, _MS_BIND, _MS_REC, _MS_PRIVATE = 1, 2, 4, 4096, 16384, 1 << 18
_MNT_DETACH = 2
_AT_FDCWD, _AT_RECURSIVE = -100, 0x8000
_ATTR_RDONLY, _ATTR_NOSUID, _ATTR_NODEV = 1, 2, 4
_STAGE = "/tmp"
"""Where the new root is built; hidden by it for this process only."""


def enter() -> None:
    """Move this process into new namespaces, as nobody; its next child starts the new process tree.

    Raises:
        OSError: the kernel or its configuration forbids it; this process may then be half-way.
    """
    user, group = os.getuid(), os.getgid()
    kernel.unshare(_NEW_USER | _NEW_NS | _NEW_UTS | _NEW_IPC | _NEW_PID | _NEW_NET)
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{_INSIDE_ID} {user} 1"),
        ("gid_map", f"{_INSIDE_ID} {group} 1"),
    ):
        with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
            file.write(text)


def fork_first_process() -> None:
    """Return in the first process of the new tree; the caller stays behind, waits for it and ends as it ends.

    The first process dies with the one that waits, and everything below it dies with it. (Should the waiting
    one die before this is arranged, the end of the control socket tells the first process.)
    """
    pid = os.fork()
    if pid == 0:
        kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
        return
    os.closerange(0, 3)
    _, status = os.waitpid(pid, 0)
    os._exit(os.waitstatus_to_exitcode(status) & 0x7F)


def show_only(directories: Sequence[str], hidden: Sequence[str]) -> None:
    """Replace the file system of this process by `directories`, read-only, where they were.

    Args:
        directories: absolute paths to keep, with everything below them.
        hidden: directories below those that become empty (packages below the standard library).

    Raises:
        OSError: a step was refused; the old file system may then still be the one in use.
    """
    kernel.mount(None, "/", None, _MS_REC | _MS_PRIVATE)
    sources = {path: os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC) for path in directories}
    kernel.mount("none", _STAGE, "tmpfs", _MS_NOSUID | _MS_NODEV, "size=1m,mode=755")
    try:
        for path, source in sources.items():
            _bind(source, _STAGE + path)
            for name in hidden:
                if name.startswith(f"{path}/") and os.path.isdir(_STAGE + name):
                    kernel.mount("none", _STAGE + name, "tmpfs", _MS_NOSUID | _MS_NODEV, "size=64k,mode=755")
    finally:
        for source in sources.values():
            os.close(source)
    os.chdir(_STAGE)
    kernel.pivot_root(".", ".")
    kernel.unmount(".", _MNT_DETACH)
    os.chdir("/")
    _read_only_everywhere()


def _bind(source: int, target: str) -> None:
    """Show the directory behind the descriptor `source` at `target`."""
    os.makedirs(target, exist_ok=True)
    kernel.mount(f"/proc/self/fd/{source}", target, None, _MS_BIND | _MS_REC)


def _read_only_everywhere() -> None:
    """Make every mount read-only; older kernels do so for the root only, and file permissions do the rest."""
    attributes = struct.pack("<QQQQ", _ATTR_RDONLY | _ATTR_NOSUID | _ATTR_NODEV, 0, 0, 0)
    with contextlib.suppress(kernel.KernelError):
        kernel.syscall(
            "mount_setattr",
            kernel.SYS_MOUNT_SETATTR,
            _AT_FDCWD,
            ctypes.c_char_p(b"/"),
            _AT_RECURSIVE,
            ctypes.c_char_p(attributes),
            len(attributes),
        )
        return
    kernel.mount(None, "/", None, _MS_BIND | 32 | _MS_RDONLY | _MS_NOSUID | _MS_NODEV)
