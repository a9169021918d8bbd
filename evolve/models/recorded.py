"""``replay:FILE`` and ``scripted:FILE``: answers out of a file, so that a search with a model runs offline.

Both give the same answer to the same candidate whatever the order in which candidates ask.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from evolve.models.base import Completion, Request, Stop, Usage, completed
from evolve.models.errors import ModelSetupError
from results.records import CallRecord

FORMAT = 1
"""Version of recordings, which their first line names."""

_KEPT = (
    "ordinal",
    "attempt",
    "request_hash",
    "answered_by",
    "input_tokens",
    "output_tokens",
    "cached_tokens",
    "stop",
)


def recording(about: Mapping[str, Any], calls: Iterable[CallRecord]) -> str:
    """The answers of a campaign as ``replay:FILE`` reads them: JSON lines, first what the campaign was.

    Prompts are not in it: a replay makes them again, and sees by their hashes whether they are the same.

    Args:
        about: what to say of the campaign.
        calls: its calls; those that were not answered are left out.
    """
    answered = sorted((c for c in calls if c.state == "answered"), key=lambda c: (c.ordinal, c.attempt))
    lines = [{"recording": FORMAT, **about, "calls": len(answered)}]
    lines += [{key: getattr(c, key) for key in _KEPT} | {"answer": c.answer} for c in answered]
    return "".join(json.dumps(line) + "\n" for line in lines)


class ReplayModel:
    """The answers of a recorded campaign, as ``evolve results export CAMPAIGN --format calls`` writes them.

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
        for call in _recorded(path):
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
        return Completion(call["answer"], usage, call["answered_by"], 0.0, Stop(call["stop"]))

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
        self._answers = _scripted(path)
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


def _read(kind: str, path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ModelSetupError(f"{kind}: expected a file at {path}; {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise ModelSetupError(f"{kind}: expected text in {path}; {error}.") from error


def _recorded(path: Path) -> list[dict[str, Any]]:
    """The calls of a recording."""
    hint = "Write one with: evolve results export CAMPAIGN --format calls --output FILE"
    try:
        lines = [json.loads(line) for line in _read("replay", path).splitlines() if line.strip()]
    except ValueError as error:
        raise ModelSetupError(f"replay: expected JSON lines in {path}; {error}.", hint) from error
    head = lines[0] if lines and isinstance(lines[0], dict) else {}
    if head.get("recording") != FORMAT:
        raise ModelSetupError(f"replay: expected a recording of format {FORMAT} in {path}.", hint)
    wanted = {*_KEPT, "answer"}
    for number, call in enumerate(lines[1:], start=2):
        missing = sorted(wanted - set(call)) if isinstance(call, dict) else ["an object"]
        if missing:
            raise ModelSetupError(f"replay: line {number} of {path} lacks {', '.join(missing)}.", hint)
    return lines[1:]


def _scripted(path: Path) -> list[Any]:
    """A JSON file's list."""
    try:
        found = json.loads(_read("scripted", path))
    except ValueError as error:
        raise ModelSetupError(f"scripted: expected JSON in {path}; {error}.") from error
    if not isinstance(found, list):
        raise ModelSetupError(f"scripted: expected a list in {path}.")
    return found
