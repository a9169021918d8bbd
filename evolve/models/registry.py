"""Models by name, and prices: ``openai:NAME``, ``gemini:NAME``, ``mailbox:DIR``, ``replay:FILE``, ``scripted:FILE``.

Prices are those of the offline table of genai-prices, with the configuration's over it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from evaluators.contract import nearest
from evolve.models.base import Model, ModelSetupError, Usage
from evolve.models.config import LlmConfig
from evolve.models.files import MailboxModel, ReplayModel, ScriptedModel
from evolve.models.remote import GeminiModel, OpenAIModel

KINDS = ("openai", "gemini", "mailbox", "replay", "scripted")

_ADDRESSES = {"openai": "OPENAI_BASE_URL", "gemini": "GOOGLE_GEMINI_BASE_URL"}
_PROVIDERS = {"openai": "openai", "gemini": "google"}


class Priced(NamedTuple):
    """A model, and what its usage costs in USD."""

    model: Model
    price: Callable[[Usage], float]

    def usd(self, usage: Usage) -> float:
        """Return what a call costs."""
        return 0.0 if self.model.free else self.price(usage)


def split_name(name: str) -> tuple[str, str]:
    """Return the kind of a model, and what stands behind the colon.

    Raises:
        ModelSetupError: no such kind, or nothing behind the colon.
    """
    kind, _, rest = name.partition(":")
    if kind not in KINDS or not rest:
        raise ModelSetupError(
            f"model: expected one of openai:NAME, gemini:NAME, mailbox:DIR, replay:FILE, scripted:FILE; got {name!r}.",
            nearest(kind, KINDS) if kind not in KINDS else "",
        )
    return kind, rest


def make_model(name: str, config: LlmConfig, *, warn: Callable[[str], None] = lambda line: None) -> Model:
    """Return the model called `name`.

    Args:
        name: kind and name.
        config: addresses, times and so on.
        warn: is told what differs from a recording.

    Raises:
        ModelSetupError: an unknown name, a missing key or file.
    """
    kind, rest = split_name(name)
    server, timeout_s = config.server(name), config.timeout_s
    match kind:
        case "mailbox":
            return MailboxModel(Path(rest), timeout_s=config.mailbox_timeout_s)
        case "replay":
            return ReplayModel(Path(rest), warn=warn)
        case "scripted":
            return ScriptedModel(Path(rest))
        case "openai":
            return OpenAIModel(rest, base_url=server, api=config.api, timeout_s=timeout_s)
    return GeminiModel(rest, base_url=server, timeout_s=timeout_s)


def pricing(name: str, config: LlmConfig) -> Callable[[Usage], float]:
    """Return how a model's usage is priced, in USD.

    The configuration's price comes first. A server on this machine is free. Otherwise the table is asked for the
    prices of OpenAI and Google, which a gateway at another base URL may or may not share.

    Args:
        name: the model, such as ``openai:gpt-5-mini``.
        config: prices over the table, and whether an unknown one will do.

    Raises:
        ModelSetupError: nobody knows the price, and the configuration does not allow that.
    """
    from genai_prices import Usage as TableUsage
    from genai_prices import calc_price

    kind, _, model = name.partition(":")
    if name in config.prices:
        price = config.prices[name]
        return lambda usage: (usage.input_tokens * price.input + usage.output_tokens * price.output) / 1e6
    if kind not in _PROVIDERS or _is_local(config.server(name) or os.environ.get(_ADDRESSES[kind], "")):
        return lambda usage: 0.0

    def from_table(usage: Usage) -> float:
        counted = TableUsage(
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            cache_read_tokens=min(usage.cached_tokens, usage.input_tokens),
        )
        return float(calc_price(counted, model_ref=model, provider_id=_PROVIDERS[kind]).total_price)

    try:
        from_table(Usage(1, 1))
    except LookupError:
        if config.allow_unknown_price:
            return lambda usage: 0.0
        raise ModelSetupError(
            f"model: expected one with a known price; nobody knows that of {name!r}.",
            f'Name it in the configuration ([llm.prices."{name}"] input and output, USD per million tokens), '
            "or set llm.allow_unknown_price = true.",
        ) from None
    return from_table


def _is_local(address: str) -> bool:
    """Return whether a server is on this machine."""
    host = urlsplit(address).hostname or ""
    return host in ("localhost", "::1") or host.startswith("127.")
