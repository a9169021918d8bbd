"""A program that somebody's own code calls: the life of its sandbox, from the first call to the last.

A search opens a session for each game and closes it; a solver made of a program stays open for as long as its owner
likes, and closes itself when the program fails or the owner forgets it.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import ClassVar, Self

from evaluators.base import InputError, InvalidAnswer
from sandbox.base import Callback, Limits, Sandbox, SandboxFault, Session
from sandbox.inprocess import InProcessSandbox
from sandbox.process import ProcessSandbox


class ProgramFailed(InputError):
    """The program ended, or returned what is no answer, when it was called. Its host is closed."""

    exit_code = 1


class HostedProgram:
    """Base of what owns one running program. A context manager; closed too when it is garbage-collected.

    Attributes:
        called: what users call the host, for messages.
    """

    called: ClassVar[str]

    def __init__(self, modules: tuple[str, ...], *, in_process: bool) -> None:
        """Prepare a sandbox; the program starts with `_open`.

        Args:
            modules: libraries that the sandbox loads beforehand.
            in_process: run the program in this process, without a sandbox.
        """
        self._sandbox: Sandbox = InProcessSandbox() if in_process else ProcessSandbox(modules=modules)
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
