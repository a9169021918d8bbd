"""Objectives: larger is better, finite, and every game counts the same."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluators import scores

exploitabilities = st.floats(1e-18, 10.0) | st.sampled_from([0.0, -4e-16])


def result(value, *, game="kuhn2", variant="exact", uniform=1.0, curve=None):
    name = game if variant == "exact" else f"{game}/{variant}"
    curve = curve or ((1, uniform), (10, value))
    return InstanceResult(Instance(name, game, variant, curve[-1][0]), game, curve, uniform, 0.0, 0.0, 0.0)


@given(exploitabilities, st.floats(1e-3, 10.0))
def test_decades_are_between_zero_and_six(value, uniform):
    assert 0.0 <= scores.decades(value, uniform) <= 6.0


@given(exploitabilities, exploitabilities, st.floats(1e-3, 10.0))
def test_less_exploitable_is_never_worse(a, b, uniform):
    low, high = sorted((a, b))
    assert scores.decades(low, uniform) >= scores.decades(high, uniform)


@given(st.floats(1e-5, 1.0), st.floats(1e-2, 10.0), st.sampled_from([0.5, 2.0, 16.0]))
def test_the_unit_of_the_payoffs_does_not_count(value, uniform, factor):
    assert scores.decades(value * factor, uniform * factor) == pytest.approx(scores.decades(value, uniform))


@pytest.mark.parametrize(
    ("value", "expected"),
    [(1.0, 0.0), (0.1, 1.0), (1e-3, 3.0), (1e-9, 6.0), (0.0, 6.0), (-4e-16, 6.0), (2.0, 0.0)],
)
def test_known_decades(value, expected):
    assert scores.decades(value, 1.0) == pytest.approx(expected)


def test_a_game_counts_once_per_tier_however_many_seeds_it_has():
    results = [
        result(1e-2),
        *[result(1e-4, variant=f"generic-{seed}") for seed in range(3)],
        result(1.0, game="leduc2"),
        *[result(1.0, game="leduc2", variant=f"generic-{seed}") for seed in range(3)],
    ]
    assert scores.balanced(results) == pytest.approx((2.0 + 4.0 + 0.0 + 0.0) / 4)


def test_the_area_counts_early_progress():
    early = result(1e-2, curve=((1, 1.0), (10, 1e-2), (100, 1e-2)))
    late = result(1e-2, curve=((1, 1.0), (10, 1.0), (100, 1e-2)))
    assert scores.area(early) == pytest.approx(1.5)
    assert scores.area(late) == pytest.approx(0.5)


@given(st.lists(exploitabilities, min_size=1, max_size=8))
def test_the_area_lies_between_the_curves_least_and_most(values):
    curve = tuple((k + 1, value) for k, value in enumerate(values))
    parts = [scores.decades(value, 1.0) for value in values]
    area = scores.area(result(values[-1], curve=curve))
    assert min(parts) - 1e-9 <= area <= max(parts) + 1e-9


@st.composite
def complete_results(draw):
    games = draw(st.lists(st.sampled_from(["kuhn2", "kuhn3", "leduc2"]), min_size=1, unique=True))
    variants = draw(
        st.sampled_from([["exact"], ["generic-0", "generic-1"], ["exact", "generic-0", "scale-10"]])
    )
    return [result(draw(exploitabilities), game=g, variant=v) for g in games for v in variants]


@given(complete_results())
def test_names_are_those_of_the_objectives(results):
    found = scores.objectives(results)
    assert list(found) == list(scores.names([r.instance for r in results]))
    assert all(map(math.isfinite, found.values()))


@given(complete_results())
def test_the_order_of_the_results_does_not_count(results):
    assert scores.objectives(results[::-1]) == pytest.approx(scores.objectives(results))


def test_the_papers_objectives_see_exact_games_only():
    results = [result(0.5), result(0.1, variant="generic-0"), result(0.3, game="leduc2")]
    found = scores.objectives(results)
    assert found["neg_exploitability"] == pytest.approx(-0.4)
    assert found["neg_exploitability/leduc2"] == -0.3
    assert "neg_exploitability" not in scores.objectives(results[1:2])


def test_each_tier_has_its_mean():
    found = scores.objectives([result(1e-2), result(1e-4, variant="generic-0")])
    assert (found["decades_exact"], found["decades_generic"]) == pytest.approx((2.0, 4.0))
    assert found["decades"] == pytest.approx(3.0)
