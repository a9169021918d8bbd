"""Help: an example for every command, examples that parse, and an answer in no time."""

import os
import re
import shlex
import subprocess
import sys

import pytest
import typer

from evolve.cli.app import app


def leaves(command, path=()):
    """All commands, each with its path."""
    children = getattr(command, "commands", None)
    if not children:
        return [(path, command)]
    return [leaf for name, child in children.items() for leaf in leaves(child, (*path, name))]


COMMANDS = {" ".join(path): command for path, command in leaves(typer.main.get_command(app))}


def test_all_commands_are_here():
    assert {"run", "evaluate", "baselines", "games", "doctor", "results top", "results show"} <= set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_help_has_an_example(invoke, name):
    result = invoke(*name.split(), "--help")
    assert result.exit_code == 0
    assert f"Example: evolve {name}" in " ".join(result.stdout.split())


@pytest.mark.parametrize("name", COMMANDS)
def test_the_example_is_a_valid_command(name):
    line = re.search(r"Example: (evolve .+)", COMMANDS[name].help)[1]
    arguments = shlex.split(line)[1 + len(name.split()) :]
    COMMANDS[name].make_context(name, arguments)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_json(invoke, name):
    assert "--json" in invoke(*name.split(), "--help").stdout


@pytest.mark.parametrize("name", ["", "results"])
def test_a_group_without_a_command_shows_its_help(invoke, name):
    result = invoke(*name.split())
    assert "Usage:" in result.stdout + result.stderr


def test_an_unknown_option_is_a_usage_error(invoke):
    assert invoke("run", "--candidate", 5).exit_code == 2


def test_help_takes_under_a_third_of_a_second_of_cpu():
    """Stated in the requirements: below 0.3 s of CPU. The best of five, because other work disturbs caches."""

    def cpu_s():
        command = [sys.executable, "-c", "from evolve.cli.app import main; main()", "--help"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0
        return usage.ru_utime + usage.ru_stime

    assert min(cpu_s() for _ in range(5)) < 0.3


def test_help_imports_nothing_heavy():
    code = (
        "import sys; sys.argv = ['evolve', '--help']\n"
        "from evolve.cli.app import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print('imported:', *sorted(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    imported = done.stdout.rpartition("imported:")[2].split()
    heavy = {"numpy", "scipy", "numba", "pyspiel", "sqlalchemy", "pydantic", "alembic", "jinja2"}
    assert heavy & set(imported) == set()
