"""`evolve db`: where results are, copies, and databases of every released schema."""

import json
import shutil
import sqlite3
from pathlib import Path

import pytest

from results.database import head, revisions

FROZEN = Path(__file__).parents[2] / "results" / "data"


class TestPath:
    def test_the_default(self, invoke):
        result = invoke("db", "path")
        assert (result.exit_code, result.stdout) == (0, "results/data/evolve.db\n")
        assert result.stderr == "chosen by: default; there is none yet, the first campaign makes it\n"

    def test_each_choice_names_itself(self, ask, here, monkeypatch):
        (here / "c.toml").write_text("db = 'configured.db'")
        found = ask("db", "path", "c.toml")
        assert (found["database"], found["chosen_by"]) == ("configured.db", "the configuration")
        monkeypatch.setenv("EVOLVE_DB", "environment.db")
        found = ask("db", "path", "c.toml")
        assert (found["database"], found["chosen_by"]) == (
            "environment.db",
            "the environment variable EVOLVE_DB",
        )
        (here / "option.db").touch()
        found = ask("db", "path", "c.toml", "--db", "option.db")
        assert (found["database"], found["chosen_by"]) == ("option.db", "the option --db")
        assert found["exists"] is True

    def test_a_password_stays_where_it_is(self, invoke, monkeypatch):
        monkeypatch.setenv("EVOLVE_DB", "postgresql://user:secret@host/x")
        result = invoke("db", "path")
        assert result.stdout == "postgresql://user:***@host/x\n"
        assert "secret" not in result.stderr

    def test_a_file_that_is_not_there(self, invoke):
        result = invoke("db", "path", "none.toml")
        assert (result.exit_code, result.stdout) == (2, "")
        assert "expected a TOML file at none.toml" in result.stderr


class TestBackup:
    def test_a_copy_is_a_database(self, ask, finished, here):
        made = ask("db", "backup", "copy.db", "--db", finished[0])
        assert (made["file"], made["bytes"]) == ("copy.db", (here / "copy.db").stat().st_size)
        of_both = [ask("results", "campaigns", "--db", db) for db in (finished[0], "copy.db")]
        assert of_both[0] == of_both[1]

    def test_by_default_it_stands_beside_the_database(self, invoke, finished, here):
        shutil.copy(finished[0], here / "mine.db")
        result = invoke("db", "backup", "--db", "mine.db")
        (copy,) = here.glob("mine-2*.db")
        assert result.stdout.startswith(f"Copied mine.db to {copy.name} (")

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (("taken.txt",), "taken.txt exists already"),
            (("none/copy.db",), "none/copy.db cannot be written: No such file"),
            (("copy.db", "--db", "none.db"), "There is no database at none.db"),
            (("copy.db", "--db", "taken.txt"), "taken.txt is not a database"),
            (("copy.db", "--db", "postgresql://u:secret@h/x"), "Run: pg_dump"),
        ],
    )
    def test_what_a_person_gets_wrong(self, invoke, finished, here, arguments, said):
        (here / "taken.txt").write_text("mine, and no database")
        more = () if "--db" in arguments else ("--db", finished[0])
        result = invoke("db", "backup", *arguments, *more)
        assert (result.exit_code, result.stdout) == (2, "")
        (line,) = result.stderr.splitlines()
        assert said in line
        assert "secret" not in line
        assert [path.name for path in here.iterdir()] == ["taken.txt"]


@pytest.fixture
def old(here):
    def place(revision):
        shutil.copy(FROZEN / f"schema_{revision}.sqlite", here / "old.db")

    return place


class TestUpgrade:
    @pytest.mark.parametrize("revision", revisions())
    def test_every_released_schema_keeps_its_content(self, invoke, ask, old, here, revision):
        old(revision)
        done = ask("db", "upgrade", "--db", "old.db")
        assert (done["schema_before"], done["schema"]) == (revision, head())
        (campaign,) = ask("results", "campaigns", "--db", "old.db")["campaigns"]
        assert (campaign["name"], campaign["candidates"], campaign["cpu_s"]) == ("frozen", 3, 3.0)
        (best,) = ask("results", "top", "frozen", "--db", "old.db")["programs"]
        assert {name: score["mean"] for name, score in best["scores"].items()} == {
            "train": 0.1,
            "worst": -1e300,
        }
        program = ask("results", "show", "frozen:best", "--db", "old.db")
        assert program["program"]["source"] == "x = 2\n"
        assert [o["ordinal"] for o in program["origins"]] == [1]
        assert program["evaluations"][0]["log"] == "Grüße 😀"
        assert program["evaluations"][0]["tasks"][0]["curve"] == [[1, 4.5], [1000, 5e-324]]
        calls = ask("results", "calls", "frozen", "--db", "old.db")["calls"]
        assert len(calls) == 3
        exported = invoke("results", "export", "frozen", "--format", "json", "--db", "old.db")
        outcomes = [c["outcome"] for c in json.loads(exported.stdout)["candidates"]]
        assert [outcome and outcome["tag"] for outcome in outcomes] == ["ok", "ok", None]

    def test_says_where_the_old_one_is(self, invoke, old, here):
        old("0003")
        result = invoke("db", "upgrade", "--db", "old.db")
        (copy,) = here.glob("old-2*.db")
        assert (
            result.stdout == f"old.db had schema 0003 and has {head()} now; the old one is in {copy.name}.\n"
        )
        with sqlite3.connect(copy) as connection:
            assert connection.execute("SELECT version_num FROM alembic_version").fetchone() == ("0003",)
        connection.close()

    def test_a_current_one_is_left_alone(self, invoke, old, here):
        old(head())
        result = invoke("db", "upgrade", "--db", "old.db")
        assert result.stdout == f"old.db is current: schema {head()}.\n"
        assert [path.name for path in here.glob("*.db")] == ["old.db"]

    def test_other_commands_upgrade_by_themselves(self, ask, old):
        old("0003")
        assert ask("results", "campaigns", "--db", "old.db")["campaigns"]
        assert ask("db", "upgrade", "--db", "old.db")["schema_before"] == head()

    def test_a_newer_one_is_refused_with_what_to_do(self, invoke, old, here):
        old(head())
        connection = sqlite3.connect(here / "old.db")
        with connection:
            connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.close()
        result = invoke("db", "upgrade", "--db", "old.db")
        assert (result.exit_code, result.stdout) == (2, "")
        assert "has schema 9999, which is newer" in result.stderr
        assert "`pip install --upgrade evolve-marl`" in result.stderr

    def test_a_missing_one_is_one_line(self, invoke):
        result = invoke("db", "upgrade")
        assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
        assert "There is no database at results/data/evolve.db" in result.stderr
