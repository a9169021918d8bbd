"""Policies as OpenSpiel has them, information state string -> action -> probability, and as files.

A file is JSON, ``{"schema_version": 1, "game_string": ..., "about": {...}, "policy": {infoset: {action: p}}}``, or the
same as ``.npz``: ``infosets`` (I,) strings, ``first`` (I + 1,) where each one's entries begin, ``actions`` and
``probabilities`` (S,), ``game_string`` and ``about`` (JSON) as strings. Neither needs this project to be read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

import numpy as np

from evaluators.contract import GameError, InputError
from evaluators.games.form import Floats
from evaluators.games.game import Game
from evaluators.games.river.spots import is_spot

SCHEMA_VERSION = 1

Table = dict[str, dict[int, float]]
"""Information state string -> action -> probability, of all players."""


def table(game: Game, policies: Sequence[Floats]) -> Table:
    """Flat policies, (S_p,) per player, by information state string.

    Raises:
        GameError: two players have the same information state string, which OpenSpiel's policies cannot tell apart.
    """
    rows: Table = {}
    for player, keys in enumerate(infosets(game)):
        actions, values = game.actions[player].tolist(), policies[player].tolist()
        ends = [0, *np.cumsum(game.num_actions[player]).tolist()]
        for i, key in enumerate(keys):
            rows[key] = dict(zip(actions[ends[i] : ends[i + 1]], values[ends[i] : ends[i + 1]], strict=True))
    return rows


def infosets(game: Game) -> list[list[str]]:
    """Information state strings per player, in infoset order.

    Raises:
        GameError: two players share one.
    """
    keys = [game.infoset_keys(player) for player in range(game.num_players)]
    if len(set(chain(*keys))) < sum(map(len, keys)):
        raise GameError(
            f"{game.game_string}: expected information state strings that differ between players; some are the same.",
            "OpenSpiel's tabular policies would mix the players up.",
        )
    return keys


@dataclass(frozen=True)
class StoredPolicy:
    """A policy with the game that it is for; `about` says where it came from (program, iterations, ...)."""

    game_string: str
    policy: Table = field(repr=False)
    about: Mapping[str, Any] = field(default_factory=dict)

    def tabular_policy(self) -> Any:
        """The policy as OpenSpiel's ``TabularPolicy`` on a newly loaded game.

        Raises:
            InputError: the game has not these information states, or OpenSpiel does not have it.
        """
        from open_spiel.python.policy import TabularPolicy

        from evaluators.games.compile import load_turn_based  # Here, because it imports pyspiel: 100 ms.

        if is_spot(self.game_string):
            raise InputError(
                f"policy: expected a game of OpenSpiel's; {self.game_string} is a river subgame."
            )
        tabular = TabularPolicy(load_turn_based(self.game_string))
        if tabular.state_lookup.keys() != self.policy.keys():
            raise InputError(
                f"policy: expected the {len(tabular.state_lookup)} infosets of {self.game_string}."
            )
        tabular.action_probability_array[:] = 0.0
        for key, row in self.policy.items():
            for action, probability in row.items():
                tabular.policy_for_key(key)[action] = probability
        return tabular


def check_name(
    path: Path,
    suffixes: Sequence[str] = (".json", ".npz"),
    *,
    what: str = "policy file",
    error: type[InputError] = InputError,
) -> None:
    """See that a policy, or `what` else, can be saved at `path`, before hours are spent on it.

    Raises:
        InputError: another kind of file, or no such folder; as `error`.
    """
    if path.suffix not in suffixes:
        raise error(f"{what}: expected a name that ends in {' or '.join(suffixes)}; got {str(path)!r}.")
    if not path.parent.is_dir():
        raise error(f"{what}: expected an existing folder; there is no {str(path.parent)!r}.")


def save(path: Path, stored: StoredPolicy) -> None:
    """Write a policy as JSON or ``.npz``, by the file's name.

    Raises:
        InputError: another kind of file, or it cannot be written.
    """
    check_name(path)
    try:
        if path.suffix == ".json":
            head = {"schema_version": SCHEMA_VERSION, "game_string": stored.game_string}
            whole = head | {"about": dict(stored.about), "policy": stored.policy}
            path.write_text(json.dumps(whole, allow_nan=False), encoding="utf-8")
            return
        rows = list(stored.policy.values())
        np.savez_compressed(
            path,
            schema_version=np.array(SCHEMA_VERSION),
            game_string=np.array(stored.game_string),
            about=np.array(json.dumps(dict(stored.about), allow_nan=False)),
            infosets=np.array(list(stored.policy)),
            first=np.cumsum([0, *map(len, rows)]),
            actions=np.array([action for row in rows for action in row], np.int64),
            probabilities=np.array([p for row in rows for p in row.values()], np.float64),
        )
    except OSError as error:
        raise InputError(f"policy file: {path} cannot be written: {error.strerror}.") from error


def load(path: str | Path) -> StoredPolicy:
    """The policy in a file that `save` wrote.

    Raises:
        InputError: no such file, or none of ours.
    """
    path = Path(path)
    try:
        if path.suffix == ".json":
            stored = json.loads(path.read_text(encoding="utf-8"))
            policy = {
                key: {int(a): float(p) for a, p in row.items()} for key, row in stored["policy"].items()
            }
            return StoredPolicy(stored["game_string"], policy, stored["about"])
        with np.load(path, allow_pickle=False) as arrays:
            first, actions = arrays["first"].tolist(), arrays["actions"].tolist()
            values = arrays["probabilities"].tolist()
            rows = [dict(zip(actions[a:b], values[a:b], strict=True)) for a, b in pairwise(first)]
            policy = dict(zip(arrays["infosets"].tolist(), rows, strict=True))
            return StoredPolicy(str(arrays["game_string"]), policy, json.loads(str(arrays["about"])))
    except OSError as error:
        raise InputError(f"policy file: expected a saved policy at {path}; {error.strerror}.") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"policy file: expected a saved policy; {path} is something else.") from error
