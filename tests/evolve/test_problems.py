"""Three problems of our own through every command: minimised on a log scale, maximised on a linear one, noisy.

They lie in folders, as a user's would. Commands and views take their words from the domain, and the winner is starred.
"""

import csv
import html
import io
import json
import os
import re
import signal
from pathlib import Path
from typing import NamedTuple

import pytest
from starlette.testclient import TestClient
from typer.testing import CliRunner

import evolve
from evaluators.contract import CapabilityError
from evolve.cli.app import app
from results.dashboard.app import create_app

pytestmark = pytest.mark.slow

DOMAINS = Path(__file__).parent.parent / "toy_domains"

FOREIGN = re.compile(r"\bgames?\b|exploitab|decades|nashconv|kuhn|leduc", re.IGNORECASE)
"""Words of other problems."""

FIRST, ALL = 8, 14


class Words(NamedTuple):
    """What views are to say of a problem."""

    direction: str
    label: str
    task: str
    arrow: str


WORDS = {
    "roots": Words("min", "relative error of the root", "equation", "↓"),
    "sacks": Words("max", "value packed, as a share of the bound", "sack", "↑"),
    "hiring": Words("max", "share of trials in which the best is hired", "vacancy", "↑"),
}


class Problem:
    """A problem with a database, and the command line."""

    def __init__(self, name, db):
        self.name, self.db, self.words = name, db, WORDS[name]
        self.folder = DOMAINS / name
        self.campaign = f"{name}-symbolic-s0"
        self.best = f"{self.campaign}:best"

    def ask(self, *arguments, code=0):
        """Run a command; return what it prints, in which no word of another problem is."""
        result = CliRunner().invoke(app, list(map(str, arguments)))
        assert result.exit_code == code, result.output + result.stderr
        assert result.exception is None or isinstance(result.exception, SystemExit)
        check_words(result.stdout + result.stderr)
        return result.stdout if code == 0 else result.stderr

    def stored(self, *arguments, code=0):
        """Run a command on the database."""
        return self.ask(*arguments, "--db", self.db, code=code)

    def json(self, *arguments):
        return [json.loads(line) for line in self.ask(*arguments, "--json").splitlines()]

    def run(self, candidates, **options):
        more = [f"--{key}={value}" for key, value in options.items()]
        return self.json(
            "run", "--domain", self.folder, "--candidates", candidates, "--workers", 1, "--db", self.db, *more
        )

    def better(self, one, other):
        return one < other if self.words.direction == "min" else one > other

    def best_of(self, values):
        return min(values) if self.words.direction == "min" else max(values)


def check_words(text):
    found = FOREIGN.search(text)
    assert not found, text[max(0, found.start() - 200) : found.end() + 200]


@pytest.fixture(scope="module")
def outside():
    """The environment that all tests here share."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("EVOLVE_DB", raising=False)
        patch.setenv("COLUMNS", "200")
        yield


@pytest.fixture(scope="module", params=WORDS)
def problem(request, outside, cache_dir, tmp_path_factory):
    """A finished campaign, which was continued once."""
    made = Problem(request.param, tmp_path_factory.mktemp(request.param) / "evolve.db")
    made.said = made.stored("run", "--domain", made.folder, "--candidates", FIRST, "--workers", 1)
    made.events = made.run(ALL)
    return made


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty current directory."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def test_a_campaign_runs_and_goes_on(problem):
    assert f"{FIRST} candidates" in problem.said
    assert problem.words.label in problem.said.lower()
    start, done = problem.events[0], problem.events[-1]
    assert (start["domain"], start["told"]) == (problem.name, FIRST)
    assert (done["event"], done["candidates"]) == ("done", ALL)
    ordinals = [event["ordinal"] for event in problem.events if event["event"] == "candidate"]
    assert ordinals == list(range(FIRST, ALL))
    score = done["best"]["scores"]["score"]
    assert set(score) == {"mean", "stderr", "n"}
    assert score["mean"] >= start["best"]["mean"] - 2 * score["stderr"]
    assert (score["stderr"] > 0) == (problem.name == "hiring")


def test_the_best_is_at_the_top(problem):
    problem.stored("results", "campaigns")
    problem.stored("results", "top", problem.campaign)
    (top,) = problem.json("results", "top", problem.campaign, "--db", problem.db)
    scores = [row["scores"]["score"] for row in top["programs"][1:]]
    bounds = [score["mean"] - score["stderr"] for score in scores]
    assert bounds == sorted(bounds, reverse=True)
    assert top["programs"][0]["program_id"] == problem.events[-1]["best"]["program"]


def test_a_program_is_shown(problem):
    text = problem.stored("results", "show", problem.best)
    assert problem.words.arrow in text
    assert f" {problem.words.task} " in text
    problem.stored("results", "diff", problem.best)
    problem.stored("results", "lineage", problem.best)


def test_everything_is_exported(problem, here):
    rows = list(csv.DictReader(io.StringIO(problem.stored("results", "export", problem.campaign))))
    assert len(rows) == ALL
    problem.stored("results", "export", problem.campaign, "--format", "json")


def test_what_the_domain_lacks_is_refused_in_one_line(problem, here):
    error = problem.stored("results", "export", problem.best, "--format", "py", code=2)
    assert error.splitlines() == [f"evolve: export: the domain {problem.name} has no exporter."]
    error = problem.stored("solve", "x", "--program", problem.best, code=2)
    assert error.splitlines() == [f"evolve: solve: the domain {problem.name} has no solver."]


def test_a_program_is_evaluated(problem):
    (found,) = problem.json("evaluate", problem.best, "--db", problem.db)
    metric = found["metric"]
    assert (metric["direction"], metric["label"]) == (problem.words.direction, problem.words.label)
    assert found["outcome"] == {"tag": "ok", "message": ""}
    assert found["isolation"] != "none"
    families = problem.events[0]["tasks"]
    assert list(dict.fromkeys(task["family"] for task in found["tasks"])) == families
    for task in found["tasks"]:
        assert task["curve"][-1] == [task["budget"], task["value"]]
        assert (task["seed"] is not None) == (task["stderr"] > 0) == (problem.name == "hiring")
    assert problem.words.label in problem.stored("evaluate", problem.best).lower()
    (test,) = problem.json("evaluate", problem.best, "--suite", "test", "--db", problem.db)
    assert {task["family"] for task in test["tasks"]}.isdisjoint(families)


def values_and_stars(text, tasks):
    """Task -> (values, those that are starred), whether tasks are the rows of tables or their columns."""
    found = {}
    lines = [line.strip() for line in text.splitlines()]
    cell = re.compile(r"([★=]?) ?(\d[\d.e+-]*)(?= |$|±)")
    for task in tasks:
        for line in lines:
            match = re.match(rf"{task} [↑↓]\s+(.*)", line)
            if match:
                found[task] = [(float(value), star == "★") for star, value in cell.findall(match[1])]
    for number, line in enumerate(lines):
        heads = re.findall(r"(\S+) [↑↓]", line)
        for task in tasks:
            if task in heads and task not in found and line.startswith("program"):
                column = heads.index(task)
                rows = [cell.findall(row.partition(" ")[2]) for row in lines[number + 2 :]]
                rows = rows[: next((i for i, row in enumerate(rows) if not row), None)]
                found[task] = [(float(row[column][1]), row[column][0] == "★") for row in rows]
    return found


def check_stars(problem, text, tasks):
    """See that the best value of every task is the starred one, or tied with it."""
    found = values_and_stars(text, tasks)
    assert set(found) == set(tasks), text
    for entries in found.values():
        values = [value for value, _ in entries]
        stars = [value for value, star in entries if star]
        assert len(values) >= 2
        assert stars in ([], [problem.best_of(values)])
        if problem.name != "hiring":
            worst = min(values) if problem.words.direction == "max" else max(values)
            assert worst == problem.best_of(values) or worst not in stars
            assert stars or len(set(values)) == 1


def test_baselines_are_compared_and_the_winner_is_starred(problem):
    text = problem.ask("baselines", "--domain", problem.folder, "--workers", 1)
    check_stars(problem, text, problem.events[0]["tasks"])
    assert problem.words.label in text.lower()


def test_a_figure_of_the_baselines(problem, here):
    problem.ask("baselines", "--domain", problem.folder, "--workers", 1, "--figure", here / "a.svg")
    check_words((here / "a.svg").read_text())


def test_finalists_are_promoted_and_the_winner_is_starred(problem):
    text = problem.stored("promote", problem.campaign, "--finalists", 2, "--workers", 1)
    (held_out,) = {"roots": ["ninety"], "sacks": ["mixed"], "hiring": ["theatre"]}[problem.name]
    check_stars(problem, text, [held_out])


def test_a_program_is_distilled(problem, here):
    problem.stored("distill", problem.best, "--evaluations", 4, "--workers", 1, "--output", "small.py")
    (found,) = problem.json("evaluate", "small.py", "--domain", problem.folder)
    assert found["outcome"]["tag"] == "ok"


def visible(page):
    """Return what a page says, without scripts and style sheets."""
    page = re.sub(r"<(script|style)\b.*?</\1>", " ", page, flags=re.DOTALL)
    page = re.sub(r"data:[\w/+;-]+base64,[\w+/=]+", " ", page)
    return html.unescape(re.sub(r"\s+", " ", page))


@pytest.mark.parametrize("kind", ["md", "html"])
def test_a_report_speaks_of_the_problem(problem, here, kind):
    problem.stored("report", problem.campaign, "--format", kind, "--output", f"report.{kind}")
    text = visible((here / f"report.{kind}").read_text())
    check_words(text)
    assert problem.words.label in text.lower()
    assert problem.words.task in text


def test_every_page_of_the_dashboard_speaks_of_the_problem(problem):
    left, seen = ["/", f"/campaigns/{problem.campaign}/candidates/{ALL - 1}"], set()
    with TestClient(create_app(problem.db), base_url="http://127.0.0.1:8000") as client:
        while left and len(seen) < 40:
            path = left.pop(0)
            seen.add(path)
            answer = client.get(path)
            assert answer.status_code == 200, path
            page = visible(answer.text)
            check_words(page)
            links = re.findall(r"(?:href|src)=\"(/[^\"#]*)\"", html.unescape(answer.text))
            left += [
                link for link in dict.fromkeys(links) if link not in {*seen, *left} and "static" not in link
            ]
    pages = " ".join(seen)
    for part in ("/campaigns/", "/candidates/", "/programs", "/lineage"):
        assert part in pages


def test_a_prompt_speaks_of_the_problem(problem, here):
    text = problem.ask(
        "run", "--domain", problem.folder, "--operator", "llm", "--model", f"mailbox:{here / 'box'}",
        "--candidates", 3, "--workers", 1, "--db", here / "other.db", "--dry-run",
    )  # fmt: skip
    assert problem.words.label in text


def test_the_python_interface(problem):
    program = evolve.load_program(problem.best, db=str(problem.db))
    assert program.domain.name == problem.name
    evaluation = evolve.evaluate(program, db=str(problem.db))
    (found,) = problem.json("evaluate", problem.best, "--db", problem.db)
    assert evaluation.scores["score"].mean == found["scores"]["score"]["mean"]
    (best, *_) = evolve.top(problem.campaign, db=str(problem.db))
    assert best.program_id == program.id
    (campaign,) = evolve.campaigns(db=str(problem.db))
    assert campaign.name == problem.campaign
    with pytest.raises(CapabilityError, match=f"solve: the domain {problem.name} has no solver"):
        program.cfr_solver("x")


ANSWERS = {"a list": "[]", "None": "None", "a string": "'much'", "NaN": "float('nan')"}


@pytest.mark.parametrize("answer", ANSWERS)
def test_what_is_no_answer_is_an_outcome(problem, here, answer):
    seed = next((problem.folder / "seeds").iterdir()).read_text()
    Path("bad.py").write_text(re.sub(r"return .*", f"return {ANSWERS[answer]}", seed))
    result = CliRunner().invoke(app, ["evaluate", "bad.py", "--domain", str(problem.folder), "--json"])
    found = json.loads(result.stdout)
    assert found["outcome"]["tag"] == "invalid"
    assert "expected" in found["outcome"]["message"]
    assert found["scores"] == {}


def test_a_search_does_not_start_from_what_is_no_answer(problem, here):
    seed = next((problem.folder / "seeds").iterdir()).read_text()
    Path("bad.py").write_text(re.sub(r"return .*", "return None", seed))
    error = problem.ask(
        "run", "--domain", problem.folder, "--from", "bad.py", "--workers", 1, "--db", "bad.db", code=2
    )
    assert error.splitlines()[-1].startswith("evolve: the seed program ended as invalid")


# A noisy problem: what is drawn at random is drawn from seeds.

LONG = 26


@pytest.fixture(scope="module")
def alone(outside, cache_dir, tmp_path_factory):
    """A campaign of the noisy problem with one worker, and its events."""
    made = Problem("hiring", tmp_path_factory.mktemp("alone") / "evolve.db")
    made.events = made.run(LONG)
    return made


def results(problem):
    """Return the rows of an export without what was measured by a clock."""
    rows = csv.DictReader(io.StringIO(problem.stored("results", "export", problem.campaign)))
    return [{key: value for key, value in row.items() if key != "cpu_s"} for row in rows]


def test_four_workers_do_what_one_does(alone, tmp_path):
    other = Problem("hiring", tmp_path / "evolve.db")
    other.run(LONG, workers=4)
    assert results(other) == results(alone)


def test_a_member_is_refined_by_further_seeds(alone):
    refined = [event for event in alone.events if event["event"] == "refined"]
    assert refined
    told = {event["ordinal"]: event for event in alone.events if event["event"] == "candidate"}
    ordinal = refined[-1]["ordinal"]
    before, after = told[ordinal]["scores"]["score"], refined[-1]["scores"]["score"]
    assert after["n"] > before["n"]
    assert after["mean"] != before["mean"]
    (row,) = (row for row in results(alone) if row["ordinal"] == str(ordinal))
    assert float(row["score"]) == after["mean"]


def test_a_gate_ends_what_is_worse_beyond_doubt(alone):
    outcomes = [event["outcome"]["tag"] for event in alone.events if event["event"] == "candidate"]
    assert "early_stopped" in outcomes
    assert "ok" in outcomes


def test_a_killed_campaign_goes_on_as_it_would_have(alone, evolve_command, tmp_path):
    other = Problem("hiring", tmp_path / "evolve.db")
    process = evolve_command(
        "run", "--domain", other.folder, "--candidates", LONG, "--workers", 2, "--db", other.db, "--json",
        start_new_session=True,
    )  # fmt: skip
    for line in process.stdout:
        if '"refined"' in line:
            break
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    other.run(LONG)
    assert results(other) == results(alone)
