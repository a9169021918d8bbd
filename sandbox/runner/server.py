"""Runs the warm runner: forks one child per session, watches it, and reports how it ended.

It trusts its driver and nothing else. Of a child it learns only what the kernel reports (exit status, CPU
time, memory) and what the log pipe delivers, which is kept in memory that children find empty.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import select
import signal
import socket
import time
import traceback
from typing import Any, NoReturn

from . import child, confine, execute, frames, prepare, wire

LOG_CAP = 1 << 20
FLOOD_BYTES = 64 << 20
_READ = 64 << 10
_SHORTEST_WATCH_S, _LONGEST_WATCH_S = 0.005, 600.0
_BLIND_WATCH_S = 0.02
"""How often a child is polled that closed its log: the end of any other's shows that it has ended."""

_GREETINGS = 2
"""Tokens that a child sends unasked: that it is confined, and that its program has started."""


def main(control: frames.SocketStream | frames.StandardStreams) -> NoReturn:
    """Serve at `control` until the driver goes away; in a child, run `child.run` on an empty stack."""
    config = frames.recv_frame(control).head
    try:
        prepared = prepare.prepare(config)
    except Exception as error:  # noqa: BLE001 - reported to the driver
        traceback.print_exc()
        frames.send_frame(control, {"failed": f"{type(error).__name__}: {error}"})
        os._exit(1)
    # A clock that began with this kernel: the driver compares it with its own.
    booted_s = time.clock_gettime(time.CLOCK_BOOTTIME)
    frames.send_frame(control, {"layers": prepared.layers, "booted_s": booted_s})
    job = Runner(control, prepared).serve()
    del control, config, prepared
    child.run(job)


class Log:
    """The first bytes of a child's output, in memory that the next child finds empty."""

    def __init__(self) -> None:
        self._view = memoryview(mmap.mmap(-1, LOG_CAP + _READ, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS))
        self._cap = 0
        self.total = 0

    def start(self, cap: int) -> None:
        """Wipe what was read; keep at most `cap` bytes from now on."""
        if self.total:
            used = min(self.total, self._cap) + _READ
            self._view[:used] = bytes(used)
        self._cap = min(cap, LOG_CAP)
        self.total = 0

    def drain(self, pipe: int) -> bool:
        """Read once, and return whether the pipe is not at its end."""
        at = min(self.total, self._cap)
        try:
            got = os.readv(pipe, [self._view[at : at + _READ]])
        except BlockingIOError:
            return True
        self.total += got
        return got > 0

    def kept(self) -> memoryview:
        """Return what is kept."""
        return self._view[: min(self.total, self._cap)]


class Relay:
    """Carries tokens to a child where no descriptor passes into the sandbox, with memory and a channel made in here.

    Each token goes with the bytes that it speaks of. The runner reads one token for each that it sends, so that
    whatever else a child says is read as late as over pipes.
    """

    def __init__(self, stream: frames.Stream, room: int, sources: bytes) -> None:
        """Make memory of `room` bytes that starts with `sources`, and a channel."""
        self._stream = stream
        memory = wire.sealed(room)
        os.pwrite(memory, sources, 0)
        # Packets without limits on whole pages; pipes in packet mode are not known everywhere.
        self._channel, child = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        end = child.detach()
        self.theirs = [memory, end, os.dup(end)]
        self.room = room
        self._extents = wire.Extents(room)
        self._owed = _GREETINGS

    def forked(self) -> None:
        """Map the memory once the child has its own mapping, whose size is part of its limit."""
        self._memory = memoryview(mmap.mmap(self.theirs[0], self.room))
        self._channel.setblocking(False)

    @property
    def waiting(self) -> bool:
        """Return whether the driver waits for a token."""
        return self._owed > 0

    def fileno(self) -> int:
        """Return the descriptor that the child's tokens arrive on."""
        return self._channel.fileno()

    def to_child(self, token_bytes: int, raw: bytes) -> None:
        """Pass on what the driver sent: a token, then the bytes that it speaks of."""
        token, arrays = raw[:token_bytes], raw[token_bytes:]
        self._memory[self._extents.of(token)] = arrays
        self._owed += 1
        # A child that is dead or does not read does not answer: the driver's deadline shows that.
        with contextlib.suppress(BlockingIOError, ConnectionError):
            self._channel.send(token)

    def to_driver(self) -> None:
        """Pass on what the child sent, or that it is gone."""
        try:
            token = self._channel.recv(wire.MAX_TOKEN)
        except BlockingIOError:
            return
        except ConnectionError:
            token = b""
        self._owed = self._owed - 1 if token else 0
        arrays = self._memory[self._extents.of(token)]
        frames.send_frame(self._stream, {"token_bytes": len(token)}, token + arrays)

    def close(self) -> None:
        """Close the channel; the memory goes with this object."""
        self._channel.close()


class _Child:
    """The child that is running or has ended, as the runner sees it."""

    def __init__(self, pid: int, log_pipe: int, cpu_s: float, relay: Relay | None) -> None:
        self.pid = pid
        self.log_pipe = log_pipe
        self.relay = relay
        """What carries its tokens, unless it has its own channel to the driver."""
        self.log_open = True
        self.cpu_left_s = cpu_s
        self.reason: str | None = None
        self.ended: tuple[int, Any] | None = None

    def cpu_s(self) -> float:
        """Return the CPU time of all its threads so far, from the kernel."""
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

    def __init__(
        self, control: frames.SocketStream | frames.StandardStreams, prepared: prepare.Prepared
    ) -> None:
        self._control = control
        self._prepared = prepared
        self._streams = child.Streams.open(prepared.empty)
        self._reserve = mmap.mmap(-1, child.RESERVE_BYTES, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self._log = Log()
        self._cores = len(os.sched_getaffinity(0))

    def serve(self) -> child.Job:
        """Serve until the driver goes away, which ends this process. Returns in forked children only."""
        while True:
            order = self._receive()
            if order.head.get("do") != "open":
                continue
            job, live = self._fork(order)
            if live is None:
                return job
            self._watch(live)
            os.close(live.log_pipe)
            if live.relay:
                live.relay.close()

    def _receive(self, live: _Child | None = None) -> frames.Frame:
        room = live.relay.room if live and live.relay else 0
        try:
            return frames.recv_frame(self._control, cap=frames.MAX_FRAME + room)
        except (EOFError, ConnectionError):
            if live is not None:
                live.kill()
            os._exit(0)

    def _fork(self, order: frames.Frame) -> tuple[child.Job, _Child | None]:
        head = order.head
        relay = None if order.fds else Relay(self._control, head["shared_bytes"], order.raw)
        memory, calls, results = theirs = relay.theirs if relay else order.fds
        log_pipe, log_end = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(log_pipe, False)
        kept = (self._prepared.empty, log_end, log_end, calls, results)
        space = (
            self._prepared.address_space + head["memory_bytes"] + head["shared_bytes"] + child.RESERVE_BYTES
        )
        job = child.Job(
            kept,
            confine.limits(cpu_s=head["cpu_s"], address_space=space),
            self._prepared.walls,
            self._streams,
            self._reserve,
            memory,
            head,
            os.getpid(),
        )
        # A guest that does not compile fails in the child, which says so.
        with contextlib.suppress(Exception):
            execute.guest_code(os.pread(memory, head["guest_bytes"], 0).decode())
        self._log.start(head["log_bytes"])
        pid = os.fork()
        if pid == 0:
            self._control.detach()
            return job, None
        os.close(log_end)
        if relay:
            relay.forked()
        for descriptor in theirs:
            os.close(descriptor)
        return job, _Child(pid, log_pipe, head["cpu_s"], relay)

    def _watch(self, live: _Child) -> None:
        """Drain the log, carry tokens, enforce the CPU limit and take the driver's orders until it ends the session."""
        grace_until: float | None = None
        while True:
            ready = self._ready(live, self._patience_ms(live, grace_until))
            if live.log_pipe in ready:
                live.log_open = self._log.drain(live.log_pipe)
            if self._log.total > FLOOD_BYTES:
                live.kill("log_flood")
            if not live.log_open:
                live.reap(wait=False)
            if live.relay and live.relay.fileno() in ready:
                live.relay.to_driver()
            if self._control.fileno() in ready:
                grace_until = self._handle_order(live) or grace_until
            if live.ended is None and live.cpu_s() > live.cpu_left_s:
                live.kill("cpu_limit")
            if grace_until is not None and (live.ended is not None or time.monotonic() >= grace_until):
                self._report(live)
                return

    def _ready(self, live: _Child, patience_ms: float | None) -> set[int]:
        """Return which descriptors have something to read, or are at their end, within that time."""
        watched = [self._control.fileno()]
        if live.log_open:
            watched.append(live.log_pipe)
        if live.relay and live.relay.waiting:
            watched.append(live.relay.fileno())
        poll = select.poll()
        for descriptor in watched:
            poll.register(descriptor, select.POLLIN)
        return {descriptor for descriptor, _ in poll.poll(patience_ms)}

    def _handle_order(self, live: _Child) -> float | None:
        """Carry out an order of the driver; return until when the child may end by itself, once it is to end."""
        head, raw, _ = self._receive(live)
        if head["do"] == "end":
            return time.monotonic() + float(head["grace_s"])
        if head["do"] == "charge":
            live.cpu_left_s -= head["cpu_s"]
        elif live.relay:
            live.relay.to_child(head["token_bytes"], raw)
        return None

    def _patience_ms(self, live: _Child, grace_until: float | None) -> float | None:
        """Return how long to wait for events: until the limit could be reached, or the grace is over."""
        if live.ended is not None:
            return 0.0 if grace_until is not None else None
        patience = (live.cpu_left_s - live.cpu_s()) / self._cores
        longest = _LONGEST_WATCH_S if live.log_open else _BLIND_WATCH_S
        patience = min(max(patience, _SHORTEST_WATCH_S), longest)
        if grace_until is not None:
            patience = min(patience, max(grace_until - time.monotonic(), 0.0))
        return 1000.0 * patience + 1.0

    def _report(self, live: _Child) -> None:
        """End the child if it still lives, and report to the driver how it ended and what it cost."""
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
        frames.send_frame(self._control, head, self._log.kept())
