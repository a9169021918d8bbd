"""Domains that play games: scores, the tasks of a block, sealed tasks. 3-player Leduc is never played here."""

import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import seeds
from evaluators.cfr.domain import DOMAIN
from evaluators.contract import GameError, MeanGate, Plan, Stage, TaskError
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
    assert DOMAIN.score_decades(results).mean == pytest.approx((2.0 + 4.0 + 0.0 + 0.0) / 4)
    assert DOMAIN.score_decades(results).n == 8


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


# The score: advantage over the reference program.


def compared(own, other, *, floor=1e-6, readings=None, task=None):
    """A result whose curve and whose reference's curve have these values at the readings."""
    budgets = readings or DOMAIN.read_at(1000)
    curve, reference = (tuple(zip(budgets, values, strict=True)) for values in (own, other))
    task = task or Task("leduc2/generic-0", "leduc", "generic", budgets[-1], 0)
    return TaskResult(task, own[-1], curve=curve, reference=reference, uniform=1.0, floor=floor)


pairs = st.lists(exploitabilities, min_size=2, max_size=2)


@given(pairs)
def test_the_reference_has_no_advantage_over_itself(values):
    assert DOMAIN.task_score(compared(values, values)) == 0.0


@given(pairs, pairs, st.sampled_from([1e-9, 1e-6, 1e-2]))
def test_what_one_is_ahead_the_other_is_behind(a, b, floor):
    ahead, behind = (DOMAIN.task_score(compared(*pair, floor=floor)) for pair in ((a, b), (b, a)))
    assert ahead == pytest.approx(-behind, abs=1e-12)


@given(pairs, pairs, st.sampled_from([1e-9, 1e-6, 1e-2]))
def test_the_advantage_as_its_definition_has_it(own, other, floor):
    """Mean over the readings of log10(reference / own), both no less than the floor, clipped to [-1, 1]."""
    ratios = [np.log10(max(r, floor) / max(e, floor)) for e, r in zip(own, other, strict=True)]
    found = DOMAIN.task_score(compared(own, other, floor=floor))
    assert found == pytest.approx(np.clip(ratios, -1, 1).mean(), abs=1e-9)
    assert -DOMAIN.clip <= found <= DOMAIN.clip == 1.0


def test_what_is_beyond_the_floor_on_both_sides_counts_0_and_keeps_its_weight():
    beyond = compared([1e-7, 1e-12], [1e-9, 1e-8])
    ahead = compared([1e-2, 1e-3], [2e-2, 2e-3], task=Task("leduc2/generic-1", "leduc", "generic", 1000, 1))
    assert DOMAIN.task_score(beyond) == 0.0
    assert DOMAIN.score([beyond, ahead]).mean == pytest.approx(math.log10(2) / 2)
    assert DOMAIN.task_score(compared([1e-7, 1e-7], [1e-5, 1e-7])) == pytest.approx(1.0 / 2)


def test_one_run_far_ahead_counts_no_more_than_the_clip():
    assert DOMAIN.task_score(compared([1e-5, 1e-5], [1e-1, 1e-1])) == 1.0
    assert DOMAIN.task_score(compared([1e-1, 1e-5], [1e-5, 1e-1])) == 0.0


def test_the_score_is_read_off_one_run_at_several_budgets():
    assert (DOMAIN.read_at(1000), PSRO.read_at(100)) == ((300, 1000), (25, 50, 100))
    source = seeds.source("cfr", "cfr_plus")
    plan = DOMAIN.plan(["kuhn2"], tiers=["exact"], budget=40)
    (found,) = DOMAIN.evaluate(source, plan, InProcessSandbox()).results
    (other,) = DOMAIN.evaluate(seeds.source("cfr", "dcfr"), plan, InProcessSandbox()).results
    assert found.reference == other.curve
    own, reference = dict(found.curve), dict(other.curve)
    expected = [math.log10(reference[k] / own[k]) for k in (12, 40)]
    assert DOMAIN.task_score(found) == pytest.approx(np.clip(expected, -1, 1).mean())


@pytest.mark.parametrize("budget", [1, 2, 3, 4, 5, 7, 10])
def test_budgets_too_small_for_all_readings_have_those_that_there_are(budget):
    read = DOMAIN.read_at(budget)
    assert read[-1] == budget
    assert all(k >= 1 for k in read)
    plan = DOMAIN.plan(["kuhn2"], tiers=["exact"], budget=budget)
    evaluation = DOMAIN.evaluate(seeds.source("cfr", "dcfr"), plan, InProcessSandbox())
    assert evaluation.scores["advantage"].mean == 0.0


# Tasks of a search, and the race over them.


def test_a_first_rung_of_small_games_races_before_the_rest():
    plan = DOMAIN.plan(["liars_dice6", "kuhn2"], budget=10)
    assert [(stage.name, stage.gate) for stage in plan.stages] == [
        ("first rung", MeanGate(RACE_MARGIN)),
        ("the rest", None),
    ]
    rung, rest = ([task.name for task in stage.tasks] for stage in plan.stages)
    assert rung == ["kuhn2/generic-0"]
    assert rest == [*(f"kuhn2/generic-{n}" for n in (1, 2)), *(f"liars_dice6/generic-{n}" for n in range(3))]
    assert [stage.gate for stage in DOMAIN.plan(["kuhn2"], tiers=["exact"], budget=10).stages] == [None]
    assert [stage.name for stage in DOMAIN.plan(["liars_dice6"], budget=10).stages] == ["the rest"]


@pytest.mark.parametrize("domain", [DOMAIN, PSRO], ids=lambda domain: domain.name)
def test_the_first_rung_of_a_block_has_half_of_the_seeds_of_every_small_game(domain):
    rung, _ = domain.plan().stages
    counts = Counter(task.group for task in rung.tasks)
    assert counts == {name: max(1, count // 2) for name, count in domain.block.items()}


@pytest.mark.parametrize("domain", [DOMAIN, PSRO], ids=lambda domain: domain.name)
def test_a_search_plays_the_block_of_its_domain(domain):
    tasks = domain.plan().tasks
    assert Counter(task.group for task in tasks) == domain.block
    assert {task.tier for task in tasks} <= {"generic", "drawn"}
    assert all(task.seed is not None for task in tasks)


def test_a_task_is_chosen_by_its_name_alone():
    names = ["leduc2/generic-7", "random-17", "kuhn2/scale-10", "leduc2/jitter-1", "random-17/generic-3"]
    tasks = DOMAIN.select(names, budget=5)
    assert sorted(task.name for task in tasks) == sorted(names)
    found = {t.name: (t.tier, t.seed, t.group) for t in tasks}
    assert found["leduc2/generic-7"] == ("generic", 7, "leduc2")
    assert found["random-17"] == ("drawn", 17, "random")
    assert found["kuhn2/scale-10"] == ("scale", None, "kuhn2")
    assert DOMAIN.select(["leduc_poker(players=2)/generic-7"], budget=5) == (
        DOMAIN.select(["leduc2/generic-7"], budget=5)
    )
    assert DOMAIN.select(["random-17"], ["exact"], 5)[0].tier == "exact"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("leduc2/generic-x", "expected generic-<seed> with a whole number"),
        ("leduc2/scale-0", "expected scale-<factor> with a positive number"),
        ("leduc9/generic-1", "expected a short name or an OpenSpiel game string"),
        ("leduc2/exakt", "expected a short name or an OpenSpiel game string"),
        ("random-x", "expected random-<seed> with a whole number"),
    ],
)
def test_a_task_that_does_not_exist_is_named(name, message):
    with pytest.raises(GameError, match=message):
        DOMAIN.select([name])


@pytest.mark.parametrize("domain", [DOMAIN, PSRO], ids=lambda domain: domain.name)
def test_the_end_of_a_campaign_shows_sealed_instances_drawn_from_its_seed(domain):
    tasks = domain.held_out(3, 7)
    assert Counter(task.group for task in tasks) == domain.shown
    assert {task.budget for task in tasks} == {7}
    assert not set(tasks) & set(domain.held_out(4, 7))
    assert not {task.group for task in tasks} & domain.block.keys()
    assert domain.held_out(3, 7) == tasks


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
    """Outside of campaigns the generic tier has three fixed seeds; one of 32 drawn bits is hardly among them."""
    searched = {task.name for task in DOMAIN.plan(["kuhn2"], tiers=["generic"]).tasks}
    assert searched == {"kuhn2/generic-0", "kuhn2/generic-1", "kuhn2/generic-2"}


def test_sealed_games_are_no_training_games():
    assert not set(SUITES["sealed"]) & {*SUITES["paper"], *DOMAIN.block, *PSRO.block}


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
