"""Cards, ranges and spots in a poker player's notation, and what is refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluators.contract import GameError
from evaluators.games.loading import load
from evaluators.games.river.cards import (
    HANDS,
    KINDS,
    card_name,
    hand_name,
    kind,
    parse_board,
    parse_card,
    parse_range,
    strengths,
)
from evaluators.games.river.spots import libratus, load_endgame, named, public_bets

SPOT = "river(board=Ks7d2c9h4s,pot=10,stack=100,range0=22+,range1=A2s+,KTo+)"


def test_hands_stand_in_the_order_of_the_public_data():
    first = [tuple(map(card_name, hand)) for hand in HANDS[:4].tolist()]
    assert first == [("2s", "2h"), ("2s", "2d"), ("2s", "2c"), ("2s", "3s")]
    assert len(HANDS) == 1326
    assert len(KINDS) == 169


@given(st.integers(0, 1325))
def test_a_hands_name_is_a_range_of_that_hand(number):
    assert np.flatnonzero(parse_range(hand_name(number))).tolist() == [number]
    assert parse_range(kind(number))[number] == 1.0


@pytest.mark.parametrize(
    ("text", "hands", "weight"),
    [
        ("AA", 6, 6), ("AKs", 4, 4), ("AKo", 12, 12), ("AK", 16, 16), ("KA", 16, 16), ("22+", 78, 78),
        ("A2s+", 48, 48), ("KTo+", 36, 36), ("QQ-99", 24, 24), ("99-QQ", 24, 24), ("A5s-A2s", 16, 16),
        ("T9s-54s", 24, 24), ("AhKh", 1, 1), ("AKs:0.5", 4, 2), ("AK, AKs:0.25 QQ", 22, 19), ("random", 1326, 1326),
        ("AA;KK", 12, 12),
    ],
)  # fmt: skip
def test_notation(text, hands, weight):
    weights = parse_range(text)
    assert np.count_nonzero(weights) == hands
    assert weights.sum() == weight


def test_strengths_follow_the_rules_of_poker():
    strength = strengths(parse_board("Ks7d2c9h4s"))

    def of(text):
        return strength[np.flatnonzero(parse_range(text))]

    best_to_worst = ["KhKd", "9s9d", "7s7c", "KhQh", "QhQd", "AhQd", "JhTd"]
    values = [of(text)[0] for text in best_to_worst]
    assert values == sorted(values, reverse=True)
    assert (of("KsQh") == -1).all()
    assert of("AhQd") == of("AdQh")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected hands"), ("AKx", "expected hands; got 'AKx'"), ("AAs", "a pair without s or o"),
        ("AK:x", "a weight from 0"), ("AK:-1", "a weight from 0"), ("AK:inf", "a weight from 0"),
        ("22+-44", "expected hands"), ("AhAh", "two different cards"), ("QQ-A5s", "a group of one kind"),
        ("AK:0", "hands of some weight"), ("22-44+", "with + or with -"),
    ],
)  # fmt: skip
def test_malformed_ranges_are_refused_in_one_line(text, message):
    with pytest.raises(GameError, match=message.replace("+", r"\+")) as caught:
        parse_range(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (SPOT.replace("Ks7d2c9h4s", "KsKs2c9h4s"), "5 different cards; got Ks twice"),
        (SPOT.replace("Ks7d2c9h4s", "Ks7d2c9h"), "5 cards"),
        (SPOT.replace("Ks7d2c9h4s", "Zs7d2c9h4s"), "a rank of"),
        (SPOT.replace("pot=10", "pot=0"), "pot: expected a positive number"),
        (SPOT.replace("pot=10", "pot=ten"), "pot: expected a number"),
        (SPOT.replace("stack=100", "stack=-1"), "stack: expected a positive number"),
        (SPOT.replace(")", ",bets=0/1)"), "bets: expected sizes above 0"),
        (SPOT.replace(")", ",bets=11)"), "within the stack of 100; 11 pots are 110"),
        (SPOT.replace(")", ",raises=x)"), "raises: expected sizes in pots"),
        (SPOT.replace(")", ",max_bets=-1)"), "max_bets: expected a whole number"),
        (SPOT.replace(")", ",bets=1e-9,raises=1e-9,max_bets=2000)"), "max_bets: .* to 100; got 2000"),
        (
            "river(board=Ks7d2c9h4s,pot=10,stack=4000,range0=random,range1=random,"
            "bets=0.33/0.5/0.75/1/1.5/a,raises=0.33/0.5/0.75/1/a,max_bets=5)",
            "at most 5,000,000 terminal histories; .* ends times 2,162 hands are",
        ),
        (SPOT.replace("range0=22+", "range0=KsKh"), "range0: expected a hand that the board"),
        (SPOT.replace("range0=22+", "range0=AA:1e300"), "range0: expected weights .* got 0 to 1e.300"),
        (SPOT.replace("range0=22+", "range0=AA:1e-300"), "range0: expected weights"),
        ("river(board=Ks7d2c9h4s,pot=1,stack=1,range0=AhAd,range1=AhAd)", "always share a card"),
        (SPOT.replace("stack=100,", ""), "there is no stack"),
        (SPOT.replace("pot=", "pott="), "expected one of board"),
        (SPOT.replace("range1=A2s+", "range1=A2x"), "range1: expected hands; got 'A2x'"),
        (SPOT.replace(")", ",pot=20)"), "expected pot once; got it twice, 'pot=20' too"),
        ("river", "expected river-<seed>"),
        ("river-x", "expected river-<seed>"),
        ("libratus3(file=/nowhere)", "expected a file at /nowhere"),
        ("libratus3(path=/nowhere)", "expected one of file"),
    ],
)
def test_impossible_spots_are_refused_in_one_line(name, message):
    with pytest.raises(GameError, match=message) as caught:
        load(name)
    assert "\n" not in str(caught.value)


def test_a_spot_in_a_poker_players_terms():
    spot = named(SPOT)
    assert (spot.board_name, spot.pot, spot.stack) == ("Ks7d2c9h4s", 10.0, 100.0)
    assert np.count_nonzero(spot.ranges[0]) == 78 - 5 * 3  # Each card of the board leaves three of six pairs.
    labels = public_bets(spot).labels
    assert {"check", "bet 0.5", "bet 1", "all-in", "fold", "call", "raise 1"} == set(labels) - {""}
    assert named(SPOT.replace(")", ",bets=0.5 / 1, a)")).betting == spot.betting


def test_an_endgame_loads_from_the_original_files_form(tmp_path):
    spot = libratus(4)
    rows = " ".join(map(repr, spot.ranges.ravel().tolist()))
    path = tmp_path / "subgame4.txt"
    path.write_text(f"-round 4\n-board {spot.board_name}\n-pot 3750\n-reach {rows}\n")
    loaded = load_endgame(path)
    assert (loaded.board, loaded.pot, loaded.stack) == (spot.board, spot.pot, spot.stack)
    assert np.array_equal(loaded.ranges, spot.ranges)
    assert named(f"libratus4(file={path})").pot == 3750.0
    path.write_text("-board JsKs5cQs7d\n-pot 3750\n-reach 1 2 3\n")
    with pytest.raises(GameError, match=r"twice 1,326 numbers"):
        load_endgame(path)
    for wrong in ("-1", "nan"):
        path.write_text(f"-board {spot.board_name}\n-pot 3750\n-reach {rows.rpartition(' ')[0]} {wrong}\n")
        with pytest.raises(GameError, match=r"range1: expected weights from 0"):
            load_endgame(path)


def test_cards():
    assert [parse_card(text) for text in ("2s", "2h", "2d", "2c", "As", "ac")] == [0, 1, 2, 3, 48, 51]
