"""Opening: what is refused and left alone, what is made, and how an older schema becomes this one.

``PYTHONPATH=. python tests/results/test_database.py tests/results/data/schema_NNNN.sqlite`` writes the small database
that a released schema leaves behind; it is made once, by the program of that release, and never again.
"""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import alembic.command
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Text, create_engine

from results import programs, queries
from results.database import head, revisions
from results.errors import DatabaseError
from results.records import (
    CallAnswer,
    CallRecord,
    CampaignSpec,
    CandidateRecord,
    CurveRecord,
    EvaluationRecord,
)
from results.schema import Base
from results.store import open_store

ROOT = Path(__file__).parents[2]
DATA = Path(__file__).with_name("data")
WHEN = datetime(2026, 11, 21, 12, 0, 0, 250, tzinfo=UTC)


def _files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def _execute(path: Path, *statements: str) -> None:
    connection = sqlite3.connect(path)
    with connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()


def _refused(where: str | Path, **options: bool) -> DatabaseError:
    with pytest.raises(DatabaseError) as caught:
        open_store(where, **options)
    assert "\n" not in caught.value.message + caught.value.hint
    assert caught.value.hint
    return caught.value


def test_a_newer_database_is_refused_and_keeps_every_byte(tmp_path):
    path = tmp_path / "evolve.db"
    open_store(path).close()
    _execute(path, "UPDATE alembic_version SET version_num = '9999'")
    before = _files(tmp_path)
    for options in ({}, {"read_only": True}):
        error = _refused(path, **options)
        assert error.message == f"{path} has schema 9999, which is newer than this program's {head()}."
        assert error.hint == "Run `pip install --upgrade evolve-marl`, or name another database with --db."
    assert _files(tmp_path) == before


def test_what_is_no_database_of_ours_is_refused_and_keeps_every_byte(tmp_path):
    (tmp_path / "notes.txt").write_text("SQLite is nice, but this is not it")
    (tmp_path / "cut.db").write_bytes(b"SQLite format 3\0" + b"\xff" * 500)
    _execute(tmp_path / "music.db", "CREATE TABLE songs (title TEXT)", "INSERT INTO songs VALUES ('x')")
    _execute(
        tmp_path / "other.db", "CREATE TABLE campaigns (id)", "CREATE TABLE alembic_version (version_num)"
    )
    before = _files(tmp_path)
    assert "is not a database" in _refused(tmp_path / "notes.txt").message
    assert "cannot be opened" in _refused(tmp_path / "cut.db").message
    assert "of something else" in _refused(tmp_path / "music.db").message
    assert "of something else" in _refused(tmp_path / "other.db").message
    assert _files(tmp_path) == before


def test_places_that_cannot_be_used_are_named(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    assert "is a directory" in _refused(tmp_path).message
    assert "cannot be made: Not a directory" in _refused(tmp_path / "file" / "new" / "evolve.db").message
    assert "There is no database at" in _refused(tmp_path / "none.db", create=False).message
    assert "evolve run" in _refused(tmp_path / "none.db", read_only=True).hint
    assert "is empty" in _refused(tmp_path / "file", read_only=True).message
    assert "SQLite file or a postgresql:// URL" in _refused("mysql+pymysql://localhost/x").message
    assert "neither a file path nor" in _refused("://").message
    assert "path of a database file" in _refused("sqlite://").message
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file"]
    monkeypatch.setattr("os.access", lambda *_: False)
    assert "cannot be written" in _refused(tmp_path / "evolve.db").message


def test_a_missing_driver_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    error = _refused("postgresql+psycopg://user:secret@localhost/evolve")
    assert "needs the Python package psycopg" in error.message
    assert "secret" not in error.message


def test_a_server_that_is_not_there_is_one_line(tmp_path):
    pytest.importorskip("psycopg", reason="PostgreSQL tests need the package psycopg")
    error = _refused(f"postgresql+psycopg://user:secret@/evolve?host={tmp_path}")
    assert "cannot be opened" in error.message
    assert "secret" not in error.message


@pytest.mark.parametrize("name", ["evolve.db", "what?now#50%&mode=ro.db", "sp ace/ünï.db"])
def test_any_file_name_will_do_as_path_and_as_url(tmp_path, name, make):
    path = tmp_path / name
    with open_store(path) as store:
        store.begin_campaign(make.spec()).close()
    assert path.stat().st_size > 0
    with open_store(str(path), create=False, read_only=True) as store:
        assert store.find_campaign("cfr-symbolic-s1")
    if "?" not in name:
        with open_store(f"sqlite:///{path}", create=False) as store:
            assert store.find_campaign("cfr-symbolic-s1")


def test_an_empty_file_is_as_good_as_none(tmp_path):
    (tmp_path / "evolve.db").touch()
    with open_store(tmp_path / "evolve.db") as store:
        assert queries.campaigns(store) == []


def test_a_fresh_database_has_the_schema_of_the_models(store):
    def same_type(context, inspected, declared, found, wanted) -> bool | None:
        # The base of all text here is TEXT, which autogenerate does not see behind a type of our own.
        return False if isinstance(wanted, Text) and isinstance(found, Text) else None

    with store.reading() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": same_type})
        assert compare_metadata(context, Base.metadata) == []
        assert context.get_current_revision() == head() == revisions()[-1]


def test_sqlite_tables_are_word_for_word_those_of_the_models(sqlite_store):
    """What autogenerate does not compare: WITHOUT ROWID, constraint names, partial indexes."""
    wanted = create_engine("sqlite://")
    Base.metadata.create_all(wanted)
    statements = "SELECT type, name, sql FROM sqlite_master WHERE tbl_name != 'alembic_version' ORDER BY 1, 2"
    with wanted.connect() as fresh, sqlite_store.reading() as upgraded:
        rows = [
            {
                row[:2]: sorted((row[2] or "").replace(",", " ").split())
                for row in connection.exec_driver_sql(statements)
            }
            for connection in (fresh, upgraded)
        ]
    wanted.dispose()
    assert rows[0] == rows[1]


def test_an_upgrade_that_fails_leaves_nothing(tmp_path, monkeypatch):
    path = tmp_path / "evolve.db"
    real = alembic.command.upgrade

    def failing(*arguments) -> None:
        real(*arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr("alembic.command.upgrade", failing)
    with pytest.raises(KeyboardInterrupt):
        open_store(path)
    monkeypatch.undo()
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT name FROM sqlite_master").fetchall() == []
    connection.close()
    open_store(path).close()


def test_several_processes_may_make_the_same_database(tmp_path):
    code = f"from results.store import open_store; open_store({str(tmp_path / 'evolve.db')!r}).close()"
    processes = [subprocess.Popen([sys.executable, "-c", code], cwd=ROOT) for _ in range(3)]
    assert [process.wait(timeout=60) for process in processes] == [0, 0, 0]


def test_every_released_schema_left_a_database():
    assert [path.stem for path in sorted(DATA.glob("*.sqlite"))] == [f"schema_{name}" for name in revisions()]


def _evaluation_0001(ordinal: int | None, program_id: str) -> EvaluationRecord:
    curve = CurveRecord(
        instance="leduc2/generic-0",
        game="leduc2",
        variant="generic-0",
        iterations=1000,
        game_string="leduc_poker(players=2)",
        uniform=4.7472222222222,
        points=((1, 4.5), (1000, 5e-324)),
        cpu_s=0.5,
        wall_s=0.75,
        candidate_cpu_s=0.25,
    )
    return EvaluationRecord(
        ordinal=ordinal,
        program_id=program_id,
        plan="train",
        outcome="ok",
        isolation="kernel+ns",
        cpu_s=1.5,
        wall_s=2.5,
        log="Grüße 😀",
        scores={"train": 0.1, "worst": -1e300},
        curves=(curve,),
    )


def write_frozen(where: Path) -> None:
    """The campaign that the tests of frozen databases read back."""
    spec = CampaignSpec(
        name="frozen",
        domain="cfr",
        seed=2**62,
        objective="train",
        plan="train",
        config={"games": ["leduc2"], "budget_usd": None},
        versions={"numpy": "2.4.6"},
        machine={"cores": 2},
    )
    with open_store(where, clock=lambda: WHEN) as store, store.begin_campaign(spec) as writer:
        seed = writer.add_program("x = 1\n", tree_hash="tree", name="cfr")
        child = writer.add_program("x = 2\n", tree_hash="tree")
        writer.record_evaluation(_evaluation_0001(None, seed))
        writer.record_candidate(CandidateRecord(ordinal=0, operator="seed", program_id=seed, outcome="ok"))
        writer.tell(0)
        writer.record_candidate(
            CandidateRecord(
                ordinal=1,
                operator="symbolic",
                program_id=child,
                parents=(seed, child),
                note="constant",
                island=2,
                outcome="ok",
            )
        )
        writer.record_evaluation(_evaluation_0001(1, child))
        writer.record_candidate(CandidateRecord(ordinal=2, operator="symbolic"))
        writer.record_promotion(child, game="dudo3", iterations=9, exploitability=0.5, purpose="final")
        writer.add_event("migration", {"island": 2})
        _write_calls_0002(writer)
        writer.set_status("finished")


def _call_0002(attempt: int) -> CallRecord:
    messages = (("system", "Write programs. Grüße 😀"), ("user", f"attempt {attempt}"))
    return CallRecord(
        ordinal=1, attempt=attempt, model="openai:m", request_hash="abc", messages=messages,
        input_tokens=2**40, output_tokens=7, cost_usd=0.25,
    )  # fmt: skip


def _answer_0002() -> CallAnswer:
    return CallAnswer(
        text="x = 2", stop="end", answered_by="m-1", input_tokens=5, output_tokens=6, cached_tokens=4, cost_usd=1e-9,
        latency_s=1.5,
    )  # fmt: skip


def _write_calls_0002(writer) -> None:
    writer.end_call(writer.begin_call(_call_0002(0)), state="answered", answer=_answer_0002())
    writer.end_call(writer.begin_call(_call_0002(1)), state="failed", message="HTTP 500")
    writer.begin_call(_call_0002(2))


def test_the_database_of_schema_0002_has_calls(tmp_path):
    path = tmp_path / "evolve.db"
    shutil.copy(DATA / "schema_0002.sqlite", path)
    with open_store(path) as store, store.continue_campaign("frozen") as writer:
        answered, failed, sent = queries.calls(store, "frozen")
        short = writer.load_calls()
    assert answered.messages == _call_0002(0).messages
    wanted = {name: value for name, value in vars(_answer_0002()).items() if name != "text"}
    assert {name: getattr(answered, name) for name in wanted} == wanted
    assert (answered.answer, answered.state) == ("x = 2", "answered")
    assert (answered.sent_at, answered.ended_at) == (WHEN, WHEN)
    assert (failed.state, failed.message, failed.cost_usd) == ("failed", "HTTP 500", 0.25)
    assert (sent.state, sent.input_tokens, sent.ended_at) == ("sent", 2**40, None)
    assert [c.messages for c in short] == [()] * 3
    assert [c.answer for c in short] == ["x = 2", "", ""]


def test_an_older_database_has_no_calls(tmp_path):
    path = tmp_path / "evolve.db"
    shutil.copy(DATA / "schema_0001.sqlite", path)
    with open_store(path) as store:
        assert queries.calls(store, "frozen") == []


def test_curves_of_an_older_schema_share_their_instances(tmp_path):
    path = tmp_path / "evolve.db"
    shutil.copy(DATA / "schema_0002.sqlite", path)
    open_store(path).close()
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT instance_id FROM curves").fetchall() == [(1,), (1,)]
        (row,) = connection.execute("SELECT instance, game_string, uniform FROM instances").fetchall()
    assert row == ("leduc2/generic-0", "leduc_poker(players=2)", 4.7472222222222)


def test_the_database_of_schema_0001_is_read_whole(tmp_path):
    path = tmp_path / "evolve.db"
    shutil.copy(DATA / "schema_0001.sqlite", path)
    with open_store(path) as store, store.continue_campaign("frozen") as writer:
        campaign, state = writer.campaign, writer.load()
        ((seed, first),) = queries.baselines(store, "frozen")
        details = programs.program(store, "frozen:1")
        (look,) = queries.looks(store, "frozen")
        (event,) = queries.events(store, "frozen")
    child = details.program
    assert (campaign.seed, campaign.config) == (2**62, {"games": ["leduc2"], "budget_usd": None})
    assert (campaign.status, campaign.git_commit, campaign.created_at) == ("finished", None, WHEN)
    assert (seed.name, seed.source, child.name, child.source) == ("cfr", "x = 1\n", "", "x = 2\n")
    assert first == _evaluation_0001(None, seed.id)
    assert [one.candidate.ordinal for one in state.told] == [0]
    assert state.pending[1].candidate.parents == (seed.id, child.id)
    assert state.pending[1].evaluations == (_evaluation_0001(1, child.id),)
    assert state.pending[2].candidate.outcome is None
    assert (look.program_id, look.exploitability, look.looked_at) == (child.id, 0.5, WHEN)
    assert (event.kind, event.payload) == ("migration", {"island": 2})


if __name__ == "__main__":
    write_frozen(Path(sys.argv[1]))
