"""What calls cost: the offline table of genai-prices, with the configuration's prices over it."""

from __future__ import annotations

import os
from collections.abc import Callable
from urllib.parse import urlsplit

from evolve.models.base import Usage
from evolve.models.config import LlmConfig
from evolve.models.errors import ModelSetupError

Pricing = Callable[[Usage], float]
"""Usage -> USD."""

_ADDRESSES = {"openai": "OPENAI_BASE_URL", "gemini": "GOOGLE_GEMINI_BASE_URL"}
_PROVIDERS = {"openai": "openai", "gemini": "google"}


def pricing(name: str, config: LlmConfig) -> Pricing:
    """How a model's usage is priced.

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
    if kind not in _PROVIDERS or _is_local(name, config):
        return lambda usage: 0.0
    provider = _PROVIDERS[kind]

    def from_table(usage: Usage) -> float:
        counted = TableUsage(
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            cache_read_tokens=min(usage.cached_tokens, usage.input_tokens),
        )
        return float(calc_price(counted, model_ref=model, provider_id=provider).total_price)

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


def _is_local(name: str, config: LlmConfig) -> bool:
    """Whether the model's server is on this machine."""
    kind = name.partition(":")[0]
    address = config.server(name) or os.environ.get(_ADDRESSES[kind], "")
    host = urlsplit(address).hostname or ""
    return host in ("localhost", "::1") or host.startswith("127.")
