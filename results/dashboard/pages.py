"""The pages: what a path and a query stand for, read from the database and put into a template."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse

from results import queries
from results.dashboard import candidates, standings, table
from results.dashboard.campaigns import COMPARED, Trials, compared, version_of, view
from results.dashboard.figures import digest
from results.dashboard.live import LiveDatabase, state
from results.dashboard.templating import environment
from results.errors import AmbiguousError, EmptyDatabaseError, StoreError, UnknownNameError
from results.lineage import lineage
from results.loading import get_campaign
from results.programs import BEST
from results.records import CampaignRecord
from results.text import diff

if TYPE_CHECKING:
    pass


class Pages:
    """Every page of the viewer, as Starlette calls it: in a thread of its own."""

    def __init__(self, database: LiveDatabase, trials: Trials) -> None:
        self._database = database
        self._trials = trials
        self._templates = environment()

    def campaigns(self, request: Request) -> Response:
        """All campaigns."""
        store = self._database.store()
        now = state(store)
        return self._page("campaigns.html", now, summaries=queries.campaigns(store)[::-1])

    def campaign(self, request: Request) -> Response:
        """One campaign: its figures, best programs and shares."""
        store, name = self._database.store(), request.path_params["name"]
        now = state(store, name)
        found = self._trials.of(store, name)
        shown = view(store, name, found.trials)
        return self._page(
            "campaign.html",
            now,
            scope=name,
            c=shown,
            version=found.version,
            config=_asked_for(shown.record),
            games=standings.games(shown.table),
            lowest=standings.lowest(shown.table),
        )

    def programs(self, request: Request) -> Response:
        """The table of a campaign's candidates."""
        store, name = self._database.store(), request.path_params["name"]
        wanted = table.parse(request.query_params)
        now = state(store, name)
        with store.reading() as connection:
            record = get_campaign(connection, name)
        shown = table.page(store, record, wanted)
        return self._page("programs.html", now, scope=name, record=record, t=shown, undecided=table.UNDECIDED)

    def programs_csv(self, request: Request) -> Response:
        """The same candidates as a file."""
        store, name = self._database.store(), request.path_params["name"]
        wanted = table.parse(request.query_params)
        with store.reading() as connection:
            record = get_campaign(connection, name)
        file = f"attachment; filename*=UTF-8''{quote(name, safe='')}.csv"
        lines = table.csv_lines(store, record, wanted)
        return StreamingResponse(lines, media_type="text/csv", headers={"Content-Disposition": file})

    def candidate(self, request: Request) -> Response:
        """A candidate of a campaign, and its program if it has one."""
        name, ordinal = request.path_params["name"], request.path_params["ordinal"]
        store = self._database.store()
        now = state(store, name)
        return self._program(candidates.of_candidate(store, name, ordinal), now)

    def program(self, request: Request) -> Response:
        """A program by its id, name, campaign:ordinal or campaign:best."""
        store = self._database.store()
        now = state(store)
        campaign = request.query_params.get("campaign", "")
        return self._program(candidates.of_program(store, request.path_params["ref"], campaign), now)

    def _program(self, v: candidates.CandidateView, now: str) -> Response:
        drawn = standings.curves(v.table, v.shown)
        return self._page(
            "program.html",
            now,
            scope=v.campaign.name if v.campaign else None,
            v=v,
            games=standings.games(v.table),
            lowest=standings.lowest(v.table),
            roles=_roles(v),
            version=digest(drawn) if drawn else "",
        )

    def lineage(self, request: Request) -> Response:
        """How the best program of a campaign, or one of its candidates, came about."""
        store, name = self._database.store(), request.path_params["name"]
        of = request.query_params.get("of") or BEST
        now = state(store, name)
        found = lineage(store, f"{name}:{of}")
        pairs = zip((None, *found.steps), found.steps, strict=False)
        steps = [
            (step, before, diff(before.source, step.source) if before else None) for before, step in pairs
        ]
        version = self._trials.of(store, name).version
        return self._page("lineage.html", now, scope=name, found=found, steps=steps, of=of, version=version)

    def compare(self, request: Request) -> Response:
        """Two programs beside each other."""
        store = self._database.store()
        now = state(store)
        refs = [request.query_params.get(key, "").strip() for key in ("a", "b")]
        if not all(refs):
            return self._page("compare.html", now, refs=refs, pair=None)
        a, b = (candidates.of_program(store, ref) for ref in refs)
        rows, drawn = candidates.beside(a, b)
        change = diff(_source(a), _source(b))
        return self._page(
            "compare.html", now, refs=refs, pair=(a, b), change=change, rows=rows, games=standings.games(rows),
            version=digest(drawn) if drawn else "",
        )  # fmt: skip

    def compare_campaigns(self, request: Request) -> Response:
        """Several campaigns beside each other."""
        store = self._database.store()
        now = state(store)
        summaries = queries.campaigns(store)
        found = self._trials.chosen(store, request.query_params.getlist("name"))
        query = urlencode([("name", one.name) for one in found])
        return self._page(
            "compare_campaigns.html",
            now,
            summaries=summaries,
            rows=[compared(one, tried.trials) for one, tried in found.items()],
            names={one.name for one in found},
            limit=COMPARED,
            query=query,
            version=version_of(found.values()),
        )

    def changes(self, request: Request) -> Response:
        """The word that differs when a page would: what the script asks for every other second."""
        name = request.query_params.get("campaign")
        return JSONResponse({"state": state(self._database.store(), name)})

    def _page(
        self, template: str, now: str, *, scope: str | None = None, status: int = 200, **values: Any
    ) -> Response:
        about = f"?{urlencode({'campaign': scope})}" if scope is not None else ""
        poll = f"/changes{about}" if status != 404 else ""
        html = self._templates.get_template(template).render(
            database=self._database.shown_name, state=now, poll=poll, **values
        )
        return HTMLResponse(html, status)

    def wrong(self, request: Request, error: Exception) -> Response:
        """What a page says instead, when there is nothing of that name or no database."""
        assert isinstance(error, StoreError)
        known = isinstance(error, UnknownNameError | AmbiguousError)
        status = 404 if known else 200 if isinstance(error, EmptyDatabaseError) else 503
        if request.url.path == "/changes":
            return JSONResponse({"state": f"{status}"}, status if known else 200)
        template = "empty.html" if isinstance(error, EmptyDatabaseError) else "error.html"
        return self._page(template, f"{status}", status=status, message=error.message, hint=error.hint)

    def missing(self, request: Request, error: Exception) -> Response:
        """What is said of a path that is no page."""
        return self._page("error.html", "404", status=404, message="There is no such page.", hint="")


def _source(v: candidates.CandidateView) -> str:
    return v.details.program.source if v.details else ""


def _roles(v: candidates.CandidateView) -> dict[str, str]:
    """Id -> what the program is on this page."""
    roles = {v.parent.id: "parent"} if v.parent else {}
    return roles | ({v.details.program.id: "this program"} if v.details else {})


def _asked_for(record: CampaignRecord) -> str:
    wanted = ("seed", "plan", "git_commit", "config", "versions", "machine")
    return json.dumps({name: getattr(record, name) for name in wanted}, indent=2, ensure_ascii=False)
