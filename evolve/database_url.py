"""Where results are, for the command line and the Python interface alike."""

from __future__ import annotations

import os
from typing import NamedTuple

DEFAULT_DB = "results/data/evolve.db"


class Place(NamedTuple):
    """A results database and who chose it, in words."""

    where: str
    chosen_by: str


def choose_database(given: str | None = None, configured: str = "") -> Place:
    """Where results are: as given, then $EVOLVE_DB, then the configuration, then the default under this directory."""
    named = {
        "the option --db": given,
        "the environment variable EVOLVE_DB": os.environ.get("EVOLVE_DB"),
        "the configuration": configured,
        "default": DEFAULT_DB,
    }
    return next(Place(where, chosen_by) for chosen_by, where in named.items() if where)


def default_database(given: str | None = None, configured: str = "") -> str:
    """Where results are (`choose_database`)."""
    return choose_database(given, configured).where
