"""From a configuration to models that a campaign can ask: clients, prices, budget, prompts, and whose turn it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypedDict

from evaluators.contract import Plan
from evaluators.task_domain import TaskDomain
from evolve.config import CampaignConfig
from evolve.errors import ConfigError
from evolve.models import ensemble
from evolve.models.asking import Asker, CallLog, Priced, RecordingAsker
from evolve.models.base import Completion, Request
from evolve.models.budget import Budget
from evolve.models.prices import pricing
from evolve.models.registry import make_model, split_name
from evolve.operators.base import Context, Operator
from evolve.operators.crossover import CrossoverOperator
from evolve.operators.llm import LlmCrossover, LlmOperator
from evolve.prompting.prompter import Prompter
from evolve.search.events import Called, Observer, Warned


@dataclass
class Llm:
    """What stands behind the operator ``llm``, before the campaign's database is open."""

    config: CampaignConfig
    operator: LlmOperator
    crossover: LlmCrossover | None
    models: list[Priced] = field(default_factory=list)
    observer: Observer | None = None

    def open(self) -> None:
        """Make the clients; a campaign that asks nothing more needs none of them, nor their keys.

        Raises:
            ModelSetupError: for any of the models, no key, price or file.
        """
        config = self.config.llm
        prices = [pricing(name, config) for name in self.config.model]
        clients = [make_model(name, config, warn=self.warn) for name in self.config.model]
        self.models = [Priced(client, price) for client, price in zip(clients, prices, strict=True)]

    def warn(self, line: str) -> None:
        """Pass on what is tried again, and what differs from a recording."""
        if self.observer is not None:
            self.observer(Warned(line))

    def connect(self, log: CallLog, observer: Observer, asker: Asker | None = None) -> None:
        """Make the operators ask through a campaign's books; nothing where no model was opened.

        Args:
            log: where calls are stored.
            observer: is told of calls and of what is tried again.
            asker: is asked instead, and keeps its own books.
        """
        if asker is not None:
            self._connect(asker)
            return
        if not self.models:
            return
        self.observer = observer
        budget = Budget(usd=self.config.budget_usd, tokens=self.config.budget_tokens)
        called = _reporting(observer, budget)
        recording = RecordingAsker(self.models, log, budget=budget, warn=self.warn, called=called)
        names = [priced.model.name for priced in self.models]

        def choose(context: Context) -> str:
            told = ensemble.pulls(context.log, recording.paid)
            pending = context.ordinal - len(context.log)
            exponent = self.config.llm.cost_exponent
            return ensemble.choose(names, told, pending=pending, cost_exponent=exponent)

        self._connect(recording, choose if len(names) > 1 else None)

    def _connect(self, asker: Asker, choose_model: Callable[[Context], str] | None = None) -> None:
        for operator in (self.operator, self.crossover):
            if operator is not None:
                operator.connect(asker, choose_model)

    def crosser(self) -> Operator:
        """Who makes the children of two parents."""
        return self.crossover or CrossoverOperator()

    async def close(self) -> None:
        """Give connections back."""
        for priced in self.models:
            await priced.model.close()


def _reporting(observer: Observer, budget: Budget) -> Callable[[Request, Completion, float], None]:
    """What tells an observer of every answer."""

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

    return called


class _Options(TypedDict):
    """What both operators are made with."""

    repairs: int
    max_output_tokens: int
    temperature: float | None


def prepare_llm(config: CampaignConfig, domain: TaskDomain, plan: Plan, objective: str) -> Llm:
    """The operators that a configuration asks for, with their prompts; `Llm.open` makes the models.

    Raises:
        EvolveError: no model, one of no known kind, or a domain without prompts.
    """
    if not config.model:
        raise ConfigError(
            "operator llm: expected a model; none is named.",
            "Name one: --model openai:NAME, gemini:NAME, mailbox:DIR.",
        )
    for name in config.model:
        split_name(name)
    prompter = Prompter(domain, families=plan.families, objective=objective, examples=config.llm.examples)
    settings = config.llm
    options: _Options = {
        "repairs": settings.repairs,
        "max_output_tokens": settings.max_output_tokens,
        "temperature": settings.temperature,
    }
    crossover = LlmCrossover(prompter, **options) if settings.crossover == "model" else None
    return Llm(config, LlmOperator(prompter, **options), crossover)
