"""What ``evolve run --dry-run`` prints."""

from __future__ import annotations

from evolve.cli.output import SCHEMA_VERSION, console, print_json
from evolve.config import CampaignConfig
from evolve.prompting.dry import Planned
from results.text import visible


def show(planned: Planned, settings: CampaignConfig, *, as_json: bool) -> None:
    """Print the first prompt, and what it and the campaign may cost."""
    request = planned.request
    if as_json:
        print_json(
            {
                "schema_version": SCHEMA_VERSION,
                "model": planned.model,
                "messages": [m._asdict() for m in request.messages],
                "input_tokens": request.input_tokens,
                "max_output_tokens": request.max_output_tokens,
                "cost_usd_most": planned.usd_most,
                "campaign_usd_most": planned.usd_total_most,
            }
        )
        return
    for message in request.messages:
        print(f"[{message.role}]\n{visible(message.text)}")
    limits = [f"${settings.budget_usd:g}"] if settings.budget_usd is not None else []
    limits += [f"{settings.budget_tokens} tokens"] if settings.budget_tokens is not None else []
    out = console(stderr=True)
    out.print(
        f"{planned.model}: about {request.input_tokens} tokens in, at most {request.max_output_tokens} out; "
        f"this call costs at most ${planned.usd_most:.4f}.",
        soft_wrap=True,
    )
    out.print(
        f"{settings.candidates - 1} candidates with {settings.llm.repairs} repairs each cost at most "
        f"${planned.usd_total_most:.2f}; budget: {' and '.join(limits) or 'none'}.",
        soft_wrap=True,
    )
