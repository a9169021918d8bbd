"""Cards, hold'em hands, and ranges in the notation of poker tools.

A card is ``4 * rank + suit``, ranks from 2 to ace and suits in the order s, h, d, c. A hand is a pair of cards; the
1,326 hands are numbered 2s2h, 2s2d, 2s2c, 2s3s and so on, as in the public data of Libratus' endgames. A range is
(1326,) float64, the weight of each hand.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from evaluators.contract import GameError
from evaluators.games.form import Floats, Ints

RANKS = "23456789TJQKA"
SUITS = "shdc"
CARDS = len(RANKS) * len(SUITS)
BOARD_CARDS = 5

HANDS: Ints = np.stack(np.triu_indices(CARDS, 1), axis=1).astype(np.int32)
"""(1326, 2) cards of each hand."""
_NUMBER = {(int(a), int(b)): number for number, (a, b) in enumerate(HANDS)}

_CARD = re.compile(f"([{RANKS}])([{SUITS}])", re.IGNORECASE)
_KIND = re.compile(f"([{RANKS}])([{RANKS}])([so]?)", re.IGNORECASE)
_SYNTAX = (
    "Hands look like AA, AKs, KTo, QJ, AhKh; groups like 22+, A2s+, QQ-99, A5s-A2s; a weight like AKo:0.5."
)


def parse_card(text: str) -> int:
    """Return the card that a rank and a suit stand for, such as ``Ks``.

    Raises:
        GameError: it is none.
    """
    match = _CARD.fullmatch(text)
    if match is None:
        raise GameError(f"card: expected a rank of {RANKS} and a suit of {SUITS}, such as Ks; got {text!r}.")
    return 4 * RANKS.index(match[1].upper()) + SUITS.index(match[2].lower())


def parse_board(text: str) -> tuple[int, ...]:
    """Return the five cards of a board, with or without spaces or commas between them.

    Raises:
        GameError: not five cards, or one twice.
    """
    plain = re.sub(r"[\s,]", "", text)
    cards = tuple(parse_card(plain[k : k + 2]) for k in range(0, len(plain), 2))
    if len(cards) != BOARD_CARDS:
        raise GameError(
            f"board: expected {BOARD_CARDS} cards, such as Ks7d2c9h4s; got {len(cards)} in {text!r}."
        )
    if len(set(cards)) < BOARD_CARDS:
        twice = next(card for card in cards if cards.count(card) > 1)
        raise GameError(
            f"board: expected {BOARD_CARDS} different cards; got {card_name(twice)} twice in {text!r}."
        )
    return cards


def card_name(card: int) -> str:
    """Return a card as rank and suit, such as ``Ks``."""
    return RANKS[card // 4] + SUITS[card % 4]


def hand_name(number: int) -> str:
    """Return a hand as its two cards, the higher first, such as ``AhKd``."""
    low, high = HANDS[number].tolist()
    return card_name(high) + card_name(low)


def kind(number: int) -> str:
    """Return what a hand is before suits are looked at: ``AA``, ``AKs`` or ``AKo``."""
    low, high = HANDS[number].tolist()
    ranks = RANKS[high // 4] + RANKS[low // 4]
    return ranks if ranks[0] == ranks[1] else ranks + ("s" if low % 4 == high % 4 else "o")


KINDS = tuple(dict.fromkeys(map(kind, range(len(HANDS)))))
"""The 169 kinds of hands."""


def parse_range(text: str) -> Floats:
    """Return the range that a text in the notation of poker tools stands for, (1326,).

    Where a hand is named twice the later weight counts.

    Raises:
        GameError: it is no range, or one without weight.
    """
    weights = np.zeros(len(HANDS))
    for token in re.split(r"[\s,;]+", text.strip().strip(",;")):
        name, colon, weight_text = token.partition(":")
        weight = _weight(weight_text, token) if colon else 1.0
        weights[list(_hands(name, token))] = weight
    if not weights.any():
        raise GameError(f"range: expected hands of some weight; got {text!r}.", _SYNTAX)
    return weights


def blocked(cards: Sequence[int]) -> NDArray[np.bool_]:
    """Return which hands hold one of the cards, (1326,)."""
    return np.isin(HANDS[:, 0], cards) | np.isin(HANDS[:, 1], cards)


def strengths(board: Sequence[int]) -> Ints:
    """Return the strength of each hand with a board, (1326,): more beats less, -1 where hand and board share a card."""
    from phevaluator import evaluate_cards  # Here, because listing games needs no cards.

    on_board = [card_name(card) for card in board]
    shared = blocked(board)
    # Its best hand has rank 1, its worst 7,462.
    return np.array(
        [
            -1 if shared[number] else 7462 - evaluate_cards(*on_board, *map(card_name, hand))
            for number, hand in enumerate(HANDS.tolist())
        ],
        np.int32,
    )


def _weight(text: str, token: str) -> float:
    try:
        weight = float(text)
    except ValueError:
        weight = math.nan
    if not 0.0 <= weight < math.inf:
        raise GameError(f"range: expected a weight from 0 after the colon; got {token!r}.", _SYNTAX)
    return weight


def _hands(name: str, token: str) -> Iterator[int]:
    """Yield the numbers of the hands that a part of a range without its weight names."""
    if name.lower() == "random":
        yield from range(len(HANDS))
    elif len(name) == 4 and _CARD.fullmatch(name[:2]) and _CARD.fullmatch(name[2:]):
        low, high = sorted((parse_card(name[:2]), parse_card(name[2:])))
        if low == high:
            raise GameError(f"range: expected two different cards; got {token!r}.", _SYNTAX)
        yield _NUMBER[low, high]
    else:
        for high, low, suits in _kinds(name, token):
            yield from (
                number
                for (a, b), number in _NUMBER.items()
                if (a // 4, b // 4) == (low, high) and (not suits or (suits == "s") == (a % 4 == b % 4))
            )


def _kinds(name: str, token: str) -> Iterator[tuple[int, int, str]]:
    """Yield (higher rank, lower rank, suits) of a kind of hands, ``AKs``; or of a group, ``A2s+`` and ``QQ-99``."""
    plus, (first, dash, last) = name.endswith("+"), name.rstrip("+").partition("-")
    high, low, suits = _kind(first, token)
    if plus and not dash:
        step = (
            1 if high == low else 0
        )  # Pairs rise together, otherwise the kicker rises to below the higher card.
        for k in range((len(RANKS) if high == low else high) - low):
            yield high + step * k, low + k, suits
    elif dash and not plus:
        other_high, other_low, other_suits = _kind(last, token)
        step = 0 if other_high == high else 1
        if suits != other_suits or (step and high - low != other_high - other_low):
            raise GameError(
                f"range: expected a group of one kind, such as QQ-99 or A5s-A2s; got {token!r}.", _SYNTAX
            )
        top, bottom = max(low, other_low), min(low, other_low)
        for k in range(top - bottom + 1):
            yield (min(high, other_high) + k if step else high), bottom + k, suits
    elif not plus:
        yield high, low, suits
    else:
        raise GameError(f"range: expected a group with + or with -, not both; got {token!r}.", _SYNTAX)


def _kind(text: str, token: str) -> tuple[int, int, str]:
    match = _KIND.fullmatch(text)
    if match is None:
        raise GameError(f"range: expected hands; got {token!r}.", _SYNTAX)
    low, high = sorted(RANKS.index(rank.upper()) for rank in match.groups()[:2])
    suits = match[3].lower()
    if low == high and suits:
        raise GameError(f"range: expected a pair without s or o; got {token!r}.", _SYNTAX)
    return high, low, suits
