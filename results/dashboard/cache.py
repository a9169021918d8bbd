"""What has been read and drawn, remembered until something changed. May be used by several threads."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Generic, NamedTuple, TypeVar

from results import plots, queries
from results.dashboard.live import state
from results.errors import UnknownNameError, nearest
from results.queries import CampaignSummary
from results.store import Store
from results.views.campaign import CampaignView, view
from results.views.document import Figure

COMPARED = 6
"""Campaigns that are drawn over each other, at most."""

VIEWS_KEPT, FIGURES_KEPT = 8, 64
"""A figure is some hundred kilobytes at most."""

T = TypeVar("T")


class Memory(Generic[T]):
    """The values of the keys that were asked for last; one is made at a time."""

    def __init__(self, size: int) -> None:
        self._size, self._lock = size, threading.Lock()
        self._known: OrderedDict[str, T] = OrderedDict()

    def get(self, key: str, make: Callable[[], T]) -> T:
        """Return the value of a key, made unless it is known."""
        with self._lock:
            if key not in self._known:
                self._known[key] = make()
                while len(self._known) > self._size:
                    self._known.popitem(last=False)
            self._known.move_to_end(key)
            return self._known[key]


class Seen(NamedTuple):
    """A campaign, and a word that differs when its figures would."""

    view: CampaignView
    version: str


class Cache:
    """Views of campaigns and drawn figures."""

    def __init__(self) -> None:
        self._views: Memory[Seen] = Memory(VIEWS_KEPT)
        self._figures: Memory[str] = Memory(FIGURES_KEPT)

    def campaign(self, store: Store, name: str, now: str | None = None) -> Seen:
        """Return a campaign as it is now; `now`: its `live.state`, where that is known.

        Raises:
            UnknownNameError: no such campaign.
        """
        key = f"{id(store)} {now or state(store, name)} {name}"
        return self._views.get(key, lambda: _seen(store, name))

    def chosen(self, store: Store, names: Sequence[str]) -> dict[CampaignSummary, Seen]:
        """Return the campaigns with these names, as many as are drawn over each other.

        Raises:
            UnknownNameError: one of them is none.
        """
        by_name = {one.name: one for one in queries.campaigns(store)}
        for name in names:
            if name not in by_name:
                raise UnknownNameError(
                    f"There is no campaign {name!r} in this database.", nearest(name, by_name)
                )
        return {by_name[name]: self.campaign(store, name) for name in list(dict.fromkeys(names))[:COMPARED]}

    def svg(self, figure: Figure, version: str, *, page: bool = False) -> str:
        """Return a figure as a file or for a page's text, drawn unless one of this version is known."""

        def draw() -> str:
            return plots.svg(figure.draw(), name="figure", title=figure.title, page=page)

        return self._figures.get(f"{figure.name} {version} {page} {figure.title}", draw)


def digest(data: object) -> str:
    """Return a word for what a figure shows: the same numbers have the same one."""
    return sha256(repr(data).encode("utf-8", "replace")).hexdigest()[:16]


def _seen(store: Store, name: str) -> Seen:
    made = view(store, name)
    return Seen(made, digest((made.trials, made.entries, made.held_out)))
