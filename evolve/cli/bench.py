"""``evolve bench``: the benchmarks, which a checkout of the source has beside the packages and the wheel has not."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Annotated

import typer

from evolve.errors import ConfigError

ROOT = Path(__file__).resolve().parents[2]
"""The folder that holds the package `evolve`: of a checkout, or of whatever is installed."""


def bench(
    arguments: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME] [OPTIONS]", help="A benchmark and its options; without, all names."),
    ] = None,
) -> None:
    """Measure speed beside other implementations: `python -m benchmarks`, in a checkout of the source.

    Example: evolve bench cfr --games kuhn3,leduc2 --json
    """
    _check_checkout()
    from benchmarks.app import app

    app(arguments or ["--help"], prog_name="evolve bench")


def _check_checkout() -> None:
    """See that the benchmarks lie beside this package; another distribution may have installed some of that name.

    Raises:
        ConfigError: this is no checkout.
    """
    spec = importlib.util.find_spec("benchmarks")
    ours = spec is not None and spec.origin == str(ROOT / "benchmarks" / "__init__.py")
    if not (ours and (ROOT / "pyproject.toml").is_file()):
        raise ConfigError(
            "bench: benchmarks come with a checkout of the source, and this is an installed package.",
            "Clone the repository and run there: python -m benchmarks NAME.",
        )
