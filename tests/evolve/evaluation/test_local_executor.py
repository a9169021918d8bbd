"""Evaluation workers: without keys, replaced when they die, and gone when the campaign is."""

import os
import pickle
import signal
import subprocess
import sys
import time
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import pytest

from evolve.evaluation.local import LocalExecutor

SECRETS = {
    "FAKE_API_KEY": "hunter2-a",
    "GITHUB_TOKEN": "hunter2-b",
    "db_password": "hunter2-c",
    "AWS_SECRET_ACCESS_ID": "hunter2-d",
    "GOOGLE_APPLICATION_CREDENTIALS": "hunter2-e",
}


def alive(pid):
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def gone(pids, within_s):
    """Whether all processes end in time."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if not any(map(alive, pids)):
            return True
        time.sleep(0.02)
    return False


@pytest.fixture(scope="module")
def secretive():
    """An executor of two workers, both started while there are keys in the environment."""
    with pytest.MonkeyPatch.context() as patch, LocalExecutor(2) as executor:
        for name, value in SECRETS.items():
            patch.setenv(name, value)
        # Two jobs at once, so that the second worker starts as well: a pool starts one only when it needs it.
        for future in [executor.submit(time.sleep, 0.5) for _ in range(2)]:
            future.result()
        yield executor


def worker_pids(executor):
    pids = set()
    deadline = time.monotonic() + 20
    while len(pids) < 2 and time.monotonic() < deadline:
        futures = [executor.submit(os.getpid) for _ in range(2)]
        sleepers = [executor.submit(time.sleep, 0.02) for _ in range(2)]
        pids |= {f.result() for f in (*futures, *sleepers)} - {None}
    return sorted(pids)


def test_workers_start_with_no_key_in_their_environment(secretive):
    for pid in worker_pids(secretive):
        started_with = Path(f"/proc/{pid}/environ").read_bytes()
        assert started_with
        assert b"hunter2" not in started_with


@pytest.mark.parametrize("name", SECRETS)
def test_a_job_cannot_read_a_key(secretive, name):
    futures = [secretive.submit(os.getenv, name) for _ in range(8)]
    assert [f.result() for f in futures] == [None] * 8


def test_a_job_finds_no_key_in_its_own_process(secretive):
    futures = [secretive.submit(Path("/proc/self/environ").read_bytes) for _ in range(8)]
    assert not any(b"hunter2" in f.result() for f in futures)


def test_what_is_no_secret_reaches_the_workers(secretive):
    assert secretive.submit(os.getenv, "PATH").result() == os.environ["PATH"]


def test_the_campaign_keeps_its_keys(secretive):
    assert all(os.environ[name] == value for name, value in SECRETS.items())


def test_workers_share_the_cores_out(secretive):
    pids = worker_pids(secretive)
    cores = sorted(os.sched_getaffinity(0))
    pinned = sorted(tuple(os.sched_getaffinity(pid)) for pid in pids)
    assert pinned == sorted((cores[slot % len(cores)],) for slot in range(2))


def test_workers_are_deaf_to_ctrl_c(secretive):
    secretive.submit(signal.raise_signal, signal.SIGINT).result()


def test_a_killed_worker_is_replaced():
    with LocalExecutor(1) as executor:
        first = executor.submit(os.getpid).result()
        with pytest.raises(BrokenProcessPool):
            executor.submit(signal.raise_signal, signal.SIGKILL).result()
        second = executor.submit(os.getpid).result()
        assert second != first
        assert alive(second)


def test_replaced_workers_have_no_keys_either(monkeypatch):
    monkeypatch.setenv("FAKE_API_KEY", "hunter2")
    with LocalExecutor(1) as executor:
        with pytest.raises(BrokenProcessPool):
            executor.submit(os._exit, 1).result()
        assert executor.submit(os.getenv, "FAKE_API_KEY").result() is None


def test_an_exception_of_a_job_leaves_its_worker_alive():
    with LocalExecutor(1) as executor:
        first = executor.submit(os.getpid).result()
        with pytest.raises(ZeroDivisionError):
            executor.submit(divmod, 1, 0).result()
        assert executor.submit(os.getpid).result() == first


def test_more_jobs_than_workers_wait_their_turn():
    with LocalExecutor(2) as executor:
        assert [f.result() for f in [executor.submit(divmod, n, 7) for n in range(20)]] == [
            divmod(n, 7) for n in range(20)
        ]


def test_a_job_that_waits_can_be_cancelled():
    with LocalExecutor(1) as executor:
        running, waiting = executor.submit(time.sleep, 0.2), executor.submit(os._exit, 1)
        assert waiting.cancel()
        assert executor.submit(abs, -1).result() == 1
        assert running.done()


def test_a_worker_that_dies_takes_no_job_with_it_but_its_own():
    with LocalExecutor(2) as executor:
        sleeper = executor.submit(time.sleep, 0.3)
        dying, waiting = executor.submit(os._exit, 1), executor.submit(abs, -1)
        with pytest.raises(BrokenProcessPool, match="status 1"):
            dying.result()
        assert (sleeper.result(), waiting.result()) == (None, 1)


def test_jobs_that_wait_for_the_last_worker_are_lost_with_it():
    with LocalExecutor(1) as executor:
        lost = [executor.submit(os._exit, 1), executor.submit(abs, -1)]
        for future in lost:
            with pytest.raises(BrokenProcessPool):
                future.result()
        assert executor.submit(abs, -1).result() == 1


def test_an_exception_says_where_in_the_worker_it_was_raised():
    with LocalExecutor(1) as executor, pytest.raises(ZeroDivisionError) as caught:
        executor.submit(divmod, 1, 0).result()
    assert "worker.py" in caught.value.__notes__[0]


def test_what_does_not_pickle_is_an_exception_and_the_worker_lives():
    with LocalExecutor(1) as executor:
        first = executor.submit(os.getpid).result()
        with pytest.raises((AttributeError, pickle.PicklingError)):
            executor.submit(eval, "lambda: 0").result()
        assert executor.submit(os.getpid).result() == first


def test_an_exception_that_does_not_pickle_is_told_in_words():
    source = "raise type('Local', (Exception,), {})('what happened')"
    with LocalExecutor(1) as executor, pytest.raises(RuntimeError, match="what happened"):
        executor.submit(exec, source).result()


def test_large_jobs_and_results_pass():
    with LocalExecutor(1) as executor:
        assert executor.submit(bytes.upper, b"a" * (4 << 20)).result() == b"A" * (4 << 20)


def test_no_job_is_taken_after_shutdown_and_none_is_left():
    executor = LocalExecutor(1)
    pid, rest = executor.submit(os.getpid), [executor.submit(abs, -n) for n in range(3)]
    executor.shutdown()
    assert [f.result(timeout=0) for f in rest] == [0, 1, 2]
    assert not alive(pid.result())
    with pytest.raises(RuntimeError, match="shut down"):
        executor.submit(abs, -1)


def test_shutdown_can_cancel_what_waits():
    executor = LocalExecutor(1)
    running, waiting = executor.submit(time.sleep, 0.1), executor.submit(abs, -1)
    executor.shutdown(cancel_futures=True)
    assert running.result(timeout=0) is None
    assert waiting.cancelled()


def test_kill_ends_workers_in_the_middle_of_a_job():
    executor = LocalExecutor(1)
    pid = executor.submit(os.getpid).result()
    executor.submit(time.sleep, 60)
    executor.kill()
    assert gone([pid], 2.0)


PARENT = """
import os, time
from evolve.evaluation.local import LocalExecutor

if __name__ == "__main__":
    executor = LocalExecutor(2)
    sleepers = [executor.submit(time.sleep, 1.0) for _ in range(2)]
    [sleeper.result() for sleeper in sleepers]
    print(*(process.pid for process in __import__("multiprocessing").active_children()), flush=True)
    [executor.submit(time.sleep, 60) for _ in range(2)]
    time.sleep(60)
"""


def test_workers_die_with_a_parent_that_is_killed():
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True)
    try:
        pids = [int(pid) for pid in parent.stdout.readline().split()]
    finally:
        parent.kill()
        parent.communicate()
    assert len(pids) == 2
    assert gone(pids, 2.0)
