"""Prices, and budgets that are reserved before a call and settled after it."""

import asyncio
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evolve.config import check_continues, parse_config
from evolve.errors import ConfigError
from evolve.models.base import BudgetReached, ModelSetupError, Usage
from evolve.models.budget import Budget
from evolve.models.config import LlmConfig, Price
from evolve.models.registry import make_model, pricing, split_name


def test_known_models_are_priced_from_the_table():
    from genai_prices import calc_price
    from genai_prices.types import Usage as TableUsage

    usage = Usage(1_000_000, 1_000_000)
    for name, provider in (("openai:gpt-4o", "openai"), ("gemini:gemini-2.5-flash", "google")):
        expected = calc_price(
            TableUsage(input_tokens=1_000_000, output_tokens=1_000_000),
            name.split(":")[1],
            provider_id=provider,
        )
        assert pricing(name, LlmConfig())(usage) == float(Decimal(expected.total_price)) > 0


def test_what_was_cached_costs_less():
    price = pricing("openai:gpt-4o", LlmConfig())
    assert price(Usage(1000, 0, cached_tokens=900)) < price(Usage(1000, 0))


def test_an_unknown_price_is_an_error_unless_allowed():
    with pytest.raises(ModelSetupError, match="nobody knows that of 'openai:my-own'") as caught:
        pricing("openai:my-own", LlmConfig())
    assert 'llm.prices."openai:my-own"' in caught.value.hint
    assert pricing("openai:my-own", LlmConfig(allow_unknown_price=True))(Usage(10, 10)) == 0.0


@pytest.mark.parametrize("url", ["http://localhost:11434/v1", "http://127.0.0.1:8000", "http://[::1]:80/v1"])
def test_a_server_on_this_machine_is_free(url, monkeypatch):
    assert pricing("openai:my-own", LlmConfig(base_url=url))(Usage(10, 10)) == 0.0
    monkeypatch.setenv("OPENAI_BASE_URL", url)
    assert pricing("openai:gpt-4o", LlmConfig())(Usage(10, 10)) == 0.0
    monkeypatch.setenv("OPENAI_BASE_URL", "https://gateway.example/v1")
    assert pricing("openai:gpt-4o", LlmConfig())(Usage(10, 10)) > 0.0


def test_one_of_several_models_may_have_a_server_of_its_own(monkeypatch):
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    config = LlmConfig(base_urls={"openai:my-own": "http://localhost:1/v1"})
    assert pricing("openai:my-own", config)(Usage(10, 10)) == 0.0
    assert pricing("openai:gpt-4o", config)(Usage(10, 10)) > 0.0
    with pytest.raises(ConfigError, match=r"llm\.base_urls") as caught:
        parse_config({"llm": {"base_urls": {"openai:m": "http://me:secret@host/v1"}}})
    assert "secret" not in caught.value.message


def test_the_configuration_s_price_counts():
    config = LlmConfig(prices={"openai:my-own": Price(input=2.0, output=8.0)})
    assert pricing("openai:my-own", config)(Usage(500_000, 250_000)) == 3.0


@pytest.mark.parametrize("name", ["mailbox:box", "replay:a.json", "scripted:a.json"])
def test_files_are_free(name):
    assert pricing(name, LlmConfig())(Usage(10**6, 10**6)) == 0.0


@pytest.mark.parametrize("name", ["gpt-4o", "openai", "openai:", "opnai:gpt-4o", ""])
def test_a_name_that_is_none_is_explained(name):
    with pytest.raises(ModelSetupError, match="expected one of openai:NAME") as caught:
        split_name(name)
    assert "\n" not in caught.value.message
    if name == "opnai:gpt-4o":
        assert caught.value.hint == "Did you mean 'openai'?"


def test_names_may_have_colons_and_slashes():
    assert split_name("openai:org/model:free") == ("openai", "org/model:free")


@pytest.mark.parametrize("name", ["replay:none.json", "scripted:none.json"])
def test_a_missing_file_is_said(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelSetupError, match=r"expected a file at none\.json"):
        make_model(name, LlmConfig())


def test_a_file_of_another_form_is_said(tmp_path):
    for content, said in (
        ("{", "expected JSON lines"),
        ("{}", "expected a recording of format 1"),
        ("3", "expected a recording"),
        ('{"recording": 1}\n{"ordinal": 1}', "line 2 of .* lacks answer, answered_by, attempt"),
    ):
        (tmp_path / "a.json").write_text(content)
        with pytest.raises(ModelSetupError, match=said):
            make_model(f"replay:{tmp_path / 'a.json'}", LlmConfig())
    with pytest.raises(ModelSetupError, match="expected a list in"):
        (tmp_path / "a.json").write_text("3")
        make_model(f"scripted:{tmp_path / 'a.json'}", LlmConfig())


def spend(budget, calls):
    """Makes (most, real) calls at once; the places of those that went through."""

    async def one(place, most, real):
        async with budget.reserve(usd=most, tokens=int(most * 100), place=place) as reservation:
            await asyncio.sleep(0)
            reservation.settle(usd=real, tokens=int(real * 100))
        return place

    async def go():
        done = await asyncio.gather(*(one(k, *call) for k, call in enumerate(calls)), return_exceptions=True)
        return [d for d in done if isinstance(d, int)], [d for d in done if isinstance(d, BudgetReached)]

    return asyncio.run(go())


def test_without_a_budget_everything_goes():
    assert len(spend(Budget(), [(5.0, 5.0)] * 4)[0]) == 4


def test_a_budget_is_never_exceeded_and_says_what_it_is():
    budget = Budget(usd=1.0)
    done, refused = spend(budget, [(0.4, 0.4)] * 5)
    assert done == [0, 1]
    assert budget.spent_usd == 0.8
    assert all(r.budget == "usd" for r in refused)
    assert "the budget of $1 is reached: $0.8000 are spent" in refused[0].message


def test_calls_wait_for_cheap_ones_in_flight():
    budget = Budget(usd=1.0)
    done, _ = spend(budget, [(0.9, 0.1)] * 4)
    assert done == [0, 1]  # then 0.2 are spent, and 0.9 more do not fit
    assert spend(Budget(usd=2.0), [(0.9, 0.1)] * 8)[0] == list(range(8))


def test_tokens_are_a_budget_too():
    done, refused = spend(Budget(tokens=100), [(0.6, 0.6)] * 2)
    assert done == [0]
    assert refused[0].budget == "tokens"
    assert "60 are spent" in refused[0].message


def test_what_was_spent_before_counts():
    assert spend(Budget(usd=1.0, spent_usd=0.7), [(0.4, 0.1)])[0] == []


def test_a_cancelled_call_gives_its_room_back():
    async def go():
        budget = Budget(usd=1.0)

        async def hang():
            async with budget.reserve(usd=1.0, tokens=1, place=0):
                await asyncio.sleep(60)

        async def wait(place):
            async with budget.reserve(usd=1.0, tokens=1, place=place) as reservation:
                reservation.settle(usd=0.0, tokens=0)
                return "went"

        first, second, third = (asyncio.create_task(c) for c in (hang(), wait(1), wait(2)))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        second.cancel()
        first.cancel()
        return await asyncio.wait_for(third, 2)

    assert asyncio.run(go()) == "went"


@given(st.lists(st.tuples(st.floats(0.01, 1.0), st.floats(0.0, 1.0)), max_size=12), st.floats(0.0, 3.0))
@settings(max_examples=100, deadline=None)
def test_what_goes_through_is_a_beginning_and_within_the_budget(calls, usd):
    budget = Budget(usd=usd)
    done, _ = spend(budget, [(most, most * share) for most, share in calls])
    assert budget.spent_usd <= usd + 1e-9
    ended = next((k for k in range(len(calls)) if k not in done), len(calls))
    assert done[:ended] == list(range(ended))


@pytest.mark.parametrize(
    "url", ["http://me:secret@host/v1", "https://host/v1?key=secret", "localhost:8000", "ftp://host"]
)
def test_an_address_holds_no_credentials_and_says_how_it_is_written(url):
    with pytest.raises(ConfigError) as caught:
        parse_config({"llm": {"base_url": url}})
    assert caught.value.message.startswith("config: llm.base_url:")
    assert "secret" not in caught.value.message


def test_what_decides_no_prompt_may_change_when_a_campaign_continues():
    before = parse_config({"operator": "llm", "model": "openai:m", "budget_usd": 1.0}).model_dump(mode="json")
    later = {"operator": "llm", "model": "openai:m", "budget_usd": 2.0}
    price = {"openai:m": {"input": 1, "output": 2}}
    check_continues(
        before, parse_config(later | {"llm": {"base_url": "http://localhost:1/v1", "prices": price}})
    )
    for changed in ({"llm": {"repairs": 0}}, {"model": "openai:other"}, {"budget_usd": 0.5}):
        with pytest.raises(ConfigError, match="exists with"):
            check_continues(before, parse_config(later | changed))
