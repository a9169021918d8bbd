"""``replay:FILE`` and ``scripted:FILE``: answers out of a file, so that a search with a model runs offline.

Both give the same answer to the same candidate whatever the order in which candidates ask.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from evolve.models.base import Completion, Request, Stop, Usage, completed
from evolve.models.errors import ModelSetupError


class ReplayModel:
    """The answers of a recorded campaign, as ``evolve results calls CAMPAIGN --json`` writes them.

    An answer is found by candidate and attempt; a request that differs from the recorded one is answered all the
    same, with a warning. What was not recorded for the candidate is looked up by the request's hash.

    Args:
        path: the file.
        warn: is told about differing requests.

    Raises:
        ModelSetupError: no such file, or not of this form.
    """

    free = True

    def __init__(self, path: Path, *, warn: Callable[[str], None] = lambda line: None) -> None:
        self._path = path
        self._warn = warn
        self._by_place: dict[tuple[int, int], dict[str, Any]] = {}
        self._by_hash: dict[str, dict[str, Any]] = {}
        for call in _load(path, "calls"):
            if call.get("state") == "answered":
                self._by_place[call["ordinal"], call["attempt"]] = call
                self._by_hash.setdefault(call["request_hash"], call)

    @property
    def name(self) -> str:
        """See `Model.name`."""
        return f"replay:{self._path}"

    async def complete(self, request: Request) -> Completion:
        """See `Model.complete`."""
        call = self._by_place.get((request.ordinal, request.attempt))
        if call is None:
            call = self._by_hash.get(request.hash)
        elif call["request_hash"] != request.hash:
            self._warn(
                f"replay: the request of candidate {request.ordinal}, attempt {request.attempt}, differs from the "
                "recorded one; the recorded answer is used."
            )
        if call is None:
            raise ModelSetupError(
                f"replay: {self._path} has no answer for candidate {request.ordinal}, attempt {request.attempt}.",
                "Stop before it with --candidates, or replay with the configuration that was recorded.",
            )
        usage = Usage(call["input_tokens"], call["output_tokens"], call["cached_tokens"])
        return Completion(call["answer"], usage, call["answered_by"], call["latency_s"], Stop(call["stop"]))

    async def close(self) -> None:
        """See `Model.close`."""


class ScriptedModel:
    """Answers out of a JSON list: entry k - 1 is for candidate k, a text or a list of texts, one per attempt.

    Args:
        path: the file.

    Raises:
        ModelSetupError: no such file, or not of this form.
    """

    free = True

    def __init__(self, path: Path) -> None:
        self._path = path
        self._answers = _load(path, None)
        self.asked: list[Request] = []

    @property
    def name(self) -> str:
        """See `Model.name`."""
        return f"scripted:{self._path}"

    async def complete(self, request: Request) -> Completion:
        """See `Model.complete`."""
        self.asked.append(request)
        place = request.ordinal - 1
        entry = self._answers[place] if 0 <= place < len(self._answers) else []
        texts = [entry] if isinstance(entry, str) else entry
        if request.attempt >= len(texts):
            raise ModelSetupError(
                f"scripted: {self._path} has no answer for candidate {request.ordinal}, attempt {request.attempt}."
            )
        text = texts[request.attempt]
        usage = Usage(request.input_tokens, len(text.encode("utf-8", "replace")) // 3)
        return completed(text, usage, model="scripted", latency_s=0.0)

    async def close(self) -> None:
        """See `Model.close`."""


def _load(path: Path, key: str | None) -> list[Any]:
    """A JSON file's list, or the list under one of its keys."""
    kind = "replay" if key else "scripted"
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ModelSetupError(f"{kind}: expected a file at {path}; {error.strerror}.") from error
    except ValueError as error:
        raise ModelSetupError(f"{kind}: expected JSON in {path}; {error}.") from error
    found = value.get(key) if key and isinstance(value, dict) else value
    if not isinstance(found, list):
        hint = "Write it with: evolve results calls CAMPAIGN --json" if key else ""
        raise ModelSetupError(f"{kind}: expected a list{f' of {key}' if key else ''} in {path}.", hint)
    return found
