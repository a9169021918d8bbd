"""Figures as SVG files: drawn once for the same numbers, one at a time."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from hashlib import sha256
from typing import TYPE_CHECKING

from results import plots

if TYPE_CHECKING:
    from matplotlib.figure import Figure

KEPT = 64
"""Figures that are remembered: some hundred kilobytes each at most."""


def digest(data: object) -> str:
    """A word for what a figure shows: the same numbers have the same one."""
    return sha256(repr(data).encode("utf-8", "replace")).hexdigest()[:16]


class Figures:
    """A memory of drawn figures. May be used by several threads; they draw one after the other."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._drawn: OrderedDict[str, str] = OrderedDict()

    def svg(self, key: str, draw: Callable[[], Figure], *, title: str) -> str:
        """The figure called `key`, drawn unless it is known."""
        with self._lock:
            if key not in self._drawn:
                self._drawn[key] = plots.svg(draw(), name="figure", title=title, page=False)
                while len(self._drawn) > KEPT:
                    self._drawn.popitem(last=False)
            self._drawn.move_to_end(key)
            return self._drawn[key]
