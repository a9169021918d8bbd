"""The figures of the pages, as files of their own, so that a page need not wait for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from starlette.requests import Request
from starlette.responses import Response

from results import plots
from results.dashboard import candidates, standings
from results.dashboard.campaigns import Trials, version_of
from results.dashboard.figures import Figures, digest
from results.dashboard.live import LiveDatabase
from results.dashboard.safety import FIGURE_POLICY
from results.errors import UnknownNameError, nearest
from results.loading import get_campaign
from results.plots import Curve
from results.progress import island_bests

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_AGAINST: dict[str, Literal["candidates", "cpu", "cost"]] = {
    "best-by-candidate": "candidates",
    "best-by-cpu": "cpu",
    "best-by-cost": "cost",
}
"""Figure of a campaign -> what its horizontal axis counts."""


class Drawings:
    """Every figure of the viewer, as Starlette calls it: in a thread of its own."""

    def __init__(self, database: LiveDatabase, trials: Trials) -> None:
        self._database = database
        self._trials = trials
        self._figures = Figures()

    def campaign(self, request: Request) -> Response:
        """How a campaign went: the best so far against candidates, CPU time or money, the islands, the ancestry.

        Raises:
            UnknownNameError: there is no such figure.
        """
        store, name, kind = self._database.store(), request.path_params["name"], request.path_params["kind"]
        with store.reading() as connection:
            record = get_campaign(connection, name)
        found = self._trials.of(store, name)
        objective = record.objective

        def draw() -> Figure:
            if kind == "islands":
                return plots.islands(island_bests(found.trials), objective=objective)
            if kind == "ancestry":
                return plots.ancestry(found.trials, objective=objective)
            baseline = next(
                (one for one in standings.standings(store, record, ()) if one.score is not None), None
            )
            known = {baseline.label: baseline.score} if baseline and baseline.score is not None else {}
            return plots.best_so_far(
                found.trials, objective=objective, against=_AGAINST[kind], references=known
            )

        if kind not in (*_AGAINST, "islands", "ancestry"):
            raise UnknownNameError(f"There is no figure {kind!r}.", nearest(kind, _AGAINST))
        return self._figure(request, found.version, draw, kind=kind, title=f"{name}: {kind}")

    def program(self, request: Request) -> Response:
        """The curves of a program, its parent and the best baselines."""
        store = self._database.store()
        campaign = request.query_params.get("campaign", "")
        v = candidates.of_program(store, request.path_params["ref"], campaign)
        return self._curves(request, standings.curves(v.table, v.shown))

    def compare(self, request: Request) -> Response:
        """The curves of two programs."""
        store = self._database.store()
        a, b = (candidates.of_program(store, request.query_params.get(key, "")) for key in ("a", "b"))
        return self._curves(request, candidates.beside(a, b)[1])

    def compare_campaigns(self, request: Request) -> Response:
        """The best so far of several campaigns."""
        found = self._trials.chosen(self._database.store(), request.query_params.getlist("name"))
        if not found:
            raise UnknownNameError("No campaign was named: nothing to draw.")
        drawn = {one.name: tried.trials for one, tried in found.items()}
        objective = " or ".join(dict.fromkeys(one.objective for one in found))

        def draw() -> Figure:
            return plots.campaigns(drawn, objective=objective)

        version = version_of(found.values())
        return self._figure(
            request, version, draw, kind="campaigns", title=f"{', '.join(drawn)}: best so far"
        )

    def _curves(self, request: Request, drawn: list[Curve]) -> Response:
        if not drawn:
            raise UnknownNameError("There are no curves to draw: no evaluation has come to an end.")
        first = drawn[0].label

        def draw() -> Figure:
            return plots.exploitability(drawn, highlight=[first])

        return self._figure(request, digest(drawn), draw, kind="curves", title=f"Exploitability of {first}")

    def _figure(
        self, request: Request, version: str, draw: Callable[[], Figure], *, kind: str, title: str
    ) -> Response:
        fresh = request.query_params.get("v") == version
        headers = {
            "Content-Security-Policy": FIGURE_POLICY,
            "Cache-Control": "max-age=31536000, immutable" if fresh else "no-cache",
        }
        svg = self._figures.svg(f"{kind} {version} {title}", draw, title=title)
        return Response(svg, media_type="image/svg+xml", headers=headers)
