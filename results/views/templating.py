"""The template engine of all views: what is put into a page is escaped, and made visible before."""

from __future__ import annotations

import re
from base64 import b64encode
from hashlib import sha256
from importlib import resources
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from results import text
from results.programs import SHOWN_ID
from results.views.document import Figure
from results.views.sections import campaign_path, candidate_path, program_path

STATIC = resources.files("results.views") / "static"
"""Style sheet, script and icon."""

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|!~&])")


def environment(*, html: bool = True) -> Environment:
    """Return the templates, for HTML or for Markdown. A missing value is an error, a string is never taken for HTML."""
    made = Environment(
        loader=PackageLoader("results.views"),
        autoescape=html,
        finalize=_visible,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    names = ("duration", "highlighted", "measured", "moment", "one_line", "score", "signed", "usd", "visible")
    made.filters |= {name: getattr(text, name) for name in names}
    made.filters |= {"short": lambda key: key[:SHOWN_ID], "md": escaped, "fenced": fenced}
    paths = (campaign_path, candidate_path, program_path)
    made.globals |= {path.__name__: path for path in paths}
    return made


class Standalone(NamedTuple):
    """What a page needs that is one file and asks for no other: its style, and the policy that allows just that."""

    css: Markup
    policy: str


def standalone() -> Standalone:
    """Return the style sheet for the head of a page, and its Content-Security-Policy."""
    css = (STATIC / "style.css").read_text(encoding="utf-8")
    digest = b64encode(sha256(css.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    return Standalone(Markup(css), policy)


def inline(figure: Figure, svg: str) -> Markup:
    """Return a drawn figure as a part of a page."""
    return Markup(f'<figure class="w{figure.width}">{svg}</figure>')


def escaped(value: object) -> str:
    """Return text for the running text or a table's cell of Markdown: one line, with nothing that Markdown obeys."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.visible(str(value)).split()))


def fenced(source: str, language: str = "") -> str:
    """Return a block of code, as it may be seen."""
    return text.fenced(text.visible(source).rstrip(), language)


def _visible(value: Any) -> Any:
    """Return text with escapes for what cannot be seen, and anything else as it is."""
    return text.visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value
