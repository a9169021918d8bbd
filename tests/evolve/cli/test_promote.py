"""`evolve promote`: finalists and baselines on sealed games, every look recorded."""

import shutil

import pytest

from results.queries import looks
from results.store import open_store

NAME = "cfr-symbolic-s0"
QUICK = (
    "--games",
    "kuhn2",
    "--horizons",
    "3,6",
    "--iterations",
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


def recorded(db):
    with open_store(db, create=False, read_only=True) as store:
        return looks(store, NAME)


def test_every_look_is_recorded_and_counted(ask, db):
    before = len(recorded(db))
    found = ask("promote", NAME, *QUICK, "--finalists", 2, "--db", db)
    new = recorded(db)[before:]
    assert found["looks"] == before + len(new)
    sealed = [run for run in found["runs"] if run["sealed"]]
    assert {(r["program"], r["iterations"], r["exploitability"]) for r in sealed} == {
        (look.program_id, look.iterations, look.exploitability) for look in new
    }
    assert {look.purpose for look in new} == {"promotion"}
    assert {look.game for look in new} == {"kuhn2"}
    assert len(found["programs"]) == 4
    assert len(new) == 4 * 2


def test_the_numbers_are_those_of_evaluate(ask, db):
    found = ask("promote", NAME, *QUICK, "--finalists", 1, "--db", db)
    dcfr = next(p["program"] for p in found["programs"] if p["name"] == "dcfr")
    (run,) = (r for r in found["runs"] if r["program"] == dcfr and r["sealed"] and r["iterations"] == 6)
    other = ask("evaluate", "dcfr", "--games", "kuhn2", "--iterations", 6)
    assert run["exploitability"] == other["games"][0]["exploitability"]
    assert run["score"] == other["objectives"]["decades"]
    variants = {r["variant"] for r in found["runs"] if not r["sealed"]}
    assert {"exact", "generic-0", "jitter-0", "scale-10"} <= variants
    assert {r["iterations"] for r in found["runs"] if not r["sealed"]} == {4}


def test_prints_tables(invoke, db):
    before = len(recorded(db))
    result = invoke("promote", NAME, *QUICK, "--finalists", 1, "--db", db)
    assert result.exit_code == 0, result.stderr
    assert "after 3 iterations" in result.stdout
    assert "after 6 iterations" in result.stdout
    assert "training" in result.stdout
    assert f"Looks at sealed games by this campaign: {before + 6}, of which 6 now" in " ".join(
        result.stdout.split()
    )
    assert "runs" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("cfr-symbolic-s1",), "Did you mean 'cfr-symbolic-s0'?"),
        ((NAME, "--games", "kuhm2"), "Did you mean 'kuhn2'?"),
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
