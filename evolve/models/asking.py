"""Asking a model so that nothing paid for is lost and nothing is paid twice.

Every request is stored before it is sent, every answer before anything is done with it. A request that is in the
database with its answer is never sent again; one that was in flight when the process died is sent again, and the
lost one is booked at what it may have cost. A request that is tried again after a fault is a call of its own, with
its own room in the budget: what a broken connection or a time-out may have cost is booked, what a server refused is
not.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol, TypeVar

from evolve.models.base import (
    Completion,
    ModelError,
    ModelUnavailable,
    Request,
    Stop,
    TransientError,
    Usage,
)
from evolve.models.budget import Budget
from evolve.models.ensemble import Paid
from evolve.models.registry import Priced
from evolve.search.events import Called, Observer, Warned
from results.records import CallRecord
from results.writer import CampaignWriter

LONGEST_WAIT_S = 60.0
LONGEST_RETRY_AFTER_S = 300.0
"""A server that asks for more counts as unavailable: the person who runs the campaign should know."""

_Answer = TypeVar("_Answer")


@dataclass(frozen=True)
class Retries:
    """How often and when a request is sent again whose fault may pass.

    Waits grow from one second to a minute with jitter; a server's ``Retry-After`` is waited out instead, up to a limit.

    Attributes:
        attempts: how often it is sent at most.
        wait_s: the first wait; 0 makes tests quick.
        warn: is told, in a line, what is tried again.
    """

    attempts: int = 6
    wait_s: float = 1.0
    warn: Callable[[str], None] = lambda line: None

    async def run(self, name: str, send: Callable[[], Awaitable[_Answer]]) -> _Answer:
        """Return what `send` returns at last.

        Args:
            name: the model, for messages.
            send: sends the request once.

        Raises:
            ModelUnavailable: in the place of a `TransientError` that stays.
        """
        try:
            return await send()
        except TransientError as error:
            first = error
        import stamina

        def backoff(error: Exception) -> bool | float:
            """Return whether to try again: after a number of seconds, or by the growing waits."""
            if not isinstance(error, TransientError) or (error.retry_after_s or 0.0) > LONGEST_RETRY_AFTER_S:
                return False
            self.warn(f"{name}: {error.message} Trying again.")
            return True if error.retry_after_s is None else max(error.retry_after_s, 0.0)

        # Its log would show arguments; `warn` says what matters.
        stamina.instrumentation.set_on_retry_hooks([])
        try:
            async for attempt in stamina.retry_context(
                on=backoff,
                attempts=self.attempts,
                timeout=None,
                wait_initial=self.wait_s,
                wait_max=LONGEST_WAIT_S,
                wait_jitter=self.wait_s,
            ):
                with attempt:
                    if attempt.num == 1:
                        raise first
                    return await send()
        except TransientError as error:
            raise ModelUnavailable(
                f"{name} did not answer after {self.attempts} attempts: {error.message}",
                "What was answered is kept; the same command continues.",
            ) from None
        raise AssertionError("the retries end with an answer or an error")


class Asker(Protocol):
    """What an operator asks."""

    async def ask(self, request: Request) -> Completion:
        """The answer to a request, from the model or from an earlier run of this campaign.

        Raises:
            ModelError: there is none.
        """


class RecordingAsker:
    """An `Asker` that stores and pays for every call.

    Args:
        models: who can be asked; the first one is where a request names none.
        log: where calls are stored.
        budget: what may be spent; what the log says was spent is added to it.
        observer: is told of every answer that was paid for now, of what is tried again, and when a stored answer
            belongs to a differing request.
        retries: what becomes of faults that may pass.
    """

    def __init__(
        self,
        models: Sequence[Priced],
        log: CampaignWriter,
        *,
        budget: Budget,
        observer: Observer = lambda event: None,
        retries: Retries | None = None,
    ) -> None:
        self._models = {priced.model.name: priced for priced in models}
        self._first = models[0]
        self._log, self._budget = log, budget
        self._observer = observer
        self._retries = retries or Retries(warn=lambda line: observer(Warned(line)))
        self._answers: dict[tuple[int, int], CallRecord] = {}
        self.paid: dict[int, Paid] = {}
        """Ordinal -> who answered and what its answers cost, without what faults did: those are the network's."""
        for call in log.load_calls():
            self._restore(call)

    def _restore(self, call: CallRecord) -> None:
        cost, tokens = call.cost_usd, call.input_tokens + call.output_tokens
        if call.state == "sent":
            # In flight when the process died: the server may have answered, and charged for it.
            lost = replace(call, state="lost", message="in flight when the campaign was stopped")
            self._log.end_call(call.number, lost)
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
                line = (
                    f"candidate {request.ordinal}, attempt {request.attempt}: the request differs from the one that "
                    "was answered before; that answer is used."
                )
                self._observer(Warned(line))
            usage = Usage(known.input_tokens, known.output_tokens, known.cached_tokens)
            return Completion(known.answer, usage, known.answered_by, known.latency_s, Stop(known.stop))
        priced = self._models[request.model] if request.model else self._first
        name = priced.model.name
        completion, cost = await self._retries.run(name, partial(self._send, priced, request))
        self._pay(request.ordinal, name, cost)
        self._observer(
            Called(
                ordinal=request.ordinal,
                attempt=request.attempt,
                model=completion.model,
                stop=completion.stop.value,
                input_tokens=completion.usage.input_tokens,
                output_tokens=completion.usage.output_tokens,
                cost_usd=cost,
                latency_s=completion.latency_s,
                spent_usd=self._budget.spent_usd,
                spent_tokens=self._budget.spent_tokens,
            )
        )
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
            call = CallRecord(
                ordinal=request.ordinal,
                attempt=request.attempt,
                model=model.name,
                request_hash=request.hash,
                messages=tuple((m.role, m.text) for m in request.messages),
                input_tokens=most.input_tokens,
                output_tokens=most.output_tokens,
                cost_usd=usd,
            )
            number = self._log.begin_call(call)
            try:
                completion = await model.complete(request)
            except TransientError as error:
                used = most if error.usage is None else error.usage
                self._log.end_call(number, _given_up(call, error, priced.usd(used)))
                reservation.settle(usd=priced.usd(used), tokens=used.total)
                raise
            except ModelError as error:
                self._log.end_call(number, replace(call, state="failed", message=error.message))
                raise
            cost = priced.usd(completion.usage)
            self._log.end_call(number, _answered(call, completion, cost))
            reservation.settle(usd=cost, tokens=completion.usage.total)
        return completion, cost

    def _pay(self, ordinal: int, model: str, usd: float) -> None:
        before = self.paid[ordinal].usd if ordinal in self.paid else 0.0
        self.paid[ordinal] = Paid(model, before + usd)


def _answered(call: CallRecord, completion: Completion, cost: float) -> CallRecord:
    return replace(
        call,
        state="answered",
        answer=completion.text,
        stop=completion.stop.value,
        answered_by=completion.model,
        input_tokens=completion.usage.input_tokens,
        output_tokens=completion.usage.output_tokens,
        cached_tokens=completion.usage.cached_tokens,
        cost_usd=cost,
        latency_s=completion.latency_s,
    )


def _given_up(call: CallRecord, error: TransientError, cost: float) -> CallRecord:
    """Return a call without an answer: lost where it is paid for all the same, at most or as the server said."""
    if error.usage is None:
        return replace(call, state="lost", message=error.message)
    if not error.usage.total:
        return replace(call, state="failed", message=error.message)
    charged = _answered(call, Completion("", error.usage, "", 0.0, Stop.EMPTY), cost)
    return replace(charged, state="lost", message=error.message)
