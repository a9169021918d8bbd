"""What the README tells a reader to type works, in the order in which it stands there.

Commands run in a directory that is as `make demo` leaves the reader's: a campaign called cfr-symbolic-s0 in
results/data/evolve.db, only smaller. Commands that would search or promote for minutes get documented options that
make them short; a server, and what needs a model's key, is only parsed. What the pages in docs/ say is checked in
`test_docs.py`.
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

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("readme")]  # In the order of the README.

ROOT = Path(evolve.__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
MAX_LINES = 150

CAMPAIGN = "run --games kuhn2,goofspiel3 --iterations 20 --candidates 8 --workers 1"
SHORT = {
    "run": "--candidates 3 --workers 1",
    "promote": "--games kuhn2 --finalists 1 --baselines dcfr --workers 1",
}
"""Command -> options that make it quick; the last one given counts."""
SHORT_GAMES = "--games kuhn2 --iterations 2"
"""The same for searches in domains that play games."""
SERVES = ("dashboard",)
"""Commands that are only parsed, because they do not end."""
KEYED = "--model"
"""Option of commands that ask a language model."""


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


LINES = [line for block in blocks("sh") for line in block.splitlines() if line.strip()]
COMMANDS = [line.split(" #")[0].strip() for line in LINES if line.startswith("evolve ")]


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
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


def shortened(words):
    short = SHORT.get(words[0], "").split()
    own_problem = "--domain" in words and words[words.index("--domain") + 1] == "my_problem"
    return [*words, *short, *(SHORT_GAMES.split() if words[0] == "run" and not own_problem else [])]


def parse(words):
    """See that the command line is one that the application takes."""
    command = typer.main.get_command(app)
    while children := getattr(command, "commands", None):
        command = children[words.pop(0)]
    command.make_context("evolve", words)


@pytest.mark.parametrize("line", COMMANDS)
def test_command(reader, line):
    words = shlex.split(line)[1:]
    if words[0] in SERVES or KEYED in words:
        parse(words)
    else:
        typed(shortened(words))


def test_the_commands_are_read_from_the_readme():
    assert len(COMMANDS) >= 12
    assert any(line.startswith("evolve solve") for line in COMMANDS)


def test_it_is_short():
    assert len(README.splitlines()) <= MAX_LINES


@pytest.mark.parametrize("block", blocks("python"))
def test_python_runs_as_it_stands(reader, block, capsys):
    exec(compile(ast.parse(block), "README.md", "exec"), {"__name__": "readme"})
    (last,) = capsys.readouterr().out.splitlines()[-1:]
    openspiels, ours = map(float, last.split())
    assert openspiels == pytest.approx(ours, abs=1e-9)


def test_the_saved_policy_loads(reader):
    typed(["solve", "kuhn2", "--program", "cfr", "-n", "5", "--save", "policy.json"])
    assert evolve.load_policy("policy.json").tabular_policy().game.num_players() == 2
