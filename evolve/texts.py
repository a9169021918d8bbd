"""Sources beside each other, and as they may be shown: what a model wrote may hold anything."""

from __future__ import annotations

from difflib import unified_diff


def unified(old: str, new: str, old_name: str, new_name: str) -> str:
    """A unified diff of two sources, "" where they are the same."""
    before, after = (text.splitlines(keepends=True) for text in (old, new))
    lines = unified_diff(before, after, old_name, new_name)
    return "".join(
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines
    )


def shown(text: str) -> str:
    """`text` with a mark for each control character, which a terminal would obey; line breaks and tabs stay."""
    return "".join(c if c.isprintable() or c in "\n\t" else "\ufffd" for c in text)


def cell(text: str) -> str:
    """`text` as a table's cell that no spreadsheet takes for a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
