"""`import evolve`: what a script or a notebook calls."""

import asyncio
import subprocess
import sys

import pyspiel
import pytest

import evolve
import seeds
from evolve.errors import ConfigError

SMALL = {"games": ("kuhn2",), "iterations": 3, "candidates": 3, "workers": 1}


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    """A database with a small campaign, and how that ended."""
    db = str(tmp_path_factory.mktemp("api") / "evolve.db")
    events = []
    return db, evolve.run(SMALL, db=db, observer=events.append), events


def test_importing_is_cheap():
    code = "import sys, evolve; print(*(n for n in ('numpy', 'pydantic', 'sqlalchemy', 'pyspiel') if n in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_every_public_name_is_there_and_documented():
    for name in evolve.__all__:
        assert getattr(evolve, name).__doc__
        assert name in dir(evolve)
    with pytest.raises(AttributeError, match="nothing"):
        evolve.nothing  # noqa: B018


def test_a_search_and_what_it_found(searched):
    db, summary, events = searched
    assert isinstance(summary, evolve.Summary)
    assert (summary.status, summary.candidates) == ("finished", 3)
    assert events
    best = evolve.load_program(summary.best, db=db)
    assert best.stored
    assert evolve.load_program("cfr-symbolic-s0:best", db=db).id == best.id
    came = evolve.evaluate(best, games=["kuhn2"], tiers=("exact", "generic"), iterations=3)
    assert came.objectives["decades"] == summary.objectives["decades"]


def test_a_notebook_may_search_too(tmp_path):
    async def cell():
        return evolve.run(evolve.CampaignConfig(**SMALL), db=str(tmp_path / "evolve.db"))

    assert asyncio.run(cell()).status == "finished"


def test_a_configuration_may_be_a_file(tmp_path):
    path = tmp_path / "search.toml"
    path.write_text(
        'games = ["kuhn2"]\niterations = 2\ncandidates = 1\nworkers = 1\nname = "mine"\ndb = "nowhere.db"\n'
    )
    assert evolve.run(path, db=str(tmp_path / "evolve.db")).campaign == "mine"


def test_the_environment_names_the_database(searched, monkeypatch):
    monkeypatch.setenv("EVOLVE_DB", searched[0])
    assert evolve.load_program("cfr-symbolic-s0:0").name == "cfr_plus"


def test_a_program_solves_a_game(tmp_path):
    (tmp_path / "mine.py").write_text(seeds.source("cfr", "pdcfr_plus"))
    program = evolve.load_program(tmp_path / "mine.py")
    game = pyspiel.load_game("kuhn_poker(players=2)")
    with program.cfr_solver(game) as solver, program.cfr_solver("kuhn2", in_process=True) as same:
        for _ in range(20):
            solver.evaluate_and_update_policy()
            same.evaluate_and_update_policy()
        assert solver.exploitability() == same.exploitability() < 0.01


def test_a_stored_program_needs_the_unsafe_flag(searched):
    program = evolve.load_program("cfr-symbolic-s0:0", db=searched[0])
    with pytest.raises(ConfigError, match="stored program"):
        program.cfr_solver("kuhn2", in_process=True)
    with pytest.raises(ConfigError, match="stored program"):
        evolve.evaluate(program, games=["kuhn2"], iterations=1, in_process=True)
    with program.cfr_solver("kuhn2", unsafe_in_process=True) as solver:
        assert solver.isolation == "none"


def test_a_failing_program_is_an_outcome(tmp_path):
    (tmp_path / "broken.py").write_text(seeds.source("cfr", "cfr").replace("return ", "return 1 / 0 * ", 1))
    evaluation = evolve.evaluate(tmp_path / "broken.py", games=["kuhn2"], iterations=1)
    assert evaluation.outcome.tag == "exception"
    assert evaluation.objectives == {}
