"""Where results are, for the command line and the Python interface alike."""

from __future__ import annotations

import os

DEFAULT_DB = "results/data/evolve.db"


def default_database(given: str | None = None, configured: str = "") -> str:
    """Where results are: as given, then $EVOLVE_DB, then the configuration, then the default under this directory."""
    return given or os.environ.get("EVOLVE_DB") or configured or DEFAULT_DB
