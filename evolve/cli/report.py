"""``evolve report``: a campaign's results, as one HTML file or as Markdown."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from evolve.cli.output import DbOption, JsonOption, console, open_results, print_json, writing
from evolve.errors import ConfigError

if TYPE_CHECKING:
    from results.views.campaign import CampaignView

_READ_CHARS = 2000
"""Where in a file its mark must stand."""

Format = Literal["html", "md"]


def report(
    campaign: Annotated[str, typer.Argument(help="Name of the campaign.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write. [default: CAMPAIGN.html]")
    ] = None,
    chosen: Annotated[
        Format | None, typer.Option("--format", "-f", help="[default: the output's ending, or html]")
    ] = None,
    db: DbOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write the results of a campaign: figures, tables, lineage and source, as one HTML file that needs no network.

    Works while it runs too. md writes Markdown, with the figures in a folder beside it.

    Example: evolve report cfr-symbolic-s0
    """
    from results.views.campaign import view as read
    from results.views.words import verdict

    with open_results(db) as store:
        view = read(store, campaign)
    kind = chosen or ("md" if output and output.suffix.lower() == ".md" else "html")
    path = output or Path(f"{_file_name(campaign)}.{kind}")
    _check(path)
    files = _write(view, path, kind)
    sentences = verdict(view)
    if as_json:
        made = {"campaign": campaign, "format": kind, "file": path}
        print_json(made | {"figures": files, "verdict": sentences})
        return
    out = console(stderr=True)
    out.print(" ".join(sentences), markup=False)
    beside = f", with {len(files)} figures in {_folder(path)}" if files else ""
    out.print(f"Wrote {path}{beside}.", markup=False, soft_wrap=True)


def _write(view: CampaignView, path: Path, kind: Format) -> list[Path]:
    """Write the report, and return the files beside it."""
    from results.views import report as rendering

    figures: dict[str, str] = {}
    repeat = {"command": "evolve run campaign.toml", "settings": _toml(view.campaign.config)}
    if kind == "html":
        text = rendering.html(view, **repeat)
    else:
        text, figures = rendering.markdown(view, _folder(path).name, **repeat)
    beside = {_folder(path) / name: svg for name, svg in figures.items()}
    with writing(path, command="report"):
        if beside:
            _folder(path).mkdir(exist_ok=True)
        for file, content in [*beside.items(), (path, text)]:
            file.write_text(content, encoding="utf-8")
    return list(beside)


def _folder(path: Path) -> Path:
    """Return the folder of a Markdown report's figures."""
    return path.with_name(f"{_file_name(path.stem)}-figures")


def _check(path: Path) -> None:
    """Refuse to overwrite what is no report.

    Raises:
        ConfigError: it is a directory, or a file that `evolve report` did not write.
    """
    from results.views.report import MARK

    if path.is_dir():
        raise ConfigError(f"report: expected a file; {path} is a directory.", "Name one with --output.")
    if path.exists():
        with path.open(encoding="utf-8", errors="replace") as file:
            start = file.read(_READ_CHARS)
        if start and MARK not in start:
            raise ConfigError(f"report: {path} exists and is no report.", "Name another file with --output.")


def _file_name(text: str) -> str:
    """Return `text` as the name of a file, whatever a campaign is called."""
    return re.sub(r"[^\w.+-]", "_", text)


def _toml(config: Mapping[str, Any]) -> str:
    """Return a campaign's configuration, as `evolve run` reads it, without the place of its database."""
    from evolve.config import to_toml

    tables = {key: _given(value) for key, value in config.items() if isinstance(value, Mapping)}
    plain = {key: value for key, value in config.items() if key not in tables and key != "db"}
    return to_toml(_given(plain | tables))


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value not in (None, "", [], {})}
