"""What the README tells a reader to type works, in the order in which it stands there.

Commands run in a directory that is as `make demo` leaves the reader's: a campaign called cfr-symbolic-s0 in
results/data/evolve.db, only smaller. Commands that would search or promote for minutes get documented options that
make them short; a server, and what needs a model's key, is only parsed.
"""

import ast
import re
import shlex
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

import evolve
from evolve.cli.app import app

ROOT = Path(evolve.__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")

CAMPAIGN = "run --games kuhn2,goofspiel3 --iterations 20 --candidates 12 --workers 2"
SHORT = {
    "run": "--games kuhn2 --iterations 5 --candidates 3 --workers 1",
    "promote": "--games kuhn2 --finalists 1 --baselines dcfr --workers 1",
    "distill": "--games kuhn2 --iterations 5 --evaluations 4 --workers 1",
    "bench": "--games kuhn2",
}
"""Command -> options that make it quick; the last one given counts."""
PARSED = ("dashboard", "bench")
"""Commands that are not run: they serve for ever, or take minutes whatever their options."""
KEYED = "--model"
"""What an option of a command that asks a language model is called; such campaigns do not exist here."""


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


LINES = [line for block in blocks("sh") for line in block.splitlines() if line.strip()]
COMMANDS = [line.split(" #")[0].strip() for line in LINES if line.startswith("evolve ")]
ASKED = {name for line in COMMANDS if KEYED in line for name in re.findall(r"--name (\S+)", line)}
PROGRAMS = [block for block in blocks("python") if "class RegretAccumulator" in block]
ABOUT_PROGRAMS = re.findall(r"`(evolve [^`]*my_cfr\.py[^`]*)`", README)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """The reader's directory after `make demo`."""
    folder = tmp_path_factory.mktemp("reader")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.delenv("EVOLVE_DB", raising=False)
        patch.setenv("EVOLVE_CACHE_DIR", str(folder / "cache"))
        (folder / "examples").symlink_to(ROOT / "examples")
        typed(CAMPAIGN.split())
        yield folder
        # A campaign of this name is what the README's commands look at.
        assert (folder / "results/data/evolve.db").exists()


def typed(arguments):
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.stdout + result.stderr
    return result


def shortened(line):
    """The words of a command after `evolve`, with what makes it quick."""
    words = shlex.split(line, comments=True)[1:]
    return [*words, *SHORT.get(words[0], "").split()]


def parse(words):
    """See that the command line is one that the application takes."""
    command = typer.main.get_command(app)
    while children := getattr(command, "commands", None):
        command = children[words.pop(0)]
    command.make_context("evolve", words)


@pytest.mark.parametrize("line", COMMANDS)
def test_command(place, line):
    words = shlex.split(line, comments=True)[1:]
    about = {word.partition(":")[0] for word in words}
    if words[0] in PARSED or KEYED in words or about & ASKED:
        parse(words)
    else:
        typed(shortened(line))


def test_the_commands_are_read_from_the_readme():
    assert len(COMMANDS) >= 12
    assert any(line.startswith("evolve solve") for line in COMMANDS)


def test_make_targets_exist():
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    named = [line.split()[1] for line in LINES if line.startswith("make ")]
    named += re.findall(r"`make ([\w-]+)`", README)
    assert {"demo", "test"} <= set(named) <= set(targets)


@pytest.mark.parametrize("number", range(len(PROGRAMS)))
def test_programs_run_as_they_stand(place, number):
    (place / "my_cfr.py").write_text(PROGRAMS[number])
    assert ABOUT_PROGRAMS
    for line in ABOUT_PROGRAMS:
        if "evaluate" in line:
            result = typed([*shortened(line), "--games", "kuhn2"])
            assert "my_cfr" in result.stdout
        else:
            typed(shortened(line))


@pytest.mark.parametrize("number", [n for n, b in enumerate(blocks("python")) if b not in PROGRAMS])
def test_python_runs_as_it_stands(place, number, capsys):
    block = blocks("python")[number]
    exec(compile(ast.parse(block), "README.md", "exec"), {"__name__": "readme"})
    said = capsys.readouterr().out.splitlines()[-1:]
    printed = [float(word) for line in said for word in line.split() if re.fullmatch(r"[\d.e-]+", word)]
    if len(printed) == 2:  # OpenSpiel's exploitability and ours
        assert printed[0] == pytest.approx(printed[1], abs=1e-9)


def test_the_saved_policy_loads_as_the_readme_says(place):
    assert 'evolve.load_policy("policy.json").tabular_policy()' in README
    typed(["solve", "kuhn2", "--program", "cfr", "-n", "5", "--save", "policy.json"])
    assert evolve.load_policy("policy.json").tabular_policy().game.num_players() == 2
