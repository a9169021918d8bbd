"""Games by name, ready to be played."""

from __future__ import annotations

from evaluators.games import cache
from evaluators.games.compiled import CompiledGame
from evaluators.games.game import Game, parse_variant
from evaluators.games.river.game import load as river
from evaluators.games.river.spots import is_spot
from evaluators.games.suites import resolve


def load(name_or_string: str, variant: str = "exact") -> Game:
    """The game ready to be played, compiled at its first use and from the cache afterwards.

    Raises:
        GameError: unknown game or variant, or a game that cannot be compiled.
    """
    if is_spot(name_or_string):
        return river(name_or_string, variant)
    return load_tree(name_or_string, variant)


def load_tree(name_or_string: str, variant: str = "exact") -> CompiledGame:
    """The game as a compiled tree, for what needs more of it than every `Game` has. Raises as `load`."""
    parse_variant(variant)
    name, game_string = resolve(name_or_string)
    return CompiledGame(name, cache.load(game_string), variant)
