"""``openai:NAME`` and ``gemini:NAME``: models behind HTTP, through the SDKs of OpenAI and Google.

The SDKs' own retries are off (`evolve.models.asking.Retries`). What they raise becomes an error of ours that says
whether to try again and what may be charged, and that never holds a key.
"""

from __future__ import annotations

import asyncio
import email.utils
import os
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar, Literal
from urllib.parse import urlsplit

from evolve.models.base import (
    Completion,
    ModelError,
    ModelSetupError,
    Request,
    Stop,
    TransientError,
    Usage,
    completed,
)

if TYPE_CHECKING:
    import httpx2

GRACE_S = 5.0
"""The SDKs' time limits are per read; ours is for the whole call, with a moment for theirs to speak first."""

_PASSING = frozenset({408, 409, 425, 429})
_GAVE_UP = frozenset({408, 502, 504, 524})
"""Somebody on the way stopped waiting; the model behind may have answered, and the answer may be charged."""
_NO_MONEY = ("insufficient_quota", "billing", "credit balance")


class RemoteModel(ABC):
    """One model of one server. Subclasses ask it, and read the errors of their SDK.

    Args:
        model: the server's name for it.
        base_url: the server; its SDK's own when empty.
        timeout_s: seconds that a call may take.
    """

    free = False
    kind: ClassVar[str]
    keys: ClassVar[tuple[str, ...]]
    """Environment variables that may hold the key, the first one to be recommended."""

    def __init__(self, model: str, *, base_url: str, timeout_s: float) -> None:
        self._model, self._timeout_s = model, timeout_s
        self._host = urlsplit(base_url).hostname or "the server"
        self._secrets = [os.environ[name] for name in self.keys if os.environ.get(name)]
        self.name = f"{self.kind}:{model}"

    async def complete(self, request: Request) -> Completion:
        """See `Model.complete`; a call that takes too long is a `TransientError`, which may be charged."""
        began = time.monotonic()
        try:
            async with asyncio.timeout(self._timeout_s + GRACE_S):
                text, stop, usage, model = await self._ask(request)
            latency_s = time.monotonic() - began
            return completed(text, usage, model=model or self._model, latency_s=latency_s, stop=stop)
        except TimeoutError:
            raise TransientError(f"no answer within {self._timeout_s:g} s.", usage=None) from None
        except Exception as error:  # noqa: BLE001 - every error of the SDK becomes one of ours, without the key
            raise self._ours_of(error) from None

    @abstractmethod
    async def close(self) -> None:
        """See `Model.close`."""

    @abstractmethod
    async def _ask(self, request: Request) -> tuple[str, Stop, Usage, str]:
        """Return the answer's text, why it ends, its tokens and the name of the model that gave it."""

    @abstractmethod
    def _status_of(self, error: Exception) -> tuple[int, str, Mapping[str, str]] | None:
        """Return the HTTP status, the words and the headers of an error by which the SDK reports one."""

    def _key(self, hint: str) -> str:
        if not self._secrets:
            raise ModelSetupError(
                f"{self.name}: expected a key in the environment variable {self.keys[0]}; it is not set.",
                hint,
            )
        return self._secrets[0]

    def _ours_of(self, error: Exception) -> ModelError:
        import httpx2

        if isinstance(error, ModelError):
            return error
        status = self._status_of(error)
        if status is not None:
            return self._of_status(*status)
        cause = error.__cause__
        fault = cause if isinstance(cause, httpx2.TransportError) else error
        detail = f"{type(fault).__name__}: {scrubbed(fault, self._secrets)}"
        # Without a connection the request never left; of a connection that broke nobody knows what it costs.
        unsent = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.UnsupportedProtocol)
        usage = Usage() if isinstance(fault, unsent) else None
        if isinstance(fault, httpx2.TimeoutException):
            return TransientError("the server took too long.", usage=usage)
        if isinstance(fault, httpx2.TransportError):
            return TransientError(f"no connection to {self._host}: {detail}", usage=usage)
        # Not the JSON that is expected: a proxy's page, half a body, another interface.
        return TransientError(f"the server's answer could not be read: {detail}", usage=usage)

    def _of_status(self, status: int, detail: str, headers: Mapping[str, str]) -> ModelError:
        """Return the error that an HTTP status from 400 on stands for."""
        detail = scrubbed(detail, self._secrets)
        if status == 429 and any(word in detail.lower() for word in _NO_MONEY):
            return ModelSetupError(
                f"{self.name}: the account has no money left: {detail}",
                "Top it up; the same command continues.",
            )
        if status in _PASSING or status >= 500:
            usage = None if status in _GAVE_UP else Usage()
            return TransientError(
                f"HTTP {status}: {detail}", retry_after_s=_retry_after_s(headers), usage=usage
            )
        if (
            status in (401, 403)
            or "api key not valid" in detail.lower()
            or "api_key_invalid" in detail.lower()
        ):
            key = self.keys[0]
            return ModelSetupError(
                f"{self.name}: the key in {key} was rejected: {detail}", f"Set {key} to a valid key."
            )
        if status == 404:
            return ModelSetupError(
                f"{self.name}: the server knows no such model or address: {detail}",
                "Check --model and the base URL.",
            )
        return ModelSetupError(f"{self.name}: the server refused the request (HTTP {status}): {detail}")


def scrubbed(text: object, secrets: Iterable[str]) -> str:
    """Return a server's words on one line, short, without any of `secrets` in them (servers repeat keys)."""
    words = " ".join(str(text).split())
    for secret in secrets:
        words = words.replace(secret, "[key]")
    return words if len(words) <= 300 else words[:299] + "…"


def _retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that the server asks us to wait: in milliseconds, in seconds or as a date."""
    try:
        if "retry-after-ms" in headers:
            return float(headers["retry-after-ms"]) / 1000.0
        return float(headers["retry-after"]) if "retry-after" in headers else None
    except ValueError:
        with suppress(ValueError):
            when = email.utils.parsedate_to_datetime(headers.get("retry-after", ""))
            return max(0.0, when.timestamp() - time.time())
        return None


class OpenAIModel(RemoteModel):
    """A model of OpenAI or of any server that speaks its interface (vLLM, Ollama, llama.cpp, gateways).

    OpenAI itself is asked through Responses, other servers through Chat Completions, which all of them have.

    Args:
        model: the server's name for it.
        base_url: the server; $OPENAI_BASE_URL, then OpenAI itself, when empty.
        api: which of the two interfaces; ``auto`` is Responses for OpenAI itself, else Chat Completions.
        timeout_s: seconds that a call may take.
        http_client: for tests.

    Raises:
        ModelSetupError: no key, and the server is OpenAI's.
    """

    kind, keys = "openai", ("OPENAI_API_KEY",)

    def __init__(
        self,
        model: str,
        *,
        base_url: str = "",
        api: Literal["auto", "chat", "responses"] = "auto",
        timeout_s: float = 600.0,
        http_client: httpx2.AsyncClient | None = None,
    ) -> None:
        import openai

        base_url = base_url or os.environ.get("OPENAI_BASE_URL", "")
        super().__init__(model, base_url=base_url, timeout_s=timeout_s)
        local = "A local server needs none: set OPENAI_BASE_URL or llm.base_url."
        self._responses = api == "responses" or (api == "auto" and not base_url)
        self._ours = not base_url
        self._client = openai.AsyncOpenAI(
            api_key="none" if base_url and not self._secrets else self._key(local),
            base_url=base_url or None,
            max_retries=0,
            timeout=timeout_s,
            http_client=http_client,
        )

    async def close(self) -> None:
        """See `Model.close`."""
        await self._client.close()

    async def _ask(self, request: Request) -> tuple[str, Stop, Usage, str]:
        import httpx2

        messages = [{"role": m.role, "content": m.text} for m in request.messages]
        body: dict[str, Any] = {"model": self._model}
        if self._responses:
            path = "/responses"
            body |= {"input": messages, "max_output_tokens": request.max_output_tokens, "store": False}
        else:
            path = "/chat/completions"
            # OpenAI's newer models refuse max_tokens; several other servers know nothing else.
            limit = "max_completion_tokens" if self._ours else "max_tokens"
            body |= {"messages": messages, limit: request.max_output_tokens}
        if request.temperature is not None:
            body["temperature"] = request.temperature
        # The SDK's `create` looks through all arguments for names to translate and makes models of all that it
        # receives, which takes half of the CPU of a call.
        response = await self._client.post(path, cast_to=httpx2.Response, body=body)
        answer = _object(response)
        usage = self._usage(answer["usage"]) if answer.get("usage") is not None else None
        if self._responses and answer.get("error") is not None:
            raise self._reported(answer["error"], usage)
        text_and_stop = _responses_text(answer) if self._responses else _chat_text(answer)
        if text_and_stop is None:
            detail = scrubbed(response.text, self._secrets)
            raise TransientError(f"the server sent no answer: {detail}", usage=usage)
        return *text_and_stop, usage or Usage(), answer.get("model", "")

    def _usage(self, used: Mapping[str, Any]) -> Usage:
        """Return tokens as the interface counts them."""
        sent, received = ("input", "output") if self._responses else ("prompt", "completion")
        cached = (used.get(f"{sent}_tokens_details") or {}).get("cached_tokens")
        return Usage(used.get(f"{sent}_tokens") or 0, used.get(f"{received}_tokens") or 0, cached or 0)

    def _reported(self, error: Mapping[str, Any], usage: Usage | None) -> ModelError:
        """Return what the Responses interface reports inside of a successful HTTP response."""
        detail = scrubbed(f"{error['message']} ({error['code']})", self._secrets)
        if error["code"] in ("server_error", "rate_limit_exceeded", "vector_store_timeout"):
            return TransientError(detail, usage=usage)
        return ModelSetupError(f"{self.name}: {detail}")

    def _status_of(self, error: Exception) -> tuple[int, str, Mapping[str, str]] | None:
        import openai

        if not isinstance(error, openai.APIStatusError):
            return None
        detail = str((error.body.get("message") if isinstance(error.body, dict) else None) or error)
        detail = f"{detail} ({error.code})" if error.code and error.code not in detail else detail
        return error.status_code, detail, error.response.headers


def _object(response: httpx2.Response) -> dict[str, Any]:
    """Return the JSON object that a server sent, whatever it calls its type; {} where it sent anything else."""
    try:
        answer = response.json()
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _chat_text(answer: Mapping[str, Any]) -> tuple[str, Stop] | None:
    """Return an answer's text and why it ends, as Chat Completions have them; None where there is no choice."""
    if not answer.get("choices"):
        return None
    choice = answer["choices"][0]
    message = choice["message"]
    if message.get("refusal"):
        return message["refusal"], Stop.REFUSED
    stops = {"length": Stop.LENGTH, "content_filter": Stop.BLOCKED}
    return message.get("content") or "", stops.get(choice.get("finish_reason"), Stop.END)


def _responses_text(answer: Mapping[str, Any]) -> tuple[str, Stop] | None:
    """Return the same as Responses have them; None where there is no output."""
    if not isinstance(answer.get("output"), list):
        return None
    parts = [part for item in answer["output"] if item["type"] == "message" for part in item["content"]]
    refusals = [part["refusal"] for part in parts if part["type"] == "refusal"]
    if refusals:
        return "\n".join(refusals), Stop.REFUSED
    text = "".join(part["text"] for part in parts if part["type"] == "output_text")
    if answer.get("status") != "incomplete":
        return text, Stop.END
    reason = (answer.get("incomplete_details") or {}).get("reason")
    return text, Stop.BLOCKED if reason == "content_filter" else Stop.LENGTH


class GeminiModel(RemoteModel):
    """One of Google's models, such as ``gemini-2.5-flash``, through google-genai.

    Args:
        model: its name.
        base_url: another server than Google's; $GOOGLE_GEMINI_BASE_URL when empty.
        timeout_s: seconds that a call may take.
        http_client: for tests.

    Raises:
        ModelSetupError: there is no key.
    """

    kind, keys = "gemini", ("GEMINI_API_KEY", "GOOGLE_API_KEY")

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

        super().__init__(model, base_url=base_url, timeout_s=timeout_s)
        key = self._key(f"Set {self.keys[0]}, or choose another model: openai:NAME, mailbox:DIR.")
        # A client of our own, so that the SDK neither takes aiohttp where that is installed nor follows redirects.
        self._http = http_client or httpx2.AsyncClient(timeout=timeout_s)
        self._client = genai.Client(
            api_key=key,
            vertexai=False,
            http_options=types.HttpOptions(
                base_url=base_url or None, timeout=int(timeout_s * 1000), httpx_async_client=self._http
            ),
        )

    async def close(self) -> None:
        """See `Model.close`."""
        await self._client.aio.aclose()
        await self._http.aclose()

    async def _ask(self, request: Request) -> tuple[str, Stop, Usage, str]:
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
        answer = await self._client.aio.models.generate_content(
            model=self._model, contents=contents, config=config
        )
        used = answer.usage_metadata or types.GenerateContentResponseUsageMetadata()
        usage = Usage(
            (used.prompt_token_count or 0) + (used.tool_use_prompt_token_count or 0),
            (used.candidates_token_count or 0) + (used.thoughts_token_count or 0),
            used.cached_content_token_count or 0,
        )
        return *_gemini_text(answer), usage, answer.model_version or ""

    def _status_of(self, error: Exception) -> tuple[int, str, Mapping[str, str]] | None:
        from google.genai import errors

        if not (isinstance(error, errors.APIError) and isinstance(error.code, int) and error.code >= 400):
            return None
        headers = getattr(error.response, "headers", None) or {}
        return error.code, str(error.message or error.details), headers


_BLOCKS = frozenset(
    {"SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "MODEL_ARMOR", "ESCALATION"}
)


def _gemini_text(answer: Any) -> tuple[str, Stop]:
    """Return the answer's text without thoughts, and why it ends."""
    feedback = answer.prompt_feedback
    if feedback is not None and feedback.block_reason is not None:
        return f"the prompt was blocked: {feedback.block_reason.value}", Stop.BLOCKED
    if not answer.candidates:
        if answer.usage_metadata is None:
            raise TransientError("the server sent no candidate.", usage=None)
        return "", Stop.EMPTY
    candidate = answer.candidates[0]
    parts = (candidate.content.parts or []) if candidate.content else []
    text = "".join(part.text for part in parts if part.text and not part.thought)
    reason = candidate.finish_reason.value if candidate.finish_reason else "STOP"
    if reason == "MAX_TOKENS":
        return text, Stop.LENGTH
    if reason in _BLOCKS:
        return text or f"the answer was blocked: {reason}", Stop.BLOCKED
    return text, Stop.END
