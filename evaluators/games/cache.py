"""Compiled games on disk, opened by mapping them into memory.

An entry is a directory of ``.npy`` files, named by a digest of game string, format version and OpenSpiel
version. It is written beside its place and renamed into it, so that a reader sees all of it or nothing, and
of two processes that compile the same game at once one keeps its entry and the other uses it. An entry that
cannot be read, or whose sums differ, is compiled again.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
from numpy.typing import NDArray

from evaluators.games import random_games
from evaluators.games.form import Lanes, PlayerTree, SequenceForm

FORMAT = 1
"""Raise it whenever the arrays or their order change."""

_TREE = ("parent", "offset", "depth", "action")
_LANES = ("header", "bounds", "rows", "cells")
_PLAIN = ("sequence", "chance", "utility", "visit", "key_bytes", "key_ends")


def directory() -> Path:
    """Where compiled games are kept: ``$EVOLVE_CACHE_DIR/games``, or the user's cache directory."""
    root = os.environ.get("EVOLVE_CACHE_DIR") or platformdirs.user_cache_dir("evolve-marl", appauthor=False)
    return Path(root) / "games"


def entry(game_string: str) -> Path:
    """The directory that holds, or would hold, a compiled game."""
    digest = hashlib.sha256(f"{FORMAT}\n{version('open_spiel')}\n{game_string}".encode()).hexdigest()[:16]
    return directory() / f"{game_string.partition('(')[0]}-{digest}"


def compile_seconds(game_string: str) -> float | None:
    """How long compiling an entry took; None without an entry, or for one that an earlier build wrote."""
    try:
        index = json.loads((entry(game_string) / "index.json").read_text())
    except (OSError, ValueError):
        return None
    seconds = index.get("compile_s")
    return seconds if isinstance(seconds, float) else None


def load(game_string: str) -> SequenceForm:
    """The compiled game, from the cache or compiled now and stored.

    Raises:
        GameError: the game cannot be compiled.
    """
    if random_games.parse(game_string):
        return random_games.compile_random(game_string)  # Takes no longer than opening an entry.
    if "filename=" in game_string:
        return _compile(game_string)  # The file may change under its name.
    path = entry(game_string)
    try:
        return _read(path, game_string)
    except (OSError, ValueError, KeyError, TypeError, EOFError):
        shutil.rmtree(path, ignore_errors=True)
    start = time.perf_counter()
    form = _compile(game_string)
    try:
        _write(path, form, compile_s=time.perf_counter() - start)
        return _read(path, game_string)
    except OSError:
        return form  # A full or read-only disk costs the next start some seconds, not this run.


def _compile(game_string: str) -> SequenceForm:
    from evaluators.games.compile import compile_game  # Here, because opening an entry needs no pyspiel.

    return compile_game(game_string)


def _read(path: Path, game_string: str) -> SequenceForm:
    """Map an entry into memory.

    Raises:
        OSError: no entry, or unreadable.
        ValueError: an array does not have the dtype, shape or sum that the index records.
    """
    index = json.loads((path / "index.json").read_text())
    if index["game"] != game_string:
        raise ValueError(f"{path} holds {index['game']}")

    def array(name: str) -> NDArray[Any]:
        # Copy-on-write pages make the arrays writable, the one type that the kernels are compiled for; an
        # empty file cannot be mapped.
        dtype, shape, checksum = index["arrays"][name]
        mapped = np.load(path / f"{name}.npy", mmap_mode="c" if 0 not in shape else None, allow_pickle=False)
        if mapped.dtype.str != dtype or list(mapped.shape) != shape:
            raise ValueError(
                f"{path / name}.npy: expected {dtype} {shape}; got {mapped.dtype.str} {mapped.shape}"
            )
        plain = np.asarray(mapped)
        # The kernels index without bounds: a damaged file must not get that far.
        if _checksum(plain) != checksum:
            raise ValueError(f"{path / name}.npy: the content has changed")
        return plain

    trees = [PlayerTree(*(array(f"{name}{p}") for name in _TREE)) for p in range(index["players"])]
    return SequenceForm(
        game_string=game_string,
        trees=tuple(trees),
        lanes=Lanes(*(array(name) for name in _LANES)),
        **{name: array(name) for name in _PLAIN},
    )


def _write(path: Path, form: SequenceForm, *, compile_s: float | None = None) -> None:
    """Store an entry in one step; an entry that another process stored meanwhile stays."""
    arrays = {name: getattr(form, name) for name in _PLAIN}
    arrays |= {name: getattr(form.lanes, name) for name in _LANES}
    arrays |= {f"{name}{p}": getattr(tree, name) for p, tree in enumerate(form.trees) for name in _TREE}
    index = {
        "game": form.game_string,
        "players": form.num_players,
        "compile_s": compile_s,
        "arrays": {name: (a.dtype.str, a.shape, _checksum(a)) for name, a in arrays.items()},
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".new-", dir=path.parent, ignore_cleanup_errors=True) as new:
        for name, a in arrays.items():
            np.save(Path(new) / f"{name}.npy", a)
        (Path(new) / "index.json").write_text(json.dumps(index))
        try:
            Path(new).rename(path)
        except OSError:
            if not (path / "index.json").exists():
                raise


def _checksum(array: NDArray[Any]) -> int:
    """Sum of the bytes, eight at a time: sees truncation, zeroed pages and flipped bits, at 8 GB/s."""
    raw = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
    whole = len(raw) // 8 * 8
    return (int(raw[:whole].view(np.uint64).sum()) + int(raw[whole:].sum())) % 2**64
