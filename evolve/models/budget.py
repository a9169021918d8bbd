"""Money and tokens: reserved before a call at what it may cost at most, settled after it at what it did cost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from evolve.models.base import BudgetReached


@dataclass
class Reservation:
    """What a call in flight may cost; `settle` says what it did."""

    usd: float
    tokens: int
    spent_usd: float = 0.0
    spent_tokens: int = 0

    def settle(self, *, usd: float, tokens: int) -> None:
        """The call is over: book what it cost."""
        self.spent_usd, self.spent_tokens = usd, tokens


class Budget:
    """What may be spent, what is, and what is promised.

    A call that fits only if those in flight turn out cheap waits for them; what does not fit when none is in flight
    does not fit at all. Calls that wait are served by candidate, so that what a budget cuts off is the end.

    Args:
        usd: most dollars; None is no limit.
        tokens: most tokens, input and output; None is no limit.
        spent_usd: dollars spent before.
        spent_tokens: tokens spent before.
    """

    def __init__(
        self,
        *,
        usd: float | None = None,
        tokens: int | None = None,
        spent_usd: float = 0.0,
        spent_tokens: int = 0,
    ) -> None:
        self.usd, self.tokens = usd, tokens
        self.spent_usd, self.spent_tokens = spent_usd, spent_tokens
        self._promised: list[Reservation] = []
        self._waiting: list[int] = []
        self._changed = asyncio.Event()

    @asynccontextmanager
    async def reserve(self, *, usd: float, tokens: int, place: int) -> AsyncIterator[Reservation]:
        """Room for a call while the block runs; what `settle` was told is booked at its end.

        Args:
            usd: what the call costs at most.
            tokens: input and output at most.
            place: among those that wait, the smallest goes first.

        Raises:
            BudgetReached: there is no room, and nothing in flight that could leave some.
        """
        reservation = Reservation(usd, tokens)
        self._waiting.append(place)
        try:
            while not self._decides(reservation, place):
                await self._changed.wait()
            reached = self._reached(reservation)
            if reached:
                raise reached
            self._promised.append(reservation)
        finally:
            self._waiting.remove(place)
            self._wake()
        try:
            yield reservation
        finally:
            self._promised.remove(reservation)
            self.spent_usd += reservation.spent_usd
            self.spent_tokens += reservation.spent_tokens
            self._wake()

    def _wake(self) -> None:
        """Have those that wait look again: something was promised, settled or given up."""
        self._changed.set()
        self._changed = asyncio.Event()

    def _decides(self, wanted: Reservation, place: int) -> bool:
        first = place == min(self._waiting)
        return first and (not self._promised or self._reached(wanted) is None)

    def _reached(self, wanted: Reservation) -> BudgetReached | None:
        usd = self.spent_usd + sum(p.usd for p in self._promised)
        tokens = self.spent_tokens + sum(p.tokens for p in self._promised)
        if self.usd is not None and usd + wanted.usd > self.usd:
            return BudgetReached(
                f"the budget of ${self.usd:g} is reached: ${self.spent_usd:.4f} are spent, and the next call may cost "
                f"${wanted.usd:.4f}.",
                budget="usd",
            )
        if self.tokens is not None and tokens + wanted.tokens > self.tokens:
            return BudgetReached(
                f"the budget of {self.tokens} tokens is reached: {self.spent_tokens} are spent, and the next call may "
                f"take {wanted.tokens}.",
                budget="tokens",
            )
        return None
