"""kill -9 at random instants: what was acknowledged is there, what is there is whole, and no lock is left."""

from __future__ import annotations

import importlib.util
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from results import queries
from results.errors import BusyError
from results.store import open_store

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
SCRIPT = Path(__file__).with_name("crashing_writer.py")
ROUNDS = 6


def _script():
    spec = importlib.util.spec_from_file_location("crashing_writer", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _start(*command: str) -> subprocess.Popen[str]:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [sys.executable, *command], stdout=subprocess.PIPE, text=True, env=environment, cwd=ROOT
    )


def _kill(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=10)


def test_nothing_acknowledged_is_lost(tmp_path):
    where = tmp_path / "evolve.db"
    child = _script()
    rng = random.Random(20261121)
    told_before = 0
    for _ in range(ROUNDS):
        process = _start(str(SCRIPT), str(where))
        assert process.stdout.readline() == f"continued {told_before}\n"
        time.sleep(rng.uniform(0.0, 0.3))
        _kill(process)
        # The last line may be cut off: the kill fell into its writing.
        lines = [line.split() for line in process.stdout.read().splitlines(keepends=True) if line[-1] == "\n"]
        process.stdout.close()

        with open_store(where) as store, store.continue_campaign(child.NAME) as writer:
            state = writer.load()
            sources = writer.load_programs()
        told = {one.candidate.ordinal: one for one in state.told}
        assert list(told) == list(range(len(told)))
        assert set(told) >= {int(ordinal) for word, ordinal in lines if word == "told"} | set(
            range(told_before)
        )
        known = told | state.pending
        assert set(known) >= {int(ordinal) for word, ordinal in lines if word == "evaluated"}
        for ordinal, stored in known.items():
            program_id = stored.candidate.program_id
            assert [one.evaluation for one in stored.evaluations] == [child.evaluation_of(ordinal)]
            assert sources[program_id].source == child.source_of(ordinal)
        told_before = len(told)
    assert told_before > ROUNDS


@pytest.fixture
def writing(tmp_path):
    """A process that writes a campaign."""
    process = _start(str(SCRIPT), str(tmp_path / "evolve.db"))
    for line in process.stdout:
        if line == "told 3\n":
            break
    yield process
    process.kill()
    process.wait(timeout=10)
    process.stdout.close()


def test_a_second_writer_is_refused_in_one_line_and_readers_are_not(tmp_path, writing):
    with open_store(tmp_path / "evolve.db") as store:
        for _ in range(3):
            with pytest.raises(BusyError) as caught:
                store.continue_campaign("to-be-killed")
        assert (
            caught.value.message == f"The campaign 'to-be-killed' is being written by process {writing.pid}."
        )
        assert "\n" not in caught.value.hint
        (summary,) = queries.campaigns(store)
        assert (summary.status, summary.candidates >= 4) == ("running", True)
        with open_store(tmp_path / "evolve.db", read_only=True) as reader:
            assert len(queries.top(reader, "to-be-killed")) >= 4
        _kill(writing)
        assert queries.campaigns(store)[0].status == "interrupted"
        store.continue_campaign("to-be-killed").close()


def test_a_second_writer_in_the_same_process_is_refused(store, where, make):
    with store.begin_campaign(make.spec()) as writer:
        with open_store(where) as second, pytest.raises(BusyError, match="is being written by"):
            second.continue_campaign(writer.campaign.name)
        # Closing the second store must not have dropped the first one's lock.
        assert store.writer_of(writer.campaign.id) is not None
        other = store.begin_campaign(make.spec("other"))
        other.close()
        assert store.writer_of(writer.campaign.id) is not None
        assert queries.campaigns(store)[1].status == "interrupted"
    store.continue_campaign("cfr-symbolic-s1").close()


FORK = """
import os, signal, sys, time
from results.store import open_store
store = open_store(sys.argv[1])
writer = store.continue_campaign("cfr-symbolic-s1")
child = os.fork()
if child == 0:
    os.write(1, f"{store.writer_of(1)}\\n".encode())
    time.sleep(60)
    os._exit(0)
os.write(1, f"{child}\\n".encode())
time.sleep(60)
"""


def test_a_forked_worker_that_outlives_the_writer_holds_nothing(sqlite_store, tmp_path, make):
    sqlite_store.begin_campaign(make.spec()).close()
    process = _start("-c", FORK, str(tmp_path / "evolve.db"))
    lines = {process.stdout.readline().strip(), process.stdout.readline().strip()}
    lines.remove(f"process {process.pid}")
    try:
        with pytest.raises(BusyError):
            sqlite_store.continue_campaign("cfr-symbolic-s1")
        _kill(process)
        sqlite_store.continue_campaign("cfr-symbolic-s1").close()
    finally:
        os.kill(int(lines.pop()), signal.SIGKILL)
        process.stdout.close()


def test_a_lock_file_that_cannot_be_made_is_one_line(sqlite_store, tmp_path, make):
    sqlite_store.begin_campaign(make.spec()).close()
    (tmp_path / "evolve.db-lock").unlink()
    (tmp_path / "evolve.db-lock").mkdir()
    with pytest.raises(Exception, match=r"lock file .*evolve.db-lock cannot be opened: Is a directory\."):
        sqlite_store.continue_campaign("cfr-symbolic-s1")
