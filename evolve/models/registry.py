"""Models by name: ``openai:NAME``, ``gemini:NAME``, ``mailbox:DIR``, ``replay:FILE``, ``scripted:FILE``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from evaluators.contract import nearest
from evolve.models.base import Model
from evolve.models.config import LlmConfig
from evolve.models.errors import ModelSetupError
from evolve.models.gemini import GeminiModel
from evolve.models.mailbox import MailboxModel
from evolve.models.openai import OpenAIModel
from evolve.models.recorded import ReplayModel, ScriptedModel
from evolve.models.retrying import TimedModel

KINDS = ("openai", "gemini", "mailbox", "replay", "scripted")


def split_name(name: str) -> tuple[str, str]:
    """The kind of a model, and what stands behind the colon.

    Raises:
        ModelSetupError: no such kind, or nothing behind the colon.
    """
    kind, colon, rest = name.partition(":")
    if kind not in KINDS or not colon or not rest:
        raise ModelSetupError(
            f"model: expected one of openai:NAME, gemini:NAME, mailbox:DIR, replay:FILE, scripted:FILE; got {name!r}.",
            nearest(kind, KINDS) if kind not in KINDS else "",
        )
    return kind, rest


def make_model(name: str, config: LlmConfig, *, warn: Callable[[str], None] = lambda line: None) -> Model:
    """The model called `name`.

    Args:
        name: kind and name.
        config: addresses, times and so on.
        warn: is told what differs from a recording.

    Raises:
        ModelSetupError: an unknown name, a missing key or file.
    """
    kind, rest = split_name(name)
    if kind == "mailbox":
        return MailboxModel(Path(rest), timeout_s=config.mailbox_timeout_s)
    if kind == "replay":
        return ReplayModel(Path(rest), warn=warn)
    if kind == "scripted":
        return ScriptedModel(Path(rest))
    client: Model
    if kind == "openai":
        client = OpenAIModel(rest, base_url=config.server(name), api=config.api, timeout_s=config.timeout_s)
    else:
        client = GeminiModel(rest, base_url=config.server(name), timeout_s=config.timeout_s)
    # The SDKs' time limit is per read; ours is for the whole call, with a moment for theirs to speak first.
    return TimedModel(client, timeout_s=config.timeout_s + 5.0)
