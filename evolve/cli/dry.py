"""`evolve run --dry-run`: a campaign up to its first question to a model, what it would ask, and what that may cost."""

from __future__ import annotations

import tempfile
from pathlib import Path

from evolve.cli.output import console, print_json
from evolve.config import CampaignConfig
from evolve.errors import ConfigError
from evolve.models.base import BudgetReached, Completion, Request, Usage
from evolve.models.registry import pricing
from evolve.search.run import run
from results.text import visible


class _Asking:
    """Instead of asking, remembers the question and ends the campaign."""

    def __init__(self) -> None:
        self.request: Request | None = None

    async def ask(self, request: Request) -> Completion:
        self.request = self.request or request
        raise BudgetReached("a dry run asks nothing.", budget="usd")


def show_first_request(config: CampaignConfig, db: str, *, as_json: bool) -> None:
    """Print the first prompt of a new campaign, and what it and the campaign may cost.

    Costs are estimates: tokens rather too many, answers as long as allowed, every repair used and the dearest model
    asked. Prompts grow with what was tried. With several models, later candidates may go to others than the first.
    """
    request = first_request(config, db=db)
    usage = Usage(request.input_tokens, config.llm.max_output_tokens)
    most = [pricing(name, config.llm)(usage) for name in config.model]
    total = (config.candidates - 1) * (config.llm.repairs + 1) * max(most)
    if as_json:
        print_json(
            {
                "model": config.model[0],
                "messages": [m._asdict() for m in request.messages],
                "input_tokens": request.input_tokens,
                "max_output_tokens": request.max_output_tokens,
                "cost_usd_most": most[0],
                "campaign_usd_most": total,
            }
        )
        return
    for message in request.messages:
        print(f"[{message.role}]\n{visible(message.text)}")
    limits = [f"${config.budget_usd:g}"] if config.budget_usd is not None else []
    limits += [f"{config.budget_tokens} tokens"] if config.budget_tokens is not None else []
    out = console(stderr=True)
    out.print(
        f"{config.model[0]}: about {request.input_tokens} tokens in, at most {request.max_output_tokens} out; "
        f"this call costs at most ${most[0]:.4f}.",
        soft_wrap=True,
    )
    out.print(
        f"{config.candidates - 1} candidates with {config.llm.repairs} repairs each cost at most "
        f"${total:.2f}; budget: {' and '.join(limits) or 'none'}.",
        soft_wrap=True,
    )


def first_request(config: CampaignConfig, *, db: str) -> Request:
    """Return what a new campaign of this configuration would ask first.

    The seed and the baselines are evaluated, since the prompt shows their scores; nothing is stored.

    Args:
        config: the campaign.
        db: database in which programs named by id are looked up.

    Raises:
        EvolveError: as `evolve.search.run.run`; also an operator that asks no model.
    """
    if config.operator != "llm":
        raise ConfigError(
            f"--dry-run: expected the operator llm; {config.operator!r} asks no model.",
            "Add --operator llm --model NAME.",
        )
    asking = _Asking()
    changes = {"candidates": 2, "crossover": 0.0, "time_s": None, "workers": 1 if config.workers < 2 else 2}
    with tempfile.TemporaryDirectory(prefix="evolve-dry-") as folder:
        short = config.model_copy(update=changes)
        run(short, db=str(Path(folder) / "dry.db"), observer=lambda event: None, asker=asking, programs=db)
    assert asking.request is not None
    return asking.request
