"""Sources and differences as HTML, numbers as tables show them."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape

import pytest

from evaluators.records import Metric
from results import text

LOG = Metric("exploitability", "exploitability", "min", "log", 0.1)
LINEAR = Metric("radii", "sum of radii", "max", "linear", 1e-4)


def plain(html):
    return unescape(re.sub(r"<[^>]+>", "", html))


@pytest.mark.parametrize(
    "source",
    [
        "x = 1\n",
        '"""A docstring\nof two lines."""\n\n\ndef f(a, *, b=0x1f):\n    return f"{a!r} <{b}>"  # why\n',
        "\n\nstarts = 'late'\n",
        "this is not ((( Python\n'",
        "tab\there & <b>there</b>\n",
    ],
)
@pytest.mark.parametrize("limit", [text.HIGHLIGHTED_CHARS, 0])
def test_highlighting_keeps_every_character_and_numbers_the_lines(monkeypatch, source, limit):
    monkeypatch.setattr(text, "HIGHLIGHTED_CHARS", limit)
    html = str(text.highlighted(source))
    assert plain(html).rstrip("\n") == source.rstrip("\n")
    ids = [int(number) for number in re.findall(r'<span class="line" id="L-(\d+)">', html)]
    assert ids == list(range(1, source.rstrip("\n").count("\n") + 2))


def test_every_line_is_whole_by_itself():
    html = str(text.highlighted('"""a\nb\nc"""\nx = """d\ne"""\n'))
    lines = re.findall(r'<span class="line" id="L-\d+">(.*)\n</span>', html)
    assert len(lines) == 5
    assert all(line.count("<span") == line.count("</span") for line in lines)


def test_a_difference_says_what_kind_each_line_is():
    found = text.diff("a\nb\nc\n", "a\nB\nc\nd\n")
    assert [line.kind for line in found.lines] == ["hunk", "same", "del", "add", "same", "add"]
    assert (found.added, found.removed, found.too_long) == (2, 1, False)
    assert text.diff("a\n", "a\n").lines == ()


def test_very_long_sources_are_not_compared():
    long = "x\n" * text.COMPARED_LINES
    assert text.diff(long, long + "y\n").too_long
    assert not text.diff(long, long).too_long


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (text.score(5.18751), "5.1875"),
        (text.score(-0.000012), "\N{MINUS SIGN}1.20e\N{MINUS SIGN}05"),
        (text.score(0.0), "0.0000"),
        (text.score(None), text.NONE),
        (text.signed(0.3), "+0.3000"),
        (text.signed(1.2e-5), "+1.2e\N{MINUS SIGN}05"),
        (text.score(-2.5, 0.125), "\N{MINUS SIGN}2.5000 ± 0.12"),
        (text.signed(None), text.NONE),
        (text.measured(LOG, 0.000123), "1.23e\N{MINUS SIGN}04"),
        (text.measured(LOG, 0.000123, 0.00002), "1.23e\N{MINUS SIGN}04 ± 2e\N{MINUS SIGN}05"),
        (text.measured(LOG, None), text.NONE),
        (text.measured(LINEAR, 2.63586), "2.6359"),
        (text.measured(LINEAR, -2.5, 0.1), "\N{MINUS SIGN}2.5000 ± 0.1"),
        (text.measured(replace(LINEAR, resolution=5.0), 1234.5), "1234"),
        (text.measured(replace(LINEAR, resolution=0.0), 2.63586), "2.63586"),
        (text.count(1, "task"), "1 task"),
        (text.count(1200, "game"), "1,200 games"),
        (text.plural("policy"), "policies"),
        (text.plural("loss"), "losses"),
        (text.plural("day"), "days"),
        (text.percent(1, 4), "25%"),
        (text.percent(0, 0), text.NONE),
        (text.duration(1.25), "1.2 s"),
        (text.duration(150), "2.5 min"),
        (text.duration(86400 * 3), "3.0 d"),
        (text.duration(None), text.NONE),
        (text.usd(0.0), text.NONE),
        (text.usd(0.01234), "$0.0123"),
        (text.usd(12.5), "$12.50"),
        (text.moment(None), text.NONE),
    ],
)
def test_numbers(shown, expected):
    assert shown == expected


@pytest.mark.parametrize("formula", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1+1", "\r=1", " =1"])
def test_no_cell_is_a_formula(formula):
    assert text.cell(formula) == f"'{formula}"


@pytest.mark.parametrize("plain", ["insert trend (rate=0.1)", "", "a = 1", " "])
def test_a_cell_that_is_none_stays_as_it_is(plain):
    assert text.cell(plain) == plain


def test_a_unified_diff():
    assert text.unified("a\nb\n", "a\nc\n", "old", "new") == "--- old\n+++ new\n@@ -1,2 +1,2 @@\n a\n-b\n+c\n"
    assert text.unified("a\n", "a\n", "old", "new") == ""
    assert text.unified("a", "b\n").splitlines()[3:] == ["-a", "\\ No newline at end of file", "+b"]


def test_only_line_feeds_end_a_line_of_a_diff():
    assert text.unified("a\x0cb\u2028c\n", "d\n").split("\n")[3:] == ["-a\x0cb\u2028c", "+d", ""]
