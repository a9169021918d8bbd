"""Two-player zero-sum games in normal form, given by the row player's payoffs: ``zero_sum_matrix(1 -1; -1 1)``."""

from __future__ import annotations

import math
from typing import Any

from evaluators.contract import GameError

KIND = "zero_sum_matrix"


def canonical(game_string: str) -> str:
    """Return the string with numbers and blanks as they are always written.

    Raises:
        GameError: no matrix of finite numbers.
    """
    return f"{KIND}({'; '.join(' '.join(map(_plain, row)) for row in payoffs(game_string))})"


def payoffs(game_string: str) -> list[list[float]]:
    """Return the (rows, columns) payoffs of the row player. Raises as `canonical`."""
    text = game_string.strip().removeprefix(KIND).strip()
    try:
        rows = [
            [float(x) for x in row.split()] for row in text.removeprefix("(").removesuffix(")").split(";")
        ]
    except ValueError:
        rows = []
    closed = text.startswith("(") and text.endswith(")")
    if not closed or len({len(row) for row in rows}) != 1 or not rows[0] or not _finite(rows):
        raise GameError(
            f"game: expected a matrix of finite numbers; got {game_string!r}.",
            f"Rows are separated by semicolons, entries by blanks: {KIND}(1 -1; -1 1).",
        )
    return rows


def load(game_string: str) -> Any:
    """Return the matrix as a simultaneous ``pyspiel.Game``. Raises as `canonical`."""
    import pyspiel

    rows = payoffs(game_string)
    names = [str(i) for i in range(len(rows))], [str(j) for j in range(len(rows[0]))]
    negated = [[-x for x in row] for row in rows]
    return pyspiel.create_matrix_game(KIND, game_string, *names, rows, negated)


def _plain(x: float) -> str:
    return str(int(x)) if x == int(x) else repr(x)


def _finite(rows: list[list[float]]) -> bool:
    return all(math.isfinite(x) for row in rows for x in row)
