"""What each model contributed and cost, as a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.table import Table

from evolve.cli.tables import plain_table

if TYPE_CHECKING:
    from results.records import ModelShare


def models_table(shares: Sequence[ModelShare]) -> Table:
    """Return a table with a column per model: their names are long, and they are few."""
    table = plain_table("model", right=[share.model for share in shares])
    columns = [_cells(share) for share in shares]
    for label in columns[0] if columns else ():
        table.add_row(label, *(cells[label] for cells in columns))
    return table


def _cells(share: ModelShare) -> dict[str, str]:
    valid = f" ({100 * share.valid / share.candidates:.0f} %)" if share.candidates else ""
    each = share.usd_per_improvement
    return {
        "calls": str(share.calls) + (f" ({share.unanswered} unanswered)" if share.unanswered else ""),
        "candidates": str(share.candidates),
        "valid": f"{share.valid}{valid}",
        "better than the parent": str(share.improved),
        "best so far": str(share.records),
        "mean reward": f"{share.reward:.2f}",
        "tokens in, out": f"{share.input_tokens}, {share.output_tokens}",
        "cost": f"${share.cost_usd:.4f}",
        "cost per improvement": "-" if each is None else f"${each:.4f}",
    }
