"""The runner's memory in large pages: the more pages there are, the longer a child takes to make and to end.

A child that writes to a large page gets the small part of it that it wrote to, as ever. Nothing depends on it: a kernel
that has no large pages, or none left, keeps small ones.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from . import kernel

_LARGE, _SMALL = 2 << 20, 4 << 10


def merge_pages() -> None:
    """Have the kernel merge pages of this process where at least half of a large one is in use."""
    with contextlib.suppress(OSError):
        for start, end in _written():
            for place in range(-(-start // _LARGE) * _LARGE, end - _LARGE + 1, _LARGE):
                if 2 * _SMALL * kernel.pages_present(place, _LARGE) >= _LARGE:
                    kernel.merge_pages(place, _LARGE)


def _written() -> Iterator[tuple[int, int]]:
    """Where memory begins and ends that this process writes to, shares with nobody, and has from no file."""
    with open("/proc/self/maps", encoding="ascii") as maps:
        lines = maps.readlines()
    for line in lines:
        span, rights, _, _, _, *name = line.split()
        if rights == "rw-p" and name in ([], ["[heap]"]):
            start, end = span.split("-")
            yield int(start, 16), int(end, 16)
