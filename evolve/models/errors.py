"""What can go wrong between us and a model.

ModelError
├── ModelSetupError    a key, name, address or request that will not work however often it is sent: exit code 2
├── TransientError     this time it did not work, which may have cost something: tried again (`evolve.models.retrying`)
├── ModelUnavailable   it did not work as often as it was tried; the campaign stops and can be continued: exit code 1
└── BudgetReached      the next call might cost more than is left; the campaign ends in order: exit code 3

What a model *says*, be it empty, cut off or a refusal, is no error but a `Completion` that says so: it is paid for
and recorded. Messages never hold a key: clients raise these `from None`, through `scrubbed`.
"""

from __future__ import annotations

from collections.abc import Iterable

from evolve.errors import EvolveError
from evolve.models.base import Usage

_NOTHING = Usage()


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
        self, message: str, *, retry_after_s: float | None = None, usage: Usage | None = _NOTHING
    ) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
        self.usage = usage


class ModelUnavailable(ModelError):
    """A fault that did not pass."""

    exit_code = 1


class BudgetReached(ModelError):
    """What is left of a budget does not cover another call. `budget`: ``usd`` or ``tokens``."""

    def __init__(self, message: str, *, budget: str) -> None:
        super().__init__(message)
        self.budget = budget


def scrubbed(text: object, secrets: Iterable[str | None]) -> str:
    """A server's words on one line, short, without any of `secrets` in them (servers repeat keys)."""
    words = " ".join(str(text).split())
    for secret in secrets:
        if secret:
            words = words.replace(secret, "[key]")
    return words if len(words) <= 300 else words[:299] + "…"
