"""``evolve dashboard``: look at campaigns in a browser while they run."""

from __future__ import annotations

import socket
from typing import Annotated

import typer

from evolve.cli.output import DbOption, JsonOption, console, database, print_json
from evolve.errors import ConfigError

PORT = 8000
_TRIED_PORTS = 20


def dashboard(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0: any free one.")] = PORT,
    open_: Annotated[bool, typer.Option("--open", help="Open it in a browser.")] = False,
    db: DbOption = None,
    as_json: JsonOption = False,
) -> None:
    """Look at campaigns in a browser, as they run: on this machine only, and nothing is ever changed.

    Example: evolve dashboard --port 8080
    """
    from results.dashboard.app import create_app, serve

    where = database(db)
    app = create_app(where)
    with _listen(port) as listening:
        url = f"http://{listening.getsockname()[0]}:{listening.getsockname()[1]}/"
        if as_json:
            print_json({"url": url, "database": where})
        else:
            console().print(f"{url} shows {where}. Ctrl-C ends it.", markup=False, soft_wrap=True)
        if open_:
            import webbrowser

            webbrowser.open(url)
        serve(app, listening)


def _listen(port: int) -> socket.socket:
    """Return the socket that is answered on.

    Raises:
        ConfigError: the port is taken, or not for everybody; another one is named.
    """
    from results.dashboard.app import listen

    try:
        return listen(port)
    except OSError as error:
        hint = f"Run: evolve dashboard --port {_free_after(port)}"
        raise ConfigError(f"dashboard: port {port} cannot be used: {error.strerror}.", hint) from error


def _free_after(port: int) -> int:
    """Return a port near `port` that is free; 0, which takes any, where there is none."""
    from results.dashboard.app import listen

    for other in range(max(port, 1024) + 1, min(max(port, 1024) + _TRIED_PORTS, 65536)):
        try:
            listen(other).close()
        except OSError:
            continue
        return other
    return 0
