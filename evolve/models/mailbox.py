"""``mailbox:DIR``: prompts and answers as files, for a person, a chat window or any tool that reads and writes files.

A request becomes ``<ordinal>-<attempt>-<hash>.prompt.md``; the answer is expected beside it as ``….answer.md``. Files
stay: a campaign that was stopped finds what was answered meanwhile. An answer is read when it has not changed between
two looks, so that a slow writer is not cut off.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from evolve.models.base import Completion, Request, Usage, completed
from evolve.models.errors import ModelSetupError, ModelUnavailable


class MailboxModel:
    """A directory in which somebody answers.

    Args:
        directory: where; made when missing.
        timeout_s: how long an answer is waited for.
        poll_s: seconds between two looks.

    Raises:
        ModelSetupError: the directory cannot be made.
    """

    free = True

    def __init__(self, directory: Path, *, timeout_s: float = 86_400.0, poll_s: float = 0.5) -> None:
        self._directory = directory
        self._timeout_s = timeout_s
        self._poll_s = poll_s
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ModelSetupError(
                f"mailbox: expected a directory at {directory}; {error.strerror}."
            ) from error

    @property
    def name(self) -> str:
        """See `Model.name`."""
        return f"mailbox:{self._directory}"

    async def complete(self, request: Request) -> Completion:
        """See `Model.complete`.

        Raises:
            ModelUnavailable: nobody answered in time. The prompt stays.
        """
        stem = f"{request.ordinal:05}-{request.attempt}-{request.hash[:10]}"
        prompt, answer = (self._directory / f"{stem}.{kind}.md" for kind in ("prompt", "answer"))
        if not prompt.exists():
            # Under another name first: whoever watches the directory never sees half a prompt.
            partial = self._directory / f".{stem}.prompt.md.partial"
            partial.write_text(_letter(request, answer.name), encoding="utf-8", errors="replace")
            partial.replace(prompt)
        began = time.monotonic()
        seen: tuple[int, int] | None = None
        while True:
            looked = _state(answer)
            if looked is not None and looked == seen:
                text = answer.read_text(encoding="utf-8", errors="replace")
                usage = Usage(request.input_tokens, len(text.encode("utf-8", "replace")) // 3)
                return completed(text, usage, model="mailbox", latency_s=time.monotonic() - began)
            seen = looked
            if time.monotonic() - began > self._timeout_s:
                raise ModelUnavailable(
                    f"mailbox: no answer within {self._timeout_s:g} s; expected it in {answer}.",
                    "The prompt stays; answer it, and the same command continues.",
                )
            await asyncio.sleep(self._poll_s)

    async def close(self) -> None:
        """See `Model.close`."""


def _state(path: Path) -> tuple[int, int] | None:
    """Size and time of a file's last change; None while it is missing or empty."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return (found.st_size, found.st_mtime_ns) if found.st_size else None


def _letter(request: Request, answer: str) -> str:
    turns = "\n\n".join(f"# {m.role}\n\n{m.text.strip()}" for m in request.messages)
    return f"<!-- Write the answer to {answer} in this directory. -->\n\n{turns}\n"
