"""The part of a campaign's configuration that is about models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator

DECISIVE = frozenset(
    {"max_output_tokens", "temperature", "repairs", "examples", "crossover", "cost_exponent"}
)
"""Fields that change what is asked: fixed for a campaign. The others may change when it is continued."""


class Price(BaseModel):
    """What a model costs, in USD per million tokens."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    input: float = Field(ge=0)
    output: float = Field(ge=0)


class LlmConfig(BaseModel):
    """How a model is asked."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    base_url: str = ""
    """The server; the SDKs' own environment variables when empty."""
    base_urls: Mapping[str, str] = Field(default_factory=dict)
    """Model's name -> its server, where one of several models has another: a local one beside a paid one."""
    api: Literal["auto", "chat", "responses"] = "auto"
    """Which OpenAI interface: Responses for OpenAI itself, Chat Completions for others, unless said here."""
    timeout_s: float = Field(600.0, gt=0)
    """Seconds that one call may take."""
    mailbox_timeout_s: float = Field(86_400.0, gt=0)
    """Seconds that an answer in a mailbox is waited for."""
    max_output_tokens: int = Field(16_384, ge=64)
    """Tokens of an answer at most, thoughts included."""
    temperature: float | None = Field(None, ge=0, le=2)
    """Of the model's sampling; the model's own unless given."""
    repairs: int = Field(2, ge=0)
    """How often a model is shown what is wrong with its answer before the candidate is given up."""
    examples: int = Field(3, ge=0)
    """Prior programs that a prompt shows beside the parent."""
    crossover: Literal["symbolic", "model"] = "symbolic"
    """Who makes the children of two parents: classes of the one in the place of the other's, or the model, asked to
    merge."""
    cost_exponent: float = Field(0.5, ge=0, le=1)
    """Of several models, how much their costs count when one is chosen: 0 not at all, 1 is reward per dollar
    (`evolve.models.ensemble`)."""
    prices: Mapping[str, Price] = Field(default_factory=dict)
    """Model's name, such as ``openai:my-model`` -> price; over the table that comes with genai-prices."""
    allow_unknown_price: bool = False
    """Call a model whose price nobody knows, and book it as free."""

    @field_validator("base_url", "base_urls")
    @classmethod
    def _without_credentials(cls, given: str | Mapping[str, str]) -> str | Mapping[str, str]:
        """Refuse what is no address of a server, and credentials, which would be stored with the configuration."""
        for url in [given] if isinstance(given, str) else given.values():
            parts = urlsplit(url)
            if url and (parts.scheme not in ("http", "https") or not parts.hostname):
                raise ValueError("expected an address such as http://localhost:8000/v1")
            if "@" in parts.netloc or parts.query:
                raise ValueError("expected an address without credentials; keys come from the environment")
        return given

    def server(self, name: str) -> str:
        """Base URL of the model called `name`, "" when the SDK's environment variable is to say."""
        return self.base_urls.get(name, self.base_url)
