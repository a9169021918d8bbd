"""Somebody else's problem: a new package among ours, an installed one, or a folder that `evolve new` wrote."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import evolve
from evaluators.registry import get_domain
from evolve.cli.app import app
from evolve.cli.new import write_domain
from evolve.errors import ConfigError

ROOT = Path(evolve.__file__).parent.parent

DOMAIN = '''
"""Programs guess a number."""

from evaluators.contract import Component
from evaluators.functions import Function, number
from evaluators.records import Metric, Task, TaskResult
from evaluators.task_domain import TaskDomain


class Guessing(TaskDomain):
    name = "guess"
    metric = Metric("distance", "distance", "min", "linear", 0.01)
    components = (Component("Guess", "guess", ("clue",)),)
    seed = "low"
    baselines = ("low", "high")

    def tasks(self, suite, tiers=None, budget=None, seeds=None):
        return [Task(name, name, budget=budget or 1) for name in ("five", "seven")]

    def run(self, program, task, sandbox, limits):
        wanted = {"five": 5.0, "seven": 7.0}[task.name]
        guess = Function(program, self.components[0], sandbox, limits)(wanted)
        return TaskResult(task, abs(number(guess) - wanted))


DOMAIN = Guessing()
'''

SEED = '''"""Guesses {number}."""


class Guess:
    """A constant guess."""

    def guess(self, clue):
        return 0.25 * clue + {number}
'''


def write_seeds(folder):
    folder.mkdir(parents=True)
    for name, number in {"low": 1.0, "high": 90.0}.items():
        (folder / f"{name}.py").write_text(SEED.format(number=number))


def write_checkout(tmp_path):
    """A checkout with a domain more: our files, untouched, beside the new ones."""
    tree = tmp_path / "checkout"
    for package in ("evolve", "sandbox", "results", "prompts", "evaluators", "seeds"):
        (tree / package).mkdir(parents=True)
        for file in (ROOT / package).iterdir():
            if file.name not in ("__pycache__", "data"):
                (tree / package / file.name).symlink_to(file)
    (tree / "evaluators" / "guess").mkdir()
    (tree / "evaluators" / "guess" / "__init__.py").touch()
    (tree / "evaluators" / "guess" / "domain.py").write_text(DOMAIN)
    write_seeds(tree / "seeds" / "guess")
    return [tree]


def write_distribution(tmp_path):
    """An installed package that announces a domain."""
    site = tmp_path / "site"
    package, about = site / "guessing_games_of_mine", site / "guessing-1.0.dist-info"
    package.mkdir(parents=True)
    about.mkdir()
    (package / "__init__.py").touch()
    (package / "domain.py").write_text(DOMAIN)
    write_seeds(package / "seeds")
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: guessing\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(
        "[evolve.domains]\nguess = guessing_games_of_mine.domain:DOMAIN\n"
    )
    return [ROOT, site]


@pytest.fixture(params=[write_checkout, write_distribution])
def added(request, tmp_path, evolve_run):
    """Runs commands where a domain `guess` was added in one of two ways."""
    path = os.pathsep.join(map(str, [*request.param(tmp_path), os.environ.get("PYTHONPATH", "")]))
    return lambda *arguments: evolve_run(*arguments, cwd=tmp_path, env={"PYTHONPATH": path})


def test_an_added_domain_runs_a_campaign(added, json_lines):
    code, out, err = added("run", "--domain", "guess", "--candidates", "6", "--workers", "1", "--json")
    assert code == 0, err
    events = json_lines(out)
    assert events[0]["domain"] == "guess"
    assert events[0]["isolation"] != "none"
    assert [e["name"] for e in events if e["event"] == "baseline"] == ["low", "high"]
    assert events[-1]["candidates"] == 6
    assert events[-1]["best"]["scores"]["score"]["mean"] > events[1]["scores"]["score"]["mean"]
    code, out, err = added("results", "show", "guess-symbolic-s0:0", "--json")
    assert code == 0, err
    code, out, err = added("evaluate", "high", "--json")
    assert code == 0, err
    (result,) = json_lines(out)
    assert result["domain"] == "guess"
    assert [task["name"] for task in result["tasks"]] == ["five", "seven"]


def test_a_domain_that_does_not_load_is_named(added, tmp_path):
    (file,) = (f for f in tmp_path.rglob("domain.py") if f.read_text() == DOMAIN)
    file.write_text("1 / 0\n")
    code, _, err = added("run", "--domain", "guess", "--candidates", "2")
    assert code != 0
    assert "ZeroDivisionError" in err


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    """What `evolve new` writes."""
    folder = tmp_path_factory.mktemp("somewhere") / "my-problem"
    write_domain(folder)
    return folder


def test_the_example_is_written_once(tmp_path):
    folder = tmp_path / "mine"
    result = CliRunner().invoke(app, ["new", str(folder)])
    assert result.exit_code == 0, result.output
    written = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    assert written == [
        "README.md",
        "domain.py",
        "prompts/focus.toml",
        "prompts/system.md.j2",
        "seeds/constant.py",
        "seeds/shrinking.py",
        "test_domain.py",
    ]
    assert all(f"{folder / name}" in result.output for name in written)
    assert not any(re.search("@[A-Z]+@", (folder / name).read_text()) for name in written)
    before = (folder / "domain.py").read_text()
    again = CliRunner().invoke(app, ["new", str(folder)])
    assert again.exit_code == 2
    assert again.stderr.startswith("evolve: new: expected a folder that does not exist or is empty")
    assert (folder / "domain.py").read_text() == before


def test_no_file_is_overwritten(tmp_path):
    (tmp_path / "mine").write_text("precious")
    with pytest.raises(ConfigError, match="does not exist or is empty"):
        write_domain(tmp_path / "mine")
    with pytest.raises(ConfigError, match="cannot be written"):
        write_domain(tmp_path / "mine" / "below")


def test_the_example_keeps_the_contract(example):
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "0", str(example)],
        cwd=example,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout
    assert get_domain(str(example)).name == "my_problem"


def test_the_example_improves_quickly(example, evolve_run, json_lines, tmp_path):
    code, out, err = evolve_run(
        "run", "--domain", example.name, "--candidates", 30, "--workers", 1, "--json", cwd=example.parent
    )
    assert code == 0, err
    events = json_lines(out)
    baselines = {e["name"]: e["scores"]["score"]["mean"] for e in events if e["event"] == "baseline"}
    assert set(baselines) == {"constant", "shrinking"}
    assert events[-1]["best"]["scores"]["score"]["mean"] > max(baselines.values()) + 1.0
    # The campaign knows where its domain lies, wherever the next command runs.
    code, out, err = evolve_run(
        "evaluate",
        "my-problem-symbolic-s0:best",
        "--db",
        example.parent / "results/data/evolve.db",
        cwd=tmp_path,
    )
    assert code == 0, err
    assert "height above the lowest point" in out.lower()


def test_the_example_has_a_prompt(example, evolve_run, tmp_path):
    code, out, err = evolve_run(
        "run", "--domain", example, "--operator", "llm", "--model", "mailbox:box", "--dry-run", cwd=tmp_path
    )
    assert code == 0, err
    assert "StepSize.step" in out
