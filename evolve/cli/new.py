"""``evolve new``: a problem domain of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from evolve.cli.output import JsonOption, print_json


def new(
    folder: Annotated[
        Path, typer.Argument(help="Where to write it: a folder that does not exist or is empty.")
    ],
    as_json: JsonOption = False,
) -> None:
    """Write a running example of a problem domain: a problem, two seeds, prompts and a test.

    Example: evolve new my_problem
    """
    from evolve.new import write_domain

    written = write_domain(folder)
    if as_json:
        files = [str(file) for file in written]
        print_json({"folder": str(folder.resolve()), "files": files})
        return
    for file in written:
        typer.echo(f"  {file}")
    typer.echo(f"\nTry it: evolve run --domain {folder} --candidates 60")
