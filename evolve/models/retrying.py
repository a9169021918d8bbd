"""The one layer that tries again: the SDKs' own retries are off.

Waits grow from one second to a minute with jitter; a server's ``Retry-After`` is waited out instead, up to a limit.
Every sending is one of its own for whoever keeps the books (`evolve.models.asking`), since each may be charged.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from evolve.models.base import Completion, Model, Request
from evolve.models.errors import ModelUnavailable, TransientError

_Answer = TypeVar("_Answer")

ATTEMPTS = 6
LONGEST_WAIT_S = 60.0
LONGEST_RETRY_AFTER_S = 300.0
"""A server that asks for more is treated as unavailable: whoever runs the campaign should know."""


class Retries:
    """How often and when a request is sent again whose fault may pass.

    Args:
        attempts: how often it is sent at most.
        wait_s: the first wait; 0 makes tests quick.
        warn: is told, in a line, what is tried again.
    """

    def __init__(
        self,
        *,
        attempts: int = ATTEMPTS,
        wait_s: float = 1.0,
        warn: Callable[[str], None] = lambda line: None,
    ) -> None:
        self._attempts = attempts
        self._wait_s = wait_s
        self._warn = warn

    async def run(self, name: str, send: Callable[[], Awaitable[_Answer]]) -> _Answer:
        """What `send` returns at last.

        Args:
            name: the model, for messages.
            send: sends the request once.

        Raises:
            ModelUnavailable: in the place of a `TransientError` that stays.
        """
        try:
            return await send()
        except TransientError as fault:
            return await self._again(name, send, fault)

    async def _again(
        self, name: str, send: Callable[[], Awaitable[_Answer]], fault: TransientError
    ) -> _Answer:
        """What `send` returns at last, after it was tried once, with this fault."""
        import stamina

        def backoff(error: Exception) -> bool | float:
            """Whether to try again: a number of seconds to wait, or by the growing waits."""
            if not isinstance(error, TransientError):
                return False
            asked = error.retry_after_s
            if asked is not None and asked > LONGEST_RETRY_AFTER_S:
                return False
            self._warn(f"{name}: {error.message} Trying again.")
            return True if asked is None else max(asked, 0.0)

        # Its log would show arguments; `warn` says what matters.
        stamina.instrumentation.set_on_retry_hooks([])
        try:
            async for attempt in stamina.retry_context(
                on=backoff,
                attempts=self._attempts,
                timeout=None,
                wait_initial=self._wait_s,
                wait_max=LONGEST_WAIT_S,
                wait_jitter=self._wait_s,
            ):
                with attempt:
                    if attempt.num == 1:
                        raise fault
                    return await send()
        except TransientError as error:
            raise ModelUnavailable(
                f"{name} did not answer after {self._attempts} attempts: {error.message}",
                "What was answered is kept; the same command continues.",
            ) from None
        raise AssertionError("the retries end with an answer or an error")


class TimedModel:
    """A model whose calls are given up after a while, whatever its client does.

    Args:
        model: the client.
        timeout_s: seconds that one sending may take.
    """

    def __init__(self, model: Model, *, timeout_s: float) -> None:
        self._model = model
        self._timeout_s = timeout_s

    @property
    def name(self) -> str:
        """See `Model.name`."""
        return self._model.name

    @property
    def free(self) -> bool:
        """See `Model.free`."""
        return self._model.free

    async def complete(self, request: Request) -> Completion:
        """See `Model.complete`; a call that takes too long is a `TransientError`, which may be charged."""
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._model.complete(request)
        except TimeoutError:
            raise TransientError(f"no answer within {self._timeout_s:g} s.", usage=None) from None

    async def close(self) -> None:
        """See `Model.close`."""
        await self._model.close()
