"""What servers do wrong, through httpx2.MockTransport: the right error, one line, and never a key in it."""

import asyncio
import json
import logging
import traceback
from email.utils import formatdate

import httpx2
import pytest

from benchmarks import loopback
from benchmarks.loopback import LoopbackServer, Reply
from evolve.models import remote
from evolve.models.asking import LONGEST_RETRY_AFTER_S, Retries
from evolve.models.base import (
    Completion,
    ModelSetupError,
    ModelUnavailable,
    Stop,
    TransientError,
    Usage,
)
from evolve.models.remote import GeminiModel, OpenAIModel, scrubbed

KEY = "sk-very-secret-0123456789"
KINDS = ("chat", "responses", "gemini")


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


@pytest.fixture
def client(kind, monkeypatch):
    """Makes a client of this kind whose server is a function."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("GEMINI_API_KEY", KEY)

    def make(handler, **options):
        http = httpx2.AsyncClient(transport=httpx2.MockTransport(handler))
        if kind == "gemini":
            return GeminiModel("m", http_client=http, **options)
        return OpenAIModel("m", api=kind, http_client=http, **options)

    return make


def replying(reply):
    """A server's function that sends one reply in the form that the path asks for."""

    def handler(request):
        asked = json.loads(request.content)
        body = (
            reply.raw
            if reply.raw is not None
            else json.dumps(loopback._body(request.url.path, asked, reply)).encode()
        )
        headers = {"content-type": "application/json", **reply.headers}
        return httpx2.Response(reply.status, content=body, headers=headers)

    return handler


def error_of(model, request):
    with pytest.raises((ModelSetupError, TransientError)) as caught:
        asyncio.run(model.complete(request))
    return caught.value


def test_a_good_answer(client, complete, ask):
    assert complete(client(replying(Reply("fine"))), ask()).text == "fine"


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 529])
def test_what_may_pass_is_transient(client, ask, status):
    error = error_of(client(replying(Reply("busy", status=status))), ask())
    assert type(error) is TransientError
    assert f"HTTP {status}" in error.message


@pytest.mark.parametrize(("status", "usage"), [(429, Usage()), (500, Usage()), (503, Usage()), (504, None)])
def test_what_a_server_refuses_is_free_and_what_a_gateway_gives_up_on_may_not_be(client, ask, status, usage):
    assert error_of(client(replying(Reply("busy", status=status))), ask()).usage == usage


@pytest.mark.parametrize(
    ("fault", "usage"),
    [
        (httpx2.ConnectError, Usage()),
        (httpx2.ConnectTimeout, Usage()),
        (httpx2.ReadError, None),
        (httpx2.RemoteProtocolError, None),
        (httpx2.ReadTimeout, None),
    ],
)
def test_only_what_left_may_be_charged(client, ask, fault, usage):
    def handler(request):
        raise fault("broken", request=request)

    assert error_of(client(handler), ask()).usage == usage


def test_usage_without_an_answer_is_known(client, kind, ask):
    if kind == "gemini":
        pytest.skip("an answer without a candidate but with its usage is an empty answer there")
    body = {
        "chat": {"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9}},
        "responses": {
            "error": {"code": "server_error", "message": "oops"},
            "usage": {"input_tokens": 7, "output_tokens": 2, "total_tokens": 9},
        },
    }[kind]
    error = error_of(client(replying(Reply(raw=json.dumps(body).encode()))), ask())
    assert type(error) is TransientError
    assert error.usage == Usage(7, 2)


@pytest.mark.parametrize("status", [401, 403])
def test_a_rejected_key_is_a_mistake_of_setup(client, kind, ask, status):
    error = error_of(client(replying(Reply(f"Incorrect API key provided: {KEY}.", status=status))), ask())
    assert type(error) is ModelSetupError
    variable = "GEMINI_API_KEY" if kind == "gemini" else "OPENAI_API_KEY"
    assert f"the key in {variable} was rejected" in error.message
    assert variable in error.hint


def test_gemini_rejects_keys_with_400(client, kind, ask):
    if kind != "gemini":
        pytest.skip("only Gemini does")
    error = error_of(
        client(replying(Reply("API key not valid. Please pass a valid API key.", status=400))), ask()
    )
    assert "was rejected" in error.message


def test_an_unknown_model_is_named(client, ask):
    error = error_of(client(replying(Reply("The model `m` does not exist", status=404))), ask())
    assert type(error) is ModelSetupError
    assert "knows no such model" in error.message
    assert "--model" in error.hint


def test_a_refused_request_is_a_mistake_of_setup(client, ask):
    error = error_of(client(replying(Reply("temperature is not supported", status=400))), ask())
    assert type(error) is ModelSetupError
    assert "HTTP 400" in error.message


def test_an_empty_account_is_not_waited_for(client, ask):
    error = error_of(
        client(replying(Reply("You exceeded your current quota: insufficient_quota", status=429))), ask()
    )
    assert type(error) is ModelSetupError
    assert "no money left" in error.message


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after-ms": "250"}, 0.25),
        ({}, None),
        ({"retry-after": "soon"}, None),
    ],
)
def test_retry_after_is_passed_on(client, ask, headers, seconds):
    error = error_of(client(replying(Reply("slow down", status=429, headers=headers))), ask())
    assert error.retry_after_s == seconds


def test_retry_after_may_be_a_date(client, ask):
    import time

    headers = {"Retry-After": formatdate(time.time() + 30, usegmt=True)}
    error = error_of(client(replying(Reply("slow down", status=429, headers=headers))), ask())
    assert 25 < error.retry_after_s <= 30


@pytest.mark.parametrize(
    "fault", [httpx2.ConnectError, httpx2.ReadError, httpx2.RemoteProtocolError, httpx2.ReadTimeout]
)
def test_broken_connections_are_transient(client, ask, fault):
    def handler(request):
        raise fault(f"broken for {KEY}", request=request)

    error = error_of(client(handler), ask())
    assert type(error) is TransientError
    assert KEY not in error.message


@pytest.mark.parametrize(
    "raw", [b"<html>502 from a proxy</html>", b'{"choices": [', b"", b"[]", b"{}", b'"text"', b"null"]
)
def test_what_is_no_answer_of_the_interface_is_transient(client, ask, raw):
    for headers in ({}, {"content-type": "text/html"}):
        error = error_of(client(replying(Reply(raw=raw, headers=headers))), ask())
        assert type(error) is TransientError, (raw, headers)


def test_a_call_is_given_up_whatever_the_sdk_does(client, ask, monkeypatch):
    """A server that sends a byte now and then keeps within the SDKs' limits, which are per read."""

    async def silent(request):
        await asyncio.sleep(60)

    monkeypatch.setattr(remote, "GRACE_S", 0.0)
    model = client(silent, timeout_s=0.05)
    error = error_of(model, ask())
    assert type(error) is TransientError
    assert error.message == "no answer within 0.05 s."
    assert error.usage is None


@pytest.mark.parametrize("kind", ["chat", "responses"])
def test_the_server_that_cannot_be_reached_is_named(monkeypatch, ask, kind):
    monkeypatch.setenv("OPENAI_BASE_URL", "http://me:secret@localhost:1/v1")
    error = error_of(OpenAIModel("m", api=kind, timeout_s=5), ask())
    assert error.message.startswith("no connection to localhost: ConnectError: ")
    assert error.usage == Usage()


only_chat = pytest.mark.parametrize("kind", ["chat"])


@only_chat
@pytest.mark.parametrize(
    "body",
    [
        {"choices": [None]},
        {"choices": [{"index": 0}]},
        {"choices": {"message": {"content": "x"}}},
        {"choices": [{"message": {"content": ["x"]}}]},
        {"choices": [{"message": {"content": "x"}}], "usage": "none"},
    ],
)
def test_half_an_answer_is_transient(client, ask, body):
    error = error_of(client(replying(Reply(raw=json.dumps(body).encode()))), ask())
    assert type(error) is TransientError
    assert "could not be read" in error.message


@only_chat
def test_a_short_answer_is_enough(client, complete, ask):
    raw = b'{"choices": [{"message": {"content": "fine"}}]}'
    came = complete(client(replying(Reply(raw=raw, headers={"content-type": "text/plain"}))), ask())
    assert (came.text, came.stop, came.usage, came.model) == ("fine", Stop.END, Usage(), "m")


@only_chat
def test_the_page_of_a_proxy_is_shown(client, ask):
    error = error_of(client(replying(Reply(raw=f"<html>no {KEY}\n</html>".encode()))), ask())
    assert error.message == "the server sent no answer: <html>no [key] </html>"


@pytest.mark.parametrize(
    ("reply", "stop"),
    [
        (Reply("class Regr", stop="length"), Stop.LENGTH),
        (Reply("", stop="length"), Stop.LENGTH),
        (Reply(""), Stop.EMPTY),
        (Reply(" \n"), Stop.EMPTY),
        (Reply("part", stop="content_filter"), Stop.BLOCKED),
    ],
)
def test_an_answer_says_why_it_ends(client, complete, ask, reply, stop):
    came = complete(client(replying(reply)), ask())
    assert came.stop is stop
    assert came.usage.output_tokens > 0


def test_a_refusal_is_an_answer(client, kind, complete, ask):
    came = complete(client(replying(Reply(refusal="I will not do that."))), ask())
    assert came.stop is (Stop.BLOCKED if kind == "gemini" else Stop.REFUSED)
    assert ("blocked: SAFETY" if kind == "gemini" else "I will not") in came.text
    assert came.usage.total > 0


def test_thoughts_are_no_part_of_an_answer(monkeypatch, complete, ask):
    monkeypatch.setenv("GEMINI_API_KEY", KEY)
    parts = [{"text": "let me see", "thought": True}, {"text": "answer"}]
    usage = {
        "promptTokenCount": 3,
        "candidatesTokenCount": 4,
        "thoughtsTokenCount": 50,
        "cachedContentTokenCount": 2,
    }
    body = {"candidates": [{"content": {"parts": parts}, "finishReason": "STOP"}], "usageMetadata": usage}
    model = GeminiModel("m", http_client=httpx2.AsyncClient(
        transport=httpx2.MockTransport(lambda request: httpx2.Response(200, json=body))))  # fmt: skip
    came = complete(model, ask())
    assert came.text == "answer"
    assert came.usage == Usage(3, 54, 2)


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500])
def test_no_error_holds_the_key(client, ask, status, caplog):
    caplog.set_level(logging.DEBUG)
    model = client(replying(Reply(f"you sent {KEY} as key", status=status)))
    try:
        asyncio.run(model.complete(ask()))
    except (ModelSetupError, TransientError) as error:
        said = "".join(traceback.format_exception(error))
        assert KEY not in said
        assert KEY not in f"{error!r} {error.message} {error.hint} {vars(error)}"
        assert error.__cause__ is None
        assert "\n" not in error.message
    assert KEY not in caplog.text


@pytest.mark.parametrize("make", [lambda: OpenAIModel("m"), lambda: GeminiModel("m")])
def test_a_missing_key_is_one_line(make):
    with pytest.raises(
        ModelSetupError, match=r"expected a key in the environment variable \w+_API_KEY"
    ) as caught:
        make()
    assert caught.value.hint


def test_a_local_server_needs_no_key(complete, ask):
    with LoopbackServer(lambda text, number: Reply("local")) as server:
        assert complete(OpenAIModel("m", base_url=f"{server.url}/v1"), ask()).text == "local"


def test_the_environment_names_the_server(monkeypatch, complete, ask):
    with LoopbackServer(lambda text, number: Reply("local")) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", f"{server.url}/v1")
        assert complete(OpenAIModel("m"), ask()).text == "local"
        monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", server.url)
        monkeypatch.setenv("GEMINI_API_KEY", KEY)
        assert complete(GeminiModel("m"), ask()).text == "local"
    assert server.received[0].path == "/v1/chat/completions"


def test_scrubbing_shortens_and_cleans():
    assert scrubbed(f"a\n  {KEY} b", [KEY]) == "a [key] b"
    assert len(scrubbed("x" * 1000, [])) == 300


# The retrying layer, against a real server.


def failing(*faults):
    """Answers with each of the replies in turn, then well."""
    return lambda text, number: faults[number] if number < len(faults) else Reply("at last")


class Retried:
    """A client of a server with retries."""

    def __init__(self, server, *, timeout_s=5, **options):
        self._model = OpenAIModel("m", base_url=f"{server.url}/v1", timeout_s=timeout_s)
        self._retries = Retries(wait_s=0.0, **options)

    async def complete(self, request):
        return await self._retries.run("openai:m", lambda: self._model.complete(request))

    async def close(self):
        await self._model.close()


retried = Retried


@pytest.mark.parametrize(
    "fault",
    [
        Reply("busy", status=429),
        Reply("oops", status=500),
        Reply(drop=True),
        Reply(raw=b"{}"),
        Reply("x", delay_s=0.5),
    ],
)
def test_a_fault_that_passes_is_not_noticed(ask, complete, fault):
    warned = []
    with LoopbackServer(failing(fault, fault)) as server:
        came = complete(retried(server, timeout_s=0.2 if fault.delay_s else 5, warn=warned.append), ask())
    assert came.text == "at last"
    assert len(server.received) == 3
    assert len(warned) == 2


def test_a_fault_that_stays_is_unavailability(ask, complete):
    with (
        LoopbackServer(lambda text, number: Reply("overloaded", status=503)) as server,
        pytest.raises(ModelUnavailable, match="after 3 attempts: HTTP 503: overloaded") as caught,
    ):
        complete(retried(server, attempts=3), ask())
    assert len(server.received) == 3
    assert "same command continues" in caught.value.hint


@pytest.mark.parametrize("status", [400, 401, 404])
def test_what_will_not_pass_is_sent_once(ask, complete, status):
    with (
        LoopbackServer(lambda text, number: Reply("no", status=status)) as server,
        pytest.raises(ModelSetupError),
    ):
        complete(retried(server), ask())
    assert len(server.received) == 1


def test_retry_after_is_waited_out(ask, complete):
    import time

    wait = Reply("slow", status=429, headers={"retry-after": "0.4"})
    with LoopbackServer(failing(wait)) as server:
        began = time.monotonic()
        complete(retried(server), ask())
    assert 0.4 <= time.monotonic() - began < 3


def test_nobody_waits_for_hours(ask, complete):
    wait = Reply("slow", status=429, headers={"retry-after": str(LONGEST_RETRY_AFTER_S + 1)})
    with LoopbackServer(failing(wait)) as server, pytest.raises(ModelUnavailable):
        complete(retried(server), ask())
    assert len(server.received) == 1


def test_cancelling_ends_the_call(ask):
    """As the second Ctrl-C does."""

    async def go(server):
        task = asyncio.create_task(retried(server).complete(ask()))
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with LoopbackServer(lambda text, number: Reply("late", delay_s=1.0)) as server:
        asyncio.run(asyncio.wait_for(go(server), 0.8))


def test_a_completion_is_plain_data():
    assert Completion("", Usage(1, 2), "m", 0.1) == Completion("", Usage(1, 2), "m", 0.1, Stop.END)
