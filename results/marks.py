"""Marks behind the names of seeds, and what they mean."""

from __future__ import annotations

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
