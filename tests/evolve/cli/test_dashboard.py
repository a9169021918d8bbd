"""``evolve dashboard`` as a person runs it: an address, a page, Ctrl-C."""

import json
import signal
import socket
import subprocess
import sys
from urllib.request import urlopen

import pytest

from results.store import open_store

COMMAND = (sys.executable, "-c", "from evolve.cli.app import main; main()", "dashboard")


@pytest.fixture
def database(tmp_path):
    path = tmp_path / "evolve.db"
    open_store(path).close()
    return path


def test_it_answers_until_ctrl_c(database):
    command = [*COMMAND, "--port", "0", "--db", str(database), "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        said = json.loads(process.stdout.readline())
        assert said["schema_version"] == 2
        assert said["database"] == str(database)
        with urlopen(said["url"], timeout=30) as answer:
            assert "No campaign has been started" in answer.read().decode()
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=30)
    assert (process.returncode, output, errors) == (0, "", "")


def test_a_missing_database_is_one_line(invoke, tmp_path):
    result = invoke("dashboard", "--db", tmp_path / "none.db")
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert "There is no database at" in result.stderr
    assert "evolve run" in result.stderr


def test_a_port_that_is_taken_is_one_line_that_names_a_free_one(invoke, database):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = invoke("dashboard", "--db", database, "--port", port)
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert f"port {port} cannot be used" in result.stderr
    other = int(result.stderr.rpartition("--port ")[2])
    assert other != port
    with socket.create_server(("127.0.0.1", other)):
        pass
