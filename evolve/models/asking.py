"""Asking a model so that nothing paid for is lost and nothing is paid twice.

Every request is stored before it is sent, every answer before anything is done with it. A request that is in the
database with its answer is never sent again; one that was in flight when the process died is sent again, and the
lost one is booked at what it may have cost. A request that is tried again after a fault is a call of its own, with
its own room in the budget: what a broken connection or a time-out may have cost is booked, what a server refused is
not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple, Protocol

from evolve.models.base import Completion, Model, Request, Stop, Usage
from evolve.models.budget import Budget
from evolve.models.ensemble import Paid
from evolve.models.errors import ModelError, TransientError
from evolve.models.prices import Pricing
from evolve.models.retrying import Retries
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


class Priced(NamedTuple):
    """A model, and what its usage costs."""

    model: Model
    price: Pricing

    def usd(self, usage: Usage) -> float:
        """What a call costs."""
        return 0.0 if self.model.free else self.price(usage)


class RecordingAsker:
    """An `Asker` that stores and pays for every call.

    Args:
        models: who can be asked; the first one is where a request names none.
        log: where calls are stored.
        budget: what may be spent; what the log says was spent is added to it.
        retries: what becomes of faults that may pass.
        warn: is told when a stored answer belongs to a differing request.
        called: is told of every answer that was paid for now.
    """

    def __init__(
        self,
        models: Sequence[Priced],
        log: CallLog,
        *,
        budget: Budget,
        retries: Retries | None = None,
        warn: Callable[[str], None] = lambda line: None,
        called: Called = lambda request, completion, usd: None,
    ) -> None:
        self._models = {priced.model.name: priced for priced in models}
        self._first = models[0]
        self._log, self._budget = log, budget
        self._retries = retries or Retries(warn=warn)
        self._warn, self._called = warn, called
        self._answers: dict[tuple[int, int], CallRecord] = {}
        self._paid: dict[int, Paid] = {}
        for call in log.load_calls():
            self._restore(call)

    def _restore(self, call: CallRecord) -> None:
        cost, tokens = call.cost_usd, call.input_tokens + call.output_tokens
        if call.state == "sent":
            # In flight when the process died: the server may have answered, and charged for it.
            self._log.end_call(call.number, state="lost", message="in flight when the campaign was stopped")
        elif call.state == "answered":
            self._answers[call.ordinal, call.attempt] = call
            self._pay(call.ordinal, call.model, cost)
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
        priced = self._models[request.model] if request.model else self._first
        name = priced.model.name
        completion, cost = await self._retries.run(name, partial(self._send, priced, request))
        self._pay(request.ordinal, name, cost)
        self._called(request, completion, cost)
        return completion

    async def _send(self, priced: Priced, request: Request) -> tuple[Completion, float]:
        """Send a request once; the answer, and what it cost.

        Raises:
            TransientError: it may work the next time.
            ModelError: anything else.
        """
        model, most = priced.model, Usage(request.input_tokens, request.max_output_tokens)
        usd = priced.usd(most)
        place = request.ordinal * 1000 + request.attempt
        async with self._budget.reserve(usd=usd, tokens=most.total, place=place) as reservation:
            number = self._log.begin_call(_sent(request, model.name, most, usd))
            try:
                completion = await model.complete(request)
            except TransientError as error:
                used = most if error.usage is None else error.usage
                self._give_up(number, error, priced.usd(used))
                reservation.settle(usd=priced.usd(used), tokens=used.total)
                raise
            except ModelError as error:
                self._log.end_call(number, state="failed", message=error.message)
                raise
            cost = priced.usd(completion.usage)
            self._log.end_call(number, state="answered", answer=_answer(completion, cost))
            reservation.settle(usd=cost, tokens=completion.usage.total)
        return completion, cost

    def _give_up(self, number: int, error: TransientError, cost: float) -> None:
        """Store that a call has no answer: lost where it is paid for all the same, at most or as the server said."""
        used, answer = error.usage, None
        if used is not None and used.total:
            answer = _answer(Completion("", used, "", 0.0, Stop.EMPTY), cost)
        state: CallState = "lost" if used is None or answer else "failed"
        self._log.end_call(number, state=state, answer=answer, message=error.message)

    def _pay(self, ordinal: int, model: str, usd: float) -> None:
        before = self._paid[ordinal].usd if ordinal in self._paid else 0.0
        self._paid[ordinal] = Paid(model, before + usd)

    @property
    def paid(self) -> Mapping[int, Paid]:
        """Ordinal -> who answered and what its answers cost, without what faults did: those are the network's."""
        return self._paid


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
