"""The warm runner: forks one child per session, watches it, and reports how it ended.

It believes its driver and nothing else. Of a child it learns only what the kernel says (exit status, CPU
time, memory) and what comes out of the log pipe, which is kept in memory that children find empty.
"""

from __future__ import annotations

import mmap
import os
import select
import signal
import socket
import time
import traceback
from typing import Any, NoReturn

from . import child, confine, prepare, wire

LOG_CAP = 1 << 20
FLOOD_BYTES = 64 << 20
_READ = 64 << 10
_SHORTEST_WATCH_S, _LONGEST_WATCH_S = 0.005, 600.0
_WIPE_ON_FORK = 18
"""``MADV_WIPEONFORK``, for which the mmap module has no name."""
CONTROL = 0


def main() -> NoReturn:
    """Run on descriptor 0 until the driver goes away; in a child, run `child.run` on an empty stack."""
    control = socket.socket(fileno=CONTROL)
    config, _, _ = wire.recv_frame(control)
    try:
        prepared = prepare.prepare(config)
    except Exception as error:  # noqa: BLE001 - told to the driver, whatever it is
        traceback.print_exc()
        wire.send_frame(control, {"failed": f"{type(error).__name__}: {error}"})
        os._exit(1)
    wire.send_frame(control, {"layers": prepared.layers})
    job = Runner(control, prepared).serve()
    del control, config, prepared
    child.run(job)


class Log:
    """The first bytes of a child's output, in memory that children find empty."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, LOG_CAP + _READ, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self._memory.madvise(_WIPE_ON_FORK)
        self._view = memoryview(self._memory)
        self._cap = 0
        self.total = 0

    def start(self, cap: int) -> None:
        """Forget what was kept; keep at most `cap` bytes from now on."""
        self._cap = min(cap, LOG_CAP)
        self.total = 0

    def drain(self, pipe: int) -> bool:
        """Read what there is to read once; False when the pipe is at its end."""
        at = min(self.total, self._cap)
        try:
            got = os.readv(pipe, [self._view[at : at + _READ]])
        except BlockingIOError:
            return True
        self.total += got
        return got > 0

    def kept(self) -> memoryview:
        """What is kept."""
        return self._view[: min(self.total, self._cap)]


class _Live:
    """What the runner knows of the child that is running or has ended."""

    def __init__(self, pid: int, log_pipe: int, cpu_s: float) -> None:
        self.pid = pid
        self.log_pipe = log_pipe
        self.cpu_left_s = cpu_s
        self.reason: str | None = None
        self.ended: tuple[int, Any] | None = None

    def cpu_s(self) -> float:
        """CPU time of all its threads so far, from the kernel."""
        try:
            return time.clock_gettime((~self.pid << 3) | 2)
        except OSError:
            return 0.0

    def kill(self, reason: str | None = None) -> None:
        """End it, for `reason` unless it has ended by itself."""
        if self.ended is None:
            self.reason = self.reason or reason
            os.kill(self.pid, signal.SIGKILL)

    def reap(self, *, wait: bool) -> None:
        """Collect its status when it has ended."""
        if self.ended is None:
            pid, status, usage = os.wait4(self.pid, 0 if wait else os.WNOHANG)
            if pid:
                self.ended = (status, usage)


class Runner:
    """Serves one driver: a session at a time."""

    def __init__(self, control: socket.socket, prepared: prepare.Prepared) -> None:
        self._control = control
        self._prepared = prepared
        self._log = Log()
        self._cores = len(os.sched_getaffinity(0))
        self._wake, wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)

    def serve(self) -> child.Job:
        """Serve until the driver goes away, which ends this process. Returns in forked children only."""
        while True:
            head, _, fds = self._receive(None)
            if head.get("do") != "open":
                continue
            job, live = self._fork(head, fds)
            if live is None:
                return job
            for descriptor in fds:
                os.close(descriptor)
            self._watch(live)
            os.close(live.log_pipe)

    def _receive(self, live: _Live | None) -> tuple[dict[str, Any], bytes, list[int]]:
        try:
            return wire.recv_frame(self._control)
        except (EOFError, ConnectionError):
            if live is not None:
                live.kill()
            os._exit(0)

    def _fork(self, head: dict[str, Any], fds: list[int]) -> tuple[child.Job, _Live | None]:
        memory, calls, results = fds
        log_pipe, log_end = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(log_pipe, False)
        kept = confine.Descriptors(self._prepared.empty, log_end, calls, results, self._prepared.rules)
        space = (
            self._prepared.address_space + head["memory_bytes"] + head["shared_bytes"] + child.RESERVE_BYTES
        )
        job = child.Job(
            kept,
            confine.Budget(head["cpu_s"], space),
            memory,
            head["shared_bytes"],
            head["guest_bytes"],
            head["program_bytes"],
            os.getpid(),
        )
        self._log.start(head["log_bytes"])
        pid = os.fork()
        if pid == 0:
            self._control.detach()
            return job, None
        os.close(log_end)
        return job, _Live(pid, log_pipe, head["cpu_s"])

    def _watch(self, live: _Live) -> None:
        """Drain the log, enforce the CPU limit and obey the driver until it ends the session."""
        poll = select.poll()
        for descriptor in (self._control.fileno(), self._wake, live.log_pipe):
            poll.register(descriptor, select.POLLIN)
        grace_until: float | None = None
        while True:
            ready = {descriptor for descriptor, _ in poll.poll(self._patience_ms(live, grace_until))}
            if live.log_pipe in ready and not self._log.drain(live.log_pipe):
                poll.unregister(live.log_pipe)
            if self._log.total > FLOOD_BYTES:
                live.kill("log_flood")
            if self._wake in ready:
                os.read(self._wake, 4096)
                live.reap(wait=False)
            if self._control.fileno() in ready:
                head, _, _ = self._receive(live)
                if head["do"] == "charge":
                    live.cpu_left_s -= head["cpu_s"]
                else:
                    grace_until = time.monotonic() + head["grace_s"]
            if live.ended is None and live.cpu_s() > live.cpu_left_s:
                live.kill("cpu_limit")
            if grace_until is not None and (live.ended is not None or time.monotonic() >= grace_until):
                self._report(live)
                return

    def _patience_ms(self, live: _Live, grace_until: float | None) -> float | None:
        """How long nothing has to be looked at: until the limit could be reached, or the grace is over."""
        if live.ended is not None:
            return 0.0 if grace_until is not None else None
        patience = (live.cpu_left_s - live.cpu_s()) / self._cores
        patience = min(max(patience, _SHORTEST_WATCH_S), _LONGEST_WATCH_S)
        if grace_until is not None:
            patience = min(patience, max(grace_until - time.monotonic(), 0.0))
        return 1000.0 * patience + 1.0

    def _report(self, live: _Live) -> None:
        """End the child if it still lives, and tell the driver what it was and what it cost."""
        live.reap(wait=False)
        live.kill("ended")
        live.reap(wait=True)
        while self._log.total <= FLOOD_BYTES:
            before = self._log.total
            if not self._log.drain(live.log_pipe) or self._log.total == before:
                break
        status, usage = live.ended or (0, None)
        head = {
            "status": status,
            "reason": live.reason,
            "cpu_s": usage.ru_utime + usage.ru_stime if usage else 0.0,
            "rss_kib": usage.ru_maxrss if usage else 0,
            "log_total": self._log.total,
        }
        wire.send_frame(self._control, head, self._log.kept())
