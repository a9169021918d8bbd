"""River subgames of heads-up no-limit hold'em as data: board, pot, stacks, ranges and bets; by name, file or seed.

Two of the four endgames that Libratus played begin on the river: `libratus3` and `libratus4`. Their boards, pots and
reach probabilities are public facts (Sandholm-Lab/LibratusEndgames, which carries no licence, so that nothing of it but
these numbers is here); the original files load as well, ``libratus3(file=subgame3.txt)``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from evaluators.contract import GameError, nearest
from evaluators.games.form import Floats, Ints
from evaluators.games.public_tree import LEAF, Builder, PublicTree
from evaluators.games.river.cards import (
    BOARD_CARDS,
    CARDS,
    HANDS,
    KINDS,
    blocked,
    card_name,
    kind,
    parse_board,
    parse_range,
    strengths,
)

ALL_IN = float("inf")
"""The size of an all-in among sizes in pots."""
LIBRATUS_STACK = 20_000.0
"""What each player had at the start of a hand."""
_WEIGHTS = 1e-100, 1e100
"""Between these is the largest weight of a range, so that products neither overflow nor vanish."""
_RESIDUE = 1e-14
"""What differences of sums leave where the truth is 0, relative to the sum."""
MAX_NODES = 20_000
"""Public histories that a subgame may have."""
MAX_BETS = 100
"""Bets and raises that a spot may allow: the tree is walked by recursion."""
MAX_DRAWN_NODES = 160
"""Public histories that a drawn subgame has at most."""


@dataclass(frozen=True)
class Betting:
    """Which bets may be made.

    Attributes:
        bets: sizes in pots without a bet to face; `ALL_IN` for all that is left.
        raises: sizes in pots after the call, facing one.
        max_bets: most bets and raises in all.
    """

    bets: tuple[float, ...] = (0.5, 1.0, ALL_IN)
    raises: tuple[float, ...] = (1.0, ALL_IN)
    max_bets: int = 3


@dataclass(frozen=True, eq=False)
class Spot:
    """A river subgame.

    Attributes:
        board: five cards.
        pot: what lies in the middle.
        stack: what each player has left.
        ranges: (2, 1326) weight of each hand, 0 for hands that share a card with the board.
        betting: which bets may be made.
    """

    board: tuple[int, ...]
    pot: float
    stack: float
    ranges: Floats
    betting: Betting = Betting()

    def __post_init__(self) -> None:
        """Check the numbers, and drop hands that the board makes impossible.

        Raises:
            GameError: a pot or stack that is not positive, a size that is not positive, weights that are no weights, no
                deal.
        """
        for name in ("pot", "stack"):
            if not 0.0 < getattr(self, name) < np.inf:
                raise GameError(f"{name}: expected a positive number of chips; got {getattr(self, name):g}.")
        for name in ("bets", "raises"):
            for size in getattr(self.betting, name):
                if not size > 0.0:
                    raise GameError(
                        f"{name}: expected sizes above 0, in pots, or a for all-in; got {size:g}."
                    )
        if not 0 <= self.betting.max_bets <= MAX_BETS:
            raise GameError(
                f"max_bets: expected a whole number from 0 to {MAX_BETS}; got {self.betting.max_bets}."
            )
        object.__setattr__(self, "ranges", np.where(blocked(self.board), 0.0, self.ranges))
        for player, weights in enumerate(self.ranges):
            if not weights.any():
                raise GameError(
                    f"range{player}: expected a hand that the board {self.board_name} leaves possible; got none."
                )
            if not (weights.min() >= 0.0 and _WEIGHTS[0] <= weights.max() <= _WEIGHTS[1]):
                raise GameError(
                    f"range{player}: expected weights from 0, the largest between {_WEIGHTS[0]:g} and {_WEIGHTS[1]:g};"
                    f" got {weights.min():g} to {weights.max():g}."
                )
        if not self.deals > 0.0:
            raise GameError(
                "range0, range1: expected hands that can be dealt together; they always share a card."
            )

    @cached_property
    def deals(self) -> float:
        """Sum over the possible deals of the product of both weights."""
        first, second = self.ranges
        by_card = np.bincount(HANDS.ravel(), np.repeat(second, 2), CARDS)
        # A hand that shares both cards was taken off twice.
        others = second.sum() - by_card[HANDS].sum(axis=1) + second
        others[others < _RESIDUE * second.sum()] = 0.0
        return float(first @ others)

    def to_json(self) -> dict[str, Any]:
        """Return what it is, ranges apart, as plain data."""
        sizes = {
            name: ["a" if size == ALL_IN else size for size in getattr(self.betting, name)]
            for name in ("bets", "raises")
        }
        put = {"board": self.board_name, "pot": self.pot, "stack": self.stack}
        return put | sizes | {"max_bets": self.betting.max_bets}

    @property
    def board_name(self) -> str:
        """The board as text, such as ``Ks7d2c9h4s``."""
        return "".join(map(card_name, self.board))


class PublicBets(NamedTuple):
    """The public tree of a spot, with what has been put in and what actions are called.

    Attributes:
        tree: the histories.
        put_in: (M, 2) chips of each player in the pot, the initial half included.
        labels: what led to each node, such as ``bet 0.5``; "" of the root.
    """

    tree: PublicTree
    put_in: Floats
    labels: tuple[str, ...]

    @property
    def folded(self) -> Ints:
        """(M,) who folded to reach a node, -1 for nobody."""
        fold = np.array([label == "fold" for label in self.labels])
        before = self.tree.player[self.tree.parent]
        return np.where(fold, before, -1).astype(np.int32)

    def path(self, node: int) -> str:
        """Return the actions that lead to a node, such as ``check, bet 0.5``; "start" for none."""
        labels: list[str] = []
        while node:
            labels.append(self.labels[node])
            node = int(self.tree.parent[node])
        return ", ".join(reversed(labels)) or "start"


def public_bets(spot: Spot) -> PublicBets:
    """Return the public tree of a spot.

    Raises:
        GameError: it has more than `MAX_NODES` histories.
    """
    builder, put_in, labels = Builder(2), [], []
    most = spot.pot / 2 + spot.stack

    def add(player: int, chips: tuple[float, float], label: str, parent: int) -> int:
        put_in.append(chips)
        labels.append(label)
        if len(labels) > MAX_NODES:
            raise GameError(
                f"river: expected at most {MAX_NODES:,} public histories; the bets give more.",
                "Allow fewer sizes, or fewer bets (max_bets).",
            )
        return builder.add(player, parent)

    def grow(
        player: int, chips: tuple[float, float], bets: int, label: str, parent: int, *, checked: bool
    ) -> None:
        node = add(player, chips, label, parent)
        own, others = chips[player], chips[1 - player]
        facing = others > own
        if facing:
            add(LEAF, chips, "fold", node)
            add(LEAF, (others, others), "call", node)
        elif checked:
            add(LEAF, chips, "check", node)
        else:
            grow(1 - player, chips, bets, "check", node, checked=True)
        if bets >= spot.betting.max_bets or others >= most:
            return
        raised: list[float] = []
        for size in spot.betting.raises if facing else spot.betting.bets:
            amount = min(others + size * 2 * others, most)
            if amount not in raised:
                raised.append(amount)
                name = "all-in" if amount == most else f"{'raise' if facing else 'bet'} {size:g}"
                after = (amount, others) if player == 0 else (others, amount)
                grow(1 - player, after, bets + 1, name, node, checked=True)

    grow(0, (spot.pot / 2, spot.pot / 2), 0, "", -1, checked=False)
    return PublicBets(builder.tree(), np.array(put_in), tuple(labels))


def parse_sizes(name: str, text: str) -> tuple[float, ...]:
    """Return bet sizes in pots from a text such as ``0.5,1,a``; a stands for all-in.

    Raises:
        GameError: something else.
    """
    try:
        return tuple(
            ALL_IN if size == "a" else float(size)
            for size in map(str.strip, text.replace("/", ",").split(","))
            if size
        )
    except ValueError:
        raise GameError(
            f"{name}: expected sizes in pots such as 0.5,1,a (a: all-in); got {text!r}."
        ) from None


def make_spot(
    board: str,
    pot: float,
    stack: float,
    range0: str,
    range1: str,
    bets: str = "0.5,1,a",
    raises: str = "1,a",
    max_bets: int = 3,
) -> Spot:
    """Return a spot that is described in a poker player's terms (see `cards` and `parse_sizes`).

    Raises:
        GameError: something is malformed or impossible, or a size is beyond the stack.
    """
    betting = Betting(parse_sizes("bets", bets), parse_sizes("raises", raises), max_bets)
    cards, ranges = parse_board(board), np.stack([_range("range0", range0), _range("range1", range1)])
    spot = Spot(cards, pot, stack, ranges, betting)
    for name, sizes in (("bets", betting.bets), ("raises", betting.raises)):
        if beyond := [size for size in sizes if size != ALL_IN and size * pot > stack]:
            raise GameError(
                f"{name}: expected sizes within the stack of {stack:g}; {beyond[0]:g} pots are {beyond[0] * pot:g}.",
                "Write a for the all-in.",
            )
    return spot


def _range(name: str, text: str) -> Floats:
    """Return `parse_range` of a text; what is wrong is said of the range by its name."""
    try:
        return parse_range(text)
    except GameError as error:
        raise GameError(f"{name}: {error.message.removeprefix('range: ')}", error.hint) from error


def load_endgame(path: Path) -> Spot:
    """Return the spot in a file of Sandholm-Lab/LibratusEndgames.

    Raises:
        GameError: no such file, another kind of file, or an endgame that begins before the river.
    """
    try:
        lines = [line.split() for line in path.read_text(encoding="ascii").splitlines() if line]
        fields = {key: words for key, *words in lines}
        reach = np.array([words for key, *words in lines if key == "-reach"], np.float64)
        pot = float(fields["-pot"][0])
        ranges = reach.reshape(2, len(HANDS))
    except OSError as error:
        raise GameError(f"endgame: expected a file at {path}; {error.strerror}.") from error
    except (KeyError, IndexError, ValueError) as error:
        raise GameError(
            f"endgame: expected -board, -pot and twice 1,326 numbers after -reach in {path}; got something else."
        ) from error
    return Spot(parse_board("".join(fields["-board"])), pot, LIBRATUS_STACK - pot / 2, ranges)


def libratus(number: int) -> Spot:
    """Return the spot of an endgame of Libratus from the numbers that come with the package."""
    with np.load(str(files(__package__) / "libratus.npz")) as stored:
        board = tuple(stored[f"board{number}"].tolist())
        pot = float(stored[f"pot{number}"])
        return Spot(board, pot, LIBRATUS_STACK - pot / 2, stored[f"ranges{number}"])


class Law(NamedTuple):
    """How spots are drawn.

    Attributes:
        hands: most hands of each player; None for as many as the ranges have.
    """

    hands: int | None = None


LAWS: Mapping[str, Law] = MappingProxyType({"river": Law(), "river60": Law(hands=60)})
"""Law -> its parameters; ``river-7`` is what it draws from seed 7."""


def draw(law: str, seed: int) -> Spot:
    """Return a plausible spot, always the same for a law and a seed.

    Five random cards. The pot is log-uniform in [200, 10000] with stacks of 20,000 at the start of the hand, in the
    quarter of that interval that the seed's remainder by four says: which rule is ahead depends on the ratio of stack
    to pot, so that any four seeds in a row have all of it. One to three bets of {0.33, 0.5, 0.75, 1, 1.5, 2} pots and
    one or two raises of {0.5, 1, 1.5}, each with all-in; two to four bets at most, and at most 160 public histories.
    Ranges: piecewise linear in the quantile of strength (6 knots, 10^U(-1.5, 0)) times log-normal (sigma 0.5) for each
    of the 169 kinds of hands and suits alike or not, a kind being there with probability U(0.4, 1). A law with fewer
    hands keeps so many of each range, drawn without replacement.

    Raises:
        GameError: no such law.
    """
    rng = np.random.default_rng([seed, *law.encode()])
    board = tuple(int(card) for card in rng.choice(CARDS, BOARD_CARDS, replace=False))
    pot = float(np.round(200.0 * 50.0 ** ((seed % 4 + rng.random()) / 4)))
    while True:
        bets = sorted(
            rng.choice([0.33, 0.5, 0.75, 1.0, 1.5, 2.0], rng.integers(1, 4), replace=False).tolist()
        )
        raises = sorted(rng.choice([0.5, 1.0, 1.5], rng.integers(1, 3), replace=False).tolist())
        betting = Betting((*bets, ALL_IN), (*raises, ALL_IN), int(rng.integers(2, 5)))
        spot = Spot(board, pot, LIBRATUS_STACK - pot / 2, np.ones((2, len(HANDS))), betting)
        if len(public_bets(spot).labels) <= MAX_DRAWN_NODES:
            break
    strength = strengths(board)
    ranges = np.stack([_drawn_range(rng, strength, LAWS[law].hands) for _ in range(2)])
    return replace(spot, ranges=ranges)


def _drawn_range(rng: np.random.Generator, strength: Ints, hands: int | None) -> Floats:
    """(1326,) a range as `draw` describes it."""
    possible = strength >= 0
    quantile = np.searchsorted(np.sort(strength[possible]), strength) / possible.sum()
    shape = np.interp(quantile, np.linspace(0, 1, 6), 10.0 ** rng.uniform(-1.5, 0.0, 6))
    there = rng.uniform(0.4, 1.0)
    weights = {name: rng.lognormal(0.0, 0.5) * (rng.random() < there) for name in KINDS}
    out = np.where(possible, shape * np.array([weights[kind(number)] for number in range(len(HANDS))]), 0.0)
    if hands is not None:
        left = rng.permutation(np.flatnonzero(out))[hands:]
        out[left] = 0.0
    return out


PARAMETERS = ("board", "pot", "stack", "range0", "range1", "bets", "raises", "max_bets")
_SPOT = 'A spot: "river(board=Ks7d2c9h4s,pot=10,stack=100,range0=22+,range1=A2s+,bets=0.5/1/a)".'
_NUMBERS = {"pot": float, "stack": float, "max_bets": int}


def is_spot(name: str) -> bool:
    """Return whether a game's name is one of a river subgame, well-formed or not."""
    return re.split(r"[-(]", name, maxsplit=1)[0].strip() in ("libratus3", "libratus4", "river", *LAWS)


def named(name: str) -> Spot:
    """Return the spot called ``river-<seed>``, ``libratus3``, ``libratus3(file=...)`` or ``river(board=...,...)``.

    Raises:
        GameError: no such spot, or a malformed one.
    """
    if match := re.fullmatch(r"(\w+)-(\d+)", name):
        return draw(match[1], int(match[2]))
    match = re.fullmatch(r"(\w+)(?:\((.*)\))?", name, re.DOTALL)
    if match and match[1].startswith("libratus"):
        parameters = _parameters(match[2] or "", ("file",))
        return load_endgame(Path(parameters["file"])) if parameters else libratus(int(match[1][-1]))
    if match and match[1] == "river" and match[2]:
        parameters = _parameters(match[2], PARAMETERS)
        if missing := [key for key in PARAMETERS[:5] if key not in parameters]:
            raise GameError(
                f"river: expected board, pot, stack, range0 and range1; there is no {missing[0]}.", _SPOT
            )
        return make_spot(**{key: _number(key, value) for key, value in parameters.items()})
    raise GameError(
        f"river: expected river-<seed> with a whole number from 0, or a spot; got {name!r}.", _SPOT
    )


def _parameters(text: str, known: tuple[str, ...]) -> dict[str, str]:
    """Return ``key=value`` parts; values may hold commas."""
    parameters: dict[str, str] = {}
    for part in re.split(r",\s*(?=\w+=)", text) if text.strip() else ():
        key, equals, value = part.partition("=")
        if not equals or key.strip() not in known:
            raise GameError(
                f"river: expected one of {', '.join(known)}; got {part!r}.", nearest(key.strip(), known)
            )
        if key.strip() in parameters:
            raise GameError(f"river: expected {key.strip()} once; got it twice, {part!r} too.")
        parameters[key.strip()] = value.strip()
    return parameters


def _number(key: str, value: str) -> Any:
    if key not in _NUMBERS:
        return value
    try:
        return _NUMBERS[key](value)
    except ValueError:
        raise GameError(f"{key}: expected a number; got {value!r}.", _SPOT) from None
