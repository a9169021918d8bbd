"""Asking a model so that nothing paid for is lost and nothing is paid twice.

Every request is stored before it is sent, every answer before anything is done with it. A request that is in the
database with its answer is never sent again; one that was in flight when the process died is sent again, and the
lost one is booked at what it may have cost.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from evolve.models.base import Completion, Model, Request, Stop, Usage
from evolve.models.budget import Budget
from evolve.models.errors import ModelError
from evolve.models.prices import Pricing
from results.records import CallAnswer, CallRecord, CallState


class CallLog(Protocol):
    """Where calls are stored: `results.writer.CampaignWriter`."""

    def load_calls(self) -> list[CallRecord]:
        """Every call of this campaign so far, in the order in which they were sent."""
        ...

    def begin_call(self, call: CallRecord) -> int:
        """Store a call before it is sent; its number."""
        ...

    def end_call(
        self, number: int, *, state: CallState, answer: CallAnswer | None = None, message: str = ""
    ) -> None:
        """Store what came of it."""
        ...


class Asker(Protocol):
    """What an operator asks."""

    async def ask(self, request: Request) -> Completion:
        """The answer to a request, from the model or from an earlier run of this campaign.

        Raises:
            ModelError: there is none.
        """
        ...


Called = Callable[[Request, Completion, float], None]
"""Is told of every paid answer: request, completion, cost in USD."""


class RecordingAsker:
    """An `Asker` that stores and pays for every call.

    Args:
        model: who is asked.
        log: where calls are stored.
        price: what usage costs.
        budget: what may be spent; what the log says was spent is added to it.
        warn: is told when a stored answer belongs to a differing request.
        called: is told of every answer that was paid for now.
    """

    def __init__(
        self,
        model: Model,
        log: CallLog,
        *,
        price: Pricing,
        budget: Budget,
        warn: Callable[[str], None] = lambda line: None,
        called: Called = lambda request, completion, usd: None,
    ) -> None:
        self._model, self._log = model, log
        self._price, self._budget = price, budget
        self._warn, self._called = warn, called
        self._answers: dict[tuple[int, int], CallRecord] = {}
        for call in log.load_calls():
            self._restore(call)

    def _restore(self, call: CallRecord) -> None:
        cost, tokens = call.cost_usd, call.input_tokens + call.output_tokens
        if call.state == "sent":
            # In flight when the process died: the server may have answered, and charged for it.
            self._log.end_call(call.number, state="lost", message="in flight when the campaign was stopped")
        elif call.state == "answered":
            self._answers[call.ordinal, call.attempt] = call
        elif call.state == "failed":
            cost, tokens = 0.0, 0
        self._budget.spent_usd += cost
        self._budget.spent_tokens += tokens

    async def ask(self, request: Request) -> Completion:
        """See `Asker.ask`.

        Raises:
            BudgetReached: the next call might cost more than is left.
        """
        known = self._answers.get((request.ordinal, request.attempt))
        if known is not None:
            if known.request_hash != request.hash:
                self._warn(
                    f"candidate {request.ordinal}, attempt {request.attempt}: the request differs from the one that "
                    "was answered before; that answer is used."
                )
            return _completion(known)
        most = Usage(request.input_tokens, request.max_output_tokens)
        usd = 0.0 if self._model.free else self._price(most)
        place = request.ordinal * 1000 + request.attempt
        async with self._budget.reserve(usd=usd, tokens=most.total, place=place) as reservation:
            number = self._log.begin_call(_sent(request, self._model.name, most, usd))
            try:
                completion = await self._model.complete(request)
            except ModelError as error:
                self._log.end_call(number, state="failed", message=error.message)
                raise
            cost = 0.0 if self._model.free else self._price(completion.usage)
            self._log.end_call(number, state="answered", answer=_answer(completion, cost))
            reservation.settle(usd=cost, tokens=completion.usage.total)
        self._called(request, completion, cost)
        return completion

    @property
    def spent(self) -> Mapping[str, float]:
        """Dollars and tokens so far, earlier runs of the campaign included."""
        return {"usd": self._budget.spent_usd, "tokens": self._budget.spent_tokens}


def _sent(request: Request, model: str, most: Usage, usd: float) -> CallRecord:
    return CallRecord(
        ordinal=request.ordinal,
        attempt=request.attempt,
        model=model,
        request_hash=request.hash,
        messages=tuple((m.role, m.text) for m in request.messages),
        input_tokens=most.input_tokens,
        output_tokens=most.output_tokens,
        cost_usd=usd,
    )


def _answer(completion: Completion, cost: float) -> CallAnswer:
    return CallAnswer(
        text=completion.text,
        stop=completion.stop.value,
        answered_by=completion.model,
        input_tokens=completion.usage.input_tokens,
        output_tokens=completion.usage.output_tokens,
        cached_tokens=completion.usage.cached_tokens,
        cost_usd=cost,
        latency_s=completion.latency_s,
    )


def _completion(call: CallRecord) -> Completion:
    usage = Usage(call.input_tokens, call.output_tokens, call.cached_tokens)
    return Completion(call.answer, usage, call.answered_by, call.latency_s, Stop(call.stop))
