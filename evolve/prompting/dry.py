"""A campaign up to its first question to a model: what it would ask, and what that may cost."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from evolve.config import CampaignConfig
from evolve.errors import ConfigError
from evolve.models.base import BudgetReached, Completion, Request, Usage
from evolve.search.run import run


@dataclass(frozen=True)
class Planned:
    """The first request, and estimates: tokens rather too many, answers taken to be as long as allowed.

    Attributes:
        request: what would be asked first.
        model: who would be asked; with several, later candidates may go to others.
        usd_most: what this call costs at most.
        usd_total_most: what the campaign may cost at most, every repair used and the dearest model asked; its prompts
            grow with what was tried.
    """

    request: Request
    model: str
    usd_most: float
    usd_total_most: float


class _Asking:
    """Instead of asking, remembers the question and ends the campaign."""

    def __init__(self) -> None:
        self.request: Request | None = None

    async def ask(self, request: Request) -> Completion:
        self.request = self.request or request
        raise BudgetReached("a dry run asks nothing.", budget="usd")


def first_request(config: CampaignConfig, *, db: str) -> Planned:
    """What a new campaign of this configuration would ask first.

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
    from evolve.models.registry import pricing

    usage = Usage(asking.request.input_tokens, config.llm.max_output_tokens)
    most = [pricing(name, config.llm)(usage) for name in config.model]
    calls = (config.candidates - 1) * (config.llm.repairs + 1)
    return Planned(asking.request, config.model[0], most[0], calls * max(most))
