"""``evolve db``: where the results database is, copies of it, and upgrades."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from evolve.cli.output import DbOption, JsonOption, console, database, print_json

app = typer.Typer(
    no_args_is_help=True, help="Look after the results database: where it is, copies, upgrades."
)


@app.command()
def path(
    config: Annotated[
        Path | None, typer.Argument(help="TOML file of a campaign, which may name a database.")
    ] = None,
    db: DbOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print the database that commands use here; on standard error, what chose it.

    Example: evolve db path
    """
    from evolve.config import load_config
    from evolve.database_url import choose_database
    from results.database import shown

    place = choose_database(db, load_config(config, {}).db if config else "")
    where = shown(place.where)
    missing = "://" not in place.where and not Path(place.where).exists()
    if as_json:
        known = {
            "database": where,
            "chosen_by": place.chosen_by,
            "exists": None if "://" in where else not missing,
        }
        print_json(known)
        return
    print(where)
    note = "; there is none yet, the first campaign makes it" if missing else ""
    console(stderr=True).print(f"chosen by: {place.chosen_by}{note}", markup=False, soft_wrap=True)


@app.command()
def backup(
    file: Annotated[
        Path | None,
        typer.Argument(
            help="The copy, which must not exist yet. [default: beside the database, with the time in its name]"
        ),
    ] = None,
    db: DbOption = None,
    as_json: JsonOption = False,
) -> None:
    """Copy the database as it is at this instant, also while campaigns write it. Nothing is overwritten.

    Example: evolve db backup before-upgrade.db
    """
    from results.database import backup as copy

    where = database(db)
    made = copy(where, file)
    size = made.stat().st_size
    if as_json:
        print_json({"database": where, "file": made, "bytes": size})
    else:
        _say(f"Copied {where} to {made} ({size / 1e6:.1f} MB).")


@app.command()
def upgrade(db: DbOption = None, as_json: JsonOption = False) -> None:
    """Bring a database of an older version to this version's schema; a SQLite file is copied before.

    Commands that open an older database do so by themselves, but make no copy.

    Example: evolve db upgrade --db old.db
    """
    from results.database import shown
    from results.database import upgrade as bring

    where = database(db)
    done = bring(where)
    if as_json:
        schemas = {"schema_before": done.before, "schema": done.after}
        print_json({"database": shown(where)} | schemas | {"backup": done.backup})
    elif done.before == done.after:
        _say(f"{shown(where)} is current: schema {done.after}.")
    else:
        kept = f"; the old one is in {done.backup}" if done.backup else ""
        _say(f"{shown(where)} had schema {done.before} and has {done.after} now{kept}.")


def _say(line: str) -> None:
    console().print(line, markup=False, soft_wrap=True)
