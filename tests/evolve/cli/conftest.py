"""The command line, run in this process in a directory of its own, and a small campaign to look at."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from evolve.cli.app import app

NAME = "cfr-symbolic-s0"


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """An empty current directory, and no database named by the environment."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.delenv("EVOLVE_DB", raising=False)
    # Lines of errors and help do not depend on the terminal that the tests are started from.
    monkeypatch.setenv("COLUMNS", "200")
    return folder


def invoke_app(*arguments):
    return CliRunner().invoke(app, list(map(str, arguments)))


@pytest.fixture(scope="session")
def invoke():
    """Runs a command; the result has exit_code, stdout and stderr."""
    return invoke_app


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """A finished campaign: (its database, its events)."""
    db = tmp_path_factory.mktemp("campaign") / "evolve.db"
    result = invoke_app(
        "run", "--tasks", "kuhn2", "--budget", 5, "--candidates", 4, "--workers", 1, "--db", db, "--json"
    )
    assert result.exit_code == 0, result.stderr
    return db, [json.loads(line) for line in result.stdout.splitlines()]


@pytest.fixture
def ask(invoke):
    """Runs a command with --json and gives its one object; whatever else is on standard output fails."""

    def run(*arguments, code=0):
        result = invoke(*arguments, "--json")
        assert result.exit_code == code, result.stderr
        found = json.loads(result.stdout)
        assert found["schema_version"] == 2
        return found

    return run
