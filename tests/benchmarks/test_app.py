"""`python -m benchmarks`: the commands that are there, and `evolve bench`, which is a thin call of them."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

import evolve
from benchmarks.app import app
from evolve.cli import app as evolve_app
from evolve.cli import bench

ROOT = Path(evolve.__file__).parent.parent
COMMANDS = typer.main.get_command(app).commands


def invoke_evolve(*arguments):
    return CliRunner().invoke(evolve_app.app, list(map(str, arguments)))


def test_all_benchmarks_are_here():
    assert set(COMMANDS) == {"cfr", "psro", "river", "games", "engine", "sandbox", "path", "ruler"}


@pytest.mark.parametrize("name", COMMANDS)
def test_help_has_json_and_an_example_that_parses(invoke, name):
    shown = invoke(name, "--help").stdout
    assert "--json" in shown
    line = re.search(r"Example: python -m benchmarks (.+)", COMMANDS[name].help)[1]
    command, *arguments = line.split()
    assert command == name
    COMMANDS[name].make_context(name, arguments)


@pytest.mark.parametrize(("name", "option"), [("cfr", "--games"), ("psro", "--game")])
def test_an_unknown_game_is_one_line(invoke, name, option):
    result = invoke(name, option, "kuhm2")
    assert result.exit_code == 2
    assert "Did you mean 'kuhn2'?" in result.stderr


def test_an_unknown_kind_of_sandbox_is_one_line(invoke):
    result = invoke("sandbox", "--sandbox", "vm")
    assert result.exit_code == 2
    assert result.stderr == "evolve: sandbox: expected process, docker or gvisor; got 'vm'.\n"


def test_runs_as_a_module():
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "python -m benchmarks" in done.stdout
    assert all(name in done.stdout for name in COMMANDS)


@pytest.mark.parametrize("arguments", [(), ("cfr", "--help")])
def test_evolve_bench_passes_arguments_on(invoke, arguments):
    result = invoke_evolve("bench", *arguments)
    assert result.exit_code == 0
    expected = invoke(*arguments or ["--help"]).stdout.splitlines()[2:]
    assert result.stdout.splitlines()[2:] == expected


def test_evolve_bench_fails_as_the_benchmark_does():
    result = invoke_evolve("bench", "cfr", "--games", "kuhm2")
    assert result.exit_code == 2
    assert "Did you mean 'kuhn2'?" in result.stderr


@pytest.mark.parametrize("files", [(), ("benchmarks/__init__.py",)])
def test_outside_a_checkout_evolve_bench_is_one_line(monkeypatch, tmp_path, files):
    """Also where another distribution has installed a package called `benchmarks` beside ours."""
    for name in files:
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.delitem(sys.modules, "benchmarks")
    monkeypatch.setattr(bench, "ROOT", tmp_path)
    result = invoke_evolve("bench", "cfr")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr == (
        "evolve: bench: benchmarks come with a checkout of the source, and this is an installed package. "
        "Clone the repository and run there: python -m benchmarks NAME.\n"
    )
