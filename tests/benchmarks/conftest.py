"""The benchmarks' command line, run in this process with next to no work."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from benchmarks.app import app


@pytest.fixture(scope="session", autouse=True)
def cache_dir(tmp_path_factory):
    """Games are compiled once for all tests here, and into no user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        path = tmp_path_factory.mktemp("cache")
        patch.setenv("EVOLVE_CACHE_DIR", str(path))
        yield path


@pytest.fixture(autouse=True)
def columns(monkeypatch):
    """Tables fit a terminal of a hundred columns."""
    monkeypatch.setenv("COLUMNS", "100")


@pytest.fixture(scope="session")
def invoke():
    """Runs a command; the result has exit_code, stdout and stderr."""
    return lambda *arguments: CliRunner().invoke(app, list(map(str, arguments)))
