"""Reports as HTML and Markdown: the same numbers in both, and nothing that a model wrote is obeyed."""

import re
from base64 import b64encode
from dataclasses import replace
from hashlib import sha256
from html.parser import HTMLParser

import pytest

from results.records import ModelShare
from results.store import open_store
from results.views import report
from results.views.campaign import view
from results.views.templating import escaped, fenced

HOSTILE = "</pre><script>alert(1)</script>&amp;|`\x1b[31m$x_{1}$\u202e```"


class Elements(HTMLParser):
    """Tags with their attributes, the text, and whether everything that was opened was closed."""

    VOID = ("meta", "path", "use", "line", "rect", "br")

    def __init__(self, html):
        super().__init__()
        self.tags, self.open, self.words = [], [], []
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


@pytest.fixture
def seen(hunt):
    return view(hunt, "hunt")


@pytest.fixture
def hostile(family, make, tmp_path):
    """A campaign whose names, notes, messages and sources try to be more than text."""
    with open_store(tmp_path / "h.db", clock=make.clock()) as store:
        with store.begin_campaign(make.spec("hostile")) as writer:
            family.sources = tuple(f"{s}# {HOSTILE}\n" for s in family.sources)
            ids = family.write(make, writer, names=(HOSTILE, "", ""), notes=("", HOSTILE, HOSTILE))
            message = f"{HOSTILE}\n# heading"
            writer.record_candidate(
                make.candidate(3, None, operator=HOSTILE, outcome="crash", message=message)
            )
            writer.tell(3)
            family.hold_out(writer, ids)
        yield view(store, "hostile")


def numbers(words):
    """Numbers as tables write them."""
    return set(re.findall(r"[+-]?\d+\.\d{4}(?!\d)|\d\.\d\de[+-]\d\d", words.replace("\N{MINUS SIGN}", "-")))


def test_the_page_needs_nothing_else(seen):
    html = report.html(seen)
    found = Elements(html)
    assert not {tag for tag, _ in found.tags} & {"script", "img", "link", "iframe", "object", "form"}
    assert not [a for _, a in found.tags if "style" in a or any(k.startswith("on") for k in a)]
    assert {a["href"][0] for _, a in found.tags if "href" in a} == {"#"}
    assert "url(http" not in html and "@import" not in html
    (css,) = re.findall(r"<style>(.*?)</style>", html, re.DOTALL)
    digest = b64encode(sha256(css.encode()).digest()).decode()
    policy = next(a["content"] for _, a in found.tags if a.get("http-equiv") == "Content-Security-Policy")
    assert f"style-src &#39;sha256-{digest}&#39;" in html or f"style-src 'sha256-{digest}'" in policy


def test_ids_and_anchors(seen):
    found = Elements(report.html(seen))
    ids = [a["id"] for _, a in found.tags if "id" in a]
    assert len(ids) == len(set(ids))
    anchors = {a["href"][1:] for tag, a in found.tags if tag == "a"}
    assert anchors <= set(ids)
    figures = [a for tag, a in found.tags if tag == "svg" and a.get("role") == "img"]
    assert len(figures) == 6
    assert all(a["aria-labelledby"] in ids for a in figures)


def test_html_and_markdown_hold_the_same_numbers(seen):
    page = Elements(
        re.sub(r"<svg.*?</svg>|<style>.*?</style>|<nav.*?</nav>", "", report.html(seen), flags=re.DOTALL)
    )
    said, _ = report.markdown(seen, "figures")
    said = re.sub(r"!\[.*?\)", "", said).replace("\\", "")
    assert numbers(" ".join(page.words)) == numbers(said)
    assert {"3.0000", "2.5000", "1.00e-02", "4.00e-02", "+1.0000"} <= numbers(said)


def test_markdown_names_figures_that_exist(seen):
    said, files = report.markdown(seen, "hunt-figures")
    assert {f"hunt-figures/{name}" for name in files} == set(re.findall(r"\]\((.*?)\)", said))
    assert all(text.startswith("<svg") and "<title" in text for text in files.values())
    for line in said.splitlines():
        if line.startswith("|"):
            assert line.endswith("|")


def test_tables_have_as_many_cells_in_every_row(seen):
    said, _ = report.markdown(seen, "f")
    for table in re.findall(r"(?:^\|.*\n)+", said, re.MULTILINE):
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1


def test_what_models_cost(seen):
    """Of candidates that a model wrote and somebody paid for."""
    trials = tuple(
        t._replace(model="m<b>|" * (t.ordinal < 3), cost_usd=0.25, total_cost_usd=0.25 * t.ordinal)
        for t in seen.trials
    )
    spent = {"input_tokens": 1234, "output_tokens": 99, "cost_usd": 0.5}
    led_to = {"candidates": 3, "valid": 2, "improved": 2, "records": 1, "reward": 0.25}
    calls = (ModelShare(model="m<b>|", calls=5, unanswered=1, **led_to, **spent),)
    paid = replace(seen, trials=trials, calls=calls)
    html, (said, files) = report.html(paid), report.markdown(paid, "f")
    assert "best-by-cost.svg" in files
    Elements(html)
    for text in (html, said):
        assert "$0.2500" in text  # per improvement
        assert "1,234" in text
    assert "m&lt;b&gt;|" in html
    assert "m\\<b\\>\\|" in said


def test_hostile_text_stays_text_in_html(hostile):
    html = report.html(hostile)
    found = Elements(html)
    assert "script" not in {tag for tag, _ in found.tags}
    assert "\x1b" not in html
    assert "\u202e" not in html
    assert "\\x1b[31m" in "".join(found.words)
    assert "alert(1)" in "".join(found.words)


def test_hostile_text_stays_text_in_markdown(hostile):
    said, files = report.markdown(hostile, "f")
    assert "\x1b" not in said
    outside = re.sub(r"^(`{3,})\w*\n.*?\n\1$", "", said, flags=re.MULTILINE | re.DOTALL)
    assert "<script" not in outside.replace("\\<", "")
    assert "alert" in outside
    assert not re.search(r"^# heading", outside, re.MULTILINE)
    assert not any("<script" in text or "\x1b" in text for text in files.values())


def test_the_same_database_gives_the_same_bytes(hunt):
    pages = [report.html(view(hunt, "hunt")) for _ in range(2)]
    assert pages[0] == pages[1]


@pytest.mark.parametrize("outcome", [None, "crash"])
def test_campaigns_without_a_valid_program(make, tmp_path, outcome):
    database = tmp_path / "e.db"
    with open_store(database, clock=make.clock()) as store, store.begin_campaign(make.spec("new")) as writer:
        writer.record_candidate(make.candidate(0, None, outcome=outcome, message="boom"))
        seen = view(store, "new")
    html = report.html(seen)
    Elements(html)
    said, files = report.markdown(seen, "f")
    assert "None so far" in html
    assert "None so far" in said
    assert set(files) == (set())


def test_fences_are_longer_than_any_inside():
    assert fenced("a\n```\n") == "````\na\n```\n````"
    assert escaped("a|b\n# c <i>") == "a\\|b \\# c \\<i\\>"
