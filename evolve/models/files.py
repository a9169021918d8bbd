"""``mailbox:DIR``, ``replay:FILE`` and ``scripted:FILE``: answers that somebody writes into files, or has written.

All give the same answer to the same candidate whatever the order in which candidates ask.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar

from evolve.models.base import (
    Completion,
    ModelSetupError,
    ModelUnavailable,
    Request,
    Stop,
    Usage,
    completed,
)
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


class FileModel:
    """What models that answer by files have in common.

    Args:
        path: the file or directory.
    """

    free = True
    kind: ClassVar[str]

    def __init__(self, path: Path) -> None:
        self._path = path
        self.name = f"{self.kind}:{path}"

    async def close(self) -> None:
        """See `Model.close`."""

    def _read(self) -> str:
        try:
            return self._path.read_text(encoding="utf-8")
        except OSError as error:
            raise ModelSetupError(
                f"{self.kind}: expected a file at {self._path}; {error.strerror}."
            ) from error
        except UnicodeDecodeError as error:
            raise ModelSetupError(f"{self.kind}: expected text in {self._path}; {error}.") from error


class MailboxModel(FileModel):
    """A directory in which a person, a chat window or any tool that reads and writes files answers.

    A request becomes ``<ordinal>-<attempt>-<hash>.prompt.md``; the answer is expected beside it as ``….answer.md``.
    Files stay: a campaign that was stopped reads what was answered meanwhile. An answer is read when it has not changed
    between two looks, so that a slow writer is not cut off.

    Args:
        path: the directory; made when missing.
        timeout_s: how long an answer is waited for.
        poll_s: seconds between two looks.

    Raises:
        ModelSetupError: the directory cannot be made.
    """

    kind = "mailbox"

    def __init__(self, path: Path, *, timeout_s: float = 86_400.0, poll_s: float = 0.5) -> None:
        super().__init__(path)
        self._timeout_s, self._poll_s = timeout_s, poll_s
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ModelSetupError(f"mailbox: expected a directory at {path}; {error.strerror}.") from error

    async def complete(self, request: Request) -> Completion:
        """See `Model.complete`.

        Raises:
            ModelUnavailable: nobody answered in time. The prompt stays.
        """
        stem = f"{request.ordinal:05}-{request.attempt}-{request.hash[:10]}"
        prompt, answer = (self._path / f"{stem}.{kind}.md" for kind in ("prompt", "answer"))
        if not prompt.exists():
            # Under another name first: whoever watches the directory never sees half a prompt.
            partial = self._path / f".{stem}.prompt.md.partial"
            partial.write_text(_letter(request, answer.name), encoding="utf-8", errors="replace")
            partial.replace(prompt)
        began = time.monotonic()
        before: tuple[int, int] | None = None
        while True:
            now = _state(answer)
            if now is not None and now == before:
                text = answer.read_text(encoding="utf-8", errors="replace")
                return _written(text, request, model="mailbox", latency_s=time.monotonic() - began)
            before = now
            if time.monotonic() - began > self._timeout_s:
                raise ModelUnavailable(
                    f"mailbox: no answer within {self._timeout_s:g} s; expected it in {answer}.",
                    "The prompt stays; answer it, and the same command continues.",
                )
            await asyncio.sleep(self._poll_s)


def _state(path: Path) -> tuple[int, int] | None:
    """Return size and time of a file's last change; None while it is missing or empty."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return (status.st_size, status.st_mtime_ns) if status.st_size else None


def _letter(request: Request, answer: str) -> str:
    turns = "\n\n".join(f"# {m.role}\n\n{m.text.strip()}" for m in request.messages)
    return f"<!-- Write the answer to {answer} in this directory. -->\n\n{turns}\n"


def _written(text: str, request: Request, *, model: str, latency_s: float = 0.0) -> Completion:
    """Return an answer whose tokens nobody counted: about three bytes are one."""
    usage = Usage(request.input_tokens, len(text.encode("utf-8", "replace")) // 3)
    return completed(text, usage, model=model, latency_s=latency_s)


class ScriptedModel(FileModel):
    """Answers out of a JSON list: entry k - 1 is for candidate k, a text or a list of texts, one per attempt.

    Args:
        path: the file.

    Raises:
        ModelSetupError: no such file, or not of this form.
    """

    kind = "scripted"

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        try:
            self._answers = json.loads(self._read())
        except ValueError as error:
            raise ModelSetupError(f"scripted: expected JSON in {path}; {error}.") from error
        if not isinstance(self._answers, list):
            raise ModelSetupError(f"scripted: expected a list in {path}.")

    async def complete(self, request: Request) -> Completion:
        """See `Model.complete`."""
        index = request.ordinal - 1
        entry = self._answers[index] if 0 <= index < len(self._answers) else []
        attempts = [entry] if isinstance(entry, str) else entry
        if request.attempt >= len(attempts):
            raise ModelSetupError(
                f"scripted: {self._path} has no answer for candidate {request.ordinal}, attempt {request.attempt}."
            )
        return _written(attempts[request.attempt], request, model="scripted")


class ReplayModel(FileModel):
    """The answers of a recorded campaign, as ``evolve results export CAMPAIGN --format calls`` writes them.

    An answer is looked up by candidate and attempt; a request that differs from the recorded one is answered all the
    same, with a warning. What was not recorded for the candidate is looked up by the request's hash.

    Args:
        path: the file.
        warn: is told about differing requests.

    Raises:
        ModelSetupError: no such file, or not of this form.
    """

    kind = "replay"

    def __init__(self, path: Path, *, warn: Callable[[str], None] = lambda line: None) -> None:
        super().__init__(path)
        self._warn = warn
        calls = self._calls()
        self._by_attempt = {(call["ordinal"], call["attempt"]): call for call in calls}
        self._by_hash = {call["request_hash"]: call for call in reversed(calls)}

    async def complete(self, request: Request) -> Completion:
        """See `Model.complete`."""
        call = self._by_attempt.get((request.ordinal, request.attempt))
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

    def _calls(self) -> list[dict[str, Any]]:
        """Return the calls of the recording."""
        hint = "Write one with: evolve results export CAMPAIGN --format calls --output FILE"
        try:
            head, *calls = [json.loads(line) for line in self._read().splitlines() if line.strip()] or [{}]
        except ValueError as error:
            raise ModelSetupError(f"replay: expected JSON lines in {self._path}; {error}.", hint) from error
        if not isinstance(head, dict) or head.get("recording") != FORMAT:
            raise ModelSetupError(f"replay: expected a recording of format {FORMAT} in {self._path}.", hint)
        for number, call in enumerate(calls, start=2):
            missing = sorted({*_KEPT, "answer"} - set(call)) if isinstance(call, dict) else ["an object"]
            if missing:
                raise ModelSetupError(
                    f"replay: line {number} of {self._path} lacks {', '.join(missing)}.", hint
                )
        return calls


def recording(about: Mapping[str, Any], calls: Iterable[CallRecord]) -> str:
    """Return the answers of a campaign as `ReplayModel` reads them: JSON lines, first what the campaign was.

    Prompts are not in it: a replay makes them again, and sees by their hashes whether they are the same.

    Args:
        about: what to say of the campaign.
        calls: its calls; those that were not answered are left out.
    """
    answered = sorted((c for c in calls if c.state == "answered"), key=lambda c: (c.ordinal, c.attempt))
    lines = [{"recording": FORMAT, **about, "calls": len(answered)}]
    lines += [{key: getattr(c, key) for key in _KEPT} | {"answer": c.answer} for c in answered]
    return "".join(json.dumps(line) + "\n" for line in lines)
