"""The choice among models: everybody is tried, the better one per dollar is asked more, and it is a pure function."""

import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluators.records import Candidate, Evaluation, Outcome, Score, Tag
from evolve.models.ensemble import WINDOW, Paid, Pull, choose, pulls
from evolve.search.log import CandidateLog
from results.comparison import rewards

MODELS = ("a", "b", "c")


def searched(models, *, candidates=120, lookahead=8, cost_exponent=0.5, seed=0):
    """Who is asked for each candidate of a search whose models improve with the given chance at the given cost."""
    rng, told = random.Random(seed), []
    for ordinal in range(1, candidates + 1):
        known = max(0, ordinal - lookahead)
        name = choose(list(models), told[:known], pending=ordinal - 1 - known, cost_exponent=cost_exponent)
        chance, usd = models[name]
        told.append(Pull(name, rng.uniform(0.1, 0.9) if rng.random() < chance else 0.0, usd))
    return [pull.model for pull in told]


def asked(models, **options):
    """How often each model is asked, over several searches."""
    return sum((Counter(searched(models, seed=seed, **options)) for seed in range(8)), Counter())


told_lists = st.lists(
    st.builds(Pull, st.sampled_from(MODELS), st.floats(0, 1), st.one_of(st.just(0.0), st.floats(1e-6, 10))),
    max_size=30,
)


@given(told_lists, st.integers(0, 12), st.floats(0, 1))
@settings(max_examples=150, deadline=None)
def test_the_choice_is_a_pure_function_of_what_was_told(told, pending, exponent):
    first = choose(MODELS, told, pending=pending, cost_exponent=exponent)
    assert first in MODELS
    assert choose(MODELS, tuple(told), pending=pending, cost_exponent=exponent) == first
    # In whatever order it came: sums differ in the last digits at most, so that only exact ties may turn.
    same = [Pull(p.model, round(p.reward * 4) / 4, 0.25) for p in told]
    assert choose(MODELS, same, pending=pending, cost_exponent=exponent) == choose(
        MODELS, same[::-1], pending=pending, cost_exponent=exponent
    )


@given(st.floats(1e-3, 1e3), told_lists, st.integers(0, 8))
@settings(max_examples=50, deadline=None)
def test_the_currency_does_not_matter(unit, told, pending):
    exact = [Pull(p.model, p.reward, 2.0 ** round(p.usd)) for p in told]
    changed = [p._replace(usd=p.usd * 2.0 ** round(unit % 20)) for p in exact]
    options = {"pending": pending, "cost_exponent": 0.5}
    assert choose(MODELS, changed, **options) == choose(MODELS, exact, **options)


def test_the_first_candidates_are_dealt_out_in_turn():
    first = [choose(MODELS, [], pending=pending, cost_exponent=0.5) for pending in range(7)]
    assert first == ["a", "b", "c", "a", "b", "c", "a"]


def test_one_that_was_never_asked_comes_first():
    told = [Pull("a", 1.0, 0.0), Pull("b", 1.0, 0.0)] * 10
    assert choose(MODELS, told, pending=0, cost_exponent=1.0) == "c"


@pytest.mark.parametrize("cost_exponent", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("lookahead", [1, 8, 16])
def test_everybody_is_told(cost_exponent, lookahead):
    models = {"a": (0.9, 0.0), "b": (0.0, 1.0), "c": (0.0, 0.5)}
    assert set(searched(models, candidates=20, cost_exponent=cost_exponent, lookahead=lookahead)) == {*MODELS}


def test_the_better_one_is_asked_more():
    counts = asked({"a": (0.1, 0.01), "b": (0.4, 0.01)})
    assert counts["b"] > 3 * counts["a"] > 0


def test_equal_ones_share():
    counts = asked({"a": (0.2, 0.01), "b": (0.2, 0.01)})
    assert 0.7 < counts["a"] / counts["b"] < 1.4


def test_of_equally_good_ones_the_cheaper_is_asked_more_unless_costs_do_not_count():
    models = {"a": (0.2, 0.02), "b": (0.2, 0.01)}
    blind, half, dollars = (asked(models, cost_exponent=exponent) for exponent in (0.0, 0.5, 1.0))
    assert 0.7 < blind["a"] / blind["b"] < 1.4
    assert blind["b"] < half["b"] < dollars["b"]


def test_a_better_one_pays_for_a_higher_price():
    counts = asked({"a": (0.6, 0.02), "b": (0.1, 0.01)}, cost_exponent=1.0)
    assert counts["a"] > counts["b"]


def test_a_free_one_does_not_shut_out_a_much_better_one():
    counts = asked({"a": (0.9, 1.0), "b": (0.02, 0.0)})
    assert counts["a"] > counts["b"] > 0


def test_models_that_are_gone_are_ignored():
    assert choose(["a"], [Pull("z", 1.0, 0.0)], pending=0, cost_exponent=0.5) == "a"


@given(st.lists(st.floats(-1e6, 1e6)))
def test_rewards_are_shares_in_the_order_of_gains(gains):
    found = rewards(gains)
    assert all(0.0 <= reward <= 1.0 for reward in found)
    assert all(reward == 0.0 for reward, gain in zip(found, gains, strict=True) if gain <= 0)
    by_gain = [reward for _, reward in sorted(zip(gains, found, strict=True))]
    # Gains that differ in their last digit may have rewards that rounding puts the other way round.
    assert by_gain == pytest.approx(sorted(by_gain), rel=1e-12)


def test_a_typical_improvement_is_worth_a_half_in_any_unit():
    assert rewards([0.0, 1.0, -3.0, 2.0, 100.0]) == [0.0, 1 / 3, 0.0, 0.5, 100 / 102]
    assert rewards([1e-9, 2e-9]) == rewards([1.0, 2.0])
    assert rewards([]) == []


def told(ordinal, score, parent, tag=Tag.OK):
    outcome = Outcome(tag)
    evaluation = Evaluation(outcome, scores={"score": Score(score)} if outcome.ok else {})
    parents = (parent,) if parent else ()
    return Candidate(ordinal, "llm", f"p{ordinal}", parents, outcome=outcome, evaluation=evaluation)


def log_of(*candidates):
    return CandidateLog("score", candidates).upto(len(candidates))


def test_pulls_are_what_was_paid_and_what_it_brought_over_the_parent():
    log = log_of(
        told(0, 1.0, None),
        told(1, 3.0, "p0"),
        told(2, 2.0, "p1"),
        told(3, 0.0, "p1", Tag.EXCEPTION),
        told(4, 9.0, "p0"),
        told(5, 5.0, "p1"),
    )
    paid = {n: Paid("ab"[n % 2], n / 10) for n in (1, 2, 3, 5, 6)}  # 4 is a crossover, 6 is under way
    assert pulls(log, paid) == [
        Pull("b", 0.5, 0.1), Pull("a", 0.0, 0.2), Pull("b", 0.0, 0.3), Pull("b", 0.5, 0.5),
    ]  # fmt: skip


def test_only_the_last_candidates_count():
    log = log_of(*(told(n, float(n % 2), f"p{n - 1}" if n else None) for n in range(WINDOW + 3)))
    found = pulls(log, {n: Paid("a", float(n)) for n in range(WINDOW + 3)})
    assert [pull.usd for pull in found] == [float(n) for n in range(3, WINDOW + 3)]
