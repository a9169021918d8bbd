"""Starts a runner: ``python -P -s -S -B <this directory> [--connect <socket> | --streams] numpy=<its root> ...``.

Descriptor 0 is the control socket, or becomes it by connecting to a socket in the file system, where driver and
runner share nothing else; with ``--streams`` there is none, and frames travel over input and output. Makes this
directory the package ``runner``, and only the named packages importable beside it.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import socket
import sys


def _become_package() -> None:
    here = sys.path.pop(0)
    spec = importlib.util.spec_from_file_location(
        "runner", f"{here}/__init__.py", submodule_search_locations=[here]
    )
    if spec is None or spec.loader is None:
        raise ImportError(f"runner: expected a package at {here}")
    module = importlib.util.module_from_spec(spec)
    sys.modules["runner"] = module
    spec.loader.exec_module(module)


def _connect(path: str) -> None:
    """Make descriptor 0 a connection to the socket at `path`."""
    with socket.socket(socket.AF_UNIX) as control:
        control.connect(path)
        os.dup2(control.fileno(), 0)


if __name__ == "__main__":
    _become_package()
    arguments = sys.argv[1:]
    if arguments[:1] == ["--connect"]:
        _connect(arguments[1])
        arguments = arguments[2:]
    over_streams = arguments[:1] == ["--streams"]
    importlib.import_module("runner.imports").open_up(arguments[over_streams:])
    # Those need the packages, which are found from here on.
    frames, server = (importlib.import_module(f"runner.{name}") for name in ("frames", "server"))
    server.main(frames.StandardStreams() if over_streams else frames.SocketStream(socket.socket(fileno=0)))
