"""Promotion's sealed games: the shape of the plan. 3-player Leduc is never played here."""

import pytest

from evaluators import sealed
from evaluators.cfr.domain import DOMAIN, HORIZONS
from evaluators.contract import GameError
from evaluators.games.game import load
from evaluators.games.suites import SUITES
from sandbox.base import Limits


def test_every_game_at_every_horizon():
    plan = DOMAIN.promotion_plan(7)
    assert [stage.name for stage in plan.stages] == ["K=300", "K=1000", "K=3000"]
    for stage, k in zip(plan.stages, HORIZONS, strict=True):
        assert [i.game for i in stage.instances] == ["leduc3", "goofspiel5", "liars_dice6", "leduc2_ranks5"]
        assert {i.iterations for i in stage.instances} == {k}
        assert stage.margin is None  # nothing is skipped: a look is a look
    names = [i.name for i in plan.instances]
    assert len(set(names)) == len(names) == 12


def test_the_seed_is_recorded_in_every_instance():
    assert {i.variant for i in DOMAIN.promotion_plan(4242).instances} == {"generic-4242"}
    assert DOMAIN.promotion_plan(1) == DOMAIN.promotion_plan(1) != DOMAIN.promotion_plan(2)


def test_every_seed_that_is_drawn_can_be_used():
    game = load("kuhn2", f"generic-{2**32 - 1}")
    assert game.utility.shape == load("kuhn2").utility.shape


@pytest.mark.parametrize("seed", [-1, -(2**40)])
def test_a_seed_below_zero_is_refused(seed):
    with pytest.raises(GameError, match=f"got {seed}"):
        DOMAIN.promotion_plan(seed)


def test_games_and_horizons_can_be_chosen():
    plan = sealed.promotion_plan(0, games=["kuhn_poker(players=2)"], horizons=[20, 10], limits=Limits())
    assert [(i.name, i.iterations) for i in plan.instances] == [
        ("kuhn2/generic-0/K=10", 10),
        ("kuhn2/generic-0/K=20", 20),
    ]


def test_a_search_never_sees_the_seeds_of_promotion_by_its_tiers():
    """The search's generic tier has three fixed seeds; one of 32 drawn bits is among them once in a billion."""
    searched = {i.variant for i in DOMAIN.plan(["kuhn2"], tiers=["generic"]).instances}
    assert searched == {"generic-0", "generic-1", "generic-2"}


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
