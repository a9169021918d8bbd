"""Makes the memory that the arrays of one session lie in."""

from __future__ import annotations

import fcntl
import os


def sealed(size: int) -> int:
    """Return a descriptor of `size` bytes of memory that cannot be resized: shrinking it would kill its readers."""
    descriptor = os.memfd_create("session", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(descriptor, size)
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
    return descriptor
