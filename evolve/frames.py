"""Records as pandas frames, for those who ask for them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import is_dataclass
from typing import Any

from evolve.errors import ConfigError


def frame(records: Iterable[Any]) -> Any:
    """Return a ``pandas.DataFrame`` with a row for each record: campaigns, programs, results, and so on.

    A record or mapping within a record becomes columns of its own, with a dot: ``scores.decades.mean``, ``task.name``.
    Sequences, such as curves, stay as they are.

    Args:
        records: dataclasses or named tuples, such as `evolve.campaigns`, `evolve.top` and `Evaluation.results` have.

    Raises:
        ConfigError: pandas is not installed.
    """
    try:
        import pandas
    except ModuleNotFoundError as error:
        raise ConfigError(
            "frame: expected the package pandas, which is not installed.",
            "Run: pip install 'evolve-marl[pandas]'",
        ) from error
    return pandas.DataFrame([_row(record) for record in records])


def _row(record: Any, prefix: str = "") -> dict[str, Any]:
    fields = _fields(record)
    if fields is None:
        raise TypeError(f"frame: expected dataclasses or named tuples; got {type(record).__name__}")
    row: dict[str, Any] = {}
    for name, value in fields.items():
        inner = _fields(value)
        row |= {prefix + name: value} if inner is None else _row(value, f"{prefix}{name}.")
    return row


def _fields(value: Any) -> Mapping[str, Any] | None:
    """Return name -> value of a record or mapping; None for anything else."""
    if isinstance(value, Mapping):
        return value
    if is_dataclass(value) and not isinstance(value, type):
        return vars(value)
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        fields: Mapping[str, Any] = value._asdict()
        return fields
    return None
