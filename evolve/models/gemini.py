"""``gemini:NAME``: Google's models through google-genai."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

from evolve.models.base import Completion, Request, Stop, Usage, completed
from evolve.models.errors import ModelError, ModelSetupError, TransientError, scrubbed
from evolve.models.http import charged_by, error_of_status

if TYPE_CHECKING:
    import httpx2

KEY = "GEMINI_API_KEY"
_OTHER_KEY = "GOOGLE_API_KEY"

_BLOCKS = frozenset(
    {"SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "MODEL_ARMOR", "ESCALATION"}
)


class GeminiModel:
    """One Gemini model.

    Args:
        model: its name, such as ``gemini-2.5-flash``.
        base_url: another server than Google's; $GOOGLE_GEMINI_BASE_URL when empty.
        timeout_s: seconds that a call may take.
        http_client: for tests.

    Raises:
        ModelSetupError: there is no key.
    """

    free = False

    def __init__(
        self,
        model: str,
        *,
        base_url: str = "",
        timeout_s: float = 600.0,
        http_client: httpx2.AsyncClient | None = None,
    ) -> None:
        import httpx2
        from google import genai
        from google.genai import types

        self._model = model
        self._key = os.environ.get(KEY) or os.environ.get(_OTHER_KEY)
        if not self._key:
            raise ModelSetupError(
                f"{self.name}: expected a key in the environment variable {KEY}; it is not set.",
                f"Set {KEY}, or choose another model: openai:NAME, mailbox:DIR.",
            )
        # A client of our own, so that the SDK neither takes aiohttp where that is installed nor follows redirects.
        self._http = http_client or httpx2.AsyncClient(timeout=timeout_s)
        self._client = genai.Client(
            api_key=self._key,
            vertexai=False,
            http_options=types.HttpOptions(
                base_url=base_url or None, timeout=int(timeout_s * 1000), httpx_async_client=self._http
            ),
        )

    @property
    def name(self) -> str:
        """See `Model.name`."""
        return f"gemini:{self._model}"

    async def complete(self, request: Request) -> Completion:
        """See `Model.complete`."""
        from google.genai import types

        system = "\n\n".join(m.text for m in request.messages if m.role == "system")
        contents: Any = [
            types.Content(role="model" if m.role == "assistant" else "user", parts=[types.Part(text=m.text)])
            for m in request.messages
            if m.role != "system"
        ]
        config = types.GenerateContentConfig(
            system_instruction=system or None,
            max_output_tokens=request.max_output_tokens,
            temperature=request.temperature,
            automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
        )
        began = time.monotonic()
        try:
            came = await self._client.aio.models.generate_content(
                model=self._model, contents=contents, config=config
            )
            text, stop = _text(came)
        except Exception as error:  # noqa: BLE001 - every error of the SDK becomes one of ours, without the key
            raise self._ours_of(error) from None
        return completed(
            text,
            _usage(came.usage_metadata),
            model=came.model_version or self._model,
            latency_s=time.monotonic() - began,
            stop=stop,
        )

    def _ours_of(self, error: Exception) -> ModelError:
        import httpx2
        from google.genai import errors

        if isinstance(error, ModelError):
            return error
        secrets = [self._key, os.environ.get(_OTHER_KEY)]
        if isinstance(error, errors.APIError) and isinstance(error.code, int) and error.code >= 400:
            headers = getattr(error.response, "headers", None) or {}
            said = scrubbed(error.message or error.details, secrets)
            return error_of_status(error.code, said, headers, model=self.name, key_name=KEY)
        if isinstance(error, httpx2.TimeoutException):
            return TransientError("the server took too long.", usage=charged_by(error))
        said = scrubbed(error, secrets)
        if isinstance(error, httpx2.TransportError):
            return TransientError(f"no connection: {type(error).__name__}: {said}", usage=charged_by(error))
        return TransientError(
            f"the server's answer could not be read: {type(error).__name__}: {said}", usage=None
        )

    async def close(self) -> None:
        """See `Model.close`."""
        await self._client.aio.aclose()
        await self._http.aclose()


def _text(came: Any) -> tuple[str, Stop]:
    """The answer's text without thoughts, and why it ends."""
    feedback = came.prompt_feedback
    if feedback is not None and feedback.block_reason is not None:
        return f"the prompt was blocked: {feedback.block_reason.value}", Stop.BLOCKED
    if not came.candidates:
        if came.usage_metadata is None:
            raise TransientError("the server sent no candidate.", usage=None)
        return "", Stop.EMPTY
    candidate = came.candidates[0]
    parts = (candidate.content.parts or []) if candidate.content else []
    text = "".join(part.text for part in parts if part.text and not part.thought)
    reason = candidate.finish_reason.value if candidate.finish_reason else "STOP"
    if reason == "MAX_TOKENS":
        return text, Stop.LENGTH
    if reason in _BLOCKS:
        return text or f"the answer was blocked: {reason}", Stop.BLOCKED
    return text, Stop.END


def _usage(came: Any) -> Usage:
    if came is None:
        return Usage()
    return Usage(
        (came.prompt_token_count or 0) + (came.tool_use_prompt_token_count or 0),
        (came.candidates_token_count or 0) + (came.thoughts_token_count or 0),
        came.cached_content_token_count or 0,
    )
