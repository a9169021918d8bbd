"""Runs guest and program in this very process: the contract of a sandbox without any isolation.

For a user's own files, and for tests of what uses a sandbox. Nothing is limited: a program may loop for ever,
read the keys of this process or end it. Exceptions become the verdicts that a process sandbox gives them. The global
generators of a session with a seed are its own; without one it shares those of this process, as they are.
"""

from __future__ import annotations

import contextlib
import io
import random
import sys
import time
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from sandbox.base import Array, Callback, Level, Limits, Sandbox, SandboxFault, Usage, Verdict, check_seed
from sandbox.runner import execute, wire


class InProcessSession:
    """Implements `sandbox.base.Session` by plain function calls."""

    def __init__(
        self,
        guest: str,
        program: str,
        limits: Limits,
        room: int,
        callbacks: Mapping[str, Callback],
        on_end: Callable[[], None],
        *,
        seed: int | None,
    ) -> None:
        """Load guest and program.

        Raises:
            SandboxFault: one of them raised.
        """
        self._limits = limits
        self._room = room
        self._callbacks = callbacks
        self._on_end = on_end
        self._log = io.StringIO()
        self._opened, self._cpu_s = time.monotonic(), 0.0
        self._program = program
        self._module: types.ModuleType | None = None
        self._loaded: execute.Loaded | None = None
        self._usage: Usage | None = None
        self._ends: dict[tuple[object, ...], int] = {}
        self._fitting: set[tuple[object, ...]] = set()
        self._generators: tuple[Any, Any] | None = None
        """With a seed, the states of the session's global generators, or of the caller's while the program runs."""
        if seed is not None:
            self._generators = random.getstate(), np.random.get_state()
            execute.seed_generators(seed)
            self._swap_generators()
        with self._inside():
            self._loaded = execute.Loaded(guest, program, self._ask)

    def call(
        self, name: str, scalars: Sequence[float] = (), arrays: Sequence[Array] = ()
    ) -> tuple[Array, ...]:
        """Run the guest's handler `name`; see `sandbox.base.Session.call`.

        Raises:
            SandboxFault: with the verdict; the session is dead then.
            ValueError: the arguments are not what a process sandbox carries.
            RuntimeError: the session has ended.
        """
        if self._usage is not None or self._loaded is None:
            raise RuntimeError("session: expected no call after a fault or close")
        end = self._end(name, scalars, arrays)
        with self._inside():
            handler = self._loaded.handler(name)
            numbers = tuple(float(value) for value in scalars)
            results = handler(numbers, tuple(value.copy() for value in arrays))
            kind = (end, *map(_kind, results)) if isinstance(results, tuple | list) else (None,)
            if kind not in self._fitting:
                wire.place(execute.result_specs(name, results), end, self._room)
                if None not in kind:
                    self._fitting.add(kind)
            return tuple(value.copy() for value in results)

    def _end(self, name: str, scalars: Sequence[float], arrays: Sequence[Array]) -> int:
        """Return where a call's arrays would end in shared memory, worked out once for each kind of call.

        A trusted loop makes the same call thousands of times, and the checks took as long as small programs do.

        Raises:
            ValueError: the arguments are not what a process sandbox carries.
        """
        kind = (name, len(scalars), *map(_kind, arrays))
        end = self._ends.get(kind)
        if end is None:
            try:
                specs = wire.specs_of(arrays, f"{name}: array")
                wire.pack_header(wire.Header(name, len(scalars), specs))
                _, end = wire.place(specs, 0, self._room)
            except wire.WireError as error:
                raise ValueError(str(error)) from None
            if None not in kind:
                self._ends[kind] = end
        return end

    def close(self) -> Usage:
        """End the session; see `sandbox.base.Session.close`."""
        if self._usage is None:
            log = execute.clean(self._log.getvalue(), max(self._limits.log_bytes, 4))
            self._usage = Usage(self._cpu_s, time.monotonic() - self._opened, 0.0, log, self._cpu_s)
            self._loaded = None
            self._on_end()
        return self._usage

    def _swap_generators(self) -> None:
        """Exchange the states of the global generators for those that are kept, in a session with a seed."""
        if self._generators is not None:
            kept, self._generators = self._generators, (random.getstate(), np.random.get_state())
            random.setstate(kept[0])
            np.random.set_state(kept[1])

    @contextlib.contextmanager
    def _inside(self) -> Iterator[None]:
        """Run program code: its prints are the log, its exceptions are faults, its time is counted."""
        began = time.process_time()
        before = sys.modules.get(execute.PROGRAM)
        if self._module is not None:
            sys.modules[execute.PROGRAM] = self._module
        self._swap_generators()
        try:
            with contextlib.redirect_stdout(self._log), contextlib.redirect_stderr(self._log):
                yield
        except _CallersError as error:
            self.close()
            raise error.error from None
        except BaseException as error:
            failure = execute.describe(error, self._program)
            self.close()
            raise SandboxFault(Verdict(failure.verdict), failure.message) from error
        finally:
            self._swap_generators()
            self._cpu_s += time.process_time() - began
            self._module = sys.modules.pop(execute.PROGRAM, None)
            if before is not None:
                sys.modules[execute.PROGRAM] = before

    def _ask(
        self, name: str, scalars: Sequence[float] = (), arrays: Sequence[Array] = ()
    ) -> tuple[Array, ...]:
        """Run the caller's callback `name` for the guest."""
        function = self._callbacks.get(name)
        if function is None:
            known = ", ".join(self._callbacks) or "none"
            raise execute.BadResult(f"callback: expected one of {known}; got {name!r}")
        wire.specs_of(arrays, f"callback {name}: array")
        numbers = tuple(float(value) for value in scalars)
        copies = tuple(value.copy() for value in arrays)
        self._swap_generators()
        try:
            return tuple(value.copy() for value in function(numbers, copies))
        except Exception as error:
            raise _CallersError(error) from error
        finally:
            self._swap_generators()


def _kind(value: object) -> tuple[object, ...] | None:
    """Return what decides whether the wire carries an array; None for anything that is no plain array."""
    return (value.dtype, value.shape) if type(value) is np.ndarray else None


class _CallersError(BaseException):
    """Carries an exception of a callback, which is the caller's own, past the program's handlers."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


class InProcessSandbox(Sandbox):
    """Implements `sandbox.base.Sandbox` without isolation; a session at a time, as with a process."""

    def __init__(self) -> None:
        self._open = False

    @property
    def level(self) -> Level:
        """Return `Level.NONE`."""
        return Level.NONE

    def open(
        self,
        guest: str,
        program: str,
        *,
        limits: Limits,
        shared_bytes: int,
        callbacks: Mapping[str, Callback] | None = None,
        seed: int | None = None,
    ) -> InProcessSession:
        """Load `program` beside `guest` into this process; see `sandbox.base.Sandbox.open`.

        Raises:
            SandboxFault: the program did not start.
            RuntimeError: the session before is still open.
            ValueError: a seed out of range.
        """
        check_seed(seed)
        if self._open:
            raise RuntimeError("sandbox: expected one session at a time, the last one is still open")
        self._open = True
        room = wire.rounded_room(shared_bytes)
        return InProcessSession(guest, program, limits, room, callbacks or {}, self._ended, seed=seed)

    def close(self) -> None:
        """Do nothing: nothing is held."""

    def _ended(self) -> None:
        self._open = False
