"""Puts the runner's memory into large pages: the fewer pages, the faster a child is forked and reaped.

A child that writes to a large page gets a copy of the small part that it wrote to, as ever. Nothing depends on this: a
kernel that has no large pages, or none left, keeps small ones.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from . import kernel

_LARGE, _SMALL = 2 << 20, 4 << 10


def merge_pages() -> None:
    """Merge pages of this process where at least half of a large one is in use."""
    with contextlib.suppress(OSError):
        for start, end in _private_mappings():
            for place in range(-(-start // _LARGE) * _LARGE, end - _LARGE + 1, _LARGE):
                if 2 * _SMALL * kernel.pages_present(place, _LARGE) >= _LARGE:
                    kernel.merge_pages(place, _LARGE)


def _private_mappings() -> Iterator[tuple[int, int]]:
    """Return start and end of every mapping that is writable, private and backed by no file."""
    with open("/proc/self/maps", encoding="ascii") as maps:
        lines = maps.readlines()
    for line in lines:
        span, rights, _, _, _, *name = line.split()
        if rights == "rw-p" and name in ([], ["[heap]"]):
            start, end = span.split("-")
            yield int(start, 16), int(end, 16)
