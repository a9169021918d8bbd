"""Calls that fail on the way: each sending has its own room in the budget, and what it may have cost is booked."""

import asyncio

import pytest

from evolve.models.asking import RecordingAsker, Retries
from evolve.models.base import (
    BudgetReached,
    Completion,
    ModelSetupError,
    ModelUnavailable,
    TransientError,
    Usage,
)
from evolve.models.budget import Budget
from evolve.models.ensemble import Paid
from evolve.models.registry import Priced

REFUSED = TransientError("HTTP 429: slow down")
BROKEN = TransientError("the connection broke", usage=None)
COUNTED = TransientError("the server sent no choice", usage=Usage(30, 4))


class Log:
    """Calls in memory."""

    def __init__(self):
        self.calls = []

    def load_calls(self):
        return []

    def begin_call(self, call):
        self.calls.append(vars(call) | {"state": "sent"})
        return len(self.calls) - 1

    def end_call(self, number, call):
        self.calls[number] = vars(call)


class Model:
    """Fails in turn, then answers."""

    free = False

    def __init__(self, *faults, name="openai:m"):
        self.faults, self.name, self.sent = list(faults), name, 0

    async def complete(self, request):
        self.sent += 1
        if self.faults:
            raise self.faults.pop(0)
        return Completion("fine", Usage(40, 10), "m", 0.0)

    async def close(self):
        pass


@pytest.fixture
def books():
    """Asks models through books: (what came, log, budget, asker)."""

    def ask(request, *models, **limits):
        log, budget = Log(), Budget(**limits)
        priced = [Priced(model, lambda usage: usage.total / 1000) for model in models]
        asker = RecordingAsker(priced, log, budget=budget, retries=Retries(wait_s=0.0, attempts=4))
        try:
            came = asyncio.run(asker.ask(request))
        except (BudgetReached, ModelUnavailable, ModelSetupError) as error:
            came = error
        return came, log.calls, budget, asker

    return ask


def states(calls):
    return [(call["state"], round(call["cost_usd"], 4)) for call in calls if call["state"] != "failed"]


def test_what_a_server_refused_costs_nothing(books, ask):
    came, calls, budget, _ = books(ask(), Model(REFUSED, REFUSED))
    assert came.text == "fine"
    assert [call["state"] for call in calls] == ["failed", "failed", "answered"]
    assert calls[0]["message"] == "HTTP 429: slow down"
    assert budget.spent_usd == pytest.approx(0.05)
    assert budget.spent_tokens == 50


def test_what_may_have_been_charged_is_booked_at_most(books, ask):
    request = ask()
    most = request.input_tokens + request.max_output_tokens
    _, calls, budget, asker = books(request, Model(BROKEN, REFUSED, BROKEN))
    assert states(calls) == [("lost", most / 1000), ("lost", most / 1000), ("answered", 0.05)]
    assert budget.spent_usd == pytest.approx(2 * most / 1000 + 0.05)
    assert budget.spent_tokens == 2 * most + 50
    # The choice among models goes by what answers cost; faults are the network's.
    assert asker.paid == {1: Paid("openai:m", 0.05)}


def test_what_the_server_counted_is_booked_as_it_said(books, ask):
    _, calls, budget, _ = books(ask(), Model(COUNTED))
    assert states(calls) == [("lost", 0.034), ("answered", 0.05)]
    assert (calls[0]["input_tokens"], calls[0]["output_tokens"], calls[0]["answer"]) == (30, 4, "")
    assert budget.spent_usd == pytest.approx(0.084)


@pytest.mark.parametrize("limit", [{"usd": 0.8}, {"tokens": 800}])
def test_a_budget_stops_retries_too(books, ask, limit):
    """One sending may cost 0.522; what is left after a broken one does not cover another."""
    model = Model(BROKEN, BROKEN, BROKEN)
    came, calls, budget, _ = books(ask(), model, **limit)
    assert isinstance(came, BudgetReached)
    assert model.sent == 1
    assert [call["state"] for call in calls] == ["lost"]
    assert budget.spent_usd <= limit.get("usd", 1.0)
    assert budget.spent_tokens <= limit.get("tokens", 800)


def test_a_fault_that_stays_leaves_every_sending_in_the_books(books, ask):
    came, calls, budget, _ = books(ask(), Model(*[REFUSED] * 9))
    assert isinstance(came, ModelUnavailable)
    assert [call["state"] for call in calls] == ["failed"] * 4
    assert budget.spent_usd == 0.0


def test_a_mistake_of_setup_is_sent_once(books, ask):
    came, calls, _, _ = books(ask(), Model(ModelSetupError("the key was rejected")))
    assert isinstance(came, ModelSetupError)
    assert [call["state"] for call in calls] == ["failed"]


def test_a_request_goes_to_the_model_that_it_names(books, ask):
    for name, expected in (("openai:b", "openai:b"), ("", "openai:a")):
        first, second = Model(name="openai:a"), Model(name="openai:b")
        _, calls, _, asker = books(ask(model=name), first, second)
        assert (first.sent, second.sent) == ((0, 1) if name else (1, 0))
        assert calls[0]["model"] == expected
        assert asker.paid[1].model == expected
