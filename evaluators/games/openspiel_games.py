"""Games that somebody's own code plays: as OpenSpiel has them, and as we do."""

from __future__ import annotations

from typing import Any, NamedTuple

import pyspiel

from evaluators.games import cache, matrix, random_games
from evaluators.games.compile import compile_loaded, load_turn_based, turn_based
from evaluators.games.compiled import CompiledGame
from evaluators.games.game import Game
from evaluators.games.loading import load
from evaluators.games.river.spots import is_spot
from evaluators.games.suites import resolve


class Both(NamedTuple):
    """A game twice.

    Attributes:
        openspiel: the ``pyspiel.Game``, turn-based; a random game as Gambit's text has it; None for a river subgame,
            which OpenSpiel does not have.
        ours: the same with OpenSpiel's information state strings.
        game_string: what stands for it in files: OpenSpiel's string, or our own where OpenSpiel has none.
    """

    openspiel: Any
    ours: Game
    game_string: str


def both(game: Any) -> Both:
    """Return a game as OpenSpiel has it and as we do.

    Args:
        game: a ``pyspiel.Game`` of perfect recall, an OpenSpiel string or a short name.

    Raises:
        GameError: unknown, or a game that cannot be compiled.
    """
    if not isinstance(game, str):
        name = str(game)
        sequential = turn_based(game, name)
        form = cache.load(name) if _reloads(name) else compile_loaded(sequential, name)
        return Both(sequential, CompiledGame(name, form), str(sequential))
    name, string = resolve(game)
    if is_spot(name):
        return Both(None, load(name), name)
    sequential = load_turn_based(string)
    if random_games.parse(string):
        # OpenSpiel numbers the information states as it reads them.
        return Both(sequential, CompiledGame(name, compile_loaded(sequential, name)), name)
    return Both(sequential, load(game), string if string.startswith(matrix.KIND) else str(sequential))


def _reloads(name: str) -> bool:
    """Whether a game's string stands for it; games made from tables or from text have none that does."""
    kind = name.partition("(")[0]
    if kind in ("efg_game", "nfg_game") or kind not in pyspiel.registered_names():
        return False
    try:
        return str(pyspiel.load_game(name)) == name
    except (pyspiel.SpielError, RuntimeError, ValueError):
        return False
