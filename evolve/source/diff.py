"""Sources beside each other."""

from __future__ import annotations

from difflib import unified_diff


def unified(old: str, new: str, old_name: str, new_name: str) -> str:
    """A unified diff of two sources, "" where they are the same."""
    before, after = (text.splitlines(keepends=True) for text in (old, new))
    lines = unified_diff(before, after, old_name, new_name)
    return "".join(
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines
    )
