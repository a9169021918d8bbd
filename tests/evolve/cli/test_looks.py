"""Looks at held-out tasks by `evaluate` and `baselines` are recorded before anything runs, told, and listed."""

import getpass
import re

import pytest

import seeds
from evaluators.records import Task
from evaluators.registry import get_domain
from evaluators.testing import FakeDomain
from evolve.comparison.looks import held_out_tasks
from results.queries import looks
from results.store import open_store

DEFAULT = "results/data/evolve.db"


def recorded(db, domain="cfr"):
    with open_store(db, create=False, read_only=True) as store:
        return looks(store, domain)


def test_an_evaluation_on_the_test_suite_is_recorded_with_who_and_what(invoke, here):
    result = invoke("evaluate", "dcfr", "--tasks", "kuhn2,leduc2,goofspiel3", "--budget", 3)
    assert result.exit_code == 0, result.stderr
    said = f"Held-out games kuhn2, goofspiel3: recorded in {DEFAULT} that they were looked at."
    assert sorted(said.split()) == sorted(
        next(x for x in result.stdout.splitlines() if "Held-out" in x).split()
    )
    (look,) = recorded(here / DEFAULT)
    assert (look.program, look.command, look.looked_by) == ("dcfr", "evaluate", getpass.getuser())
    assert sorted(look.tasks) == [("goofspiel3", 3), ("kuhn2", 3)]
    assert look.looked_at is not None


def test_tasks_of_the_search_are_no_look_and_leave_no_database(invoke, here):
    result = invoke("evaluate", "dcfr", "--tasks", "leduc2", "--budget", 3)
    assert "Held-out" not in result.stdout + result.stderr
    assert not (here / DEFAULT).exists()


def test_with_json_the_line_is_on_standard_error(invoke, here):
    result = invoke("evaluate", "dcfr", "--tasks", "kuhn2", "--budget", 3, "--db", here / "my.db", "--json")
    assert "Held-out" not in result.stdout
    assert "my.db that they were looked at" in result.stderr
    assert len(recorded(here / "my.db")) == 1


def test_baselines_leave_a_look_for_each_program(invoke, here):
    options = ("--domain", "psro", "--tasks", "kuhn2", "--budget", 1, "--workers", 1)
    result = invoke("baselines", *options)
    assert result.exit_code == 0, result.stderr
    assert "recorded in" in result.stdout
    assert [(look.program, look.command) for look in recorded(here / DEFAULT, "psro")] == [
        (name, "baselines") for name in seeds.names("psro")
    ]


def test_nobody_looks_where_it_cannot_be_recorded(invoke, here):
    (here / "no.db").write_text("this is no database, and long enough to be seen as none")
    result = invoke("evaluate", "dcfr", "--tasks", "kuhn2", "--budget", 3, "--db", here / "no.db")
    assert result.exit_code != 0
    assert result.stdout == ""


def test_a_report_lists_them(invoke, finished, here):
    import shutil

    db = shutil.copy(finished[0], here / "copy.db")
    invoke("evaluate", "dcfr", "--tasks", "goofspiel3", "--budget", 3, "--db", db)
    result = invoke("report", "cfr-symbolic-s0", "--format", "md", "--db", db)
    assert result.exit_code == 0, result.stderr
    text = (here / "cfr-symbolic-s0.md").read_text().replace("\\", "")
    # Other tests may have looked before, with the same database.
    assert re.search(
        r"\d+ more looks? at held-out games of the domain cfr, by commands outside campaigns", text
    )
    assert "| dcfr | evolve evaluate | goofspiel3 (3) |" in text


@pytest.mark.parametrize(
    ("name", "held_out"), [("kuhn2", True), ("leduc2", False), ("oshi_zumo4", True), ("leduc2_ranks13", True)]
)
def test_which_games_are_held_out(name, held_out):
    domain = get_domain("cfr")
    assert bool(held_out_tasks(domain, domain.plan([name]))) is held_out


def test_a_fresh_draw_of_a_law_that_is_drawn_at_the_end_is_held_out():
    domain = get_domain("cfr")
    plan = domain.plan(["leduc2"])
    task = Task("river-12345", "river", "drawn", 100, 12345)
    assert held_out_tasks(domain, type(plan)((type(plan.stages[0])("all", (task,)),), plan.limits)) == [task]


def test_a_domain_without_held_out_tasks_has_no_looks():
    class Searched(FakeDomain):
        suites = ("train",)

    domain = Searched()
    assert held_out_tasks(domain, domain.plan()) == []
