"""Random games of perfect recall, drawn from a seed: the seed decides types, tree and payoffs, not a copy's noise.

``random-17`` is the game that the law `random` draws from the seed 17; ``random-17(types=6,depth=5)`` fixes sizes
that the seed draws otherwise. All are public trees (`public_tree`) with private types and payoffs that sum to zero.
Hands that share cards, bets that grow and hidden correlations are what known games share, so the laws have these;
beyond that they are as unlike each other as we could make them, since one is trained on and the other is sealed.

**Betting** (`random`; `random_3p` with three players). Types like hands that exclude each other: the weight of a
profile is log-normal, exp(xi), and 0 with probability 0.15, though no type has probability 0. Everybody puts in 1.
In a round all who are left act in random order. Without a bet to meet, a player checks or raises; with one it folds,
calls or raises; to the highest contribution times one of `branching` factors evenly between 1.5 and 4, at most to the
stack, from 8 to 32. A node has 2 to `branching` actions, as many raises as that leaves; none where the others could
not answer within `depth` moves, and of several to the stack one. A round ends when nobody who is left has to answer,
and then, with probability 1/2, the game. Those who are left share the pot in proportion to
exp(2 a_p[t_p] + m_p[t] / 2 + eta_p[leaf, t]), all three standard normal: a player's own strength, what matches of
types add, which makes them intransitive, and what the rest of the deal adds.

**Sums** (`random_sealed`). A hidden state, one of three, is drawn first, and given it types are independent, so that
they are correlated by classes (Dirichlet with parameter 1 for states, 1/2 for types, and a twentieth uniform). Who
acts is drawn at every node, though everybody has acted once before anybody acts twice; a node has 2 actions, one more
with probability 1/2, and so on up to `branching`; once all have acted, the game ends after a move with probability
1/4. There are no bets and no pot: payoffs are sums over the moves of a path, as in the random trees of game-tree
search (Nau 1982; Korf and Chickering 1996). The second player's types have three traits, standard normal, and a move
gives the first player the sum of these times what they are worth, standard normal in (trait, move, type of the first
player), plus 0.2 times Laplace noise: it has to guess what the other holds. With more noise, or less of the other's
type in it, most games have equilibria that hardly mix, which DCFR finds to rounding within 300 iterations.

Sizes that a name does not fix are drawn evenly from `Law.sizes`; where it fixes none, sizes and game are drawn again
until there are `SMALLEST` to `LARGEST` terminals. Numbers are rounded, probabilities to thousandths of the largest,
upwards, and payoffs to multiples of 2**-16, so that machines whose exponentials differ in the last digit have the same
game.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from evaluators.contract import GameError, nearest
from evaluators.games.form import SequenceForm
from evaluators.games.public_tree import LEAF, Builder, PublicTree, compile_public_tree, to_efg

Array = NDArray[np.float64]

SMALLEST, LARGEST = 1_000, 10_000
"""Terminals of a game whose sizes the seed draws: sizes and tree are drawn again until they are between these."""

MAX_SIZE = 100
"""Of types, depth and branching: beyond it a game would be too large anyway."""

_PATTERN = re.compile(r"(?P<law>\w+)-(?P<seed>[0-9]{1,18})(?:\((?P<sizes>[^()]*)\))?")


class RandomGame(NamedTuple):
    """A drawn game: its public tree, the joint law of types and the payoffs, as `compile_public_tree` takes them."""

    tree: PublicTree
    law: Array
    payoffs: Array


@dataclass(frozen=True)
class Law:
    """What draws games of a kind.

    Attributes:
        num_players: N.
        sizes: name -> (least, greatest) that a seed draws, both included.
        draw: the game from a generator, of these sizes.
        least_depth: moves that a game must have room for.
    """

    num_players: int
    sizes: Mapping[str, tuple[int, int]]
    draw: Callable[[np.random.Generator, Sizes], RandomGame]
    least_depth: int


@dataclass(frozen=True)
class Sizes:
    """How large a game is.

    Attributes:
        players: N.
        types: of every player.
        depth: moves on the longest path.
        branching: actions of a node at most.
        terminals: of the game at most, else `_TooLarge` is raised while it grows.
    """

    players: int
    types: int
    depth: int
    branching: int
    terminals: int


class _TooLarge(Exception):
    """A tree outgrew what it may have."""


class Name(NamedTuple):
    """A random game's name, in parts; `sizes` are those that it fixes."""

    law: str
    seed: int
    sizes: dict[str, int]

    def __str__(self) -> str:
        """The name in its one canonical form."""
        sizes = ",".join(f"{name}={self.sizes[name]}" for name in sorted(self.sizes))
        return f"{self.law}-{self.seed}" + (f"({sizes})" if sizes else "")


def parse(name: str) -> Name | None:
    """Return the parts of a random game's name; None for a name that begins with no law.

    Raises:
        GameError: no seed, or sizes that the law does not have, or twice, or 0, or beyond `MAX_SIZE`.
    """
    kind = re.split(r"[-(]", name, maxsplit=1)[0].strip()
    if kind not in LAWS:
        return None
    match = _PATTERN.fullmatch(name.strip())
    if match is None:
        raise GameError(
            f"game: expected {kind}-<seed> with a whole number from 0; got {name!r}.",
            f"For example {kind}-17, or {kind}-17(types=6,depth=5).",
        )
    sizes = [_size(kind, part) for part in (match["sizes"] or "").split(",") if part.strip()]
    if len(dict(sizes)) < len(sizes):
        raise GameError(f"{kind}: expected each size once; got {name!r}.")
    return Name(kind, int(match["seed"]), dict(sizes))


def _size(law: str, text: str) -> tuple[str, int]:
    name, _, value = (part.strip() for part in text.partition("="))
    known = LAWS[law].sizes
    if name not in known:
        raise GameError(
            f"{law}: expected a size such as types=6; got {text.strip()!r}.", nearest(name, [*known])
        )
    least = LAWS[law].least_depth if name == "depth" else 2
    if not re.fullmatch("[0-9]{1,3}", value) or not least <= int(value) <= MAX_SIZE:
        raise GameError(f"{law}: {name}: expected a whole number from {least} to {MAX_SIZE}; got {value!r}.")
    return name, int(value)


def draw(name: str) -> RandomGame:
    """Return the game of a name.

    Raises:
        GameError: it is no random game's name, or the game would be too large.
    """
    from evaluators.games import compile  # Here, because it imports pyspiel, which takes 100 ms.

    parsed = parse(name)
    if parsed is None:
        raise GameError(f"game: expected the name of a random game; got {name!r}.", nearest(name, [*LAWS]))
    law = LAWS[parsed.law]
    rng = np.random.default_rng([*parsed.law.encode(), parsed.seed])
    most = compile.MAX_TERMINALS if parsed.sizes else LARGEST
    while True:
        drawn = {key: int(rng.integers(*bounds, endpoint=True)) for key, bounds in law.sizes.items()}
        sizes = Sizes(law.num_players, **drawn | parsed.sizes, terminals=most)
        try:
            game = law.draw(rng, sizes)
        except _TooLarge:
            if parsed.sizes:
                raise compile.too_large(name, "the tree outgrew that and was dropped") from None
            continue
        if parsed.sizes or len(game.tree.leaves) * np.count_nonzero(game.law) >= SMALLEST:
            return game


def compile_random(name: str) -> SequenceForm:
    """Return the sequence form of a random game. Raises as `draw`."""
    return compile_public_tree(name, *draw(name))


def efg(name: str) -> str:
    """Return a random game as the text that ``pyspiel.load_efg_game`` reads. Raises as `draw`."""
    return to_efg(name, *draw(name))


def _rounded(weights: Array) -> Array:
    """Probabilities in proportion to weights, rounded to thousandths of the largest, no positive one to 0."""
    whole = np.ceil(np.round(weights / weights.max() * 1000, 6))
    law: Array = whole / whole.sum()
    return law


def _zero_sum(payoffs: Array) -> Array:
    """(N, ...) payoffs of all, rounded, given (N - 1, ...) those of all but the last player."""
    fine = np.round(payoffs * 2.0**16) / 2.0**16 + 0.0  # No zero with a sign.
    return np.concatenate([fine, -fine.sum(axis=0, keepdims=True)])


@dataclass
class _Growing:
    """A tree that grows, and how many leaves it may have."""

    builder: Builder
    room: int

    def leaf(self, parent: int) -> None:
        """Append a leaf.

        Raises:
            _TooLarge: there is no room.
        """
        self.room -= 1
        if self.room < 0:
            raise _TooLarge
        self.builder.add(LEAF, parent)


class _Table(NamedTuple):
    """Where a game of bets stands: contributions, who is left and who has still to act, and moves that remain."""

    paid: tuple[float, ...]
    left: frozenset[int]
    to_act: frozenset[int]
    moves: int

    def after(self, player: int, paid: float) -> _Table:
        """The table after a check, call or raise to `paid`."""
        raised = paid > max(self.paid)
        to_act = (self.left if raised else self.to_act) - {player}
        contributions = (*self.paid[:player], paid, *self.paid[player + 1 :])
        return _Table(contributions, self.left, to_act, self.moves - 1)

    def without(self, player: int) -> _Table:
        """The table after a fold."""
        return _Table(self.paid, self.left - {player}, self.to_act - {player}, self.moves - 1)


@dataclass
class _Betting:
    """Draws a tree of bets; `ends` are the tables at its leaves."""

    rng: np.random.Generator
    growing: _Growing
    factors: Array
    stack: float
    ends: list[_Table] = field(default_factory=list)

    def grow(self, table: _Table, parent: int = -1) -> None:
        """Append what follows when a table is reached by an action of `parent`."""
        if not table.to_act and self._can_raise(table) and self.rng.random() < 0.5:
            table = table._replace(to_act=table.left)
        if not self._can_raise(table):  # Those who have nothing to choose are not asked.
            facing = frozenset(p for p in table.to_act if table.paid[p] < max(table.paid))
            table = table._replace(to_act=facing)
        if len(table.left) == 1 or not table.to_act:
            self.growing.leaf(parent)
            self.ends.append(table)
            return
        player = int(self.rng.choice(sorted(table.to_act)))
        node = self.growing.builder.add(player, parent)
        for following in self._following(table, player):
            self.grow(following, node)

    def _can_raise(self, table: _Table) -> bool:
        """Whether chips remain, and moves for all others to answer."""
        return table.moves >= len(table.left) > 1 and max(table.paid) < self.stack

    def _following(self, table: _Table, player: int) -> list[_Table]:
        top = max(table.paid)
        follow = [table.after(player, top)]
        if table.paid[player] < top:
            follow.insert(0, table.without(player))
        count = int(self.rng.integers(2, len(self.factors), endpoint=True)) - len(follow)
        if self._can_raise(table) and count > 0:
            raised = np.minimum(self.rng.choice(self.factors, count, replace=False) * top, self.stack)
            follow += [table.after(player, float(paid)) for paid in np.unique(raised)]
        return follow


def _betting(rng: np.random.Generator, sizes: Sizes) -> RandomGame:
    """Draw a game of the law of bets; see the module."""
    shape = (sizes.types,) * sizes.players
    keep = rng.random(shape) >= 0.15
    keep[(np.arange(sizes.types),) * sizes.players] = True
    law = _rounded(np.exp(rng.standard_normal(shape)) * keep)
    growing = _Growing(Builder(sizes.players), sizes.terminals // int(np.count_nonzero(law)))
    stack = float(rng.integers(8, 32, endpoint=True))
    tree = _Betting(rng, growing, np.linspace(1.5, 4.0, sizes.branching), stack)
    everybody = frozenset(range(sizes.players))
    tree.grow(_Table((1.0,) * sizes.players, everybody, everybody, sizes.depth))
    strength = rng.standard_normal((sizes.players, len(tree.ends), *shape))
    strength += rng.standard_normal((sizes.players, 1, *shape)) / 2
    for p in range(sizes.players):
        own = 2 * rng.standard_normal(sizes.types)
        strength[p] += own.reshape([-1 if q == p else 1 for q in range(sizes.players)])
    ones = (1,) * sizes.players
    left = np.array([[p in end.left for end in tree.ends] for p in range(sizes.players)])
    paid = np.array([end.paid for end in tree.ends]).T.reshape(sizes.players, -1, *ones)
    share = np.exp(strength) * left.reshape(paid.shape)
    payoffs = paid.sum(axis=0) * share / share.sum(axis=0) - paid
    return RandomGame(growing.builder.tree(), law, _zero_sum(payoffs[:-1]))


def _sums(rng: np.random.Generator, sizes: Sizes) -> RandomGame:
    """Draw a game of the law of sums, for two players; see the module."""
    states = rng.dirichlet(np.ones(3))
    first, second = rng.dirichlet(np.full(sizes.types, 0.5), (2, 3))
    law = _rounded(0.95 * np.einsum("s,st,su->tu", states, first, second) + 0.05 / sizes.types**2)
    growing = _Growing(Builder(sizes.players), sizes.terminals // law.size)
    _grow_sums(rng, growing, sizes, -1, frozenset(range(sizes.players)), sizes.depth)
    tree = growing.builder.tree()
    nodes, types = len(tree.parent), sizes.types
    worth, traits = rng.standard_normal((3, nodes, types)), rng.standard_normal((3, types))
    payoffs = 0.2 * rng.laplace(size=(nodes, 1, 1)) + np.einsum("kmt,ku->mtu", worth, traits)
    payoffs[0] = 0.0
    for node in range(1, nodes):
        payoffs[node] += payoffs[tree.parent[node]]
    return RandomGame(tree, law, _zero_sum(payoffs[None, tree.leaves]))


def _grow_sums(
    rng: np.random.Generator, growing: _Growing, sizes: Sizes, parent: int, silent: frozenset[int], moves: int
) -> None:
    """Append what follows a move; `silent` are those who have not acted yet, and `moves` remain."""
    if not moves or (parent >= 0 and not silent and rng.random() < 0.25):
        growing.leaf(parent)
        return
    player = int(rng.choice(sorted(silent or range(sizes.players))))
    node = growing.builder.add(player, parent)
    count = 2
    while count < sizes.branching and rng.random() < 0.5:
        count += 1
    for _ in range(count):
        _grow_sums(rng, growing, sizes, node, silent - {player}, moves - 1)


LAWS: Mapping[str, Law] = MappingProxyType(
    {
        "random": Law(2, {"types": (4, 8), "depth": (4, 8), "branching": (2, 4)}, _betting, least_depth=3),
        "random_3p": Law(3, {"types": (3, 4), "depth": (5, 7), "branching": (2, 3)}, _betting, least_depth=5),
        "random_sealed": Law(
            2, {"types": (4, 8), "depth": (4, 8), "branching": (2, 4)}, _sums, least_depth=2
        ),
    }
)
"""Name -> law. A game called ``<law>-<seed>`` is the one that the law draws from the seed."""
