"""What the pages in docs/ say is true of this version: links, commands, options, settings, names and examples.

Whole command lines are parsed and those of the guide to domains are run; the README's are run in `test_readme.py`.
Whether the site builds, strictly, is up to `make docs`.
"""

import ast
import importlib
import inspect
import json
import re
import shlex
import tomllib
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

import benchmarks.app
import evolve
from evaluators.contract import SequentialGate, Stage
from evolve.cli.app import app
from evolve.cli.output import SCHEMA_VERSION
from evolve.config import parse_config

ROOT = Path(evolve.__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
TEXTS = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in PAGES}
CURRENT = {name: text for name, text in TEXTS.items() if name != "CHANGELOG.md"}
"""Pages about this version; a changelog may name what is gone."""
CLIS = {"evolve": app, "python -m benchmarks": benchmarks.app.app}

SHORT = {"run": "--candidates 4 --workers 1", "promote": "--finalists 1 --workers 1"}
"""Command -> options that make it quick in the guide to domains."""

each_page = pytest.mark.parametrize("page", TEXTS)


def blocks(page, language):
    """(title, text) of the fenced blocks of a language."""
    fence = rf'^```{language}(?: title="([^"\n]*)")?\n(.*?)^```'
    return re.findall(fence, TEXTS[page], re.MULTILINE | re.DOTALL)


def prose(page):
    return re.sub(r"^```.*?^```", "", TEXTS[page], flags=re.MULTILINE | re.DOTALL)


def anchors(page):
    """What MkDocs and GitHub make of a page's headings."""
    headings = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    plain = (re.sub(r"[^\w\s-]", "", heading.lower()).strip() for heading in headings)
    return {re.sub(r"\s+", "-", heading) for heading in plain}


@each_page
def test_relative_links_lead_somewhere(page):
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if re.match(r"\w+:", link):
            continue
        file, _, anchor = link.partition("#")
        target = (ROOT / page).parent / file if file else ROOT / page
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target.resolve().relative_to(ROOT).as_posix()), link


def whole_commands(page):
    """(program, words) of the command lines in a page's blocks for a shell."""
    for _, block in blocks(page, "sh"):
        for line in block.splitlines():
            for program in CLIS:
                if line.startswith(f"{program} "):
                    yield program, shlex.split(line.removeprefix(program), comments=True)


def mentions(page):
    """(program, words) of the commands in the running text, which may leave arguments out."""
    for code in re.findall(r"`([^`\n]+)`", prose(page)):
        for program in CLIS:
            for part in code.split("; do "):
                if part.startswith(f"{program} "):
                    yield program, part.removeprefix(program).replace("; done", "").split()


def command_of(program, words):
    """The command that a line calls, and the rest of the line."""
    command, rest = typer.main.get_command(CLIS[program]), list(words)
    while children := getattr(command, "commands", None):
        if not rest or rest[0].isupper():  # a placeholder, such as NAME
            return command, rest
        assert rest[0] in children, f"{program} {' '.join(words)}: there is no command {rest[0]!r}"
        command = children[rest.pop(0)]
    return command, rest


@pytest.mark.parametrize("page", CURRENT)
def test_command_lines_are_such_that_the_application_takes_them(page):
    for program, words in whole_commands(page):
        command, rest = command_of(program, words)
        command.make_context(program, rest)


@pytest.mark.parametrize("page", CURRENT)
def test_commands_and_options_in_the_text_exist(page):
    for program, words in mentions(page):
        command, rest = command_of(program, words)
        known = {option for parameter in command.params for option in parameter.opts} | {"--help"}
        assert {word for word in rest if word.startswith("--")} <= known, words


def leaves(command, *names):
    children = getattr(command, "commands", None)
    if not children:
        yield names
    for name, child in (children or {}).items():
        if not child.hidden:
            yield from leaves(child, *names, name)


@pytest.mark.parametrize("program", CLIS)
def test_every_command_is_documented(program):
    named = {(program, *words) for page in CURRENT for _, words in [*whole_commands(page), *mentions(page)]}
    commands = leaves(typer.main.get_command(CLIS[program]))
    assert [c for c in commands if not any(words[1 : len(c) + 1] == c for words in named)] == []


def test_make_targets_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([\w-]+):", makefile, re.MULTILINE))
    for page, text in CURRENT.items():
        named = re.findall(r"^make ([\w-]+)|`make ([\w-]+)`", text, re.MULTILINE)
        assert {one or other for one, other in named} <= targets, page


@pytest.mark.parametrize("page", CURRENT)
def test_settings_are_settings(page):
    for _, block in blocks(page, "toml"):
        settings = tomllib.loads(block)
        if "project" not in settings:
            parse_config(settings)


@pytest.mark.parametrize("page", CURRENT)
def test_json_is_of_the_current_schema(page):
    for _, block in blocks(page, "json"):
        assert json.loads(block)["schema_version"] == SCHEMA_VERSION


@pytest.mark.parametrize("page", [name for name in CURRENT if name.startswith("docs/reference/")])
def test_what_the_reference_shows_exists_and_is_documented(page):
    names = re.findall(r"^::: (\S+)$", TEXTS[page], re.MULTILINE)
    assert names
    for name in names:
        try:
            thing = importlib.import_module(name)
        except ModuleNotFoundError:
            module, _, attribute = name.rpartition(".")
            thing = getattr(importlib.import_module(module), attribute)
        assert inspect.getdoc(thing), name


def test_files_that_are_named_exist():
    """Paths of ours in the text, such as `results/comparison.py`."""
    folders = "evolve|evaluators|sandbox|results|seeds|prompts|benchmarks|examples|tests|docs"
    for page in CURRENT:
        for path in re.findall(rf"`((?:{folders})/[\w/.-]*)`", prose(page)):
            if not path.startswith("results/data/"):
                assert (ROOT / path).exists(), f"{page}: {path}"


def run_block(text, page):
    exec(compile(ast.parse(text), page, "exec"), {"__name__": "docs"})


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("EVOLVE_DB", raising=False)
    return tmp_path


@pytest.mark.parametrize("page", ["docs/campaigns.md", "docs/openspiel.md"])
def test_python_runs_as_it_stands(folder, page):
    (program, *_) = blocks(page, "python")
    for _, block in blocks(page, "python"):
        run_block(block, page)
    assert program


def typed(arguments):
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.stdout + result.stderr
    return result


@pytest.mark.parametrize("number", range(len(blocks("docs/programs.md", "python"))))
def test_programs_run_as_they_stand(folder, number):
    Path("my_program.py").write_text(blocks("docs/programs.md", "python")[number][1])
    result = typed(["evaluate", "my_program.py", "--games", "kuhn2", "--iterations", "20"])
    assert "my_program" in result.stdout


GUIDE = "docs/new_domain.md"


def test_the_domain_of_the_guide_runs_as_the_guide_says(folder):
    files = [(title, text) for title, text in blocks(GUIDE, "python") if title]
    assert len(files) >= 4
    for title, text in files:
        Path(title).parent.mkdir(parents=True, exist_ok=True)
        Path(title).write_text(text)
    commands = [words for _, words in whole_commands(GUIDE) if "bins" in " ".join(words)]
    assert [words[0] for words in commands] == ["evaluate", "baselines", "run", "promote"]
    for words in commands:
        typed([*words, *SHORT.get(words[0], "").split()])
    tests = Path("bins/test_domain.py").resolve()
    assert pytest.main(["-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-c", "/dev/null", str(tests)]) == 0


def test_the_guide_s_domain_with_gate_and_refinements_has_a_plan():
    (own,) = [text for title, text in blocks(GUIDE, "python") if title == "bins/domain.py"]
    (noisy,) = [text for _, text in blocks(GUIDE, "python") if "SequentialGate(" in text]
    names = {"Stage": Stage, "SequentialGate": SequentialGate}
    exec(compile(own + noisy, GUIDE, "exec"), names)
    (stage,) = names["NoisyBinsDomain"]().plan(seeds=(7,)).stages
    assert isinstance(stage.gate, SequentialGate)
    assert {task.seed for task in stage.tasks} == {7}


def test_the_first_domain_of_the_guide_runs(folder):
    commands = [words for _, words in whole_commands(GUIDE) if "my_problem" in " ".join(words)]
    assert commands[0][0] == "new"
    for words in commands:
        typed([*words, *SHORT.get(words[0], "").split()])


def test_optimize_runs_as_the_guide_shows_it(folder, capsys):
    (block,) = [text for _, text in blocks(GUIDE, "python") if "evolve.optimize(" in text]
    run_block(block, GUIDE)
    given, arrow, best = capsys.readouterr().out.splitlines()[0].split()
    assert arrow == "->"
    assert float(best) > float(given)
