"""``evolve new``: a problem domain of one's own."""

from __future__ import annotations

import re
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated

import typer

from evolve.cli.output import JsonOption, print_json, writing
from evolve.errors import ConfigError


def new(
    folder: Annotated[
        Path, typer.Argument(help="Where to write it: a folder that does not exist or is empty.")
    ],
    as_json: JsonOption = False,
) -> None:
    """Write a running example of a problem domain: a problem, two seeds, prompts and a test.

    Example: evolve new my_problem
    """
    written = write_domain(folder)
    if as_json:
        print_json({"folder": folder.resolve(), "files": written})
        return
    for file in written:
        typer.echo(f"  {file}")
    typer.echo(f"\nTry it: evolve run --domain {folder} --candidates 60")


def write_domain(folder: Path) -> list[Path]:
    """Write the files of an example domain; return their paths, sorted.

    Raises:
        ConfigError: there is something at `folder` already, or nothing can be written there.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(
            f"new: expected a folder that does not exist or is empty; {folder} is neither.",
            "Choose another name.",
        )
    from evolve.config import CampaignConfig

    name = re.sub(r"\W+", "_", folder.resolve().name) or "domain"
    values = {
        "NAME": name,
        "FOLDER": str(folder),
        "CAMPAIGN": CampaignConfig(domain=str(folder.resolve())).campaign_name,
    }
    with writing(folder, command="new"):
        return sorted(_write(files("evolve") / "templates" / "domain", folder, values))


def _write(template: Traversable, target: Path, values: dict[str, str]) -> list[Path]:
    """Write a template, a file or a folder, with values in the place of their names between @ signs.

    Templates' names end with .txt, so that nothing takes them for modules of ours.
    """
    if template.is_file():
        target = target.with_name(target.name.removesuffix(".txt"))
        text = template.read_text(encoding="utf-8")
        target.write_text(
            re.sub(r"@([A-Z]+)@", lambda match: values[match[1]], text), encoding="utf-8", newline="\n"
        )
        return [target]
    target.mkdir(parents=True, exist_ok=True)
    return [file for entry in template.iterdir() for file in _write(entry, target / entry.name, values)]
