"""Names: short names, OpenSpiel strings, suites, payoff variants."""

import numpy as np
import pyspiel
import pytest

from evaluators.contract import GameError
from evaluators.games.game import Variant, parse_variant
from evaluators.games.loading import load
from evaluators.games.suites import GAMES, SUITES, resolve, suite


@pytest.mark.parametrize("name", GAMES)
def test_game_strings_are_canonical(name):
    assert str(pyspiel.load_game(GAMES[name])) == GAMES[name]


def test_every_name_is_in_a_suite_and_only_sealed_games_are_in_two():
    names = [game for suite, games in SUITES.items() for game in games if suite != "sealed"]
    assert sorted({*names, *SUITES["sealed"]}) == sorted(GAMES)
    assert len(set(names)) == len(names)
    assert suite("train") == ("kuhn3", "leduc2", "goofspiel4", "liars_dice5")
    assert len(suite("train") + suite("test")) == 11


def test_resolve_knows_a_game_by_its_string_too():
    assert resolve("kuhn3") == ("kuhn3", "kuhn_poker(players=3)")
    shuffled = "goofspiel(players=2,num_cards=4,imp_info=True,points_order=descending)"
    assert resolve(shuffled).name == "goofspiel4"
    assert resolve("tiny_hanabi") == ("tiny_hanabi()", "tiny_hanabi()")


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("kuhn5", "'kuhn4'"),
        ("liars_dise6", "'liars_dice6'"),
        ("leduc_pokr(players=2)", "'leduc_poker'"),
    ],
)
def test_unknown_games_get_the_nearest_name(name, hint):
    with pytest.raises(GameError, match="short name or an OpenSpiel game string") as error:
        resolve(name)
    assert hint in error.value.hint


@pytest.mark.parametrize("string", ["kuhn_poker(players=99)", "kuhn_poker(", "kuhn_poker(cards=3)"])
def test_what_openspiel_refuses_is_a_game_error(string):
    with pytest.raises(GameError, match="OpenSpiel does not load"):
        resolve(string)


def test_unknown_suite():
    with pytest.raises(GameError) as error:
        suite("tran")
    assert "'train'" in error.value.hint


def test_parse():
    assert parse_variant("exact") == Variant()
    assert parse_variant("generic-7") == Variant(noise=0.1, seed=7)
    assert parse_variant("jitter-0") == Variant(noise=1e-9)
    assert parse_variant("scale-0.1") == Variant(factor=0.1)


@pytest.mark.parametrize(
    "name",
    [
        *("", "exakt", "exact-1", "generic", "generic-", "generic--1", "generic-1.5", "jitter-x"),
        *("scale", "scale-0", "scale--2", "scale-inf", "scale-nan"),
    ],
)
def test_unknown_variants(name):
    with pytest.raises(GameError, match=r"^variant: expected"):
        load("kuhn2", name)


def test_generic_noise_is_shared_by_all_players_and_keeps_zero_sum():
    exact, generic = load("leduc2"), load("leduc2", "generic-3")
    np.testing.assert_allclose(generic.utility.sum(axis=0), 0.0, atol=1e-16)
    xi = np.random.default_rng(3).standard_normal(exact.form.num_terminals)[exact.form.visit]
    np.testing.assert_allclose(generic.utility, exact.utility * (1 + 0.1 * xi), rtol=1e-12)


def test_variants_differ_by_seed_and_repeat():
    first, again, other = (load("kuhn3", f"generic-{seed}").utility for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.allclose(first, other)


def test_jitter_and_scale():
    exact = load("kuhn3")
    assert 0 < np.abs(load("kuhn3", "jitter-0").utility / exact.utility - 1).max() < 1e-8
    np.testing.assert_allclose(load("kuhn3", "scale-10").utility, 10 * exact.utility)
    uniform = [exact.uniform(p) for p in range(3)]
    scaled = load("kuhn3", "scale-10").exploitability(uniform)
    assert scaled == pytest.approx(10 * exact.exploitability(uniform))
