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
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import alembic.command
import pytest
from alembic.migration import MigrationContext
from sqlalchemy import inspect

from evaluators.records import (
    Candidate,
    Cost,
    Evaluation,
    Metric,
    Outcome,
    Provenance,
    Score,
    Tag,
    Task,
    TaskResult,
)
from results import programs, queries
from results.database import head, revisions
from results.errors import DatabaseError
from results.records import (
    CallRecord,
    CampaignSpec,
    HeldOutEvaluation,
    LookRecord,
    StoredEvaluation,
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


def test_a_fresh_database_has_the_newest_revision(store):
    with store.reading() as connection:
        assert MigrationContext.configure(connection).get_current_revision() == head() == revisions()[-1]
        assert set(Base.metadata.tables) < set(inspect(connection).get_table_names())


@pytest.mark.parametrize("released", [False, True])
def test_what_fails_leaves_the_schema_that_was_there(tmp_path, monkeypatch, released):
    path = tmp_path / "evolve.db"
    if released:
        shutil.copy(DATA / f"schema_{revisions()[0]}.sqlite", path)
    before = _schema(path)
    name = "alembic.command.upgrade" if released else "alembic.command.stamp"
    real = alembic.command.upgrade if released else alembic.command.stamp

    def failing(*arguments) -> None:
        real(*arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(name, failing)
    with pytest.raises(KeyboardInterrupt):
        open_store(path)
    monkeypatch.undo()
    assert _schema(path) == before
    open_store(path).close()
    assert _schema(path) != before


def _schema(path: Path) -> list[tuple[str, str]]:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT name, sql FROM sqlite_master ORDER BY 1").fetchall()


def test_several_processes_may_make_the_same_database(tmp_path):
    code = f"from results.store import open_store; open_store({str(tmp_path / 'evolve.db')!r}).close()"
    processes = [subprocess.Popen([sys.executable, "-c", code], cwd=ROOT) for _ in range(3)]
    assert [process.wait(timeout=60) for process in processes] == [0, 0, 0]


def test_every_released_schema_left_a_database():
    left = [path.stem for path in sorted(DATA.glob("schema_*.sqlite"))]
    assert left == [f"schema_{name}" for name in revisions()]


def _evaluation() -> Evaluation:
    result = TaskResult(
        task=Task("leduc2/generic-0", "leduc2", "generic", 1000, 0),
        value=5e-324,
        stderr=1e-300,
        samples=2**40,
        curve=((1, 4.5), (1000, 5e-324)),
        reference=((1, 0.25), (2**32, 0.125)),
        uniform=4.7472222222222,
        floor=4.7472222222222e-06,
        extra={"area Grüße": -0.5},
        cost=Cost(0.5, 0.75, 0.25, 3),
    )
    bare = TaskResult(Task("bare", "bare", budget=2**40), value=-1e300)
    return Evaluation(
        outcome=Outcome(Tag.OK, "Grüße 😀"),
        results=(result, bare),
        scores={"train": Score(0.1, 0.25, 7), "worst": Score(-1e300)},
        stages={"all of them": Score(0.5, 0.125, 9)},
        isolation="kernel+ns",
        cost=Cost(1.5, 2.5, 0.25, 3),
        log="Grüße 😀",
    )


def _evaluation_0003() -> Evaluation:
    """What schema 0003 knew of a like one."""
    result = replace(
        _evaluation().results[0],
        stderr=0.0,
        samples=1,
        reference=(),
        floor=4.7472222222222 * 1e-6,
        extra={},
        cost=Cost(0.5, 0.75, 0.25),
    )
    return replace(
        _evaluation(),
        outcome=Outcome(Tag.OK),
        results=(result,),
        scores={"train": Score(0.1), "worst": Score(-1e300)},
        stages={},
        cost=Cost(1.5, 2.5, 0.25),
    )


PROVENANCE = Provenance("kernel+ns", "docker", {"cpu_s": 0.5, "memory_mib": 512})
HELD_OUT = HeldOutEvaluation(
    program_id="",
    task=Task("dudo3/generic-7", "dudo3", "generic", 9, 7),
    outcome=Outcome(Tag.OK),
    value=0.5,
    stderr=0.125,
    score=1.5,
    isolation="docker",
    purpose="final",
    evaluated_at=WHEN,
)
HELD_OUT_0003 = replace(
    HELD_OUT, task=Task("dudo3", "dudo3", "exact", 9), stderr=0.0, score=None, isolation=""
)


LOOK = LookRecord(
    domain="cfr",
    suites_version=2,
    program_id="0" * 64,
    program="Grüße",
    tasks=(("dudo3/generic-7", 9), ("dudo3", 2**40)),
    command="evaluate",
    looked_by="me",
    looked_at=WHEN,
)


def write_frozen(where: Path) -> None:
    """The campaign that the tests of frozen databases read back."""
    spec = CampaignSpec(
        name="frozen",
        domain="cfr",
        seed=2**62,
        objective="train",
        metric=Metric("loss", "Grüße", "max", "linear", 0.25, 2.0, "trick", "turns"),
        plan="train",
        config={"games": ["leduc2"], "budget_usd": None},
        versions={"numpy": "2.4.6"},
        machine={"cores": 2},
    )
    ok = Outcome(Tag.OK)
    with open_store(where, clock=lambda: WHEN) as store, store.begin_campaign(spec) as writer:
        seed = writer.add_program("x = 1\n", tree_hash="tree", name="cfr")
        child = writer.add_program("x = 2\n", tree_hash="tree", provenance=PROVENANCE)
        writer.record_evaluation(_evaluation(), program_id=seed, ordinal=None, plan="train")
        writer.record_candidate(Candidate(0, "seed", seed, outcome=ok))
        writer.tell(0)
        writer.record_candidate(Candidate(1, "symbolic", child, (seed, child), "constant", 2, ok))
        writer.record_evaluation(_evaluation(), program_id=child, ordinal=1, plan="train")
        writer.record_candidate(Candidate(2, "symbolic"))
        writer.record_held_out(replace(HELD_OUT, program_id=child))
        writer.add_event("migration", {"island": 2})
        _write_calls(writer)
        writer.set_status("finished")
        store.record_looks([LOOK])


def _call(attempt: int) -> CallRecord:
    messages = (("system", "Write programs. Grüße 😀"), ("user", f"attempt {attempt}"))
    return CallRecord(
        ordinal=1, attempt=attempt, model="openai:m", request_hash="abc", messages=messages,
        input_tokens=2**40, output_tokens=7, cost_usd=0.25,
    )  # fmt: skip


def _answered(call: CallRecord) -> CallRecord:
    return replace(
        call, state="answered", answer="x = 2", stop="end", answered_by="m-1", input_tokens=5, output_tokens=6,
        cached_tokens=4, cost_usd=1e-9, latency_s=1.5,
    )  # fmt: skip


def _write_calls(writer) -> None:
    writer.end_call(writer.begin_call(_call(0)), _answered(_call(0)))
    writer.end_call(writer.begin_call(_call(1)), replace(_call(1), state="failed", message="HTTP 500"))
    writer.begin_call(_call(2))


@pytest.mark.parametrize("revision", revisions())
def test_the_calls_of_a_released_schema_are_read_whole(tmp_path, revision):
    path = tmp_path / "evolve.db"
    shutil.copy(DATA / f"schema_{revision}.sqlite", path)
    with open_store(path) as store, store.continue_campaign("frozen") as writer:
        answered, failed, sent = queries.calls(store, "frozen")
        short = writer.load_calls()
    assert answered.messages == _call(0).messages
    changed = {"number": answered.number, "sent_at": answered.sent_at, "ended_at": answered.ended_at}
    assert answered == replace(_answered(_call(0)), **changed)
    assert (answered.answer, answered.state) == ("x = 2", "answered")
    assert (answered.sent_at, answered.ended_at) == (WHEN, WHEN)
    assert (failed.state, failed.message, failed.cost_usd) == ("failed", "HTTP 500", 0.25)
    assert (sent.state, sent.input_tokens, sent.ended_at) == ("sent", 2**40, None)
    assert [c.messages for c in short] == [()] * 3
    assert [c.answer for c in short] == ["x = 2", "", ""]


@pytest.mark.parametrize(
    ("revision", "evaluation", "provenance", "held_out", "label"),
    [
        (
            "0003",
            _evaluation_0003(),
            Provenance("rlimits"),
            HELD_OUT_0003,
            "exploitability (NashConv / N)",
        ),
        *((number, _evaluation(), PROVENANCE, HELD_OUT, "Grüße") for number in ("0004", "0005")),
    ],
)
def test_the_database_of_a_released_schema_is_read_whole(
    tmp_path, revision, evaluation, provenance, held_out, label
):
    path = tmp_path / "evolve.db"
    shutil.copy(DATA / f"schema_{revision}.sqlite", path)
    with open_store(path) as store, store.continue_campaign("frozen") as writer:
        campaign, state = writer.campaign, writer.load()
        ((seed, first),) = queries.baselines(store, "frozen")
        child = programs.program(store, "frozen:1").program
        kept = queries.held_out(store, "frozen")
        (event,) = queries.events(store, "frozen")
        looks = queries.looks(store, "cfr")
    assert looks == ([LOOK] if revision >= "0005" else [])
    assert (campaign.seed, campaign.config) == (2**62, {"games": ["leduc2"], "budget_usd": None})
    assert (campaign.status, campaign.git_commit, campaign.created_at) == ("finished", None, WHEN)
    assert campaign.metric.label == label
    assert (seed.name, seed.source, child.name, child.source) == ("cfr", "x = 1\n", "", "x = 2\n")
    assert (seed.provenance, child.provenance) == (None, provenance)
    assert first == StoredEvaluation(None, seed.id, "train", evaluation)
    assert [one.candidate.ordinal for one in state.told] == [0]
    assert state.pending[1].candidate.parents == (seed.id, child.id)
    assert state.pending[1].evaluations == (StoredEvaluation(1, child.id, "train", evaluation),)
    assert state.pending[2].candidate.outcome is None
    assert kept == [replace(held_out, program_id=child.id)]
    assert (event.kind, event.payload) == ("migration", {"island": 2})


def test_a_schema_from_before_the_first_release_is_refused(tmp_path):
    path = tmp_path / "evolve.db"
    open_store(path).close()
    _execute(path, "UPDATE alembic_version SET version_num = '0002'")
    error = _refused(path)
    assert error.message == f"{path} has schema 0002, which is older than 0003, the first that was released."


if __name__ == "__main__":
    write_frozen(Path(sys.argv[1]))
