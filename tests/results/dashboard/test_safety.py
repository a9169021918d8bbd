"""Who is answered, what a browser may do, and that hostile text stays text."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from starlette.testclient import TestClient

from results.dashboard.app import ADDRESS, listen
from results.text import visible

EVERY_KIND = (
    "/",
    "/changes",
    "/campaigns/first",
    "/campaigns/first/programs.csv",
    "/campaigns/first/figures/islands.svg",
    "/static/style.css",
    "/nothing",
)


class Elements(HTMLParser):
    """Tags and attributes of a page, as a browser reads them."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))


def elements(page):
    parser = Elements()
    parser.feed(page.text)
    return parser.found


def hostile_paths(client):
    campaign = re.search(r'<th scope="row"><a href="([^"]+)"', client.get("/").text)[1]
    parts = ("", "/programs", "/candidates/1", "/candidates/2", "/lineage?of=1")
    return ["/", *(campaign + part for part in parts), f"/compare?a={campaign[11:]}:1&b=plain"]


@pytest.mark.parametrize("path", EVERY_KIND)
def test_every_answer_has_the_headers(small, path):
    headers = small.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["cache-control"]
    policy = dict(part.strip().partition(" ")[::2] for part in headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["frame-ancestors"] == "'none'"
    assert policy.get("script-src", "'self'") == "'self'"


def test_a_page_may_run_and_load_what_is_ours_only(small):
    policy = small.get("/").headers["content-security-policy"]
    assert "unsafe" not in policy
    sources = {word for part in policy.split(";") for word in part.split()[1:]}
    assert sources == {"'none'", "'self'"}


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", "localhost.evil", ""]
)
def test_another_host_is_refused(small, host):
    answer = small.get("/", headers={"host": host})
    assert answer.status_code == 400
    assert "first" not in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "localhost:9999"])
def test_this_machines_own_names_are_answered(small, host):
    assert small.get("/", headers={"host": host}).status_code == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
@pytest.mark.parametrize("path", ["/", "/static/style.css", "/nothing"])
def test_nothing_but_reading_is_answered(small, method, path):
    answer = small.request(method, path)
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD"


def test_head_is_answered_without_a_body(small):
    answer = small.head("/campaigns/first")
    assert (answer.status_code, answer.content) == (200, b"")


def test_only_this_machine_can_connect():
    with listen(0) as socket:
        assert socket.getsockname()[0] == ADDRESS == "127.0.0.1"


@pytest.mark.parametrize(
    "path", ["/static/../app.py", "/static/%2e%2e/app.py", "/static/..%2f..%2ferrors.py", "/static/"]
)
def test_no_other_file_is_given(small, path):
    assert small.get(f"/static/{path}").status_code == 404


def test_hostile_text_makes_no_element_and_no_attribute(hostile):
    for path in hostile_paths(hostile):
        page = hostile.get(path)
        assert page.status_code == 200
        found = elements(page)
        scripts = [attributes for tag, attributes in found if tag == "script"]
        assert scripts == [{"src": "/static/live.js", "defer": None}]
        assert not [
            a for _, a in found for name in a if name.startswith("on") or name in ("style", "autofocus")
        ]
        assert {a["href"][0] for _, a in found if "href" in a} <= {"/", "#"}
        assert {a["src"][0] for _, a in found if "src" in a} == {"/"}


def test_hostile_text_is_shown_as_it_is(hostile, attack):
    campaign = hostile_paths(hostile)[1]
    texts = []

    class Text(HTMLParser):
        def handle_data(self, data):
            texts.append(data)

    page = hostile.get(f"{campaign}/candidates/1").text
    Text().feed(page)
    shown = "".join(texts)
    # The name, what changed, the message twice, the log, the operator, prompt and answer.
    assert shown.count(attack) >= 8


def test_characters_that_are_obeyed_and_not_seen_become_escapes(hostile):
    for path in hostile_paths(hostile):
        page = hostile.get(path).text
        assert [c for c in page if not c.isprintable() and c not in "\n\t"] == []
    program = hostile.get(f"{hostile_paths(hostile)[1]}/candidates/1").text
    assert r"\x1b[31mred\x07\u202egnp.exe\u2066\ufeff" in program


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain text, é, 日本語", "plain text, é, 日本語"),
        ("two\nlines\tand a tab", "two\nlines\tand a tab"),
        ("\x1b[2J\r\x00\x9b", r"\x1b[2J\r\x00\x9b"),
        ("a\u202eb\u200bc\u2028d", r"a\u202eb\u200bc\u2028d"),
        ("\U000e0041", r"\U000e0041"),
    ],
)
def test_what_is_visible(text, shown):
    assert visible(text) == shown


def test_a_fault_of_ours_tells_nothing(small_database, monkeypatch, viewing):
    from results.dashboard import pages

    def broken(store):
        raise RuntimeError("a secret path")

    monkeypatch.setattr(pages.queries, "campaigns", broken)
    app = viewing(small_database).app
    with TestClient(app, base_url=f"http://{ADDRESS}", raise_server_exceptions=False) as client:
        answer = client.get("/")
    assert (answer.status_code, answer.text) == (500, "Internal Server Error")
