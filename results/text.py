"""Text that a model may have written, as pages and files show it, and numbers as tables show them."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from difflib import unified_diff
from io import StringIO
from math import ceil, floor, log10
from typing import NamedTuple

from markupsafe import Markup, escape

from evaluators.records import Metric

HIGHLIGHTED_CHARS = 200_000
"""Sources up to here are coloured; longer ones are shown plain."""

COMPARED_LINES = 4_000
"""Sources up to here are compared line by line, which takes quadratic time when nothing is alike."""

PLANNED, RECONSTRUCTED = "†", "‡"
"""Marks of seeds that are told the horizon, and of those that stand for a rule whose equations nobody could read."""

MARKS = f"{PLANNED} is told the horizon. {RECONSTRUCTED} a reconstruction, shown and not counted"
"""What the marks mean, below tables that have one."""


def marks(name: str, source: str) -> str:
    """Return the marks of a program, "" for most: by what a seed declares of itself (see `seeds`).

    Args:
        name: a seed's; "" for an evolved program, which may have lines of the seeds that it descends from.
        source: its text.
    """
    if not name:
        return ""
    planned = PLANNED if "\nPLANNED_ITERATIONS = " in source else ""
    return planned + (RECONSTRUCTED if "\nReconstruction: " in source else "")


def visible(text: str) -> str:
    r"""Return `text` with an escape such as ``\x1b`` for each character that cannot be seen; line breaks and tabs stay.

    Among them are those that reverse the direction of writing, which make a source read as what it is not.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in "\n\t" else ascii(c)[1:-1] for c in text)


def cell(text: str) -> str:
    """Return `text` as a table's cell that no spreadsheet takes for a formula."""
    return f"'{text}" if text.lstrip()[:1] in ("=", "+", "-", "@") else text


def highlighted(source: str) -> Markup:
    """Return Python source as HTML, a span of the class ``line`` with the id ``L-<number>`` around each line."""
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import PythonLexer

    text = visible(source.rstrip("\n"))
    if len(text) <= HIGHLIGHTED_CHARS:
        # Spans end with their line here, so that the text can be cut at line breaks.
        html = highlight(text, PythonLexer(stripnl=False), HtmlFormatter(nowrap=True)).rstrip("\n")
    else:
        html = str(escape(text))
    lines = (f'<span class="line" id="L-{k}">{line}\n</span>' for k, line in enumerate(html.split("\n"), 1))
    return Markup("".join(lines))


NONE = "\N{EN DASH}"
"""Stands in a table for what there is none of."""


class DiffLine(NamedTuple):
    """A line of a unified diff; `kind` is ``add``, ``del``, ``hunk`` or ``same``."""

    kind: str
    text: str


class Diff(NamedTuple):
    """What changed between two sources; `too_long` says that nobody looked."""

    lines: tuple[DiffLine, ...]
    added: int
    removed: int
    too_long: bool = False


def diff(old: str, new: str) -> Diff:
    """Return what has to be changed in `old` to get `new`, for a page, with three lines around each change."""
    if max(old.count("\n"), new.count("\n")) >= COMPARED_LINES:
        return Diff((), 0, 0, too_long=old != new)
    kinds = {"+": "add", "-": "del", "@": "hunk"}
    changes = unified(old, new).split("\n")[2:-1]
    lines = tuple(DiffLine(kinds.get(line[:1], "same"), line) for line in changes)
    added, removed = (sum(line.kind == kind for line in lines) for kind in ("add", "del"))
    return Diff(lines, added, removed)


def unified(old: str, new: str, old_name: str = "", new_name: str = "") -> str:
    """Return a unified diff of two sources, "" where they are the same."""
    before, after = (
        list(StringIO(text)) for text in (old, new)
    )  # lines as editors count them, not `splitlines`
    lines = unified_diff(before, after, old_name, new_name)
    return "".join(
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines
    )


def score(value: float | None, stderr: float = 0.0) -> str:
    """Return a score with four decimals, with three digits where these would hide it, or a dash; and its error."""
    if value is None:
        return NONE
    return _minus(f"{value:.4f}" if value == 0 or abs(value) >= 0.01 else f"{value:.2e}") + _error(stderr)


def estimate(value: float | None, stderr: float | None = None, *, sign: bool = False) -> str:
    """Return a mean with its standard error, to the first digit of the error, or a dash; `sign`: of a difference."""
    if value is None:
        return NONE
    decimals = min(6, max(2, -floor(log10(stderr)))) if stderr else 3
    shown = f"{value:{'+' if sign else ''}.{decimals}f}"
    return _minus(shown) + (f" ± {stderr:.{decimals}f}" if stderr else "")


def signed(value: float | None) -> str:
    """Return a difference of scores with its sign, or a dash."""
    if value is None:
        return NONE
    return _minus(f"{value:+.4f}" if value == 0 or abs(value) >= 0.0005 else f"{value:+.1e}")


def measured(metric: Metric, value: float | None, stderr: float = 0.0) -> str:
    """Return a metric's value to its resolution, on a log scale with three digits, or a dash; and its error."""
    if value is None:
        return NONE
    if metric.scale == "log":
        shown = f"{value:.2e}"
    elif metric.resolution > 0:
        shown = f"{value:.{min(10, max(0, ceil(-log10(metric.resolution))))}f}"
    else:
        shown = f"{value:.6g}"
    return _minus(shown) + _error(stderr)


def arrow(metric: Metric) -> str:
    """Return a sign for which values of a metric are better, for headings."""
    return "↓" if metric.direction == "min" else "↑"


def fenced(text: str, language: str = "") -> str:
    """Return a block of code for Markdown, inside a fence that is longer than any in it."""
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text}\n{fence}"


def count(number: int, word: str) -> str:
    """Return a number of things, such as ``1 task`` or ``3 tasks``."""
    return f"{number:,} {word}" if number == 1 else f"{number:,} {plural(word)}"


def plural(word: str) -> str:
    """Return the plural of an English noun that is formed regularly."""
    if word.endswith("y") and word[-2:-1] not in "aeiou":
        return f"{word[:-1]}ies"
    hissing = word.endswith(("s", "x", "z", "ch", "sh")) and not word.endswith("och")
    return f"{word}es" if hissing else f"{word}s"


def percent(part: float, whole: float) -> str:
    """Return a part in percent, or a dash when there is no whole."""
    return NONE if whole <= 0 else f"{part / whole:.0%}"


def one_line(text: str, chars: int = 200) -> str:
    """Return text on one line, cut where it is longer."""
    plain = " ".join(text.split())
    return plain if len(plain) <= chars else plain[: chars - 1] + "…"


def duration(seconds: float | None) -> str:
    """Return a time in the unit that fits it, or a dash."""
    if seconds is None:
        return NONE
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.1f} s"


def moment(value: datetime | None) -> str:
    """Return a time in UTC, to the second, or a dash."""
    return NONE if value is None else f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def usd(value: float) -> str:
    """Return money, to the hundredth of a cent while it is little; a dash for none."""
    if value == 0:
        return NONE
    return f"${value:.2f}" if value >= 1 else f"${value:.4f}"


def _error(stderr: float) -> str:
    return f" ± {_minus(f'{stderr:.2g}')}" if stderr else ""


def _minus(number: str) -> str:
    return number.replace("-", "\N{MINUS SIGN}")
