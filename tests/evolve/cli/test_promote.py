"""`evolve promote`: finalists and baselines on held-out tasks, every evaluation recorded."""

import json
import re
import shutil

import pytest

from evaluators.games.suites import SUITES_VERSION
from results.queries import events, held_out
from results.store import open_store

NAME = "cfr-symbolic-s0"
QUICK = (
    "--tasks",
    "kuhn2",
    "--horizons",
    "3,6",
    "--budget",
    4,
    "--baselines",
    "cfr,dcfr",
    "--workers",
    1,
)


@pytest.fixture
def db(finished, tmp_path):
    """A copy of the small campaign, to write to."""
    return shutil.copy(finished[0], tmp_path / "copy.db")


@pytest.fixture(scope="module")
def promoted(finished, invoke, tmp_path_factory):
    """(Database, how many evaluations it had, what the command printed.)"""
    path = shutil.copy(finished[0], tmp_path_factory.mktemp("promoted") / "copy.db")
    before = len(recorded(path))
    result = invoke("promote", NAME, *QUICK, "--finalists", 2, "--db", path, "--json")
    assert result.exit_code == 0, result.stderr
    return path, before, json.loads(result.stdout)


def recorded(db):
    with open_store(db, create=False, read_only=True) as store:
        return held_out(store, NAME)


def test_every_evaluation_is_recorded_and_counted(promoted):
    path, before, found = promoted
    assert found["schema_version"] == 2
    new = recorded(path)[before:]
    assert found["total"] == before + len(new)
    runs = [run for run in found["runs"] if run["held_out"]]
    assert {(r["program"], r["task"]["name"], r["task"]["budget"], r["value"]) for r in runs} == {
        (one.program_id, one.task.name, one.task.budget, one.value) for one in new
    }
    assert {one.purpose for one in new} == {"promotion"}
    assert {one.task.group for one in new} == {"kuhn2"}
    assert len(found["programs"]) == 4
    assert len(new) == 4 * 2
    assert found["metric"]["name"] == "exploitability"
    with open_store(path, create=False, read_only=True) as store:
        (verdict,) = [event.payload for event in events(store, NAME) if event.kind == "verdict"]
    assert found.items() >= verdict.items()


def test_the_version_of_the_suites_is_stored_with_campaign_and_promotion(promoted):
    with open_store(promoted[0], create=False, read_only=True) as store:
        (promotion,) = [event.payload for event in events(store, NAME) if event.kind == "promotion"]
        versions = store.find_campaign(NAME).versions
    assert promotion["suites_version"] == SUITES_VERSION
    assert versions["suites"] == str(SUITES_VERSION)


def test_the_numbers_are_those_of_evaluate(ask, promoted):
    _, _, found = promoted
    dcfr = next(p["program"] for p in found["programs"] if p["name"] == "dcfr")
    (run,) = (r for r in found["runs"] if r["program"] == dcfr and r["held_out"] and r["task"]["budget"] == 6)
    other = ask("evaluate", "dcfr", "--tasks", "kuhn2", "--budget", 6)
    assert run["value"] == other["tasks"][0]["value"]
    assert run["score"] == other["scores"]["advantage"]["mean"]
    checks = [r["task"] for r in found["runs"] if not r["held_out"]]
    assert {task["tier"] for task in checks} == {"exact", "generic", "jitter", "scale"}
    assert {task["budget"] for task in checks} == {4}


def test_prints_tables(invoke, db):
    before = len(recorded(db))
    result = invoke("promote", NAME, *QUICK, "--finalists", 1, "--db", db)
    assert result.exit_code == 0, result.stderr
    assert "Exploitability (NashConv / N) after 3 iterations:" in result.stdout
    assert "after 6 iterations" in result.stdout
    assert "search ↑" in result.stdout
    assert "its families ↑" in result.stdout
    assert re.search(r"#\d against each, over all held-out games \(powers of ten\):", result.stdout)
    assert re.search(r"#\d is ahead of \d of 2", result.stdout)
    assert "★" in result.stdout
    counts = f"Held-out evaluations of this campaign: {before + 6}, of which 6 now"
    assert counts in " ".join(result.stdout.split())
    assert "runs" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("cfr-symbolic-s1",), "Did you mean 'cfr-symbolic-s0'?"),
        ((NAME, "--tasks", "kuhm2"), "Did you mean 'kuhn2'?"),
        ((NAME, "--baselines", "dcrf"), "Did you mean 'dcfr'?"),
        ((NAME, "--horizons", "many"), "expected whole numbers"),
    ],
)
def test_what_a_person_gets_wrong(invoke, db, arguments, said):
    before = recorded(db)
    result = invoke("promote", *arguments, "--db", db)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr
    assert recorded(db) == before
