"""Games by short name, and the suites that campaigns, tests and reports refer to.

A short name stands for one OpenSpiel game string (``kuhn3`` for ``kuhn_poker(players=3)``). Wherever a game
is asked for, an OpenSpiel string does as well.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import NamedTuple

from evaluators.contract import GameError, nearest
from evaluators.games import random_games
from evaluators.games.river.spots import is_spot


def _goofspiel(cards: int, players: int = 2) -> str:
    return f"goofspiel(imp_info=True,num_cards={cards},players={players},points_order=descending)"


def _battleship(width: int, shots: int) -> str:
    return (
        f"battleship(allow_repeated_shots=False,board_height=2,board_width={width},"
        f"num_shots={shots},ship_sizes=[2],ship_values=[1])"
    )


GAMES = MappingProxyType(
    {
        "kuhn2": "kuhn_poker(players=2)",
        "kuhn3": "kuhn_poker(players=3)",
        "kuhn4": "kuhn_poker(players=4)",
        "leduc2": "leduc_poker(players=2)",
        "leduc3": "leduc_poker(players=3)",
        "goofspiel3": _goofspiel(3),
        "goofspiel4": _goofspiel(4),
        "goofspiel5": _goofspiel(5),
        "liars_dice4": "liars_dice(dice_sides=4,numdice=1,players=2)",
        "liars_dice5": "liars_dice(dice_sides=5,numdice=1,players=2)",
        "liars_dice6": "liars_dice(dice_sides=6,numdice=1,players=2)",
        "blotto5": "blotto(coins=5,fields=3,players=2)",
        "blotto10": "blotto(coins=10,fields=3,players=2)",
        "blotto5_3p": "blotto(coins=5,fields=3,players=3)",
        "battleship22_2": _battleship(2, 2),
        "battleship22_3": _battleship(2, 3),
        "battleship32_2": _battleship(3, 2),
        "goofspiel4_3p": _goofspiel(4, players=3),
        "leduc2_ranks5": (
            "universal_poker(betting=limit,blind=1 1,firstPlayer=1 1,maxRaises=2 2,numBoardCards=0 1,"
            "numHoleCards=1,numPlayers=2,numRanks=5,numRounds=2,numSuits=2,raiseSize=2 4)"
        ),
    }
)
"""Short name -> OpenSpiel game string."""

SUITES = MappingProxyType(
    {
        "train": ("kuhn3", "leduc2", "goofspiel4", "liars_dice5"),
        "test": ("kuhn2", "kuhn4", "leduc3", "goofspiel3", "goofspiel5", "liars_dice4", "liars_dice6"),
        "extended": (
            "blotto5", "blotto10", "blotto5_3p",
            "battleship22_2", "battleship22_3", "battleship32_2", "goofspiel4_3p",
        ),
        "sealed": ("leduc3", "goofspiel5", "liars_dice6", "leduc2_ranks5"),
    }
)  # fmt: skip
"""Suite -> short names. `train` and `test` are the eleven games of arXiv 2602.16928; `sealed` are those of which
promotion plays freshly drawn copies (`leduc2_ranks5` is Leduc with five ranks; with three, the string is `leduc2`)."""

_SHORT_NAMES = {string: name for name, string in GAMES.items()}


class Resolved(NamedTuple):
    """A game as it is shown (`name`) and as OpenSpiel loads it (`game_string`, canonical)."""

    name: str
    game_string: str


def resolve(name_or_string: str) -> Resolved:
    """The game that a short name or an OpenSpiel string stands for.

    An OpenSpiel string for one of `GAMES`, in whatever order its parameters stand, gets the short name.

    Raises:
        GameError: neither a short name nor a string that OpenSpiel loads; the hint has the nearest name.
    """
    if name_or_string in GAMES:
        return Resolved(name_or_string, GAMES[name_or_string])
    if is_spot(name_or_string):
        return Resolved(name_or_string, name_or_string)
    if drawn := random_games.parse(name_or_string):
        return Resolved(str(drawn), str(drawn))
    import pyspiel  # Here, because it takes 100 ms, which listing the suites should not cost.

    kind = name_or_string.partition("(")[0].strip()
    if kind.startswith("python_"):
        import open_spiel.python.games  # noqa: F401 - registers the games that are written in Python
    registered = pyspiel.registered_names()
    if kind not in registered:
        # Asked first, because a failing load_game prints the whole list of games to stderr.
        message = f"game: expected a short name or an OpenSpiel game string; got {name_or_string!r}."
        known = [*GAMES, *registered] if "(" in name_or_string else [*GAMES]
        raise GameError(message, nearest(kind, known))
    try:
        string = str(pyspiel.load_game(name_or_string))
    except (pyspiel.SpielError, RuntimeError, ValueError) as error:
        reason = str(error).strip().splitlines()[-1]
        message = f"game: OpenSpiel does not load {name_or_string!r}: {reason}"
        raise GameError(
            message, f"Parameters of {kind!r} are listed by pyspiel.load_game({kind!r})."
        ) from error
    return Resolved(_SHORT_NAMES.get(string, string), string)


def suite(name: str) -> tuple[str, ...]:
    """Short names of the games in a suite.

    Raises:
        GameError: no such suite.
    """
    if name not in SUITES:
        raise GameError(f"suite: expected a name; got {name!r}.", nearest(name, [*SUITES]))
    return SUITES[name]
