"""Names: short names, OpenSpiel strings, suites, payoff variants."""

import numpy as np
import pyspiel
import pytest

from evaluators.cfr.domain import DOMAIN as CFR
from evaluators.contract import GameError
from evaluators.games import matrix, suites
from evaluators.games.game import Variant, parse_variant
from evaluators.games.loading import load
from evaluators.games.suites import (
    DRAWN,
    FAMILIES,
    GAMES,
    Law,
    family,
    has_sibling,
    member,
    resolve,
    suite,
)
from evaluators.psro.domain import DOMAIN as PSRO


@pytest.mark.parametrize("name", GAMES)
def test_game_strings_are_canonical(name):
    string = GAMES[name]
    again = matrix.canonical(string) if string.startswith(matrix.KIND) else str(pyspiel.load_game(string))
    assert again == string
    assert resolve(again) == (name, string)


def test_the_eighteen_games_of_the_paper():
    """Arxiv 2602.16928, third version: eleven of the first sweep, seven more."""
    assert suite("paper") == ("kuhn3", "leduc2", "goofspiel4", "liars_dice5")
    eleven = suite("paper") + suite("test")
    assert len(set(eleven)) == 11
    assert len({*eleven, *suite("extended")}) == 18


def test_every_game_is_of_one_family_and_one_tier():
    names = [name for one in FAMILIES.values() for name in one.members]
    assert sorted(names) == sorted(GAMES) == sorted(set(names))
    tiers = [name for tier in ("validation", "sealed", "multiplayer") for name in suite(tier)]
    training = [name for name in names if member(name).tier == "train"]
    assert sorted(tiers + training) == sorted(names)
    assert all((member(name).players > 2) == (member(name).tier == "multiplayer") for name in names)


def test_the_tiers_are_those_of_the_design():
    assert suite("validation") == (
        *("leduc2_ranks5", "leduc2_ranks9", "goofspiel4_random", "goofspiel5_diff"),
        *("battleship22_3", "blotto5"),
    )
    assert suite("sealed") == (
        *("leduc2_ranks13", "leduc2_big", "battleship32_2", "battleship32_3", "oshi_zumo4", "oshi_zumo5"),
        *("matrix_brps", "matrix_nfg2", "matrix_nfg3", "matrix_nfg5"),
    )
    assert {family(name) for name in suite("sealed") if not has_sibling(family(name))} == {
        "oshi_zumo",
        "matrix",
    }


def test_no_sealed_game_is_searched_or_chosen_by():
    assert not {*suite("sealed")} & {*suite("paper"), *suite("test"), *suite("validation")}
    for domain in (CFR, PSRO):
        assert {(DRAWN.get(name) or member(name)).tier for name in domain.block} == {"train"}
        assert {(DRAWN.get(name) or member(name)).tier for name in domain.shown} == {"sealed"}


def test_sealed_siblings_are_larger_than_what_training_has():
    for name in suite("sealed"):
        trained = [m for m in FAMILIES[family(name)].members.values() if m.tier == "train"]
        assert all(m.sizes.terminals < member(name).sizes.terminals for m in trained)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("leduc2_big", "leduc"),
        ("leduc2/generic-3", "leduc"),
        ("leduc_poker(players=2,suit_isomorphism=True)", "leduc"),
        ("zero_sum_matrix(1 -1; -1 1)", "matrix"),
        ("tiny_hanabi()", "tiny_hanabi"),
        ("universal_poker(numRanks=4)", "universal_poker"),
    ],
)
def test_family_of_any_game(name, expected):
    assert family(name) == expected


@pytest.mark.parametrize("name", ["cards-17", "cards", "cards(size=3)", "cards-17/generic-2"])
def test_games_of_a_law_belong_to_its_family(monkeypatch, name):
    law = Law("dealt", "train", "cards from a seed")
    monkeypatch.setattr(suites, "DRAWN", DRAWN | {"cards": law})
    assert family(name) == "dealt"
    assert has_sibling("dealt")
    assert suites.about("dealt") == "cards from a seed"
    assert resolve(name) == (name, name)
    assert resolve("kuhn2").name == "kuhn2"


def test_matrices_are_written_in_one_way():
    assert resolve("zero_sum_matrix( 0 -1.0 2;1 0 -2; -2 2.0 0)").name == "matrix_nfg2"
    assert resolve("zero_sum_matrix(0.5 -1e-3)").name == "zero_sum_matrix(0.5 -0.001)"


@pytest.mark.parametrize("rows", ["", "()", "(1 2; 3)", "(1 x)", "(nan 1)", "(inf 1)", "(1 2", "(1 2; )"])
def test_what_is_no_matrix(rows):
    with pytest.raises(GameError, match="expected a matrix of finite numbers") as error:
        resolve(f"zero_sum_matrix{rows}")
    assert "semicolons" in error.value.hint


def test_a_matrix_is_played_as_its_rows_say():
    game = load("zero_sum_matrix(3 0; 1 2)")
    first, second = np.array([0.25, 0.75]), np.array([0.5, 0.5])
    assert game.profile_values([first, second]).expected.tolist() == [1.5, -1.5]
    assert game.nash_conv([first, second]) == pytest.approx(0.0)  # Each makes the other indifferent.


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
        suite("papr")
    assert "'paper'" in error.value.hint


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
