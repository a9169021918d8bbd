"""Evaluation workers on this machine: long-lived processes, one per slot, each on its own core.

The standard library's pool hands a job through two threads and a queue that all workers share, twice the CPU of a
campaign's process for each. Here whoever submits writes to the worker's own pipe.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import re
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from concurrent.futures.process import BrokenProcessPool
from typing import Any, ParamSpec, TypeVar

from evolve.evaluation.worker import STOP, serve

P = ParamSpec("P")
T = TypeVar("T")

_SECRET = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|CREDENTIAL", re.IGNORECASE)


class LocalExecutor(Executor):
    """Workers that are pinned, deaf to Ctrl-C, without keys, started when they are needed and replaced when one dies.

    A job whose worker died raises `BrokenProcessPool`, as do those that wait when it was the last one; the next
    `submit` starts a new one. Workers end when this process does, however it ends.

    Args:
        workers: number of processes.
    """

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._lock = threading.Lock()
        """Held by whoever reads or changes what follows."""
        self._free = list(range(workers))[::-1]
        self._alive: list[_Worker] = []
        self._idle: list[_Worker] = []
        self._waiting: deque[tuple[Future[Any], bytes]] = deque()
        self._closed = False

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """See `concurrent.futures.Executor.submit`.

        Raises:
            RuntimeError: the executor was shut down.
            Exception: the job does not pickle.
        """
        future: Future[T] = Future()
        pickled = pickle.dumps((fn, args, kwargs))
        with self._lock:
            if self._closed:
                raise RuntimeError("executor: expected an open one, it was shut down")
            if not self._idle and self._free:
                self._start()
            self._waiting.append((future, pickled))
            self._distribute()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """See `concurrent.futures.Executor.shutdown`."""
        with self._lock:
            self._closed = True
            if cancel_futures:
                for future, _ in self._waiting:
                    future.cancel()
            self._distribute()
            alive = list(self._alive)
        if wait:
            for worker in alive:
                worker.listener.join()

    def kill(self) -> None:
        """End the workers now, whatever they are doing."""
        with self._lock:
            for worker in self._alive:
                worker.process.kill()
        self.shutdown(wait=False, cancel_futures=True)

    def _start(self) -> None:
        """Start a worker, in the thread that submits: others might look for a key meanwhile."""
        worker = _Worker(self._free[-1], self._listen)
        self._free.pop()
        self._alive.append(worker)
        self._idle.append(worker)
        worker.listener.start()

    def _distribute(self) -> None:
        """Give what waits to whoever is idle; once nothing will come any more, send the idle home."""
        while self._waiting and self._idle:
            future, pickled = self._waiting.popleft()
            if future.set_running_or_notify_cancel():
                self._idle.pop().begin(future, pickled)
        if self._closed and not self._waiting:
            while self._idle:
                self._idle.pop().send(STOP)

    def _listen(self, worker: _Worker) -> None:
        """Pass on what a worker answers until it ends; a thread of its own does that."""
        with contextlib.suppress(EOFError, OSError):
            while True:
                answer = worker.connection.recv_bytes()
                future = worker.finish()
                with self._lock:
                    self._idle.append(worker)
                    self._distribute()
                _resolve(future, answer)
        worker.process.join()
        with self._lock:
            worker.connection.close()
            self._alive.remove(worker)
            self._free.append(worker.slot)
            lost = [] if worker.future is None else [worker.future]
            if worker in self._idle:
                self._idle.remove(worker)
            if not self._alive:
                lost += [future for future, _ in self._waiting if future.set_running_or_notify_cancel()]
                self._waiting.clear()
        for future in lost:
            future.set_exception(BrokenProcessPool(f"it ended with status {worker.process.exitcode}"))


class _Worker:
    """A process, its pipe, and the future of the job that it has."""

    def __init__(self, slot: int, listen: Callable[[_Worker], None]) -> None:
        context = multiprocessing.get_context("spawn")
        self.slot = slot
        self.future: Future[Any] | None = None
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=serve, args=(theirs, slot), daemon=True)
        with theirs, _without_secrets():
            self.process.start()
        self.listener = threading.Thread(target=listen, args=(self,), daemon=True)

    def begin(self, future: Future[Any], pickled: bytes) -> None:
        """Have it work on a job."""
        self.future = future
        self.send(pickled)

    def finish(self) -> Future[Any]:
        """Take the future of the job that it has answered."""
        future, self.future = self.future, None
        assert future is not None
        return future

    def send(self, message: bytes) -> None:
        """Write to its pipe. If it has ended, its listener hears so too."""
        with contextlib.suppress(OSError):
            self.connection.send_bytes(message)


def _resolve(future: Future[Any], answer: bytes) -> None:
    try:
        worked, result = pickle.loads(answer)
    except Exception as error:  # noqa: BLE001 - whatever keeps an exception from being put together again
        worked, result = False, error
    if worked:
        future.set_result(result)
    else:
        future.set_exception(result)


@contextlib.contextmanager
def _without_secrets() -> Iterator[None]:
    """An environment without keys while workers start: what they never have, nothing that they run can read."""
    hidden = {name: os.environ.pop(name) for name in list(os.environ) if _SECRET.search(name)}
    try:
        yield
    finally:
        os.environ.update(hidden)
