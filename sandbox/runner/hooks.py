"""What modules have done in every process that is forked, which takes a child longer than starting a program.

They renew locks, which a process of one thread does not hold while it forks, and generators of random numbers,
which are to start alike in all children.
"""

from __future__ import annotations

import os
import posix


def ignore() -> None:
    """Have modules that are imported from now on register nothing."""
    os.register_at_fork = _ignored


def heed() -> None:
    """Give modules the ordinary function again."""
    os.register_at_fork = posix.register_at_fork


def _ignored(**_: object) -> None:
    pass
