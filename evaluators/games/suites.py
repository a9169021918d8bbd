"""Games by short name, the families and tiers that they belong to, and the suites of campaigns, tests and reports.

A short name stands for one game string (``kuhn3`` for ``kuhn_poker(players=3)``). Wherever a game is asked for, an
OpenSpiel string, a matrix (`matrix`) or a drawn game (`DRAWN`) does as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, NamedTuple

from evaluators.contract import GameError, nearest
from evaluators.games import matrix, random_games

SUITES_VERSION = 3
"""Raise it when a suite gets other games: every record that names a suite has it. What version 1 sealed were copies of
games of the families that training has."""

Tier = Literal["train", "validation", "sealed", "multiplayer"]
"""``train``: a search may use it. ``validation``: scores and defaults are chosen by it. ``sealed``: the end of a
campaign and promotion play it, once a program is frozen. ``multiplayer``: more than two players, a track apart."""


class Sizes(NamedTuple):
    """How large a compiled game is: merged terminals; infosets and (infoset, action) pairs of all players together."""

    terminals: int
    infosets: int
    pairs: int


class Member(NamedTuple):
    """A game of a family, of two players unless it says otherwise."""

    game_string: str
    tier: Tier
    sizes: Sizes
    players: int = 2


@dataclass(frozen=True)
class Family:
    """Games of one kind.

    Attributes:
        about: what they are, in a few words.
        members: short name -> game.
    """

    about: str
    members: Mapping[str, Member]


class Law(NamedTuple):
    """Games that are not listed but drawn, or that OpenSpiel does not have.

    Attributes:
        family: the family that they belong to.
        tier: see `Tier`.
        about: what they are, in a few words.
        seeded: whether a seed follows the law's name; else it is the name of one game.
    """

    family: str
    tier: Tier
    about: str
    seeded: bool = True


_RIVER = "river subgames of heads-up no-limit hold'em"

DRAWN: Mapping[str, Law] = MappingProxyType(
    {
        "random": Law("random", "train", "types that exclude each other, and bets"),
        "random_3p": Law("random", "multiplayer", "the same with three players"),
        "random_sealed": Law("random_sums", "sealed", "correlated types, and sums over the moves of a path"),
        "river60": Law("river", "train", f"{_RIVER}, 60 hands a side"),
        "river": Law("river", "sealed", _RIVER),
        "libratus3": Law("river", "sealed", "an endgame of Libratus", seeded=False),
        "libratus4": Law("river", "sealed", "an endgame of Libratus", seeded=False),
    }
)
"""What stands before the first ``-`` or ``(`` of a name (``river`` in ``river-3``) -> its law."""


def _goofspiel(cards: int, players: int = 2, *, order: str = "descending", returns: str = "") -> str:
    given = f",returns_type={returns}" if returns else ""
    return f"goofspiel(imp_info=True,num_cards={cards},players={players},points_order={order}{given})"


def _battleship(width: int, shots: int) -> str:
    return (
        f"battleship(allow_repeated_shots=False,board_height=2,board_width={width},"
        f"num_shots={shots},ship_sizes=[2],ship_values=[1])"
    )


def _leduc(ranks: int, raises: int = 2) -> str:
    return (
        f"universal_poker(betting=limit,blind=1 1,firstPlayer=1 1,maxRaises={raises} {raises},numBoardCards=0 1,"
        f"numHoleCards=1,numPlayers=2,numRanks={ranks},numRounds=2,numSuits=2,raiseSize=2 4)"
    )


def _dice(sides: int, dice: int = 1) -> str:
    return f"liars_dice(dice_sides={sides},numdice={dice},players=2)"


def _blotto(coins: int, players: int = 2) -> str:
    return f"blotto(coins={coins},fields=3,players={players})"


def _oshi_zumo(coins: int) -> str:
    return f"oshi_zumo(coins={coins},horizon={coins},size=2)"


FAMILIES: Mapping[str, Family] = MappingProxyType(
    {
        "kuhn": Family(
            "poker with one card each and one bet",
            {
                "kuhn2": Member("kuhn_poker(players=2)", "train", Sizes(30, 12, 24)),
                "kuhn3": Member("kuhn_poker(players=3)", "multiplayer", Sizes(312, 48, 96), 3),
                "kuhn4": Member("kuhn_poker(players=4)", "multiplayer", Sizes(3_960, 160, 320), 4),
            },
        ),
        "leduc": Family(
            "poker with one card each, one on the board and two rounds of bets; big: 12 ranks and 6 raises a round",
            {
                "leduc2": Member("leduc_poker(players=2)", "train", Sizes(5_520, 936, 2_184)),
                "leduc3": Member(
                    "leduc_poker(players=3)", "multiplayer", Sizes(1_043_952, 25_800, 59_064), 3
                ),
                "leduc2_ranks5": Member(_leduc(5), "validation", Sizes(32_760, 2_760, 6_440)),
                "leduc2_ranks9": Member(_leduc(9), "validation", Sizes(221_544, 9_288, 21_672)),
                "leduc2_ranks13": Member(_leduc(13), "sealed", Sizes(704_600, 19_656, 45_864)),
                "leduc2_big": Member(_leduc(12, 6), "sealed", Sizes(3_953_424, 100_800, 273_600)),
            },
        ),
        "goofspiel": Family(
            "bids of cards for points, seen by nobody; points in random order, or their difference as the payoff",
            {
                "goofspiel3": Member(_goofspiel(3), "train", Sizes(36, 16, 34)),
                "goofspiel4": Member(_goofspiel(4), "train", Sizes(576, 162, 348)),
                "goofspiel5": Member(_goofspiel(5), "train", Sizes(14_400, 2_124, 4_566)),
                "goofspiel4_random": Member(
                    _goofspiel(4, order="random"), "validation", Sizes(13_824, 3_608, 7_472)
                ),
                "goofspiel5_diff": Member(
                    _goofspiel(5, returns="point_difference"), "validation", Sizes(14_400, 2_124, 4_566)
                ),
                "goofspiel4_3p": Member(_goofspiel(4, players=3), "multiplayer", Sizes(13_824, 414, 873), 3),
            },
        ),
        "liars_dice": Family(
            "bids on hidden dice of so many sides, until one is called a lie; 2d: two dice each",
            {
                "liars_dice4": Member(_dice(4), "train", Sizes(4_080, 1_024, 2_040)),
                "liars_dice5": Member(_dice(5), "train", Sizes(25_575, 5_120, 10_230)),
                "liars_dice6": Member(_dice(6), "train", Sizes(147_420, 24_576, 49_140)),
                "liars_dice3_2d": Member(_dice(3, dice=2), "train", Sizes(147_420, 24_576, 49_140)),
            },
        ),
        "battleship": Family(
            "a ship of two fields on a board of 2 x 2 or 3 x 2, and so many shots",
            {
                "battleship22_2": Member(_battleship(2, 2), "train", Sizes(2_048, 470, 1_432)),
                "battleship22_3": Member(_battleship(2, 3), "validation", Sizes(5_568, 3_286, 7_064)),
                "battleship32_2": Member(_battleship(3, 2), "sealed", Sizes(41_748, 2_907, 14_588)),
                "battleship32_3": Member(_battleship(3, 3), "sealed", Sizes(552_132, 81_027, 327_068)),
            },
        ),
        "blotto": Family(
            "so many coins on three fields, placed at once",
            {
                "blotto5": Member(_blotto(5), "validation", Sizes(441, 2, 42)),
                "blotto10": Member(_blotto(10), "train", Sizes(4_356, 2, 132)),
                "blotto5_3p": Member(_blotto(5, players=3), "multiplayer", Sizes(9_261, 3, 63), 3),
            },
        ),
        "oshi_zumo": Family(
            "bids of coins push a wrestler over a board of five fields, for as many rounds as there are coins",
            {
                "oshi_zumo4": Member(_oshi_zumo(4), "sealed", Sizes(4_840, 2_422, 5_528)),
                "oshi_zumo5": Member(_oshi_zumo(5), "sealed", Sizes(60_854, 30_564, 69_726)),
            },
        ),
        "matrix": Family(
            "one move each, at once: biased rock-paper-scissors of OpenSpiel; NFG-2, NFG-3 and NFG-5 of AutoCFR",
            {
                "matrix_brps": Member("matrix_brps()", "sealed", Sizes(9, 2, 6)),
                "matrix_nfg2": Member("zero_sum_matrix(0 -1 2; 1 0 -2; -2 2 0)", "sealed", Sizes(9, 2, 6)),
                "matrix_nfg3": Member(
                    "zero_sum_matrix(0.001 -0.003; -0.001 -0.1; 0.002 -0.002)", "sealed", Sizes(6, 2, 5)
                ),
                "matrix_nfg5": Member(
                    "zero_sum_matrix(0 -1 2; 1 0 -2; -2 2 0; -10000 -10000 -10000; -20000 -20000 -20000)",
                    "sealed",
                    Sizes(15, 2, 8),
                ),
            },
        ),
    }
)
"""Family -> what it is and its games. *Sibling*: a family of which training has a smaller tree (`has_sibling`)."""

_MEMBERS = {name: member for family in FAMILIES.values() for name, member in family.members.items()}

GAMES: Mapping[str, str] = MappingProxyType({name: member.game_string for name, member in _MEMBERS.items()})
"""Short name -> game string."""


def _of_tier(tier: Tier) -> tuple[str, ...]:
    return tuple(name for name, member in _MEMBERS.items() if member.tier == tier)


SUITES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "paper": ("kuhn3", "leduc2", "goofspiel4", "liars_dice5"),
        "test": ("kuhn2", "kuhn4", "leduc3", "goofspiel3", "goofspiel5", "liars_dice4", "liars_dice6"),
        "extended": (
            "blotto5", "blotto10", "blotto5_3p",
            "battleship22_2", "battleship22_3", "battleship32_2", "goofspiel4_3p",
        ),
        "validation": _of_tier("validation"),
        "sealed": _of_tier("sealed"),
        "multiplayer": _of_tier("multiplayer"),
    }
)  # fmt: skip
"""Suite -> short names. `paper`, on which its search scored, `test` and `extended` are the eighteen games of arXiv
2602.16928, the others the tiers of that name. What a search of ours plays, the suite ``train``, is its domain's to say
(`GameDomain.block`)."""

_SHORT_NAMES = {string: name for name, string in GAMES.items()}
_KINDS = {
    string.partition("(")[0]: family
    for family, one in FAMILIES.items()
    for string in (member.game_string for member in one.members.values())
    if not string.startswith("universal_poker")  # Leduc with more ranks, but also any other poker.
}


class Resolved(NamedTuple):
    """A game as it is shown (`name`) and as it is loaded (`game_string`, canonical)."""

    name: str
    game_string: str


def resolve(name_or_string: str) -> Resolved:
    """Return the game that a short name, a drawn name, an OpenSpiel string or a matrix stands for.

    A string for one of `GAMES`, in whatever order its parameters stand, gets the short name.

    Raises:
        GameError: none of these; the hint has the nearest name.
    """
    if name_or_string in GAMES:
        return Resolved(name_or_string, GAMES[name_or_string])
    if law(name_or_string) is not None:
        drawn = str(random_games.parse(name_or_string) or name_or_string)
        return Resolved(drawn, drawn)
    string = _canonical(name_or_string)
    return Resolved(_SHORT_NAMES.get(string, string), string)


def law(name: str) -> Law | None:
    """Return the law that a drawn game's name refers to, such as ``river-3``; None for other games."""
    return DRAWN.get(name.partition("(")[0].partition("-")[0])


def family(name_or_string: str) -> str:
    """Return the family of a game: `FAMILIES` and `DRAWN` have it, else it is the kind that OpenSpiel calls it.

    Args:
        name_or_string: as `resolve` takes it; a variant may follow (``leduc2/generic-3``).
    """
    name = name_or_string.partition("/")[0]
    drawn = law(name)
    if drawn is not None:
        return drawn.family
    listed = next((key for key, one in FAMILIES.items() if name in one.members), None)
    kind = name.partition("(")[0]
    return listed or _KINDS.get(kind, kind)


def member(name: str) -> Member | None:
    """Return what is listed of a game, sizes too, by its short name; None for one that is not."""
    return _MEMBERS.get(name)


def about(family: str) -> str:
    """Return what the games of a family are, in a few words; "" where nothing is listed."""
    if family in FAMILIES:
        return FAMILIES[family].about
    return next((law.about for law in DRAWN.values() if law.family == family), "")


def has_sibling(family: str) -> bool:
    """Return whether training has a game of the family: scores on sealed games are shown apart by that."""
    members = FAMILIES[family].members.values() if family in FAMILIES else ()
    laws = (law for law in DRAWN.values() if law.family == family)
    return any(one.tier == "train" for one in (*members, *laws))


def suite(name: str) -> tuple[str, ...]:
    """Return the short names of the games in a suite.

    Raises:
        GameError: no such suite.
    """
    if name not in SUITES:
        raise GameError(f"suite: expected a name; got {name!r}.", nearest(name, [*SUITES]))
    return SUITES[name]


def _canonical(string: str) -> str:
    """Return the string of a game as OpenSpiel writes it."""
    import pyspiel  # Here, because it takes 100 ms, which listing the suites should not cost.

    kind = string.partition("(")[0].strip()
    if kind == matrix.KIND:
        return matrix.canonical(string)
    if kind.startswith("python_"):
        import open_spiel.python.games  # noqa: F401 - registers the games that are written in Python
    registered = pyspiel.registered_names()
    if kind not in registered:
        # Asked first, because a failing load_game prints the whole list of games to stderr.
        message = f"game: expected a short name or an OpenSpiel game string; got {string!r}."
        known = [*GAMES, *DRAWN, *registered] if "(" in string else [*GAMES, *DRAWN]
        raise GameError(message, nearest(kind, known))
    try:
        return str(pyspiel.load_game(string))
    except (pyspiel.SpielError, RuntimeError, ValueError) as error:
        reason = str(error).strip().splitlines()[-1]
        message = f"game: OpenSpiel does not load {string!r}: {reason}"
        raise GameError(
            message, f"Parameters of {kind!r} are listed by pyspiel.load_game({kind!r})."
        ) from error
