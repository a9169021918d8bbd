"""Evaluation workers on this machine: long-lived processes, one per slot, each on its own core."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import re
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.sharedctypes import Synchronized
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

_SECRET = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|CREDENTIAL", re.IGNORECASE)


class LocalExecutor(Executor):
    """A process pool whose workers are pinned, deaf to Ctrl-C, without keys, and replaced when one dies.

    A job whose worker died raises `BrokenProcessPool`, as do all that were in flight with it; the next `submit` starts
    new workers. Workers end when this process does, however it ends.

    Args:
        workers: number of processes.
    """

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._pool: ProcessPoolExecutor | None = None

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """See `concurrent.futures.Executor.submit`."""
        # Around every submit, because the pool starts a worker only when a job finds all others busy.
        with _without_secrets():
            if self._pool is not None:
                try:
                    return self._pool.submit(fn, *args, **kwargs)
                except BrokenProcessPool:
                    self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = self._start()
            return self._pool.submit(fn, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """See `concurrent.futures.Executor.shutdown`."""
        if self._pool is not None:
            self._pool.shutdown(wait=wait, cancel_futures=cancel_futures)

    def kill(self) -> None:
        """End the workers now, whatever they are doing."""
        for process in multiprocessing.active_children():
            process.kill()
        self.shutdown(wait=False, cancel_futures=True)

    def _start(self) -> ProcessPoolExecutor:
        context = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(
            self.workers,
            mp_context=context,
            initializer=_initialize,
            initargs=(context.Value("i", 0),),
        )


@contextlib.contextmanager
def _without_secrets() -> Iterator[None]:
    """An environment without keys while workers start: what they never have, nothing that they run can read."""
    hidden = {name: os.environ.pop(name) for name in list(os.environ) if _SECRET.search(name)}
    try:
        yield
    finally:
        os.environ.update(hidden)


def _initialize(started: Synchronized[int]) -> None:
    """In a new worker: ignore the terminal's Ctrl-C (the campaign decides), die with the campaign, take a core."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_die_with_parent, daemon=True).start()
    with started.get_lock():
        slot = started.value
        started.value += 1
    if sys.platform == "linux":
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[slot % len(cores)]})


def _die_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
