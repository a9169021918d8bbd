"""Restricts by Landlock which files a process may read; nothing may be written, run, connected to or signalled."""

from __future__ import annotations

import contextlib
import ctypes
import os
import struct
from collections.abc import Sequence

from . import kernel

_VERSION_QUERY = 1
_RULE_PATH_BENEATH = 1
_READ_FILE, _READ_DIR = 1 << 2, 1 << 3
# Rights by the version that added them: the first thirteen, then refer, truncate and ioctl on devices.
_FILE_RIGHTS_SINCE = ((1, (1 << 13) - 1), (2, 1 << 13), (3, 1 << 14), (5, 1 << 15))
_TCP_BIND_AND_CONNECT, _TCP_SINCE = 0b11, 4
_ABSTRACT_SOCKETS_AND_SIGNALS, _SCOPES_SINCE = 0b11, 6


def version() -> int:
    """Return the kernel's Landlock version, 0 when it has none."""
    try:
        return kernel.syscall("landlock_create_ruleset", kernel.SYS_LANDLOCK_CREATE, 0, 0, _VERSION_QUERY)
    except kernel.KernelError:
        return 0


def readable_parts(stdlib: str) -> list[str]:
    """Return what a program may read of the directory `stdlib`: all but the packages installed below it.

    The directory itself is not granted, since a grant reaches everything below; the import system keeps the
    listing that the runner made.
    """
    return [
        entry.path for entry in os.scandir(stdlib) if entry.name not in {"site-packages", "dist-packages"}
    ]


def ruleset(paths: Sequence[str]) -> int:
    """Return a descriptor of rules that allow reading files and directories at and below `paths`, and nothing else.

    Raises:
        KernelError: the kernel has no Landlock.
    """
    abi = version()
    files = sum(rights for since, rights in _FILE_RIGHTS_SINCE if abi >= since)
    attributes = struct.pack("<Q", files)
    if abi >= _TCP_SINCE:
        attributes += struct.pack("<Q", _TCP_BIND_AND_CONNECT)
    if abi >= _SCOPES_SINCE:
        attributes += struct.pack("<Q", _ABSTRACT_SOCKETS_AND_SIGNALS)
    rules = kernel.syscall(
        "landlock_create_ruleset", kernel.SYS_LANDLOCK_CREATE, ctypes.c_char_p(attributes), len(attributes), 0
    )
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            _allow_reading(rules, path)
    return rules


def restrict(rules: int) -> None:
    """Bind this process to `rules` for good; it must have given up gaining privileges.

    Raises:
        KernelError: it was refused.
    """
    kernel.syscall("landlock_restrict_self", kernel.SYS_LANDLOCK_RESTRICT, rules, 0)


def _allow_reading(rules: int, path: str) -> None:
    descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        rights = _READ_FILE | (_READ_DIR if os.path.isdir(path) else 0)
        rule = struct.pack("<Qi", rights, descriptor)
        kernel.syscall(
            "landlock_add_rule", kernel.SYS_LANDLOCK_ADD, rules, _RULE_PATH_BENEATH, ctypes.c_char_p(rule), 0
        )
    finally:
        os.close(descriptor)
