"""What the clients of HTTP interfaces share: the fate of a status code, ``Retry-After``, and what may be charged."""

from __future__ import annotations

import email.utils
import time
from collections.abc import Mapping

from evolve.models.base import Usage
from evolve.models.errors import ModelError, ModelSetupError, TransientError

_PASSING = frozenset({408, 409, 425, 429})
_GAVE_UP = frozenset({408, 502, 504, 524})
"""Somebody on the way stopped waiting; the model behind may have answered, and the answer may be charged."""
_NO_MONEY = ("insufficient_quota", "billing", "credit balance")


def error_of_status(
    status: int, said: str, headers: Mapping[str, str], *, model: str, key_name: str
) -> ModelError:
    """The error that an HTTP status stands for.

    Args:
        status: 400 to 599.
        said: the server's words, scrubbed of keys.
        headers: of the response, lower case.
        model: as the user wrote it.
        key_name: the environment variable that holds the key.
    """
    if status == 429 and any(word in said.lower() for word in _NO_MONEY):
        return ModelSetupError(
            f"{model}: the account has no money left: {said}", "Top it up; the same command continues."
        )
    if status in _PASSING or status >= 500:
        usage = None if status in _GAVE_UP else Usage()
        return TransientError(f"HTTP {status}: {said}", retry_after_s=retry_after_s(headers), usage=usage)
    if status in (401, 403) or "api key not valid" in said.lower() or "api_key_invalid" in said.lower():
        return ModelSetupError(
            f"{model}: the key in {key_name} was rejected: {said}", f"Set {key_name} to a valid key."
        )
    if status == 404:
        return ModelSetupError(
            f"{model}: the server knows no such model or address: {said}", "Check --model and the base URL."
        )
    return ModelSetupError(f"{model}: the server refused the request (HTTP {status}): {said}")


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Seconds that the server asks us to wait: ``retry-after-ms``, ``retry-after`` in seconds or as a date."""
    try:
        if "retry-after-ms" in headers:
            return float(headers["retry-after-ms"]) / 1000.0
        if "retry-after" in headers:
            return float(headers["retry-after"])
    except ValueError:
        try:
            when = email.utils.parsedate_to_datetime(headers["retry-after"])
        except (ValueError, KeyError):
            return None
        return max(0.0, when.timestamp() - time.time())
    return None


def charged_by(fault: BaseException | None) -> Usage | None:
    """What a broken connection costs: nothing when the request never left, else nobody knows."""
    import httpx2

    never_left = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.UnsupportedProtocol)
    return Usage() if isinstance(fault, never_left) else None
