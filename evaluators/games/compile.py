"""OpenSpiel game -> sequence form, in one depth-first walk of the history tree.

The order of terminals in memory: histories that differ only in the public actions become vector lanes.
The sum over terminals is most of a traversal. Summed one by one, each terminal costs an index load and a
gather per player. In card and dice games the same pattern of deals repeats under every betting sequence:
with 5-sided dice, each of the 1,023 bidding sequences ends in 25 terminals that join 5 sequences of one
player with 5 of the other. Take the bidding sequences as *lanes*, the deals as *cells*, the players'
sequences in a lane as *rows*: a cell adds utility[lanes] * plan[row of the other][lanes] to total[own
row][lanes], a loop without indices over consecutive memory, which the compiler turns into vector
instructions. No assumption on the game goes in: a group of terminals joins a batch when enough others show
the same pattern, and the rest is summed one by one.

Per terminal and player on one core: 0.25 ns in lanes (5-sided Liar's Dice), 0.7 ns one by one (5-card
Goofspiel).
"""

from __future__ import annotations

import random
from array import array
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import fmean, stdev
from typing import Any, NamedTuple

import numpy as np
import pyspiel
from numpy.typing import NDArray

from evaluators.contract import GameError
from evaluators.games import matrix, random_games
from evaluators.games.form import Ints, Lanes, PlayerTree, SequenceForm

MAX_TERMINALS = 5_000_000
"""Terminal histories that a game may have: half a minute of walking, and a gigabyte while it lasts."""

MAX_KEY_BYTES = 2**30
"""What the information state strings of a game may take; games of long histories have strings of thousands of bytes."""

MIN_PROBE_WALKS, MAX_PROBE_WALKS = 10, 4_000
MAX_PROBED_ACTIONS = 250_000
"""How many random walks estimate a game's size, and after how many listed actions they end: about 0.1 s. A deal of
universal_poker with hand reaches lists a million outcomes, which takes OpenSpiel 0.3 s."""

MIN_LANES = 8
"""Below two AVX-512 vectors the set-up of a batch costs more than it saves."""
MAX_LANES = 128
"""More gain nothing: the loop over lanes no longer notices where it starts."""
BATCH_FLOATS = 3072
"""Rows x lanes of a batch stay below this (24 KB), so that they live in the first-level cache."""

_MULTIPLIER = 0x5851F42D4C957F2D
"""Knuth's for 64-bit congruential generators. Equal hashes of different actions would cost speed only."""


@dataclass
class _Player:
    """One player's infosets while the walk finds them."""

    index: dict[str, int] = field(default_factory=dict)
    parent: array[int] = field(default_factory=lambda: array("i"))
    offset: array[int] = field(default_factory=lambda: array("i", [0]))
    depth: array[int] = field(default_factory=lambda: array("i"))
    action: array[int] = field(default_factory=lambda: array("i"))
    length: array[int] = field(default_factory=lambda: array("i", [0]))
    """Number of own decisions in each sequence."""


class _Node(NamedTuple):
    """A history that waits for its visit: made from its parent's state only then, so that few states live.

    Attributes:
        state: the parent's state, or the root's own.
        action: what leads from there to this history; None at the root.
        sequences: (N,) each player's sequence.
        chance: product of the chance probabilities.
        group: hash of the sequence of players' actions (without chance's).
    """

    state: Any
    action: int | None
    sequences: tuple[int, ...]
    chance: float
    group: int


class _Walk:
    """Walks a turn-based game and collects what the sequence form is made of."""

    def __init__(self, game: Any, name: str) -> None:
        self.game, self.name = game, name
        self.players = [_Player() for _ in range(game.num_players())]
        self.sequence, self.group = array("i"), array("Q")
        self.chance, self.returns = array("d"), array("d")
        self.key_bytes = 0

    def run(self) -> None:
        """Visit every history.

        Raises:
            GameError: imperfect recall or too many terminals.
        """
        stack = [_Node(self.game.new_initial_state(), None, (0,) * len(self.players), 1.0, 0)]
        while stack:
            node = stack.pop()
            state = node.state if node.action is None else node.state.child(node.action)
            if state.is_terminal():
                self._terminal(state, node)
            elif state.is_chance_node():
                stack += [
                    _Node(state, action, node.sequences, node.chance * probability, node.group)
                    for action, probability in reversed(state.chance_outcomes())
                    if probability > 0
                ]
            else:
                stack += self._decision(state, node)

    def _terminal(self, state: Any, node: _Node) -> None:
        if len(self.chance) >= MAX_TERMINALS:
            raise too_large(self.name, f"the walk reached terminal {MAX_TERMINALS + 1:,} and stopped")
        self.sequence.extend(node.sequences)
        self.chance.append(node.chance)
        self.returns.extend(state.returns())
        self.group.append(node.group)

    def _decision(self, state: Any, node: _Node) -> list[_Node]:
        player = state.current_player()
        own, actions = node.sequences[player], state.legal_actions()
        infoset = self._infoset(player, state.information_state_string(player), own, actions)
        first = self.players[player].offset[infoset] + 1
        before, after = node.sequences[:player], node.sequences[player + 1 :]
        children = [
            _Node(
                state, action, (*before, first + k, *after), node.chance,
                (node.group * _MULTIPLIER + action + 1) % 2**64,
            )
            for k, action in enumerate(actions)
        ]  # fmt: skip
        children.reverse()
        return children

    def _infoset(self, player: int, key: str, own: int, actions: list[int]) -> int:
        """The infoset's number, new at the first visit; each later visit must look the same to its player."""
        known = self.players[player]
        infoset = known.index.get(key)
        if infoset is None:
            infoset = known.index[key] = len(known.parent)
            self.key_bytes += len(key)
            if self.key_bytes > MAX_KEY_BYTES:
                stopped = (
                    f"after {len(self.chance):,} the information state strings take more than a gigabyte"
                )
                raise too_large(self.name, stopped)
            known.parent.append(own)
            known.depth.append(known.length[own])
            known.offset.append(known.offset[-1] + len(actions))
            known.action.extend(actions)
            known.length.extend([known.length[own] + 1] * len(actions))
        elif known.parent[infoset] != own:
            raise GameError(
                f"{self.name}: expected perfect recall; player {player} reaches information state {key!r} "
                "after two different sequences of own actions.",
                "For goofspiel, use imp_info=True; games called *_ir have imperfect recall on purpose.",
            )
        elif list(known.action[known.offset[infoset] : known.offset[infoset + 1]]) != actions:
            raise GameError(f"{self.name}: player {player} has different legal actions within {key!r}.")
        return infoset


class Estimate(NamedTuple):
    """A mean of random walks, and its standard error."""

    terminals: float
    stderr: float

    @property
    def rounded(self) -> int:
        """The mean to two digits."""
        return int(float(f"{self.terminals:.1e}"))


def too_large(
    name: str, what: str, hint: str = "Choose smaller parameters (fewer cards, sides, coins or players)."
) -> GameError:
    """The refusal of a game beyond the size limit."""
    return GameError(f"{name}: expected at most {MAX_TERMINALS:,} terminal histories; {what}.", hint)


def estimate_terminals(game: Any) -> Estimate:
    """Estimate the terminal histories of a turn-based game in a moment.

    A random walk's product of branching factors estimates their number without bias (Knuth 1975, Estimating the
    efficiency of backtrack programs). Rare long histories are missed more often than not, so that the mean of some
    walks is rather too low than too high. A walk ends early when its product alone is far beyond the limit.
    """
    rng = random.Random(0)
    products: list[float] = []
    listed = 0
    while len(products) < (MAX_PROBE_WALKS if listed < MAX_PROBED_ACTIONS else MIN_PROBE_WALKS):
        state, product = game.new_initial_state(), 1
        while product <= MAX_TERMINALS * 1_000_000 and not state.is_terminal():
            outcomes = state.chance_outcomes() if state.is_chance_node() else []
            possible = [action for action, probability in outcomes if probability > 0]
            actions = possible or state.legal_actions()
            listed += max(len(outcomes), len(actions))
            product *= len(actions)
            state.apply_action(rng.choice(actions))
        products.append(product)
    return Estimate(fmean(products), stdev(products) / len(products) ** 0.5)


def refuse_too_large(game: Any, name: str) -> Estimate:
    """Return the estimate of a game's size; refuse a game that is beyond the limit by three standard errors.

    Raises:
        GameError: with the estimate.
    """
    estimate = estimate_terminals(game)
    if estimate.terminals - 3 * estimate.stderr > MAX_TERMINALS:
        raise too_large(name, f"random play suggests at least {estimate.rounded:,}")
    return estimate


def load_turn_based(game_string: str) -> Any:
    """The OpenSpiel game, converted to turns if moves are simultaneous; a random game as Gambit's text has it.

    Args:
        game_string: what `suites.resolve` returned.

    Raises:
        GameError: a kind of game that has no finite two-or-more-player sequence form.
    """
    if random_games.parse(game_string):
        return pyspiel.load_efg_game(random_games.efg(game_string))
    if game_string.startswith(matrix.KIND):
        return turn_based(matrix.load(game_string), game_string)
    try:
        return turn_based(pyspiel.load_game(game_string), game_string)
    except pyspiel.SpielError as error:
        raise GameError(f"{game_string}: OpenSpiel does not load it again: {error}") from error


def turn_based(game: Any, name: str) -> Any:
    """The game itself, or its turn-based form if moves are simultaneous.

    Args:
        game: a ``pyspiel.Game``.
        name: what messages call it.

    Raises:
        GameError: as `load_turn_based`.
    """
    kind = game.get_type()
    refusals = {
        "at least 2 players; got a game of 1": game.num_players() < 2,
        "players who move in turn or at once; got a mean-field game": kind.dynamics
        == pyspiel.GameType.Dynamics.MEAN_FIELD,
        "listed chance outcomes; got sampled ones": kind.chance_mode
        == pyspiel.GameType.ChanceMode.SAMPLED_STOCHASTIC,
        "information state strings; the game has none": not kind.provides_information_state_string,
    }
    for reason, applies in refusals.items():
        if applies:
            raise GameError(f"{name}: expected {reason}.", "Pick a game of a suite, such as 'leduc2'.")
    if kind.dynamics == pyspiel.GameType.Dynamics.SIMULTANEOUS:
        return pyspiel.convert_to_turn_based(game)
    return game


def compile_game(game_string: str) -> SequenceForm:
    """The sequence form of a game.

    Args:
        game_string: what `suites.resolve` returned.

    Raises:
        GameError: imperfect recall, more than `MAX_TERMINALS` terminals, or an unsupported kind of game.
    """
    return compile_loaded(load_turn_based(game_string), game_string)


def compile_loaded(game: Any, name: str) -> SequenceForm:
    """The sequence form of a turn-based ``pyspiel.Game`` that is called `name`. Raises as `compile_game`."""
    refuse_too_large(game, name)
    walk = _Walk(game, name)
    try:
        walk.run()
    except pyspiel.SpielError as error:
        raise GameError(f"{name}: OpenSpiel fails during the walk: {error}") from error
    num_players = len(walk.players)
    sequence = np.array(walk.sequence, np.int32).reshape(-1, num_players)
    first, member = by_first_visit(sequence)
    _, group = by_first_visit(np.array(walk.group, np.uint64)[first])
    chance = np.array(walk.chance)
    weighted = chance[:, None] * np.array(walk.returns).reshape(-1, num_players)
    order, lanes = arrange(np.ascontiguousarray(sequence[first].T), group)
    keys = [key.encode() for player in walk.players for key in player.index]
    return SequenceForm(
        game_string=name,
        trees=tuple(
            PlayerTree(*(np.array(a, np.int32) for a in (p.parent, p.offset, p.depth, p.action)))
            for p in walk.players
        ),
        sequence=np.ascontiguousarray(sequence[first].T[:, order]),
        chance=np.bincount(member, chance)[order].astype(np.float64),
        utility=np.stack([np.bincount(member, column)[order] for column in weighted.T]),
        visit=order.astype(np.int32),
        lanes=lanes,
        key_bytes=np.frombuffer(b"".join(keys), np.uint8),
        key_ends=np.cumsum([len(key) for key in keys], dtype=np.int64),
    )


def by_first_visit(values: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Distinct entries (rows, where there are two axes), numbered in the order of their first appearance.

    Returns:
        Where each appears first, (distinct,), and the number of every entry, (entries,).
    """
    _, first, member = np.unique(values, axis=0, return_index=True, return_inverse=True)
    by_visit = np.argsort(first)
    number = np.empty_like(by_visit)
    number[by_visit] = np.arange(len(first))
    return first[by_visit], number[member.ravel()]


class Layout(NamedTuple):
    """`order` (Z,) puts terminals into memory order; `lanes` describes the batches at its beginning."""

    order: NDArray[np.int64]
    lanes: Lanes


class _Group(NamedTuple):
    """Under one sequence of players' actions: terminals, (cells,), and per player the rows' sequences."""

    terminals: NDArray[np.int64]
    rows: tuple[Ints, ...]


def arrange(sequence: Ints, group: NDArray[np.int64]) -> Layout:
    """The memory order of merged terminals.

    Args:
        sequence: (N, Z) each player's sequence at a terminal.
        group: (Z,) number of the sequence of players' actions that led there.
    """
    patterns, leftover = _patterns(sequence, group)
    num_players = len(sequence)
    order: list[NDArray[np.int64]] = []
    header: list[tuple[int, ...]] = []
    bounds: list[NDArray[np.int64]] = []
    rows: list[NDArray[np.int32]] = []
    cells: list[NDArray[np.int32]] = []
    placed = row_floats = num_cells = 0
    for pattern, groups in patterns:
        start = np.concatenate([[0], np.cumsum([len(r) for r in groups[0].rows])])
        cells.append((pattern + start[:-1, None]).T.astype(np.int32))
        width = int(min(MAX_LANES, max(MIN_LANES, BATCH_FLOATS // start[-1])))
        for batch in _split(groups, width):
            lanes, size = len(batch), len(batch[0].terminals)
            header.append((placed, lanes, size, row_floats, num_cells, int(start[-1])))
            bounds.append(start)
            rows.append(np.stack([np.concatenate(g.rows) for g in batch], axis=1).ravel())
            order.append(np.stack([g.terminals for g in batch], axis=1).ravel())
            placed += lanes * size
            row_floats += rows[-1].size
        num_cells += len(cells[-1])
    order.append(_apart(leftover, sequence[0]))
    lanes_ = Lanes(
        header=np.array(header, np.int32).reshape(-1, 6),
        bounds=np.array(bounds, np.int32).reshape(-1, num_players + 1),
        rows=np.concatenate([np.empty(0, np.int32), *rows]).astype(np.int32),
        cells=np.concatenate([np.empty((0, num_players), np.int32), *cells]),
    )
    return Layout(np.concatenate(order), lanes_)


def _patterns(
    sequence: Ints, group: NDArray[np.int64]
) -> tuple[list[tuple[Ints, list[_Group]]], NDArray[np.int64]]:
    """Groups by pattern, (N, cells) local rows, in first-visit order; and the terminals that fit none."""
    by_group = np.argsort(group, kind="stable")
    starts = np.flatnonzero(np.diff(group[by_group], prepend=-1))
    sizes = np.diff(starts, append=len(by_group))
    single = np.repeat(sizes == 1, sizes)
    leftover = [by_group[single]]
    patterns: dict[bytes, tuple[Ints, list[_Group]]] = {}
    for start, size in zip(starts[sizes > 1].tolist(), sizes[sizes > 1].tolist(), strict=True):
        terminals = by_group[start : start + size]
        terminals = terminals[np.lexsort(sequence[::-1, terminals])]
        unique = [np.unique(s, return_inverse=True) for s in sequence[:, terminals]]
        pattern = np.stack([inverse for _, inverse in unique]).astype(np.int32)
        entry = patterns.setdefault(pattern.tobytes(), (pattern, []))
        entry[1].append(_Group(terminals, tuple(values for values, _ in unique)))
    kept = []
    for pattern, groups in patterns.values():
        if len(groups) >= MIN_LANES:
            kept.append((pattern, groups))
        else:
            leftover += [g.terminals for g in groups]
    return kept, np.concatenate(leftover)


def _split(groups: list[_Group], width: int) -> list[list[_Group]]:
    """Batches of nearly equal size with at most `width` groups each."""
    count = -(-len(groups) // width)
    edges = np.linspace(0, len(groups), count + 1).astype(int).tolist()
    return [groups[a:b] for a, b in pairwise(edges)]


def _apart(terminals: NDArray[np.int64], own: Ints) -> NDArray[np.int64]:
    """Terminals in an order that keeps those with the same sequence of the first player apart.

    Neighbours that add to the same sum would wait for each other: in 5-card Goofspiel, sorted by sequence
    costs 1.6 ns per terminal, apart 0.7 ns.
    """
    by_sequence = terminals[np.argsort(own[terminals], kind="stable")]
    sequences = own[by_sequence]
    starts = np.flatnonzero(np.diff(sequences, prepend=-1))
    rank = np.arange(len(sequences)) - np.repeat(starts, np.diff(starts, append=len(sequences)))
    return by_sequence[np.argsort(rank, kind="stable")]
