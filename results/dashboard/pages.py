"""The pages and their figures: what a path and a query stand for, read from the database and put into a template."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlencode

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse

from results import queries
from results.dashboard import candidates, comparisons, table
from results.dashboard.cache import COMPARED, Cache, digest
from results.dashboard.live import LiveDatabase, state
from results.dashboard.safety import FIGURE_POLICY
from results.errors import AmbiguousError, EmptyDatabaseError, StoreError, UnknownNameError, nearest
from results.lineage import lineage
from results.loading import get_campaign
from results.programs import BEST
from results.records import CampaignRecord
from results.text import diff
from results.views import words
from results.views.campaign import changes
from results.views.document import Code, Figure, Steps
from results.views.figures import figures
from results.views.sections import campaign_path, results_table, sections
from results.views.templating import environment, inline

SHOWN = ("progress", "programs", "curves", "outcomes", "origins", "held-out", "events", "run")
"""Sections of a campaign's page; its lineage has one of its own."""


class Pages:
    """Every page and figure of the viewer, as Starlette calls it: in a thread of its own."""

    def __init__(self, database: LiveDatabase) -> None:
        self._database = database
        self._cache = Cache()
        self._templates = environment()

    def campaigns(self, request: Request) -> Response:
        """Show all campaigns."""
        store = self._database.store()
        now = state(store)
        return self._page("campaigns.html", now, summaries=queries.campaigns(store)[::-1])

    def campaign(self, request: Request) -> Response:
        """Show one campaign."""
        store, name = self._database.store(), request.path_params["name"]
        now = state(store, name)
        view, version = self._cache.campaign(store, name, now)
        *others, run = sections(view, figures(view), SHOWN)
        config = Code(_config(view.campaign), "Configuration", fold="Configuration, versions, machine")
        return self._page(
            "campaign.html",
            now,
            scope=name,
            view=view,
            verdict=words.verdict(view),
            facts=words.facts(view),
            sections=[*others, run._replace(blocks=[*run.blocks, config])],
            picture=self._linked(name, version),
        )

    def figure(self, request: Request) -> Response:
        """Send a figure of a campaign.

        Raises:
            UnknownNameError: there is no such figure.
        """
        name, kind = request.path_params["name"], request.path_params["kind"]
        view, version = self._cache.campaign(self._database.store(), name)
        drawn = figures(view)
        if kind not in drawn:
            raise UnknownNameError(f"There is no figure {kind!r}.", nearest(kind, drawn))
        fresh = request.query_params.get("v") == version
        headers = {
            "Content-Security-Policy": FIGURE_POLICY,
            "Cache-Control": "max-age=31536000, immutable" if fresh else "no-cache",
        }
        figure = drawn[kind]._replace(title=f"{name}: {drawn[kind].title}")
        return Response(self._cache.svg(figure, version), media_type="image/svg+xml", headers=headers)

    def programs(self, request: Request) -> Response:
        """Show the table of a campaign's candidates."""
        store, name = self._database.store(), request.path_params["name"]
        wanted = table.parse(request.query_params)
        now = state(store, name)
        with store.reading_campaign(name) as (connection, record):
            shown = table.page(connection, record, wanted)
        return self._page("programs.html", now, scope=name, record=record, t=shown)

    def programs_csv(self, request: Request) -> Response:
        """Send the same candidates as a file."""
        store, name = self._database.store(), request.path_params["name"]
        wanted = table.parse(request.query_params)
        with store.reading() as connection:
            record = get_campaign(connection, name)
        file = f"attachment; filename*=UTF-8''{quote(name, safe='')}.csv"
        lines = table.csv_lines(store, record, wanted)
        return StreamingResponse(lines, media_type="text/csv", headers={"Content-Disposition": file})

    def candidate(self, request: Request) -> Response:
        """Show a candidate of a campaign, and its program if it has one."""
        name, ordinal = request.path_params["name"], request.path_params["ordinal"]
        store = self._database.store()
        now = state(store, name)
        return self._program(candidates.of_candidate(store, name, ordinal), now)

    def program(self, request: Request) -> Response:
        """Show a program by its id, name, campaign:ordinal or campaign:best."""
        now = state(self._database.store())
        campaign = request.query_params.get("campaign", "")
        return self._program(
            candidates.of_program(self._database.store(), request.path_params["ref"], campaign), now
        )

    def lineage(self, request: Request) -> Response:
        """Show how the best program of a campaign, or one of its candidates, was made."""
        store, name = self._database.store(), request.path_params["name"]
        of = request.query_params.get("of") or BEST
        now = state(store, name)
        view, version = self._cache.campaign(store, name, now)
        best = of == BEST and bool(view.lineage)
        steps = view.lineage if best else lineage(store, f"{name}:{of}").steps
        drawn = figures(view) if best else {}
        return self._page(
            "lineage.html", now, scope=name, name=name, objective=view.campaign.objective, of=of, best=best,
            steps=Steps(name, changes(steps)), figure=drawn.get("ancestry"), picture=self._linked(name, version),
            sections=sections(view, drawn, ("structure",)) if best else [],
        )  # fmt: skip

    def compare(self, request: Request) -> Response:
        """Show two programs beside each other."""
        store = self._database.store()
        now = state(store)
        refs = [request.query_params.get(key, "").strip() for key in ("a", "b")]
        if not all(refs):
            return self._page("compare.html", now, refs=refs, pair=None)
        a, b = (candidates.of_program(store, ref) for ref in refs)
        rows, figure = comparisons.two_programs(a, b)
        return self._page(
            "compare.html", now, refs=refs, pair=(a, b), change=diff(_source(a), _source(b)), table=rows,
            figure=figure, picture=self._inline,
        )  # fmt: skip

    def compare_campaigns(self, request: Request) -> Response:
        """Show several campaigns beside each other."""
        store = self._database.store()
        now = state(store)
        chosen = self._cache.chosen(store, request.query_params.getlist("name"))
        return self._page(
            "compare_campaigns.html",
            now,
            summaries=queries.campaigns(store),
            names={one.name for one in chosen},
            limit=COMPARED,
            table=comparisons.campaign_table(chosen) if chosen else None,
            figure=comparisons.campaign_figure(chosen) if chosen else None,
            picture=self._inline,
        )

    def changes(self, request: Request) -> Response:
        """Send the word that differs when a page would: what the script asks for every other second."""
        name = request.query_params.get("campaign")
        return JSONResponse({"state": state(self._database.store(), name)})

    def wrong(self, request: Request, error: Exception) -> Response:
        """Show instead of a page that there is nothing of that name, or no database."""
        assert isinstance(error, StoreError)
        known = isinstance(error, UnknownNameError | AmbiguousError)
        status = 404 if known else 200 if isinstance(error, EmptyDatabaseError) else 503
        if request.url.path == "/changes":
            return JSONResponse({"state": f"{status}"}, status if known else 200)
        template = "empty.html" if isinstance(error, EmptyDatabaseError) else "error.html"
        return self._page(template, f"{status}", status=status, message=error.message, hint=error.hint)

    def missing(self, request: Request, error: Exception) -> Response:
        """Show that a path is no page."""
        return self._page("error.html", "404", status=404, message="There is no such page.", hint="")

    def _program(self, v: candidates.CandidateView, now: str) -> Response:
        summaries = {one.name: one for one in queries.campaigns(self._database.store())}
        scope = v.campaign.name if v.campaign else None
        return self._page(
            "program.html",
            now,
            scope=scope,
            candidates=summaries[scope].candidates if scope else 0,
            v=v,
            figure=v.figure(),
            table=v.table(),
            metrics={name: one.metric for name, one in summaries.items()},
            results_table=results_table,
            picture=self._inline,
        )

    def _linked(self, name: str, version: str) -> Callable[[Figure], Markup]:
        """Return what shows figures of a campaign: they are files of their own, so that the page need not wait."""

        def picture(figure: Figure) -> Markup:
            source = campaign_path(name, f"figures/{figure.name}.svg?v={version}")
            return Markup(self._templates.get_template("macros.html").module.image(source, figure))  # type: ignore[attr-defined]

        return picture

    def _inline(self, figure: Figure) -> Markup:
        """Return a figure as a part of the page."""
        return inline(figure, self._cache.svg(figure, digest(figure.draw.args), page=True))

    def _page(
        self, template: str, now: str, *, scope: str | None = None, status: int = 200, **values: Any
    ) -> Response:
        about = f"?{urlencode({'campaign': scope})}" if scope is not None else ""
        poll = f"/changes{about}" if status != 404 else ""
        html = self._templates.get_template(template).render(
            database=self._database.shown_name, state=now, poll=poll, **values
        )
        return HTMLResponse(html, status)


def _source(v: candidates.CandidateView) -> str:
    return v.program.source if v.program else ""


def _config(record: CampaignRecord) -> str:
    wanted = ("seed", "plan", "git_commit", "config", "versions", "machine")
    return json.dumps({name: getattr(record, name) for name in wanted}, indent=2, ensure_ascii=False)
