"""The ordinal gate: concurrent candidates act in the order of their ordinals."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class CutOff(Exception):
    """A candidate before this one ended the campaign."""


class OrdinalGate:
    """Lets coroutines through one at a time, in the order of their ordinals, up to where it is cut off."""

    def __init__(self, first: int) -> None:
        self._next = first
        self._end = math.inf
        self._changed = asyncio.Condition()

    async def cut_off(self, ordinal: int) -> None:
        """Raise CutOff in the candidates from `ordinal` on, those that wait and those that are still to be proposed."""
        async with self._changed:
            self._end = min(self._end, ordinal)
            self._changed.notify_all()

    @asynccontextmanager
    async def take(self, ordinal: int) -> AsyncIterator[None]:
        """Wait until all smaller ordinals have passed; the next one passes when the block ends without an exception.

        Raises:
            CutOff: the campaign ended before.
        """
        async with self._changed:
            await self._changed.wait_for(lambda: self._next == ordinal or ordinal >= self._end)
            if ordinal >= self._end:
                raise CutOff
        yield
        async with self._changed:
            self._next += 1
            self._changed.notify_all()
