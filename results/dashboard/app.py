"""The application: which path is which page, and a server on this machine's own address."""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from starlette.applications import Starlette
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from results.dashboard.live import LiveDatabase
from results.dashboard.pages import Pages
from results.dashboard.safety import MIDDLEWARE
from results.errors import EmptyDatabaseError, StoreError

ADDRESS = "127.0.0.1"
"""The only address that is listened on."""

_STOPPING_S = 2
"""How long answers that are under way may still take when the server is stopped."""


def create_app(where: str | os.PathLike[str]) -> Starlette:
    """Return the viewer of a database, which may be empty still: its pages appear when there is something to show.

    Args:
        where: the path of a SQLite file, or an SQLAlchemy URL (sqlite or postgresql).

    Raises:
        DatabaseError: missing, newer than this program, no database of ours, or not to be read.
    """
    database = LiveDatabase(where)
    with suppress(EmptyDatabaseError):
        database.store()
    pages = Pages(database)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        database.close()

    return Starlette(
        routes=_routes(pages),
        middleware=MIDDLEWARE,
        exception_handlers={StoreError: pages.wrong, 404: pages.missing},
        lifespan=lifespan,
    )


def _routes(pages: Pages) -> list[Route | Mount]:
    campaign = "/campaigns/{name:path}"
    return [
        Route("/", pages.campaigns),
        Route("/changes", pages.changes),
        Route(campaign + "/programs", pages.programs),
        Route(campaign + "/programs.csv", pages.programs_csv),
        Route(campaign + "/candidates/{ordinal:int}", pages.candidate),
        Route(campaign + "/lineage", pages.lineage),
        Route(campaign + "/figures/{kind}.svg", pages.figure),
        Route(campaign, pages.campaign),
        Route("/programs/{ref:path}", pages.program),
        Route("/compare", pages.compare),
        Route("/compare/campaigns", pages.compare_campaigns),
        Mount("/static", StaticFiles(packages=[("results.views", "static")])),
    ]


def listen(port: int) -> socket.socket:
    """Return a socket on this machine's own address; port 0 takes any free one.

    Raises:
        OSError: the port is taken, or not for everybody.
    """
    listening = socket.socket()
    # A port that a server has just left may be taken again at once.
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((ADDRESS, port))
        listening.listen(64)
    except OSError:
        listening.close()
        raise
    return listening


def serve(app: Starlette, listening: socket.socket) -> None:
    """Answer requests until Ctrl-C, which is how it ends and no error."""
    import uvicorn

    config = uvicorn.Config(
        app, access_log=False, log_level="warning", server_header=False, timeout_graceful_shutdown=_STOPPING_S
    )
    with suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=[listening])
