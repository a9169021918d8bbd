"""The storage contract, kept by every kind of database."""

from __future__ import annotations

import itertools
import json
import sqlite3
import threading
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import get_args

import pytest
from sqlalchemy import event
from sqlalchemy.exc import IntegrityError

from evaluators.records import (
    LEVELS,
    SANDBOXES,
    Candidate,
    Evaluation,
    Outcome,
    Provenance,
    Score,
    Tag,
    Task,
)
from results import queries
from results.errors import BusyError, DatabaseError, UnknownNameError
from results.records import HeldOutEvaluation
from results.store import open_store
from results.writer import normalised
from sandbox.base import Level
from sandbox.process import Kind


def test_a_campaign_is_found_as_it_was_begun(store, make):
    assert store.find_campaign("cfr-symbolic-s1") is None
    with store.begin_campaign(make.spec()) as writer:
        begun = writer.campaign
    found = store.find_campaign("cfr-symbolic-s1")
    assert found == begun
    assert {key: value for key, value in vars(found).items() if key in vars(make.spec())} == vars(make.spec())
    assert (found.status, found.created_at, found.finished_at) == ("running", make.start, None)


def test_a_name_is_taken_once(store, make):
    store.begin_campaign(make.spec()).close()
    with pytest.raises(BusyError, match="There is a campaign 'cfr-symbolic-s1'") as caught:
        store.begin_campaign(make.spec())
    assert "--name" in caught.value.hint


def test_an_unknown_campaign_is_answered_with_the_nearest_name(store, make):
    store.begin_campaign(make.spec()).close()
    with pytest.raises(UnknownNameError, match="no campaign 'cfr-symbolic'") as caught:
        store.continue_campaign("cfr-symbolic")
    assert caught.value.hint == "Did you mean 'cfr-symbolic-s1'?"


def test_status_and_configuration_can_change(store, make):
    with store.begin_campaign(make.spec()) as writer:
        writer.set_status("finished")
        assert writer.campaign.status == "finished"
        assert writer.campaign.finished_at > writer.campaign.created_at
        writer.set_config({"candidates": 200})
        writer.set_status("running")
        assert (writer.campaign.status, writer.campaign.finished_at) == ("running", None)
        assert writer.campaign.config == {"candidates": 200}


def test_a_program_is_stored_once_and_keeps_its_name(store, make):
    with store.begin_campaign(make.spec()) as writer:
        key = writer.add_program("x = 1\r\ny = '''a \r\n'''\n\n", tree_hash="t")
        assert writer.add_program("x = 1\ny = '''a \n'''", tree_hash="t", name="seed") == key
        assert writer.add_program("x = 1\ny = '''a \n'''", tree_hash="t", name="other") == key
        writer.record_candidate(make.candidate(0, key))
        (program,) = writer.load_programs().values()
    assert (program.id, program.name, program.tree_hash) == (key, "seed", "t")
    assert program.source == "x = 1\ny = '''a \n'''\n" == normalised(program.source)


def test_a_new_process_finds_what_was_told_and_what_was_not(store, make):
    with store.begin_campaign(make.spec()) as writer:
        first = make.record(writer, 0)
        second = make.record(writer, 1, parents=[first])
        third = make.record(writer, 3, tell=False, parents=[second, first])
        writer.record_candidate(make.candidate(4, outcome=None, parents=(first,)))
        writer.record_candidate(make.candidate(2, outcome="rejected", message="no class PolicyAccumulator"))
        writer.tell(2)
        baseline = make.evaluation(None, writer.add_program("pass", tree_hash="b", name="cfr"))
        make.store(writer, baseline)
    with store.continue_campaign("cfr-symbolic-s1") as writer:
        state = writer.load()
        programs = writer.load_programs()
    assert [one.candidate.ordinal for one in state.told] == [0, 1, 2]
    assert state.told[1].candidate == make.candidate(1, second, parents=(first,))
    assert state.told[1].evaluations == (make.evaluation(1, second),)
    assert state.told[2].candidate.outcome.message == "no class PolicyAccumulator"
    assert sorted(state.pending) == [3, 4]
    assert state.pending[3].candidate.parents == (second, first)
    assert state.pending[3].evaluations == (make.evaluation(3, third),)
    assert state.pending[4].candidate.outcome is None
    assert state.baselines == (baseline,)
    assert set(programs) == {first, second, third, baseline.program_id}
    assert programs[second].source == make.source(1)


def test_a_candidate_may_change_until_it_is_told(store, make):
    with store.begin_campaign(make.spec()) as writer:
        key = writer.add_program("pass", tree_hash="t")
        writer.record_candidate(make.candidate(0, key, outcome=None, parents=(key, key)))
        with pytest.raises(ValueError, match="undecided"):
            writer.tell(0)
        final = make.candidate(0, key, outcome="timeout", parents=(key,), message="10 s")
        writer.record_candidate(final)
        writer.tell(0)
        with pytest.raises(ValueError, match="told before"):
            writer.tell(0)
        with pytest.raises(ValueError, match="told already"):
            writer.record_candidate(make.candidate(0, key))
        with pytest.raises(ValueError, match="unknown"):
            writer.tell(1)
        assert writer.load().told[0].candidate == final


def test_an_evaluation_is_stored_once(store, make):
    with store.begin_campaign(make.spec()) as writer:
        key = make.record(writer, 0)
        with pytest.raises(IntegrityError):
            make.store(writer, make.evaluation(0, key))
        make.store(writer, make.evaluation(0, key, plan="perturbed"))
        make.store(writer, make.evaluation(None, key))
        with pytest.raises(IntegrityError):
            make.store(writer, make.evaluation(None, key))
        with pytest.raises(IntegrityError):
            make.store(writer, make.evaluation(7, key))
        assert [one.plan for one in writer.load().told[0].evaluations] == ["train", "perturbed"]


def test_a_transaction_is_whole_or_nothing(store, make):
    with store.begin_campaign(make.spec()) as writer:
        with pytest.raises(RuntimeError), writer.transaction():
            make.record(writer, 0)
            assert len(writer.load().told) == 1
            raise RuntimeError
        assert writer.load().told == ()
        make.record(writer, 0)
        assert len(writer.load().told) == 1


def test_numbers_that_are_not_finite_and_scores_of_failures_stop_at_the_border(make):
    ok, crash = Outcome(Tag.OK), Outcome(Tag.CRASH)
    with pytest.raises(ValueError, match="not finite"):
        Evaluation(ok, scores={"train": Score(float("nan"))})
    with pytest.raises(ValueError, match="has scores"):
        Evaluation(crash, scores={"train": Score(0.0)})
    with pytest.raises(ValueError, match="expected finite numbers"):
        replace(make.result(0, 0), uniform=float("inf"))


def test_what_a_candidate_printed_cannot_stop_the_campaign(store, make):
    with store.begin_campaign(make.spec()) as writer:
        key = writer.add_program("x = '\ud800\0'", tree_hash="t")
        writer.record_candidate(make.candidate(0, key, outcome="exception", message="a\0b\udfff😀\ud83d"))
        make.store(writer, make.evaluation(0, key, outcome="exception", scores={}, log="\0\ud83d\ude00"))
        stored = writer.load().pending[0]
        assert writer.load_programs()[key].source == "x = '\ufffd\ufffd'\n"
    assert stored.candidate.outcome.message == "a\ufffdb\ufffd😀\ufffd"
    assert stored.evaluations[0].evaluation.log == "\ufffd😀"


def test_every_held_out_evaluation_and_event_is_kept(store, make):
    with store.begin_campaign(make.spec()) as writer:
        key = make.record(writer, 0)
        assert writer.held_out() == []
        drawn = HeldOutEvaluation(
            program_id=key,
            task=Task("dudo3/generic-123", "dudo3", "generic", 1000, 123),
            outcome=Outcome(Tag.OK),
            value=0.25,
            stderr=0.125,
            score=1.5,
            isolation="kernel+ns",
            purpose="promotion",
        )
        failed = replace(
            drawn,
            task=Task("dudo3", "dudo3", budget=2**40),
            outcome=Outcome(Tag.TIMEOUT, "10 s"),
            value=None,
            stderr=0.0,
            score=None,
        )
        for evaluation in (drawn, failed, drawn):
            writer.record_held_out(evaluation)
        writer.add_event("verdict", {"finalist": key, "wins": [1, 2]})
        kept = writer.held_out()
    assert queries.held_out(store, "cfr-symbolic-s1") == kept
    assert [replace(one, evaluated_at=None) for one in kept] == [drawn, failed, drawn]
    (event_,) = queries.events(store, "cfr-symbolic-s1")
    assert (event_.kind, event_.payload) == ("verdict", {"finalist": key, "wins": [1, 2]})
    moments = [make.start, *(one.evaluated_at for one in kept), event_.happened_at]
    assert all(before < after for before, after in itertools.pairwise(moments))


def test_what_runs_a_program_later_uses_nothing_weaker(store, make):
    weak = Provenance("rlimits", "process", {"cpu_s": 10.0, "memory_mib": 512})
    strong = Provenance("docker", "docker", {"cpu_s": 20.0, "wall_s": 5.0})
    both = Provenance("docker", "docker", {"cpu_s": 10.0, "memory_mib": 512, "wall_s": 5.0})
    orders = {"a": (weak, strong), "b": (strong, None, weak), "c": (None, weak, strong, both), "d": (None,)}
    with store.begin_campaign(make.spec()) as writer:
        for ordinal, (name, order) in enumerate(orders.items()):
            for provenance in order:
                key = writer.add_program(f"name = {name!r}", tree_hash="t", provenance=provenance)
            writer.record_candidate(make.candidate(ordinal, key))
        known = {one.source[8]: one.provenance for one in writer.load_programs().values()}
        assert known == {"a": both, "b": both, "c": both, "d": None}
    assert tuple(level.label for level in Level) == LEVELS
    assert get_args(Kind) == SANDBOXES


def test_a_task_is_stored_once_whoever_works_on_it(store, make):
    result = make.result(0, 1)
    others = [
        replace(result, floor=0.5),
        replace(result, reference=((1000, 0.5),)),
        replace(result, value=0.75, curve=()),
    ]
    others += [
        replace(result, task=replace(result.task, **change))
        for change in ({"seed": 2}, {"seed": None}, {"budget": 999})
    ]
    for name in ("a", "b"):
        with store.begin_campaign(make.spec(name)) as writer:
            for ordinal in range(2):
                stored = make.evaluation(ordinal, "", results=(result, *others))
                key = writer.add_program(make.source(ordinal), tree_hash="t")
                writer.record_candidate(make.candidate(ordinal, key))
                make.store(writer, replace(stored, program_id=key))
            with pytest.raises(RuntimeError), writer.transaction():
                key = make.record(writer, 2, results=(replace(result, uniform=None),))
                raise RuntimeError
            make.record(writer, 2, results=(replace(result, uniform=None),))
            state = writer.load()
        assert state.pending[1].evaluations[0].evaluation.results == (result, *others)
        assert state.told[0].evaluations[0].evaluation.results == (replace(result, uniform=None),)
    with store.reading() as connection:
        # One of the others differs in its value only, which is the program's.
        assert connection.exec_driver_sql("SELECT count(*) FROM tasks").scalar() == 1 + len(others) - 1 + 1


def test_payloads_are_json(store, make):
    with store.begin_campaign(make.spec()) as writer, pytest.raises(Exception, match="JSON"):
        writer.add_event("cost", {"usd": float("inf")})


def test_times_have_a_zone(where, make):
    with (
        open_store(where, clock=lambda: datetime(2026, 1, 1)) as store,
        pytest.raises(Exception, match="with a zone"),
    ):
        store.begin_campaign(make.spec())


def test_readers_neither_wait_nor_see_half_a_transaction(where, store, make):
    with store.begin_campaign(make.spec()) as writer, open_store(where, read_only=True) as reader:
        make.record(writer, 0)
        with writer.transaction():
            make.record(writer, 1)
            assert [one.ordinal for one in queries.top(reader, "cfr-symbolic-s1")] == [0]
        assert [one.ordinal for one in queries.top(reader, "cfr-symbolic-s1")] == [1, 0]
        with reader.reading() as connection:
            before = queries.campaigns(reader)[0].candidates
            connection.exec_driver_sql("SELECT 1 FROM campaigns").all()
            make.record(writer, 2)
            assert connection.exec_driver_sql("SELECT count(*) FROM campaigns").scalar() == 1
        assert (before, queries.campaigns(reader)[0].candidates) == (2, 3)


def test_two_campaigns_of_one_database_are_written_at_once(store, make):
    def write(name: str) -> None:
        with store.begin_campaign(make.spec(name)) as writer:
            for ordinal in range(20):
                make.record(writer, ordinal)

    threads = [threading.Thread(target=write, args=(name,)) for name in ("a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [(one.name, one.candidates) for one in sorted(queries.campaigns(store), key=lambda c: c.name)] == [
        ("a", 20),
        ("b", 20),
    ]


def test_a_read_only_store_cannot_write(where, store, make):
    with open_store(where, read_only=True) as reader, pytest.raises(Exception, match=r"read-?only"):
        reader.begin_campaign(make.spec())


def test_a_database_where_nobody_writes_can_be_read(sqlite_store, tmp_path, make, monkeypatch):
    with sqlite_store.begin_campaign(make.spec()) as writer:
        make.record(writer, 0)
    sqlite_store.close()
    monkeypatch.setattr("os.access", lambda *_: False)
    with open_store(tmp_path / "evolve.db", read_only=True) as reader:
        assert queries.campaigns(reader)[0].candidates == 1
    assert [path.name for path in tmp_path.glob("*-shm")] == []


def test_a_candidate_costs_few_statements_and_little_room(tmp_path, make):
    """2,000 candidates measured 4.3 kB each; 300 carry the fixed cost of the file as well."""
    count = 300
    statements = []
    with open_store(tmp_path / "evolve.db") as store:
        event.listen(store._engine, "checkout", lambda used, *_: used.set_trace_callback(statements.append))
        with store.begin_campaign(make.spec()) as writer:
            statements.clear()
            for ordinal in range(count):
                body = "\n".join(f"    w{k} = regret[{k * ordinal % 97}] ** {k}.{ordinal}" for k in range(52))
                with writer.transaction():
                    key = writer.add_program(make.source(ordinal) + body, tree_hash="f" * 64)
                    writer.record_candidate(make.candidate(ordinal, key, parents=(key,)))
                    make.store(writer, make.evaluation(ordinal, key, tasks=16))
                    writer.tell(ordinal)
            assert 1400 < len(body) < 1800
    runs = [kind for kind, _ in itertools.groupby(one.split("(")[0] for one in statements)]
    assert runs.count("COMMIT") == count
    assert len(runs) <= 9 * count + 2 * 16  # an instance is looked for, and stored, once
    size = sum(path.stat().st_size for path in tmp_path.iterdir())
    assert size / count < 6_000


def test_a_commit_stays_in_the_write_ahead_log(sqlite_store, tmp_path, make):
    sqlite_store.begin_campaign(make.spec()).close()
    with sqlite_store.reading() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 1
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1


def test_a_full_disk_is_one_line(sqlite_store, make):
    with sqlite_store.begin_campaign(make.spec()) as writer:
        with sqlite_store.reading() as connection:
            pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        event.listen(
            sqlite_store._engine,
            "begin",
            lambda connection: connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}"),
        )
        with pytest.raises(DatabaseError, match="full") as caught:
            for ordinal in range(100):
                make.record(writer, ordinal)
    assert "\n" not in caught.value.message + caught.value.hint


def test_a_person_can_read_the_file(sqlite_store, tmp_path: Path, make):
    with sqlite_store.begin_campaign(make.spec()) as writer:
        make.record(writer, 0)
    connection = sqlite3.connect(tmp_path / "evolve.db")
    row = connection.execute("SELECT name, config, created_at FROM campaigns").fetchone()
    connection.close()
    assert row[0] == "cfr-symbolic-s1"
    assert json.loads(row[1])["games"] == ["kuhn3", "leduc2"]
    assert row[2].startswith("2026-11-21 12:00:00")


def test_candidates_need_not_have_a_program(store, make):
    with store.begin_campaign(make.spec()) as writer:
        writer.record_candidate(Candidate(0, "crossover", outcome=Outcome(Tag.REJECTED)))
        writer.tell(0)
        assert writer.load().told[0].candidate.program_id is None
