"""``openai:NAME``: the OpenAI interface, of OpenAI or of any server that speaks it (vLLM, Ollama, llama.cpp, gateways).

OpenAI itself is asked through Responses, other servers through Chat Completions, which all of them have.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any, Literal

from evolve.models.base import Completion, Request, Stop, Usage, completed
from evolve.models.errors import ModelError, ModelSetupError, TransientError, scrubbed
from evolve.models.http import charged_by, error_of_status

if TYPE_CHECKING:
    import httpx2

Api = Literal["auto", "chat", "responses"]
KEY = "OPENAI_API_KEY"


class OpenAIModel:
    """One model of one server.

    Args:
        model: the server's name for it.
        base_url: the server; $OPENAI_BASE_URL, then OpenAI itself, when empty.
        api: which of the two interfaces; ``auto`` is Responses for OpenAI itself, else Chat Completions.
        timeout_s: seconds that a call may take.
        http_client: for tests.

    Raises:
        ModelSetupError: no key, and the server is OpenAI's.
    """

    free = False

    def __init__(
        self,
        model: str,
        *,
        base_url: str = "",
        api: Api = "auto",
        timeout_s: float = 600.0,
        http_client: httpx2.AsyncClient | None = None,
    ) -> None:
        import openai

        self._model = model
        base_url = base_url or os.environ.get("OPENAI_BASE_URL", "")
        self._key = os.environ.get(KEY)
        if not self._key and not base_url:
            raise ModelSetupError(
                f"{self.name}: expected a key in the environment variable {KEY}; it is not set.",
                "A local server needs none: set OPENAI_BASE_URL or llm.base_url.",
            )
        self._responses = api == "responses" or (api == "auto" and not base_url)
        self._ours = not base_url
        self._client = openai.AsyncOpenAI(
            api_key=self._key or "none",
            base_url=base_url or None,
            max_retries=0,
            timeout=timeout_s,
            http_client=http_client,
        )

    @property
    def name(self) -> str:
        """See `Model.name`."""
        return f"openai:{self._model}"

    async def complete(self, request: Request) -> Completion:
        """See `Model.complete`."""
        began = time.monotonic()
        try:
            ask = self._ask_responses if self._responses else self._ask_chat
            text, usage, model, stop = await ask(request)
            return completed(
                text, usage, model=model or self._model, latency_s=time.monotonic() - began, stop=stop
            )
        except Exception as error:  # noqa: BLE001 - every error of the SDK becomes one of ours, without the key
            raise self._ours_of(error) from None

    async def _ask_chat(self, request: Request) -> tuple[str, Usage, str, Stop]:
        import httpx2

        body: dict[str, Any] = {
            "model": self._model,
            "messages": [{"role": m.role, "content": m.text} for m in request.messages],
            # OpenAI's newer models refuse max_tokens; several other servers know nothing else.
            "max_completion_tokens" if self._ours else "max_tokens": request.max_output_tokens,
        }
        if request.temperature is not None:
            body["temperature"] = request.temperature
        # `chat.completions.create` looks through all arguments for names to translate and makes models of all that
        # came, which takes half of the CPU of a call.
        response = await self._client.post("/chat/completions", cast_to=httpx2.Response, body=body)
        came = _object(response)
        usage = _chat_usage(came.get("usage"))
        if not came.get("choices"):
            raise TransientError(
                f"the server sent no choice: {scrubbed(response.text, [self._key])}", usage=usage
            )
        choice = came["choices"][0]
        message = choice["message"]
        text, stop = message.get("content") or "", _CHAT_STOPS.get(choice.get("finish_reason"), Stop.END)
        if message.get("refusal"):
            text, stop = message["refusal"], Stop.REFUSED
        return text, usage or Usage(), came.get("model", ""), stop

    async def _ask_responses(self, request: Request) -> tuple[str, Usage, str, Stop]:
        options: dict[str, Any] = {}
        if request.temperature is not None:
            options["temperature"] = request.temperature
        messages: Any = [{"role": m.role, "content": m.text} for m in request.messages]
        came = await self._client.responses.create(
            model=self._model,
            input=messages,
            max_output_tokens=request.max_output_tokens,
            store=False,
            **options,
        )
        usage = _responses_usage(getattr(came, "usage", None))
        if getattr(came, "error", None) is not None:
            raise _failed(came.error, self.name, usage)
        if not isinstance(getattr(came, "output", None), list):
            raise TransientError(f"the server sent no output: {scrubbed(came, [self._key])}", usage=usage)
        text, stop = came.output_text, Stop.END
        refusals = [part.refusal for item in came.output if item.type == "message"
                    for part in item.content if part.type == "refusal"]  # fmt: skip
        if refusals:
            text, stop = "\n".join(refusals), Stop.REFUSED
        elif came.status == "incomplete":
            reason = came.incomplete_details.reason if came.incomplete_details else None
            stop = Stop.BLOCKED if reason == "content_filter" else Stop.LENGTH
        return text, usage or Usage(), came.model, stop

    def _ours_of(self, error: Exception) -> ModelError:
        import openai

        if isinstance(error, ModelError):
            return error
        said = scrubbed(error, [self._key])
        if isinstance(error, openai.APIStatusError):
            message = error.body.get("message") if isinstance(error.body, dict) else None
            said = scrubbed(message or said, [self._key])
            said = f"{said} ({error.code})" if error.code and error.code not in said else said
            return error_of_status(
                error.status_code, said, error.response.headers, model=self.name, key_name=KEY
            )
        if isinstance(error, openai.APITimeoutError):
            return TransientError("the server took too long.", usage=charged_by(error.__cause__))
        if isinstance(error, openai.APIConnectionError):
            reason = scrubbed(error.__cause__ or said, [self._key])
            return TransientError(
                f"no connection to {self._client.base_url.host}: {reason}", usage=charged_by(error.__cause__)
            )
        # Not the JSON that is expected: a proxy's page, half a body, another interface.
        return TransientError(
            f"the server's answer could not be read: {type(error).__name__}: {said}", usage=None
        )

    async def close(self) -> None:
        """See `Model.close`."""
        await self._client.close()


def _object(response: httpx2.Response) -> dict[str, Any]:
    """The JSON object that a server sent, whatever it calls its type; {} where it sent anything else."""
    try:
        came = response.json()
    except ValueError:
        return {}
    return came if isinstance(came, dict) else {}


_CHAT_STOPS = {"length": Stop.LENGTH, "content_filter": Stop.BLOCKED}


def _chat_usage(used: Any) -> Usage | None:
    """Tokens as Chat Completions count them; None when the server did not say."""
    if used is None:
        return None
    cached = (used.get("prompt_tokens_details") or {}).get("cached_tokens")
    return Usage(used.get("prompt_tokens") or 0, used.get("completion_tokens") or 0, cached or 0)


def _responses_usage(used: Any) -> Usage | None:
    """Tokens as Responses count them; None when the server did not say."""
    if used is None:
        return None
    cached = used.input_tokens_details.cached_tokens if used.input_tokens_details else 0
    return Usage(used.input_tokens, used.output_tokens, cached or 0)


def _failed(error: Any, name: str, usage: Usage | None) -> ModelError:
    """What the Responses interface reports inside of a successful HTTP response."""
    said = scrubbed(f"{error.message} ({error.code})", [os.environ.get(KEY)])
    if error.code in ("server_error", "rate_limit_exceeded", "vector_store_timeout"):
        return TransientError(said, usage=usage)
    return ModelSetupError(f"{name}: {said}")
