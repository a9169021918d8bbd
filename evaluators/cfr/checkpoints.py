"""Solvers on disk: what a running solver needs to go on bit for bit, as ``.npz`` that no pickle is in.

A file has ``about`` (JSON: program, game, version, iteration), ``policy0``, ``policy1``, ... the current policies, and
``state``, bytes that the program's side of the sandbox made and only that side reads (see `guest_checkpoint`).
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from evaluators.contract import InputError, InvalidAnswer
from evaluators.games.form import Floats
from evaluators.games.game import Game, PolicyError
from evaluators.games.policies import check_name as check_policy_name
from sandbox.base import Array, Session

FORMAT = 1

PART = 1 << 20
"""Bytes of state that travel at once; a session that may be saved has room for them."""

MAX_STATE = 1 << 30
"""Bytes: far beyond what a program needs, and what a file and the memory here can take."""

Bytes = NDArray[np.uint8]


class CheckpointError(InputError):
    """A state that cannot be saved, or a file that a solver cannot go on from."""


@dataclass(frozen=True)
class About:
    """What a checkpoint is of; a solver goes on from one that differs in `iteration` only."""

    program: str
    game: str
    version: str
    iteration: int
    format: int = FORMAT


@dataclass(frozen=True)
class Checkpoint:
    """A solver at rest.

    Attributes:
        about: what it is of.
        policies: (S_p,) current policy of each player.
        state: (bytes,) the program's.
    """

    about: About
    policies: list[Floats]
    state: Bytes


def about(source: str, game: Game, iteration: int) -> About:
    """Return what a checkpoint of a program at work on a game says of itself."""
    # OpenSpiel calls all games alike that were made of text or tables.
    same = f"{game.game_string} {game.variant} {game.num_pairs} {game.uniform_exploitability:.6g}"
    program = hashlib.sha256(source.encode()).hexdigest()
    return About(program, same, version("evolve-marl"), iteration)


def check_name(path: Path) -> None:
    """See that a checkpoint can be written at `path`, before hours are spent on it.

    Raises:
        CheckpointError: another kind of file, or no such folder.
    """
    check_policy_name(path, (".npz",), what="checkpoint", error=CheckpointError)


def write(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint, or leave what was there before.

    Raises:
        CheckpointError: the name is none for a checkpoint, or the file cannot be written.
    """
    check_name(path)
    arrays: dict[str, Any] = {f"policy{p}": policy for p, policy in enumerate(checkpoint.policies)}
    arrays |= {"about": np.array(json.dumps(asdict(checkpoint.about))), "state": checkpoint.state}
    try:
        with tempfile.TemporaryDirectory(prefix=".new-", dir=path.parent) as folder:
            new = Path(folder) / path.name
            np.savez(new, **arrays)
            new.replace(path)
    except OSError as error:
        raise CheckpointError(f"checkpoint: {path} cannot be written: {error.strerror}.") from error


def read(path: Path, expected: About, game: Game) -> Checkpoint:
    """Return the checkpoint in a file.

    Args:
        path: the file.
        expected: what it has to be of, at any iteration.
        game: what its policies have to fit.

    Raises:
        CheckpointError: no checkpoint, or one of something else.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            stored = json.loads(str(arrays["about"]))
            policies = [arrays[f"policy{p}"] for p in range(len(arrays) - 2)]
            state = arrays["state"]
    except OSError as error:
        raise CheckpointError(f"checkpoint: expected a file at {path}; {error.strerror or error}.") from error
    except (ValueError, KeyError, TypeError, EOFError, BadZipFile) as error:
        raise CheckpointError(f"checkpoint: expected a saved solver; {path} is something else.") from error
    for name, value in asdict(expected).items():
        if name != "iteration" and (not isinstance(stored, dict) or stored.get(name) != value):
            raise CheckpointError(
                f"checkpoint: expected one of the same {name}; {path} is of another.",
                "Continue with the program, game and version that it was saved with, or name another file.",
            )
    iteration = stored.get("iteration")
    if type(iteration) is not int or iteration < 0 or not _fits(game, policies, state):
        raise CheckpointError(f"checkpoint: expected a saved solver; {path} is damaged.")
    return Checkpoint(replace(expected, iteration=iteration), policies, state)


def _fits(game: Game, policies: Sequence[Floats], state: Array) -> bool:
    """Whether arrays of a file are policies of a game and bytes."""
    if state.dtype != np.uint8 or state.ndim != 1 or any(policy.dtype != np.float64 for policy in policies):
        return False
    try:
        for p, policy in enumerate(
            policies
        ):  # Left as they are: divided by their sums again, their bits may change.
            game.project(p, policy)
    except (PolicyError, IndexError):
        return False
    return len(policies) == game.num_players


def fetch(session: Session) -> Bytes:
    """Return a program's state from its session.

    Raises:
        CheckpointError: it holds what cannot be saved; the session goes on.
        SandboxFault: the program failed.
        InvalidAnswer: the guest's process answers something else than the guest.
    """
    answer = session.call("save")
    size = int(answer[0][0]) if answer and answer[0].shape == (1,) and answer[0].dtype == np.int64 else 0
    if size == -1 and len(answer) == 2:
        reason = answer[1].tobytes()[:500].decode(errors="replace")
        raise CheckpointError(f"checkpoint: {reason}.", "This program's solvers cannot be saved.")
    if not 0 < size <= MAX_STATE:
        raise InvalidAnswer(f"checkpoint: expected a state of 1 to {MAX_STATE} bytes; got {size}")
    parts = [
        _part(session.call("fetch", (k, min(k + PART, size))), min(PART, size - k))
        for k in range(0, size, PART)
    ]
    return np.concatenate(parts)


def _part(answer: tuple[Array, ...], size: int) -> Bytes:
    if len(answer) != 1 or answer[0].shape != (size,) or answer[0].dtype != np.uint8:
        raise InvalidAnswer(f"checkpoint: expected {size} bytes of state")
    return answer[0].astype(np.uint8)


def push(session: Session, state: Bytes) -> None:
    """Give a program in a fresh session the state of another one.

    Raises:
        SandboxFault: the program failed.
    """
    for k in range(0, len(state), PART):
        session.call("push", (), (state[k : k + PART],))
    session.call("restore")
