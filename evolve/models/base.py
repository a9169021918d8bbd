"""Contract of a language model: a request in, a completion out.

A model keeps no conversation: a request holds all messages. What a model *says*, be it empty, cut off or a refusal, is
a result that is paid for and recorded (`Stop`); what keeps it from answering is an exception:

ModelError
├── ModelSetupError    a key, name, address or request that will not work however often it is sent: exit code 2
├── TransientError     this time it did not work, which may have cost something: tried again (`evolve.models.asking`)
├── ModelUnavailable   it did not work as often as it was tried; the campaign stops and can be continued: exit code 1
└── BudgetReached      the next call might cost more than is left; the campaign ends in order: exit code 3

Messages never hold a key.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, NamedTuple, Protocol

from evolve.errors import EvolveError


class Message(NamedTuple):
    """One turn of a conversation."""

    role: Literal["system", "user", "assistant"]
    text: str


@dataclass(frozen=True)
class Request:
    """What is asked, and for which candidate.

    Attributes:
        messages: the conversation so far, its last message the user's.
        max_output_tokens: where the answer is cut off, thoughts included.
        temperature: None leaves it to the server (several models refuse any other).
        ordinal: the candidate.
        attempt: how many requests for this candidate came before.
        model: who is asked, where there are several: a `Model.name`.
    """

    messages: tuple[Message, ...]
    max_output_tokens: int
    temperature: float | None = None
    ordinal: int = 0
    attempt: int = 0
    model: str = ""

    @property
    def hash(self) -> str:
        """SHA-256 (hex) of what is asked: not of whom, nor for which candidate."""
        asked = [list(self.messages), self.max_output_tokens, self.temperature]
        return hashlib.sha256(json.dumps(asked, ensure_ascii=False).encode("utf-8", "replace")).hexdigest()

    @property
    def input_tokens(self) -> int:
        """About how many tokens the messages have, rather too many: three bytes each, and a few per message."""
        return sum(len(m.text.encode("utf-8", "replace")) // 3 + 8 for m in self.messages)


@dataclass(frozen=True)
class Usage:
    """Tokens as the server counted them. `cached_tokens` are part of the input, thoughts are part of the output."""

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0

    @property
    def total(self) -> int:
        """Input and output."""
        return self.input_tokens + self.output_tokens


class Stop(StrEnum):
    """Why an answer ends where it does."""

    END = "end"
    """It is complete."""
    LENGTH = "length"
    """It was cut off at the token limit."""
    EMPTY = "empty"
    """It has no text."""
    REFUSED = "refused"
    """The model declined."""
    BLOCKED = "blocked"
    """A safety filter stopped the prompt or the answer."""


@dataclass(frozen=True)
class Completion:
    """An answer, what it cost and where it came from.

    Attributes:
        text: what the model said; the reason, where it was refused or blocked and a reason was given.
        usage: tokens.
        model: the model's name as the server gave it.
        latency_s: seconds from sending to the complete answer.
        stop: whether the text is an answer at all.
    """

    text: str
    usage: Usage
    model: str
    latency_s: float
    stop: Stop = Stop.END


class ModelError(EvolveError):
    """Root of what goes wrong with models."""


class ModelSetupError(ModelError):
    """A mistake of configuration: one line, nothing is tried again."""


class TransientError(ModelError):
    """A fault that may pass.

    Args:
        message: what happened, in a line.
        retry_after_s: what the server asked us to wait; None when it did not say.
        usage: what the server charges for all the same; None when nobody knows, as when the connection broke while
            the model may have been at work.
    """

    def __init__(
        self, message: str, *, retry_after_s: float | None = None, usage: Usage | None = Usage()
    ) -> None:
        super().__init__(message)
        self.retry_after_s, self.usage = retry_after_s, usage


class ModelUnavailable(ModelError):
    """A fault that did not pass."""

    exit_code = 1


class BudgetReached(ModelError):
    """What is left of a budget does not cover another call. `budget`: ``usd`` or ``tokens``."""

    def __init__(self, message: str, *, budget: str) -> None:
        super().__init__(message)
        self.budget = budget


class Model(Protocol):
    """A language model."""

    @property
    def name(self) -> str:
        """As it is written in configurations: ``openai:NAME``, ``mailbox:DIR`` and so on."""

    @property
    def free(self) -> bool:
        """Whether its answers cost no money: files do not."""

    async def complete(self, request: Request) -> Completion:
        """The model's answer.

        Raises:
            ModelSetupError: it will never work.
            TransientError: it may work the next time.
            ModelUnavailable: it was tried long enough.
        """

    async def close(self) -> None:
        """Give connections back. The model is not used afterwards."""


def completed(
    text: str | None, usage: Usage, *, model: str, latency_s: float, stop: Stop = Stop.END
) -> Completion:
    """A completion whose stop says ``empty`` when there is nothing to read, not even a reason."""
    text = text or ""
    if stop is Stop.END and not text.strip():
        stop = Stop.EMPTY
    return Completion(text, usage, model, latency_s, stop)
