"""From a configuration to a model that a campaign can ask: client, price, budget, prompts."""

from __future__ import annotations

from dataclasses import dataclass

from evaluators.base import Domain, Plan
from evolve.config import CampaignConfig
from evolve.errors import ConfigError
from evolve.events import Called, Observer, Warned
from evolve.models.asking import Asker, CallLog, RecordingAsker
from evolve.models.base import Completion, Model, Request
from evolve.models.budget import Budget
from evolve.models.prices import Pricing, pricing
from evolve.models.registry import make_model, split_name
from evolve.operators.llm import LlmOperator
from evolve.prompting.prompter import Prompter


@dataclass
class Llm:
    """What stands behind the operator ``llm``, before the campaign's database is open."""

    config: CampaignConfig
    price: Pricing
    operator: LlmOperator
    model: Model | None = None
    observer: Observer | None = None

    def warn(self, line: str) -> None:
        """Pass on what is tried again, and what differs from a recording."""
        if self.observer is not None:
            self.observer(Warned(line))

    def connect(self, log: CallLog, observer: Observer, asker: Asker | None = None) -> None:
        """Make the operator ask through a campaign's books.

        Args:
            log: where calls are stored.
            observer: is told of calls and of what is tried again.
            asker: is asked instead, and keeps its own books.
        """
        if asker is not None:
            self.operator.connect(asker)
            return
        assert self.model is not None
        self.observer = observer
        config = self.config
        budget = Budget(usd=config.budget_usd, tokens=config.budget_tokens)

        def called(request: Request, completion: Completion, usd: float) -> None:
            observer(
                Called(
                    ordinal=request.ordinal,
                    attempt=request.attempt,
                    model=completion.model,
                    stop=completion.stop.value,
                    input_tokens=completion.usage.input_tokens,
                    output_tokens=completion.usage.output_tokens,
                    cost_usd=usd,
                    latency_s=completion.latency_s,
                    spent_usd=budget.spent_usd,
                    spent_tokens=budget.spent_tokens,
                )
            )

        self.operator.connect(
            RecordingAsker(self.model, log, price=self.price, budget=budget, warn=self.warn, called=called)
        )

    async def close(self) -> None:
        """Give connections back."""
        if self.model is not None:
            await self.model.close()


def prepare_llm(config: CampaignConfig, domain: Domain, plan: Plan, objective: str) -> Llm:
    """The model that a configuration names, checked: its name, key, price and prompts.

    Raises:
        EvolveError: no model, or one that cannot be asked.
    """
    if not config.model:
        raise ConfigError(
            "operator llm: expected a model; none is named.",
            "Name one: --model openai:NAME, gemini:NAME, mailbox:DIR.",
        )
    split_name(config.model)
    prompter = Prompter(
        domain.name,
        games=list(dict.fromkeys(i.game for i in plan.instances)),
        components=[c.name for c in domain.components],
        objective=objective,
        examples=config.llm.examples,
    )
    operator = LlmOperator(
        prompter,
        repairs=config.llm.repairs,
        max_output_tokens=config.llm.max_output_tokens,
        temperature=config.llm.temperature,
    )
    llm = Llm(config, pricing(config.model, config.llm), operator)
    llm.model = make_model(config.model, config.llm, warn=llm.warn)
    return llm
