"""What a PSRO run comes to, on disk: every player's policies, and the mixture of them that is judged.

A file is ``.npz`` without pickle: ``game_string`` and ``about`` (JSON) as strings, and for each player p (0, 1, ...)
``infosets_p`` (I,) information state strings, ``first_p`` (I + 1,) where each one's entries begin, ``actions_p`` (S,),
``policies_p`` (n, S) probabilities and ``mixture_p`` (n,) weights. At information states that a policy's own earlier
actions exclude it is uniform.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from evaluators.contract import InputError
from evaluators.games.compiled import CompiledGame
from evaluators.games.form import Floats
from evaluators.games.policies import check_name as check_policy_name
from evaluators.games.policies import infosets
from evaluators.games.populations import Populations


@dataclass(frozen=True, eq=False)
class Population:
    """One player's policies.

    Attributes:
        infosets: I information state strings.
        first: (I + 1,) where each one's entries begin.
        actions: (S,) OpenSpiel's actions.
        policies: (n, S) probabilities.
        mixture: (n,) how often each policy is played.
    """

    infosets: Sequence[str]
    first: NDArray[np.int64]
    actions: NDArray[np.int64]
    policies: NDArray[np.float64]
    mixture: Floats


@dataclass(frozen=True)
class StoredPopulations:
    """Populations and mixtures, with the game that they are for; `about` says which program made them."""

    game_string: str
    populations: Sequence[Population]
    about: Mapping[str, Any] = field(default_factory=dict)

    def tabular_policies(self) -> list[list[Any]]:
        """Return each player's policies as OpenSpiel's ``TabularPolicy``, uniform for the others, on one game.

        With the mixtures they go into ``open_spiel.python.algorithms.policy_aggregator.PolicyAggregator``.

        Raises:
            InputError: the game has not these information states.
        """
        from open_spiel.python.policy import TabularPolicy

        from evaluators.games.compile import load_turn_based

        uniform = TabularPolicy(load_turn_based(self.game_string))
        return [list(self._filled(uniform, own)) for own in self.populations]

    def _filled(self, uniform: Any, own: Population) -> Iterator[Any]:
        try:
            states = [uniform.state_lookup[key] for key in own.infosets]
        except KeyError as error:
            raise InputError(f"populations: {self.game_string} has no information state {error}.") from None
        rows = np.repeat(states, np.diff(own.first))
        for policy in own.policies:
            filled = copy.copy(uniform)
            filled.action_probability_array[rows, own.actions] = policy
            yield filled


def stored(
    game: CompiledGame, game_string: str, populations: Populations, mixtures: Sequence[Floats]
) -> StoredPopulations:
    """Return populations and mixtures as they are stored.

    Args:
        game: with OpenSpiel's information state strings.
        game_string: what loads it.
        populations: of the game.
        mixtures: (n_p,) weights per player.

    Raises:
        GameError: two players share an information state string.
    """
    return StoredPopulations(
        game_string,
        [
            Population(
                keys,
                game.form.trees[p].offset.astype(np.int64),
                game.actions[p].astype(np.int64),
                np.stack([_behaviour(game, p, plan) for plan in populations.plans(p)]),
                mixtures[p],
            )
            for p, keys in enumerate(infosets(game))
        ],
    )


def _behaviour(game: CompiledGame, player: int, plan: Floats) -> Floats:
    """(S,) the policy that has a realization plan."""
    return game.average_policy(player, plan[1 : game.form.num_sequences[player]])


def check_name(path: Path) -> None:
    """See that populations can be saved at `path`, before hours are spent on them.

    Raises:
        InputError: another kind of file, or no such folder.
    """
    check_policy_name(path, (".npz",), what="populations")


def save(path: Path, populations: StoredPopulations) -> None:
    """Write populations as ``.npz``.

    Raises:
        InputError: another kind of file, or it cannot be written.
    """
    check_name(path)
    arrays: dict[str, Any] = {
        "game_string": np.array(populations.game_string),
        "about": np.array(json.dumps(dict(populations.about), allow_nan=False)),
    }
    for p, own in enumerate(populations.populations):
        arrays |= {f"{name}_{p}": np.asarray(value) for name, value in vars(own).items()}
    try:
        np.savez_compressed(path, **arrays)
    except OSError as error:
        raise InputError(f"populations: {path} cannot be written: {error.strerror}.") from error


def load(path: str | Path) -> StoredPopulations:
    """Return the populations in a file that `save` wrote.

    Raises:
        InputError: no such file, or another kind of file.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            populations = [
                Population(
                    arrays[f"infosets_{p}"].tolist(),
                    *(arrays[f"{name}_{p}"] for name in ("first", "actions", "policies", "mixture")),
                )
                for p in range(sum(name.startswith("policies_") for name in arrays))
            ]
            if populations:
                return StoredPopulations(
                    str(arrays["game_string"]), populations, json.loads(str(arrays["about"]))
                )
    except OSError as error:
        raise InputError(f"populations: expected a saved run at {path}; {error.strerror}.") from error
    except (ValueError, KeyError, TypeError, EOFError, BadZipFile) as error:
        raise InputError(f"populations: expected a saved PSRO run; {path} is something else.") from error
    raise InputError(f"populations: expected a saved PSRO run; {path} is something else.")
