"""Plain values as TOML, which the standard library only reads."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from textwrap import wrap
from typing import Any

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_COMMENT_WIDTH = 100


def dumps(values: Mapping[str, Any], notes: Mapping[str, str] | None = None) -> str:
    """Return keys of a mapping, then a table for each mapping in it; mappings further in are inline tables.

    Args:
        values: None, booleans, numbers, strings, sequences and mappings. TOML has no None: it is left out.
        notes: dotted key, or table -> comment above it. A key that is None stands there then, as a comment too.
    """
    comments = notes or {}
    plain = {key: value for key, value in values.items() if not isinstance(value, Mapping)}
    tables = {key: value for key, value in values.items() if isinstance(value, Mapping)}
    blocks = [_keys(plain, "", comments)]
    for name, table in tables.items():
        head = [*_comment(comments.get(name, "")), f"[{_key(name)}]"]
        blocks.append("\n".join([*head, _keys(table, f"{name}.", comments)]).rstrip("\n"))
    return "\n\n".join(filter(None, blocks)) + "\n"


def _keys(values: Mapping[str, Any], prefix: str, notes: Mapping[str, str]) -> str:
    lines = []
    for key, value in values.items():
        note = notes.get(prefix + key, "")
        lines += _comment(note)
        if value is not None:
            lines.append(f"{_key(key)} = {_value(value)}")
        elif note:
            lines.append(f"# {_key(key)} =")
    return "\n".join(lines)


def _comment(note: str) -> list[str]:
    return [f"# {line}" for line in wrap(" ".join(note.split()), _COMMENT_WIDTH)]


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else _string(key)


def _value(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case str():
            return _string(value)
        case Mapping():
            inner = ", ".join(f"{_key(key)} = {_value(one)}" for key, one in value.items())
            return f"{{ {inner} }}" if inner else "{}"
        case list() | tuple():
            return f"[{', '.join(map(_value, value))}]"
        case int() | float():
            return repr(value)
    raise TypeError(f"toml: expected a plain value; got {type(value).__name__}")


def _string(text: str) -> str:
    """Return a basic string: JSON's escapes are TOML's, which has one character more to escape."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
