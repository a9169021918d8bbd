"""Keeps modules from running hooks in every forked child, which would take longer than starting a program.

The hooks renew locks, which a process of one thread does not hold while it forks, and generators of random numbers,
which are to start alike in all children.
"""

from __future__ import annotations

import os
import posix


def ignore_registrations() -> None:
    """Ignore the hooks of modules that are imported from now on."""
    os.register_at_fork = _ignored


def restore_registrations() -> None:
    """Register hooks as usual again."""
    os.register_at_fork = posix.register_at_fork


def _ignored(**_: object) -> None:
    pass
