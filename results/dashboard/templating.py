"""The template engine: everything that is put into a page is escaped, and made visible before."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from results import text
from results.programs import SHOWN_ID


def environment() -> Environment:
    """The templates of this package. A value that is missing is an error, a string is never taken for HTML."""
    made = Environment(
        loader=PackageLoader("results.dashboard"),
        autoescape=True,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    made.filters |= {
        "compact": lambda value: json.dumps(value, ensure_ascii=False),
        "duration": text.duration,
        "highlighted": text.highlighted,
        "moment": text.moment,
        "score": text.score,
        "short": lambda key: key[:SHOWN_ID],
        "signed": text.signed,
        "small": text.small,
        "usd": text.usd,
        "visible": text.visible,
    }
    made.globals |= {
        "campaign_path": campaign_path,
        "candidate_path": candidate_path,
        "program_path": program_path,
    }
    return made


def campaign_path(name: str, part: str = "") -> str:
    """The path of a campaign's page, or of one below it."""
    return f"/campaigns/{quote(name, safe='')}" + (f"/{part}" if part else "")


def candidate_path(name: str, ordinal: int) -> str:
    """The path of a candidate's page."""
    return campaign_path(name, f"candidates/{ordinal}")


def program_path(key: str, part: str = "") -> str:
    """The path of a program's page, or of one below it."""
    return f"/programs/{quote(key, safe='')}" + (f"/{part}" if part else "")


def _finalize(value: Any) -> Any:
    """What the engine puts into a page in place of a value: text with escapes for what cannot be seen."""
    return text.visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value
