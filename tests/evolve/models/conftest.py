import asyncio

import pytest

from evolve.models.base import Message, Request


@pytest.fixture
def ask():
    """A request of one message."""

    def make(text="Improve it.", *, ordinal=1, attempt=0, **options):
        messages = (Message("system", "You write programs."), Message("user", text))
        return Request(
            messages, **({"max_output_tokens": 500, "ordinal": ordinal, "attempt": attempt} | options)
        )

    return make


@pytest.fixture
def complete():
    """Asks a model once and closes it."""

    def run(model, request):
        async def go():
            try:
                return await model.complete(request)
            finally:
                await model.close()

        return asyncio.run(go())

    return run


@pytest.fixture(autouse=True)
def no_keys(monkeypatch):
    for name in (
        "OPENAI_API_KEY",
        "OPENAI_BASE_URL",
        "GEMINI_API_KEY",
        "GOOGLE_API_KEY",
        "GOOGLE_GEMINI_BASE_URL",
    ):
        monkeypatch.delenv(name, raising=False)
