"""Domains that play games: scores in decades, sealed tasks of a promotion. 3-player Leduc is never played here."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

import seeds
from evaluators.cfr.domain import DOMAIN
from evaluators.contract import MeanGate, Plan, Stage, TaskError
from evaluators.games.game_domain import RACE_MARGIN, area, decades
from evaluators.games.loading import load
from evaluators.games.suites import SUITES
from evaluators.psro.domain import DOMAIN as PSRO
from evaluators.records import Task, TaskResult
from evolve.comparison.held_out import Choice, held_out_plan
from sandbox.inprocess import InProcessSandbox

exploitabilities = st.floats(1e-18, 10.0) | st.sampled_from([0.0, -4e-16])


def result(value, *, game="kuhn2", variant="exact", uniform=1.0, curve=None):
    name = game if variant == "exact" else f"{game}/{variant}"
    curve = curve or ((1, uniform), (10, value))
    task = Task(name, game, variant.partition("-")[0], curve[-1][0])
    return TaskResult(task, value, curve=curve, uniform=uniform)


def means(results):
    return {name: score.mean for name, score in DOMAIN.scores(results).items()}


@given(exploitabilities, st.floats(1e-3, 10.0))
def test_decades_are_between_zero_and_six(value, uniform):
    assert 0.0 <= decades(value, uniform) <= 6.0


@given(exploitabilities, exploitabilities, st.floats(1e-3, 10.0))
def test_less_exploitable_is_never_worse(a, b, uniform):
    low, high = sorted((a, b))
    assert decades(low, uniform) >= decades(high, uniform)


@given(st.floats(1e-5, 1.0), st.floats(1e-2, 10.0), st.sampled_from([0.5, 2.0, 16.0]))
def test_the_unit_of_the_payoffs_does_not_count(value, uniform, factor):
    assert decades(value * factor, uniform * factor) == pytest.approx(decades(value, uniform))


@pytest.mark.parametrize(
    ("value", "expected"),
    [(1.0, 0.0), (0.1, 1.0), (1e-3, 3.0), (1e-9, 6.0), (0.0, 6.0), (-4e-16, 6.0), (2.0, 0.0)],
)
def test_known_decades(value, expected):
    assert decades(value, 1.0) == pytest.approx(expected)


def test_a_game_counts_once_per_tier_however_many_seeds_it_has():
    results = [
        result(1e-2),
        *[result(1e-4, variant=f"generic-{seed}") for seed in range(3)],
        result(1.0, game="leduc2"),
        *[result(1.0, game="leduc2", variant=f"generic-{seed}") for seed in range(3)],
    ]
    assert DOMAIN.score(results).mean == pytest.approx((2.0 + 4.0 + 0.0 + 0.0) / 4)
    assert DOMAIN.score(results).n == 8


def test_what_a_gate_compares_counts_every_variant_the_same():
    results = [result(1e-2), *[result(1e-4, variant=f"generic-{seed}") for seed in range(3)]]
    assert DOMAIN.stage_score(results).mean == pytest.approx((2.0 + 3 * 4.0) / 4)


def test_the_area_counts_early_progress():
    early = result(1e-2, curve=((1, 1.0), (10, 1e-2), (100, 1e-2)))
    late = result(1e-2, curve=((1, 1.0), (10, 1.0), (100, 1e-2)))
    assert area(early) == pytest.approx(1.5)
    assert area(late) == pytest.approx(0.5)


@given(st.lists(exploitabilities, min_size=1, max_size=8))
def test_the_area_lies_between_the_curves_least_and_most(values):
    curve = tuple((k + 1, value) for k, value in enumerate(values))
    parts = [decades(value, 1.0) for value in values]
    found = area(result(values[-1], curve=curve))
    assert min(parts) - 1e-9 <= found <= max(parts) + 1e-9


@st.composite
def complete_results(draw):
    games = draw(st.lists(st.sampled_from(["kuhn2", "kuhn3", "leduc2"]), min_size=1, unique=True))
    variants = draw(
        st.sampled_from([["exact"], ["generic-0", "generic-1"], ["exact", "generic-0", "scale-10"]])
    )
    return [result(draw(exploitabilities), game=g, variant=v) for g in games for v in variants]


@pytest.mark.parametrize("tiers", [("exact",), ("generic", "jitter"), ("exact", "generic", "scale")])
def test_names_are_those_of_the_scores(tiers):
    plan = DOMAIN.plan(["kuhn2", "leduc2"], tiers=tiers, budget=10)
    results = [TaskResult(task, 0.1, uniform=1.0) for task in plan.tasks]
    assert list(DOMAIN.scores(results)) == list(DOMAIN.score_names(plan))


@given(complete_results())
def test_scores_are_finite_and_do_not_depend_on_the_order_of_the_results(results):
    found = means(results)
    assert all(map(math.isfinite, found.values()))
    assert means(results[::-1]) == pytest.approx(found)


def test_the_papers_objectives_see_exact_games_only():
    results = [result(0.5), result(0.1, variant="generic-0"), result(0.3, game="leduc2")]
    found = means(results)
    assert found["neg_exploitability"] == pytest.approx(-0.4)
    assert found["neg_exploitability/leduc2"] == -0.3
    assert "neg_exploitability" not in means(results[1:2])


def test_each_tier_has_its_mean():
    found = means([result(1e-2), result(1e-4, variant="generic-0")])
    assert (found["decades_exact"], found["decades_generic"]) == pytest.approx((2.0, 4.0))
    assert found["decades"] == pytest.approx(3.0)


def test_the_cheap_games_race_before_the_costly_ones():
    plan = DOMAIN.plan(["liars_dice6", "kuhn2"], budget=10)
    assert [(stage.name, stage.gate) for stage in plan.stages] == [
        ("small games", MeanGate(RACE_MARGIN)),
        ("large games", None),
    ]
    assert [{task.group for task in stage.tasks} for stage in plan.stages] == [{"kuhn2"}, {"liars_dice6"}]
    assert [stage.gate for stage in DOMAIN.plan(["kuhn2"], budget=10).stages] == [None]


# The sealed tasks of a promotion.


def test_every_sealed_game_at_every_horizon():
    plan = held_out_plan(DOMAIN, Choice(), 7)
    drawn = [task for task in plan.tasks if task.tier == "generic"]
    sealed = [game for game in SUITES["sealed"] if game != "leduc2_big"]  # Beyond `MAX_DRAWN_TERMINALS`.
    assert {(task.group, task.budget) for task in drawn} == {
        (game, k) for game in sealed for k in (300, 1000, 3000)
    }
    assert len(drawn) == len({(task.name, task.budget) for task in drawn}) == 3 * len(sealed) == 27


def test_the_seed_is_recorded_in_every_sealed_task():
    copies = [t for t in DOMAIN.draw(4242) if t.tier == "generic"]
    assert all((t.seed, t.name) == (4242, f"{t.group}/generic-4242") for t in copies)
    assert DOMAIN.draw(1) == DOMAIN.draw(1) != DOMAIN.draw(2)


def test_games_of_sealed_laws_are_drawn():
    drawn = [t for t in DOMAIN.draw(7) if t.tier == "drawn"]
    assert [t.name for t in drawn] == [
        f"{law}-{n}" for law in ("random_sealed", "river") for n in range(28, 32)
    ]
    assert [t.family for t in drawn] == ["random_sums"] * 4 + ["river"] * 4
    assert all(t.name.endswith(f"-{t.seed}") for t in drawn)
    assert {t.family for t in PSRO.draw(7)} - {t.family for t in DOMAIN.draw(7)} == set()
    assert "river" not in {t.family for t in PSRO.draw(7)}
    (result,) = DOMAIN.evaluate(seeds.source("cfr", "dcfr"), one(drawn[0]), InProcessSandbox()).results
    assert result.task.name == "random_sealed-28"
    assert result.value < result.uniform


def one(task):
    """A plan of a single task, for a few iterations."""
    return Plan((Stage("one", (replace(task, budget=10),)),), DOMAIN.limits)


def test_every_seed_that_is_drawn_can_be_used():
    game = load("kuhn2", f"generic-{2**32 - 1}")
    assert game.utility.shape == load("kuhn2").utility.shape


@pytest.mark.parametrize("seed", [-1, -(2**40)])
def test_a_seed_below_zero_is_refused(seed):
    with pytest.raises(TaskError, match=f"got {seed}"):
        DOMAIN.draw(seed)


def test_held_out_games_and_horizons_can_be_chosen():
    plan = held_out_plan(DOMAIN, Choice(tasks=["kuhn_poker(players=2)"], horizons=[20, 10]), 0)
    assert {(t.name, t.budget) for t in plan.tasks} == {("kuhn2", 10), ("kuhn2", 20)}


def test_a_search_never_sees_the_seeds_of_promotion_by_its_tiers():
    """The search's generic tier has three fixed seeds; one of 32 drawn bits is among them once in a billion."""
    searched = {task.name for task in DOMAIN.plan(["kuhn2"], tiers=["generic"]).tasks}
    assert searched == {"kuhn2/generic-0", "kuhn2/generic-1", "kuhn2/generic-2"}


def test_sealed_games_are_no_training_games():
    assert not set(SUITES["sealed"]) & set(SUITES["train"])


def test_leduc_with_five_ranks():
    """10 cards: 10 * 9 deals; a round ends in 4 folds or 5 showdowns, which the first round follows up with a card."""
    game = load("leduc2_ranks5")
    assert game.form.num_terminals == 10 * 9 * (4 + 5 * 8 * 9)
    assert game.num_infosets == (1380, 1380)


def test_five_ranks_is_leduc_where_there_are_three():
    three = load("leduc2_ranks5").game_string.replace("numRanks=5", "numRanks=3")
    game, leduc = load(three), load("leduc2")
    assert game.form.num_terminals == leduc.form.num_terminals
    assert game.num_pairs == leduc.num_pairs
    uniform = [game.uniform(p) for p in range(2)]
    assert game.nash_conv(uniform) == pytest.approx(leduc.nash_conv(uniform), rel=1e-12)
    assert game.nash_conv(uniform) == pytest.approx(4.747222, abs=1e-6)  # OpenSpiel's own tests
