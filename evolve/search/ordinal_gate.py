"""Turns: what makes concurrent candidates act in the order of their ordinals."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class CutOff(Exception):
    """A candidate before this one ended the campaign."""


class Turns:
    """Lets coroutines through one at a time, in the order of their numbers, up to where it is cut off."""

    def __init__(self, first: int) -> None:
        self._next = first
        self._end = math.inf
        self._changed = asyncio.Condition()

    async def cut_off(self, number: int) -> None:
        """Let nobody from `number` on through: whoever waits or comes is told so."""
        async with self._changed:
            self._end = min(self._end, number)
            self._changed.notify_all()

    @asynccontextmanager
    async def take(self, number: int) -> AsyncIterator[None]:
        """Wait for `number`'s turn; the next one comes when the block ends without an exception.

        Raises:
            CutOff: it does not come.
        """
        async with self._changed:
            await self._changed.wait_for(lambda: self._next == number or number >= self._end)
            if number >= self._end:
                raise CutOff
        yield
        async with self._changed:
            self._next += 1
            self._changed.notify_all()
