"""A real campaign, killed and interrupted: the same command goes on, and it ends as if nothing had happened."""

import os
import random
import signal
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

NAME = "cfr-symbolic-s0"
COMMAND = ("run", "--games", "kuhn2", "--iterations", 20, "--candidates", 12, "--json")


@pytest.fixture
def db(tmp_path):
    return tmp_path / "evolve.db"


@pytest.fixture(scope="module")
def uninterrupted(evolve_run, contents, tmp_path_factory):
    """The candidates of a campaign on two workers that nothing happened to."""
    db = tmp_path_factory.mktemp("whole") / "evolve.db"
    code, _, err = evolve_run(*COMMAND, "--workers", 2, "--db", db)
    assert code == 0, err
    rows = contents(db, NAME)
    assert len(rows) == 12
    return rows


def descendants(pid):
    """Ids of all processes below a process."""
    parents = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(status.parent.name)] = int(status.read_text().rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue  # It ended while we looked.
    found, new = set(), {pid}
    while new:
        new = {child for child, parent in parents.items() if parent in new} - found
        found |= new
    return found


def alive(pid):
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def orphans(pids, within_s):
    """Those of the processes that are still there after a time."""
    deadline = time.monotonic() + within_s
    while (left := {pid for pid in pids if alive(pid)}) and time.monotonic() < deadline:
        time.sleep(0.02)
    return left


def read_events(process, count):
    for _ in range(count):
        assert process.stdout.readline(), process.stderr.read()


def test_one_worker_finds_what_two_find(evolve_run, contents, uninterrupted, db):
    code, _, err = evolve_run(*COMMAND, "--workers", 1, "--db", db)
    assert code == 0, err
    assert contents(db, NAME) == uninterrupted


def test_killed_at_three_instants_it_ends_the_same(evolve_command, evolve_run, contents, uninterrupted, db):
    instants = random.Random(2)
    for _ in range(3):
        process = evolve_command(*COMMAND, "--workers", 2, "--db", db)
        # Six lines stand for the start and the baselines; the instant itself falls between two lines.
        read_events(process, instants.randint(1, 9))
        time.sleep(instants.uniform(0.0, 0.1))
        below = descendants(process.pid)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert below
        assert orphans(below, within_s=2.0) == set()
    code, _, err = evolve_run(*COMMAND, "--workers", 2, "--db", db)
    assert code == 0, err
    assert contents(db, NAME) == uninterrupted


def test_ctrl_c_exits_130_and_continues(evolve_command, evolve_run, contents, uninterrupted, json_lines, db):
    process = evolve_command(*COMMAND, "--workers", 1, "--db", db, start_new_session=True)
    read_events(process, 8)
    # As a terminal does it: to every process of the group, the workers and sandboxes too.
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert json_lines(out)[-1]["status"] == "interrupted"
    code, _, err = evolve_run(*COMMAND, "--workers", 1, "--db", db)
    assert code == 0, err
    assert contents(db, NAME) == uninterrupted
