"""What an evaluation worker does: one job after the other, as they come through its pipe."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import signal
import sys
import threading
import traceback
from multiprocessing.connection import Connection

STOP = b""
"""In place of a job: the worker ends."""


def serve(jobs: Connection, slot: int) -> None:
    """Answer jobs until it is told to stop, or nobody is there to tell.

    Args:
        jobs: what comes in is a pickled (function, arguments, keyword arguments); what goes out, (whether it worked,
            its result or exception).
        slot: number of this worker, by which it takes a core.
    """
    # The campaign decides what the terminal's Ctrl-C means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_die_with_parent, daemon=True).start()
    if sys.platform == "linux":
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[slot % len(cores)]})
    with contextlib.suppress(EOFError, ConnectionError):
        while (job := jobs.recv_bytes()) != STOP:
            jobs.send_bytes(_answer(job))


def _answer(job: bytes) -> bytes:
    try:
        function, args, kwargs = pickle.loads(job)
        return pickle.dumps((True, function(*args, **kwargs)))
    except BaseException as error:  # noqa: BLE001 - raised again in the campaign, whatever it is
        error.add_note(f"In an evaluation worker:\n{traceback.format_exc()}")
        try:
            return pickle.dumps((False, error))
        except Exception:  # noqa: BLE001 - pickling runs the exception's own methods
            return pickle.dumps((False, RuntimeError(traceback.format_exc())))


def _die_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
