"""Campaigns with a model, on the toy domain: deterministic, paid once, killed at any write, ended by budgets."""

import asyncio
import random
import re

import pytest

from evaluators.records import Tag
from evolve.models.asking import RecordingAsker
from evolve.models.base import Completion, Message, ModelSetupError, ModelUnavailable, Usage
from evolve.models.budget import Budget
from evolve.models.config import LlmConfig
from evolve.models.files import ReplayModel, recording
from evolve.models.registry import Priced
from evolve.operators.llm import LlmOperator
from evolve.search.events import Told
from results import queries
from results.store import open_store


class Prompter:
    """Shows the parent, and how much has been tried: what a prompt depends on."""

    def first(self, parent, context, rng):
        best = max((t.mean("score") for t in context.log if t.ok), default=0.0)
        text = f"{parent.source}\n# {context.ordinal} {len(context.log)} {best} {rng.random()}"
        return (Message("system", "toy"), Message("user", text))

    def repair(self, problem, *, patched):
        return Message("user", problem)


class ToyModel:
    """Answers by the request alone, after a while; sometimes uselessly. Counts what it was asked."""

    name, free = "openai:toy", False

    def __init__(self, latency=lambda: 0.0, fail_at=None):
        self.latency, self.fail_at, self.asked = latency, fail_at, []
        self.running = self.most = 0

    async def complete(self, request):
        place = (request.ordinal, request.attempt)
        self.asked.append(place)
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await asyncio.sleep(self.latency())
        finally:
            self.running -= 1
        if place == self.fail_at:
            raise ModelUnavailable("toy: it did not answer.")
        draw = random.Random(request.hash)
        x, fate = re.search(r"return (\S+), '(\w+)'", request.messages[1].text).groups()
        text = "I do not know."
        if draw.random() > 0.3:
            new = f"        return {round(float(x) + draw.gauss(0.2, 1.0), 1)!r}, {str(Tag.OK)!r}"
            text = (
                f"Idea: step\n<<<<<<< SEARCH\n        return {x}, {fate!r}\n=======\n{new}\n>>>>>>> REPLACE\n"
            )
        return Completion(text, Usage(10, 5), "toy-1", 0.0)

    async def close(self):
        pass


@pytest.fixture
def run(toy, mortal):
    """Runs or continues a toy campaign with a model: (summary or exception, model)."""

    def go(db, model=None, *, usd=None, tokens=None, wrap=lambda writer: writer, **options):
        model = model or ToyModel()
        operator = LlmOperator(Prompter(), LlmConfig(repairs=1, max_output_tokens=100))
        seen = options.pop("seen", None)
        delay = options.pop("delay", lambda: 0.0)

        def connected(writer):
            writer = wrap(writer)
            budget = Budget(usd=usd, tokens=tokens)
            priced = Priced(model, lambda usage: usage.total / 1000)
            operator.connect(RecordingAsker([priced], writer, budget=budget))
            model.budget = budget
            return writer

        config = toy.config(**({"candidates": 20, "lookahead": 4, "operator": "llm"} | options))
        try:
            return toy.run(db, config, operator=operator, wrap=connected, delay=delay, seen=seen), model
        except (mortal.Crash, ModelUnavailable, ModelSetupError, ExceptionGroup) as error:
            return error, model

    return go


@pytest.fixture(scope="module")
def slow():
    generator = random.SystemRandom()
    return lambda: generator.uniform(0.0, 0.01)


def calls_of(db):
    with open_store(db, read_only=True) as store:
        return queries.calls(store, "toy")


@pytest.fixture
def uninterrupted(run, new_db, contents):
    db = new_db()
    _, model = run(db, workers=1)
    return contents(db, "toy"), model.asked


@pytest.mark.parametrize("workers", [1, 4])
def test_workers_and_latency_change_nothing(run, db, contents, uninterrupted, slow, jitter, workers):
    run(db, ToyModel(slow), workers=workers, delay=jitter)
    assert contents(db, "toy") == uninterrupted[0]


def test_the_toy_model_makes_all_kinds(uninterrupted):
    rows, asked = uninterrupted
    assert {"seed", "llm", "crossover"} == {candidate.operator for candidate, *_ in rows}
    assert {"ok", "rejected"} <= {candidate.outcome.tag for candidate, *_ in rows}
    assert any(attempt == 1 for _, attempt in asked)


def test_calls_overlap_up_to_the_lookahead(run, db):
    _, model = run(db, ToyModel(lambda: 0.02), crossover=0.0)
    assert model.most == 4


def test_every_call_is_stored_and_paid(run, db, uninterrupted):
    summary, model = run(db)
    calls = calls_of(db)
    assert sorted((c.ordinal, c.attempt) for c in calls) == sorted(model.asked)
    assert {c.state for c in calls} == {"answered"}
    assert sum(c.cost_usd for c in calls) == pytest.approx(0.015 * len(calls))
    assert model.budget.spent_usd == pytest.approx(0.015 * len(calls))
    assert summary.ended_by == ""


@pytest.mark.parametrize("after", [0, 3, 9])
def test_a_continued_campaign_asks_nothing_twice(run, db, contents, uninterrupted, after):
    def stop(campaign, event):
        if isinstance(event, Told) and event.candidate.ordinal == after:
            campaign.stop()

    _, first = run(db, seen=stop)
    _, second = run(db)
    assert contents(db, "toy") == uninterrupted[0]
    assert len(set(first.asked + second.asked)) == len(first.asked + second.asked)


def test_a_crash_at_any_write_loses_no_answer(run, new_db, contents, mortal):
    options = {"candidates": 6, "lookahead": 3}
    whole = new_db()
    _, undisturbed = run(whole, **options)
    for lives in range(0, 200, 4):
        db = new_db()
        ended, first = run(db, wrap=lambda writer, lives=lives: mortal(writer, lives), **options)
        stored = {(c.ordinal, c.attempt) for c in calls_of(db) if c.state == "answered"}
        _, second = run(db, **options)
        assert contents(db, "toy") == contents(whole, "toy")
        assert not stored & set(second.asked)
        lost = [c for c in calls_of(db) if c.state == "lost"]
        assert {(c.ordinal, c.attempt) for c in lost} <= set(first.asked) & set(second.asked) | set(
            second.asked
        )
        # What was lost is booked at what it may have cost.
        answered = sum(c.cost_usd for c in calls_of(db) if c.state == "answered")
        assert second.budget.spent_usd == pytest.approx(answered + sum(c.cost_usd for c in lost))
        if not isinstance(ended, Exception):
            assert first.asked == undisturbed.asked or sorted(first.asked) == sorted(undisturbed.asked)
            return
    pytest.fail("the campaign never came to its end")


@pytest.mark.parametrize("budget", [{"usd": 0.3}, {"tokens": 300}])
def test_a_budget_ends_the_campaign_in_order(run, db, contents, uninterrupted, slow, budget):
    summary, model = run(db, ToyModel(slow), **budget)
    assert summary.ended_by == next(iter(budget))
    assert "is reached" in summary.reason
    assert 1 < summary.candidates < 20
    assert model.budget.spent_usd <= 0.3
    assert contents(db, "toy") == uninterrupted[0][: summary.candidates]
    # Raised, it goes on, and what was answered beyond the end is not paid again.
    summary, second = run(db)
    assert summary.ended_by == ""
    assert contents(db, "toy") == uninterrupted[0]
    assert not set(model.asked) & set(second.asked)


def test_a_budget_for_nothing_leaves_the_seed(run, db):
    summary, model = run(db, usd=0.001)
    assert summary.candidates == 1
    assert model.asked == []


def test_a_model_that_is_gone_stops_the_campaign_and_it_continues(run, db, contents, uninterrupted):
    error, _ = run(db, ToyModel(fail_at=(5, 0)))
    assert isinstance(error, ModelUnavailable)
    assert [c.state for c in calls_of(db)].count("failed") == 1
    run(db)
    assert contents(db, "toy") == uninterrupted[0]


def test_a_recorded_campaign_replays(run, db, new_db, contents, tmp_path):
    run(db)
    (tmp_path / "calls.jsonl").write_text(recording({"campaign": "toy"}, calls_of(db)))
    warned, again = [], new_db()
    replay = ReplayModel(tmp_path / "calls.jsonl", warn=warned.append)
    run(again, replay, workers=4)
    assert contents(again, "toy") == contents(db, "toy")
    assert warned == []


def test_setup_mistakes_end_it_at_once(run, db):
    class Rejecting(ToyModel):
        async def complete(self, request):
            raise ModelSetupError("openai:toy: the key in OPENAI_API_KEY was rejected.")

    error, _ = run(db, Rejecting())
    assert isinstance(error, ModelSetupError)
