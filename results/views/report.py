"""A campaign as one HTML file, or as Markdown with figures beside it."""

from __future__ import annotations

import re

from markupsafe import Markup

from results import plots
from results.views import words
from results.views.campaign import CampaignView
from results.views.document import Block, Code, Figure, Section
from results.views.figures import figures
from results.views.sections import SECTIONS, sections
from results.views.templating import environment, inline, standalone

MARK = "evolve report"
"""Stands near the beginning of every report: what has it may be overwritten by another one."""


def html(view: CampaignView, *, command: str = "", settings: str = "") -> str:
    """Return the report as one file that needs no other and no network.

    Args:
        view: the campaign.
        command: how to repeat it, "" when unknown.
        settings: its configuration as a file, "" when unknown.
    """
    return _render(
        "report.html",
        view,
        _sections(view, command, settings),
        **standalone()._asdict(),
        picture=_picture,
    )


def markdown(
    view: CampaignView, folder: str, *, command: str = "", settings: str = ""
) -> tuple[str, dict[str, str]]:
    """Return the report as Markdown, and its figures: file name -> SVG text. Arguments are as for `html`.

    Args:
        view: the campaign.
        folder: where the figures will be, as the Markdown file names it.
        command: how to repeat it.
        settings: its configuration.
    """
    made = _sections(view, command, settings)
    drawn = [block for section in made for block in section.blocks if isinstance(block, Figure)]
    files = {f"{f.name}.svg": plots.svg(f.draw(), name=f.name, title=f.title, page=False) for f in drawn}
    text = _render("report.md", view, made, folder=folder)
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n", files


def _sections(view: CampaignView, command: str, settings: str) -> list[Section]:
    """Return all sections, with how to repeat the campaign in the last one."""
    *others, run = sections(view, figures(view), list(SECTIONS))
    repeat: list[Block] = [
        "To repeat it, save the configuration below as campaign.toml, then:",
        Code(command, "Command", "sh"),
    ]
    config: list[Block] = [Code(settings, "Configuration", "toml", fold="Configuration")]
    return [*others, run._replace(blocks=[*run.blocks, *repeat * bool(command), *config * bool(settings)])]


def _render(template: str, view: CampaignView, made: list[Section], **values: object) -> str:
    return (
        environment(html=template.endswith(".html"))
        .get_template(template)
        .render(
            view=view,
            mark=MARK,
            verdict=words.verdict(view),
            facts=words.facts(view),
            sections=made,
            **values,
        )
    )


def _picture(figure: Figure) -> Markup:
    return inline(figure, plots.svg(figure.draw(), name=figure.name, title=figure.title))
