"""Write a running example of a problem domain into a folder: what `evolve new` does."""

from __future__ import annotations

import re
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from evolve.config import CampaignConfig
from evolve.errors import ConfigError

_SUFFIX = ".txt"
"""Ends the name of each template, so that nothing takes it for a module of ours."""


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
    name = re.sub(r"\W+", "_", folder.resolve().name) or "domain"
    values = {
        "NAME": name,
        "FOLDER": str(folder),
        "CAMPAIGN": CampaignConfig(domain=str(folder.resolve())).campaign_name,
    }
    try:
        return sorted(_write(files("evolve") / "templates" / "domain", folder, values))
    except OSError as error:
        raise ConfigError(
            f"new: expected a folder that can be written; {folder}: {error.strerror}."
        ) from error


def _write(template: Traversable, target: Path, values: dict[str, str]) -> list[Path]:
    """Write a template, a file or a folder, with values in the place of their names between @ signs."""
    if template.is_file():
        target = target.with_name(target.name.removesuffix(_SUFFIX))
        text = template.read_text(encoding="utf-8")
        target.write_text(
            re.sub(r"@([A-Z]+)@", lambda match: values[match[1]], text), encoding="utf-8", newline="\n"
        )
        return [target]
    target.mkdir(parents=True, exist_ok=True)
    return [file for entry in template.iterdir() for file in _write(entry, target / entry.name, values)]
