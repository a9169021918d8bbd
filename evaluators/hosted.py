"""A program that somebody's own code calls: the life of its sandbox, from the first call to the last.

A search opens a session for each game and closes it; a solver made of a program stays open for as long as its owner
likes, and closes itself when the program fails or the owner forgets it.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import ClassVar, Self

from evaluators.contract import InputError, InvalidAnswer
from sandbox.base import Callback, Limits, Sandbox, SandboxFault, Session


class ProgramFailed(InputError):
    """The program ended, or returned what is no answer, when it was called. Its host is closed."""

    exit_code = 1


class HostedProgram:
    """Base of what owns one running program. A context manager; closed too when it is garbage-collected.

    Attributes:
        called: what users call the host, for messages.
    """

    called: ClassVar[str]

    limits: ClassVar[Limits] = Limits(
        cpu_s=7 * 86_400.0, wall_s=14 * 86_400.0, call_wall_s=60.0, memory_mib=4096
    )
    """A host is somebody's own and may stay open for days; only a call that hangs is ended early."""

    def __init__(self, sandbox: Sandbox) -> None:
        """Own a sandbox from now on; the program starts with `_open`."""
        self._sandbox = sandbox
        self._close = weakref.finalize(self, _release, self._sandbox)

    @property
    def isolation(self) -> str:
        """The sandbox's level, ``none`` in process."""
        return self._sandbox.level.label

    def close(self) -> None:
        """End the program. What was given out stays as it is."""
        self._close()

    def __enter__(self) -> Self:
        """The host itself."""
        return self

    def __exit__(self, *exc: object) -> None:
        """Close it."""
        self.close()

    def _open(
        self,
        guest: str,
        source: str,
        *,
        limits: Limits,
        shared_bytes: int,
        callbacks: Mapping[str, Callback] | None = None,
    ) -> Session:
        """Start the program, once: see `Sandbox.open`. Call it, and the session, within `_faults`."""
        session = self._sandbox.open(
            guest, source, limits=limits, shared_bytes=shared_bytes, callbacks=callbacks
        )
        self._close.detach()
        self._close = weakref.finalize(self, _release, self._sandbox, session)
        return session

    @contextmanager
    def _faults(self) -> Iterator[None]:
        """Close the host when the program fails.

        Raises:
            ProgramFailed: with the reason.
            RuntimeError: the host is closed.
        """
        if not self._close.alive:
            raise RuntimeError(f"{self.called}: expected an open one; it was closed, or its program failed")
        try:
            yield
        except SandboxFault as fault:
            self.close()
            raise ProgramFailed(f"program: ended as {fault.verdict.value}: {fault.message}") from fault
        except InvalidAnswer as error:
            self.close()
            raise ProgramFailed(f"program: {error}") from error


def _release(sandbox: Sandbox, session: Session | None = None) -> None:
    if session is not None:
        session.close()
    sandbox.close()
