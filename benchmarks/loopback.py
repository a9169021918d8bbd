"""A model server on 127.0.0.1 that speaks Chat Completions, Responses and Gemini: for tests and benchmarks.

What it answers is up to a function of the last message and of how many requests came before; it can also fail in
the ways in which servers fail.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


@dataclass(frozen=True)
class Reply:
    """What the server does with one request.

    Attributes:
        text: the answer.
        status: the HTTP status; from 400 on the text is the error's message.
        headers: more of them.
        stop: ``stop``, ``length`` or ``content_filter``, as Chat Completions say it.
        refusal: what the model says instead of an answer.
        raw: the response's body, whatever it is, in the place of a well-formed one.
        drop: close the connection without an answer.
        delay_s: how long it takes.
    """

    text: str = ""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    stop: str = "stop"
    refusal: str = ""
    raw: bytes | None = None
    drop: bool = False
    delay_s: float = 0.0


@dataclass(frozen=True)
class Received:
    """A request as it came."""

    path: str
    headers: Mapping[str, str]
    body: Mapping[str, Any]


Answering = Callable[[str, int], Reply]
"""(last message, number of requests before) -> what to do."""


class _QuietServer(ThreadingHTTPServer):
    """Says nothing of clients that went away in the middle of a request."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class LoopbackServer:
    """A server in a thread of its own, from ``with`` to the end of the block.

    Args:
        answer: what it answers.
        keep: whether requests are kept, for somebody to look at.
    """

    def __init__(self, answer: Answering, *, keep: bool = True) -> None:
        self.received: list[Received] = []
        self._answer, self._keep, self._count = answer, keep, 0
        self._lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # One packet for an answer: the kernel holds a second one back until the first is acknowledged, for 40 ms.
            wbufsize = -1

            def do_POST(self) -> None:
                outer.serve(self)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = _QuietServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True

    @property
    def url(self) -> str:
        """Base URL; OpenAI clients want ``/v1`` behind it."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        """Serve."""
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()

    def serve(self, handler: BaseHTTPRequestHandler) -> None:
        """Answer one request."""
        length = int(handler.headers["content-length"])
        data = handler.rfile.read(length)
        if len(data) < length:
            handler.close_connection = True  # the client went away in the middle of its request
            return
        body = json.loads(data)
        with self._lock:
            number = self._count
            self._count += 1
            if self._keep:
                self.received.append(Received(handler.path, dict(handler.headers), body))
        reply = self._answer(_last_message(handler.path, body), number)
        time.sleep(reply.delay_s)
        if reply.drop:
            handler.close_connection = True
            handler.connection.close()
            return
        said = reply.raw if reply.raw is not None else json.dumps(_body(handler.path, body, reply)).encode()
        try:
            handler.send_response(reply.status)
            for name, value in {"content-type": "application/json", **reply.headers}.items():
                handler.send_header(name, value)
            handler.send_header("content-length", str(len(said)))
            handler.end_headers()
            handler.wfile.write(said)
            handler.wfile.flush()
        except (BrokenPipeError, ConnectionResetError):
            handler.close_connection = True  # the client lost its patience


def _last_message(path: str, body: Mapping[str, Any]) -> str:
    if path.endswith(":generateContent"):
        return str(body["contents"][-1]["parts"][-1]["text"])
    return str((body.get("messages") or body["input"])[-1]["content"])


def _body(path: str, asked: Mapping[str, Any], reply: Reply) -> dict[str, Any]:
    said = reply.refusal or reply.text
    used = (len(json.dumps(asked)) // 4, len(said) // 4 + 1)
    if path.endswith(":generateContent"):
        return _gemini(reply, used)
    if reply.status >= 400:
        codes = {401: "invalid_api_key", 404: "model_not_found", 429: "rate_limit_exceeded"}
        return {"error": {"message": reply.text, "type": "error", "code": codes.get(reply.status)}}
    return (_responses if path.endswith("/responses") else _chat)(asked, reply, used)


def _chat(asked: Mapping[str, Any], reply: Reply, used: tuple[int, int]) -> dict[str, Any]:
    message = {
        "role": "assistant",
        "content": None if reply.refusal else reply.text,
        "refusal": reply.refusal or None,
    }
    return {
        "id": "chatcmpl-loopback",
        "object": "chat.completion",
        "created": 0,
        "model": asked["model"],
        "choices": [{"index": 0, "finish_reason": reply.stop, "message": message}],
        "usage": {"prompt_tokens": used[0], "completion_tokens": used[1], "total_tokens": sum(used)},
    }


def _responses(asked: Mapping[str, Any], reply: Reply, used: tuple[int, int]) -> dict[str, Any]:
    part = (
        {"type": "refusal", "refusal": reply.refusal}
        if reply.refusal
        else {"type": "output_text", "text": reply.text, "annotations": []}
    )
    output = {"id": "msg", "type": "message", "role": "assistant", "status": "completed", "content": [part]}
    reason = {"length": "max_output_tokens", "content_filter": "content_filter"}.get(reply.stop)
    return {
        "id": "resp-loopback",
        "object": "response",
        "created_at": 0,
        "model": asked["model"],
        "status": "incomplete" if reason else "completed",
        "incomplete_details": {"reason": reason} if reason else None,
        "error": None,
        "output": [output],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": {
            "input_tokens": used[0],
            "output_tokens": used[1],
            "total_tokens": sum(used),
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens_details": {"reasoning_tokens": 0},
        },
    }


def _gemini(reply: Reply, used: tuple[int, int]) -> dict[str, Any]:
    if reply.status >= 400:
        return {"error": {"code": reply.status, "message": reply.text, "status": "ERROR"}}
    usage = {"promptTokenCount": used[0], "candidatesTokenCount": used[1], "totalTokenCount": sum(used)}
    reason = {"length": "MAX_TOKENS", "content_filter": "SAFETY"}.get(reply.stop, "STOP")
    if reply.refusal:
        return {"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": usage}
    content = {"role": "model", "parts": [{"text": reply.text}]}
    candidates = [{"content": content, "finishReason": reason, "index": 0}]
    return {"candidates": candidates, "usageMetadata": usage, "modelVersion": "gemini-loopback"}
