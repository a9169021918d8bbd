"""Campaigns with several models, and with a model that merges, on the toy domain."""

import asyncio
import random
import re

import pytest

from evaluators.records import Tag
from evolve.models.base import Completion, Message, Usage
from evolve.models.config import LlmConfig
from evolve.models.registry import Priced
from evolve.operators.llm import LlmCrossover, LlmOperator
from evolve.search.events import Told
from evolve.search.language_models import Llm
from results import queries
from results.progress import model_report
from results.store import open_store


class Prompter:
    """Shows the parents, and how much has been tried."""

    def first(self, parent, context, rng):
        text = f"{parent.source}\n# {context.ordinal} {len(context.log)} {rng.random()}"
        return (Message("system", "toy"), Message("user", text))

    def merge(self, first, second, context):
        text = f"{first.source}\n# merge {context.ordinal}\n{second.source}"
        return (Message("system", "toy"), Message("user", text))

    def repair(self, problem, *, patched):
        return Message("user", problem)


class ToyModel:
    """Steps towards 3.5 as often as it is good, by the request alone; else it says nothing of use."""

    free = False

    def __init__(self, name, skill, latency):
        self.name, self.skill, self.latency, self.asked = name, skill, latency, []

    async def complete(self, request):
        self.asked.append((request.ordinal, request.attempt))
        await asyncio.sleep(self.latency())
        draw = random.Random(request.hash + self.name)
        x, fate = re.search(r"return (\S+), '(\w+)'", request.messages[1].text).groups()
        text = "I do not know."
        if draw.random() < self.skill:
            step = (3.5 - float(x)) * draw.uniform(0.01, 0.3)
            text = (
                f"Idea: step\n<<<<<<< SEARCH\n        return {x}, {fate!r}\n=======\n"
                f"        return {float(x) + step!r}, {str(Tag.OK)!r}\n>>>>>>> REPLACE\n"
            )
        return Completion(text, Usage(10, 5), self.name, 0.0)

    async def close(self):
        pass


@pytest.fixture
def run(toy):
    """Runs or continues a toy campaign with models: name -> (skill, USD per token); (summary, name -> ToyModel)."""

    def go(db, models, *, latency=lambda: 0.0, merge=False, **options):
        made = {name: ToyModel(name, skill, latency) for name, (skill, _) in models.items()}
        priced = [
            Priced(made[name], lambda usage, usd=usd: usage.total * usd) for name, (_, usd) in models.items()
        ]
        seen, delay = options.pop("seen", None), options.pop("delay", lambda: 0.0)
        settings = {"candidates": 40, "lookahead": 4, "operator": "llm", "crossover": 0.15, "workers": 2}
        config = toy.config(model=tuple(models), **(settings | options))
        settings = LlmConfig(repairs=1)
        operator = LlmOperator(Prompter(), settings)
        crossover = LlmCrossover(Prompter(), settings) if merge else toy.Crossover()
        llm = Llm(config, operator, crossover, priced)

        def connected(writer):
            llm.connect(writer, lambda event: None)
            return writer

        summary = toy.run(
            db, config, operator=operator, crossover=crossover, wrap=connected, delay=delay, seen=seen
        )
        return summary, made

    return go


TWO = {"openai:good": (0.9, 0.001), "openai:bad": (0.05, 0.001)}


def asked_for(db):
    """Ordinal -> models that were asked for it."""
    found = {}
    with open_store(db, read_only=True) as store:
        for call in queries.calls(store, "toy"):
            found.setdefault(call.ordinal, set()).add(call.model)
    return found


@pytest.fixture
def undisturbed(run, new_db, contents):
    db = new_db()
    run(db, TWO, workers=1)
    return contents(db, "toy"), asked_for(db)


def test_the_better_model_is_asked_more_and_both_are_tried(run, db):
    _, made = run(db, TWO, candidates=60)
    good, bad = (len({ordinal for ordinal, _ in model.asked}) for model in made.values())
    assert good > 2 * bad > 0


def test_the_cheaper_of_two_good_models_is_asked_more(run, db):
    _, made = run(db, {"openai:dear": (0.9, 0.01), "openai:cheap": (0.9, 0.001)}, candidates=60)
    dear, cheap = (len(model.asked) for model in made.values())
    assert cheap > 2 * dear > 0


def test_a_repair_goes_to_the_same_model(undisturbed):
    assert undisturbed[1]
    assert all(len(models) == 1 for models in undisturbed[1].values())


@pytest.mark.parametrize("workers", [1, 4])
def test_workers_and_latency_change_nothing(run, db, contents, undisturbed, jitter, workers):
    run(db, TWO, workers=workers, latency=jitter, delay=jitter)
    assert (contents(db, "toy"), asked_for(db)) == undisturbed


@pytest.mark.parametrize("after", [1, 6, 17])
def test_a_continued_campaign_makes_the_same_choices(run, db, contents, undisturbed, after):
    def stop(campaign, event):
        if isinstance(event, Told) and event.candidate.ordinal == after:
            campaign.stop()

    run(db, TWO, seen=stop)
    run(db, TWO)
    assert (contents(db, "toy"), asked_for(db)) == undisturbed


def test_one_model_of_a_list_is_as_that_model_alone(run, new_db, contents):
    """No draw of the search depends on how many models could have been asked."""
    alone, other = new_db(), new_db()
    run(alone, {"openai:good": (0.9, 0.001)})
    run(other, {"openai:good": (0.9, 0.02)}, workers=1)
    assert contents(alone, "toy") == contents(other, "toy")


def test_a_model_merges_two_parents(run, db, contents, new_db, jitter):
    run(db, TWO, merge=True, crossover=0.5)
    rows = contents(db, "toy")
    merged = [candidate for candidate, *_ in rows if candidate.operator == "llm-crossover"]
    assert merged
    assert all(len(candidate.parents) == 2 for candidate in merged)
    assert {candidate.operator for candidate, *_ in rows} == {"seed", "llm", "llm-crossover"}
    again = new_db()
    run(again, TWO, merge=True, crossover=0.5, workers=4, latency=jitter)
    assert contents(again, "toy") == rows


def test_every_call_of_a_candidate_is_made_once(run, db):
    """A merge without a usable answer is the candidate's end: nobody else is asked under the same number."""
    _, made = run(db, {"openai:bad": (0.1, 0.0)}, merge=True, crossover=0.7)
    (model,) = made.values()
    assert len(set(model.asked)) == len(model.asked)


def test_the_report_is_what_the_choice_goes_by(run, db, contents):
    run(db, TWO)
    with open_store(db, read_only=True) as store:
        good, bad = model_report(store, "toy")
        calls = queries.calls(store, "toy")
    assert [good.model, bad.model] == list(TWO)
    rows = {candidate.ordinal: (candidate, scores) for candidate, _, scores, _ in contents(db, "toy")}
    scored = {c.program_id: s["search"]["score"].mean for c, s in rows.values() if c.outcome.ok}
    for share in (good, bad):
        own = [c for c in calls if c.model == share.model]
        candidates = {c.ordinal for c in own}
        better = [
            n
            for n in candidates
            if rows[n][0].outcome.ok and scored[rows[n][0].program_id] > scored[rows[n][0].parents[0]]
        ]
        assert share.calls == len(own)
        assert share.unanswered == 0
        assert share.candidates == len(candidates)
        assert share.valid == sum(rows[n][0].outcome.ok for n in candidates)
        assert share.improved == len(better) >= share.records
        assert share.input_tokens + share.output_tokens == 15 * len(own)
        assert share.cost_usd == pytest.approx(0.015 * len(own))
        assert share.usd_per_improvement == (pytest.approx(share.cost_usd / len(better)) if better else None)
    assert good.reward > bad.reward
    assert good.records > 0
