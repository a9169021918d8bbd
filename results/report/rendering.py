"""A report as one HTML file, or as Markdown with figures beside it."""

from __future__ import annotations

import re
from base64 import b64encode
from functools import cache
from hashlib import sha256
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from results import plots, text
from results.report import words
from results.report.figures import Figure, figures
from results.report.model import DISCOVERED, Report

MARK = "evolve report"
"""Stands near the beginning of every report: what has it may be overwritten by another one."""

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|!~&])")
_MESSAGE_CHARS = 200


def html(report: Report) -> str:
    """The report as one file that needs no other and no network."""
    drawn = figures(report)
    svgs = {f.name: Markup(plots.svg(f.draw(), name=f.name, title=f.title)) for f in drawn}
    css = _css()
    policy = (
        f"default-src 'none'; style-src 'sha256-{b64encode(sha256(css.encode()).digest()).decode()}'; "
        "base-uri 'none'; form-action 'none'"
    )
    return _render(
        "report.html", report, autoescape=True, drawn=drawn, svgs=svgs, css=Markup(css), policy=policy
    )


def markdown(report: Report, folder: str) -> tuple[str, dict[str, str]]:
    """The report as Markdown, and its figures: file name -> SVG text.

    Args:
        report: what to say.
        folder: where the figures will be, as the Markdown file names it.
    """
    drawn = figures(report)
    files = {f"{f.name}.svg": plots.svg(f.draw(), name=f.name, title=f.title, page=False) for f in drawn}
    said = _render("report.md", report, autoescape=False, drawn=drawn, folder=folder)
    return re.sub(r"\n{3,}", "\n\n", said).strip() + "\n", files


def _render(name: str, report: Report, *, autoescape: bool, drawn: list[Figure], **more: Any) -> str:
    environment = Environment(
        loader=PackageLoader("results.report", "templates"),
        autoescape=autoescape,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_visible,
    )
    environment.filters |= {
        "change": words.change, "colour": _colour, "duration": text.duration, "game": words.game,
        "highlighted": text.highlighted, "kind": words.kind, "md": escaped, "moment": text.moment, "fenced": fenced,
        "points": words.points, "results": words.results, "short": _short, "small": text.small, "usd": text.usd,
    }  # fmt: skip
    looks = plots.looks([c.label for c in report.contenders], [DISCOVERED])
    return environment.get_template(name).render(
        report=report, mark=MARK, discovered=DISCOVERED, verdict=words.verdict(report), facts=words.facts(report),
        share=words.share, diff=text.diff, looks=looks, figures=drawn, ink=plots.INK, **more,
    )  # fmt: skip


def escaped(value: object) -> str:
    """Text for the running text or a table's cell of Markdown: one line, with nothing that Markdown would obey."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.visible(str(value)).split()))


def fenced(source: str, language: str = "") -> str:
    """A block of code, inside a fence that is longer than any in it."""
    longest = max((len(run) for run in re.findall(r"`+", source)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text.visible(source).rstrip()}\n{fence}"


def _visible(value: object) -> object:
    """What stands in a page for a value: text with escapes for what cannot be seen."""
    return text.visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _short(message: str) -> str:
    plain = " ".join(message.split())
    return plain if len(plain) <= _MESSAGE_CHARS else plain[: _MESSAGE_CHARS - 1] + "…"


def _colour(look: plots.Look) -> str:
    """How a line looks, for a legend in words."""
    colour = "grey" if look.colour == plots.INK else look.colour
    return f"{colour}, dashed" if look.dashes else colour


@cache
def _css() -> str:
    """The style sheet, with the colours of source code for light paper and for dark."""
    from pygments.formatters import HtmlFormatter

    loader = PackageLoader("results.report", "templates")
    own, _, _ = loader.get_source(Environment(), "report.css")
    light, dark = (_code_colours(HtmlFormatter(style=style)) for style in ("xcode", "github-dark"))
    docstrings = ".code .sd { color: var(--quiet) }"
    return f"{own}{light}\n@media (prefers-color-scheme: dark) {{\n{dark}\n}}\n{docstrings}\n"


def _code_colours(formatter: Any) -> str:
    """The rules of a style that colour tokens; page, background and line numbers have our own."""
    rules = formatter.get_style_defs(".code").splitlines()
    return "\n".join(r.partition(" /*")[0] for r in rules if re.match(r"\.code \.\w+ \{ (color|font)", r))
