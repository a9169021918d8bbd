"""The one layer that tries again: the SDKs' own retries are off.

Waits grow from one second to a minute with jitter; a server's ``Retry-After`` is waited out instead, up to a limit.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from evolve.models.base import Completion, Model, Request
from evolve.models.errors import ModelUnavailable, TransientError

ATTEMPTS = 6
LONGEST_WAIT_S = 60.0
LONGEST_RETRY_AFTER_S = 300.0
"""A server that asks for more is treated as unavailable: whoever runs the campaign should know."""


class RetryingModel:
    """A model whose transient faults are tried again.

    Args:
        model: the client.
        attempts: how often a request is sent at most.
        timeout_s: seconds that one sending may take; None leaves it to the client.
        wait_s: the first wait; 0 makes tests quick.
        warn: is told, in a line, what is tried again and when.
    """

    def __init__(
        self,
        model: Model,
        *,
        attempts: int = ATTEMPTS,
        timeout_s: float | None = None,
        wait_s: float = 1.0,
        warn: Callable[[str], None] = lambda line: None,
    ) -> None:
        self._model = model
        self._attempts = attempts
        self._timeout_s = timeout_s
        self._wait_s = wait_s
        self._warn = warn

    @property
    def name(self) -> str:
        """See `Model.name`."""
        return self._model.name

    @property
    def free(self) -> bool:
        """See `Model.free`."""
        return self._model.free

    async def complete(self, request: Request) -> Completion:
        """See `Model.complete`; a `TransientError` that stays is a `ModelUnavailable`."""
        import stamina

        stamina.instrumentation.set_on_retry_hooks(
            []
        )  # its log would show arguments; `warn` says what matters
        try:
            async for attempt in stamina.retry_context(
                on=self._backoff,
                attempts=self._attempts,
                timeout=None,
                wait_initial=self._wait_s,
                wait_max=LONGEST_WAIT_S,
                wait_jitter=self._wait_s,
            ):
                with attempt:
                    return await self._once(request)
        except TransientError as error:
            raise ModelUnavailable(
                f"{self.name} did not answer after {self._attempts} attempts: {error.message}",
                "What was answered is kept; the same command continues.",
            ) from None
        raise AssertionError("the retries end with an answer or an error")

    async def _once(self, request: Request) -> Completion:
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._model.complete(request)
        except TimeoutError:
            raise TransientError(f"no answer within {self._timeout_s:g} s.") from None

    def _backoff(self, error: Exception) -> bool | float:
        """Whether to try again: a number of seconds to wait, or by the growing waits."""
        if not isinstance(error, TransientError):
            return False
        asked = error.retry_after_s
        if asked is not None and asked > LONGEST_RETRY_AFTER_S:
            return False
        self._warn(f"{self.name}: {error.message} Trying again.")
        return True if asked is None else max(asked, 0.0)

    async def close(self) -> None:
        """See `Model.close`."""
        await self._model.close()
