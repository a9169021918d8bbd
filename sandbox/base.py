"""Defines the contract of a sandbox: run one untrusted program and call it with arrays.

The sandbox knows nothing of games, scores or databases. A caller opens a *session*: a fresh child
process in which a *guest* (a small trusted module, sent as text) and one untrusted *program* live
side by side. The caller then calls the guest's handlers by name with numbers and arrays, and gets
arrays back. Whatever goes wrong inside ends as a `SandboxFault` with a `Verdict`; a fault of ours
(no runner, broken pipe to it) is `Verdict.SANDBOX_ERROR`, which is never the candidate's.

A guest is Python source that may import what its runner pre-loaded and defines one function::

    def start(program):            # the program's module object
        return {"step": step, ...} # name -> handler(scalars, arrays) -> sequence of arrays

It raises ``BadResult`` (a name the runner puts into its globals) when the *program* returned
something of the wrong type or shape, so that the caller sees ``Verdict.BAD_RESULT`` and the text.
Input arrays are views of shared memory that the next call overwrites: a guest copies what it, or
the program, may keep. The global generators of ``random`` and ``numpy.random`` start every session in the same
state, or in one that the session's seed decides, and strings hash alike in all sessions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import NamedTuple, Protocol, Self

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.generic]
Callback = Callable[[tuple[float, ...], tuple[Array, ...]], Sequence[Array]]


class Verdict(StrEnum):
    """How a session ended when it did not end well."""

    EXCEPTION = "exception"
    TIMEOUT = "timeout"
    CPU_LIMIT = "cpu_limit"
    MEMORY = "memory"
    OUTPUT_LIMIT = "output_limit"
    LOG_FLOOD = "log_flood"
    VIOLATION = "violation"
    CRASH = "crash"
    NO_RESULT = "no_result"
    BAD_RESULT = "bad_result"
    SANDBOX_ERROR = "sandbox_error"


class Level(IntEnum):
    """Strength of isolation, weakest first; `label` is what is stored and shown."""

    NONE = 0
    RLIMITS = 1
    KERNEL = 2
    KERNEL_NS = 3
    DOCKER = 4
    GVISOR = 5

    @property
    def label(self) -> str:
        """Return the level's name in configuration, results and messages, such as ``kernel+ns``."""
        return self.name.lower().replace("_", "+")

    @classmethod
    def parse(cls, text: str) -> Level:
        """Return the level whose label is `text`.

        Raises:
            ValueError: naming the labels that exist.
        """
        for level in cls:
            if level.label == text:
                return level
        raise ValueError(f"isolation level: expected one of {', '.join(v.label for v in cls)}; got {text!r}")


@dataclass(frozen=True)
class Limits:
    """What one session may use. All costs are measured by the kernel or by the caller's clock."""

    cpu_s: float = 10.0
    wall_s: float = 51.0
    """Deadline of the whole session; a backstop several times the CPU limit, since machines are shared."""
    call_wall_s: float = 20.0
    """Deadline of a single call (and of starting the program)."""
    memory_mib: int = 512
    """Address space beyond what the warm runner already maps."""
    log_bytes: int = 64 * 1024
    """How much of the program's output is kept; far beyond it the program is killed as a log flood."""

    def doubled(self) -> Limits:
        """Return the limits of the one retry that a limit outcome gets."""
        return Limits(
            2 * self.cpu_s, 2 * self.wall_s, 2 * self.call_wall_s, 2 * self.memory_mib, self.log_bytes
        )


class Usage(NamedTuple):
    """What a session cost, measured from outside, and what the program printed (capped, sanitised).

    `cpu_s` is all that is charged to the program; `caller_cpu_s` the part of it that the caller's own process spent,
    on callbacks (and on everything, where the program runs in-process).
    """

    cpu_s: float
    wall_s: float
    peak_rss_mib: float
    log: str
    caller_cpu_s: float = 0.0


class SandboxFault(Exception):
    """A session ended other than by `Session.close`. Its message is data from inside, <= 2,000 characters."""

    def __init__(self, verdict: Verdict, message: str) -> None:
        super().__init__(f"{verdict}: {message}")
        self.verdict = verdict
        self.message = message

    def __reduce__(self) -> tuple[type[SandboxFault], tuple[Verdict, str]]:
        """Pickle by the arguments, as a worker's fault travels to the campaign."""
        return SandboxFault, (self.verdict, self.message)


def check_seed(seed: int | None) -> None:
    """Refuse what no session can start its generators from.

    Raises:
        ValueError: it is negative or too large.
    """
    if seed is not None and not 0 <= seed < 1 << 64:
        raise ValueError(f"seed: expected None or 0 <= seed < 2**64; got {seed}")


class Session(Protocol):
    """One program in one fresh process. Not thread-safe. After a fault only `close` may be called."""

    def call(
        self, name: str, scalars: Sequence[float] = (), arrays: Sequence[Array] = ()
    ) -> tuple[Array, ...]:
        """Run the guest's handler `name`.

        Args:
            name: a key of the mapping that the guest's ``start`` returned.
            scalars: numbers, sent as float64; at most 128 (more belong into an array).
            arrays: float64, float32, int64, int32, uint8 or bool arrays in native byte order, at most 64 of
                them with at most 4 dimensions each.

        Returns:
            Copies of the arrays that the handler returned (shared memory is copied before anything reads it).

        Raises:
            SandboxFault: with the verdict; the session is dead then.
            ValueError: the arguments are none of that, or larger than the session's shared memory.
            RuntimeError: the session has ended.
            Exception: what a callback raised, as it is; the session is dead then.
        """

    def close(self) -> Usage:
        """End the program (SIGKILL), reap it and return what it cost. Safe to call after a fault, and twice.

        Raises:
            SandboxFault: `SANDBOX_ERROR`: its cost is unknown, since the runner is gone.
        """


class Sandbox(Protocol):
    """A place that opens sessions, one after another. Owns a warm runner; a context manager."""

    @property
    def level(self) -> Level:
        """Return the isolation that this sandbox achieved when it tried (never what was asked for)."""

    def open(
        self,
        guest: str,
        program: str,
        *,
        limits: Limits,
        shared_bytes: int,
        callbacks: Mapping[str, Callback] | None = None,
        seed: int | None = None,
    ) -> Session:
        """Start `program` beside `guest` in a fresh process.

        Args:
            guest: source of the guest module.
            program: source of the untrusted program.
            limits: what the session may use.
            shared_bytes: room for the arrays of the largest call, inputs and results together.
            callbacks: functions of the caller that the guest may ask for by name
                (``callback(name, scalars, arrays)`` in its globals).
            seed: what the global generators of ``random`` and ``numpy.random`` start from, below 2**64; None: the
                state that all sessions without a seed start from.

        Raises:
            SandboxFault: the program did not start (its own top level failed, or a limit hit).
            ValueError: a seed out of range.
            RuntimeError: the session before is still open.
        """

    def close(self) -> None:
        """Stop the runner and everything below it."""

    def __enter__(self) -> Self:
        """Return the sandbox itself."""
        return self

    def __exit__(self, *exc: object) -> None:
        """Close it."""
        self.close()
