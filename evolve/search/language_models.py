"""From a configuration to models that a campaign can ask: clients, prices, budget, prompts, and whose turn it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from evaluators.contract import Plan
from evaluators.task_domain import TaskDomain
from evolve.config import CampaignConfig
from evolve.errors import ConfigError
from evolve.models import ensemble
from evolve.models.asking import Asker, RecordingAsker
from evolve.models.budget import Budget
from evolve.models.registry import Priced, make_model, pricing, split_name
from evolve.operators.base import Context, Operator
from evolve.operators.crossover import CrossoverOperator
from evolve.operators.llm import LlmCrossover, LlmOperator
from evolve.prompting.prompter import Prompter
from evolve.search.events import Observer, Warned
from results.writer import CampaignWriter


@dataclass
class Llm:
    """What stands behind the operator ``llm``, before the campaign's database is open.

    Attributes:
        config: the campaign's.
        operator: makes the children of one parent.
        crossover: makes those of two.
        models: who is asked; none before `open`.
    """

    config: CampaignConfig
    operator: LlmOperator
    crossover: Operator
    models: list[Priced] = field(default_factory=list)

    def open(self, observer: Observer) -> None:
        """Make the clients; a campaign that asks nothing more needs none of them, nor their keys.

        Args:
            observer: is told what differs from a recording.

        Raises:
            ModelSetupError: for any of the models, no key, price or file.
        """
        config = self.config.llm
        prices = [pricing(name, config) for name in self.config.model]
        clients = [
            make_model(name, config, warn=lambda line: observer(Warned(line))) for name in self.config.model
        ]
        self.models = [Priced(client, price) for client, price in zip(clients, prices, strict=True)]

    def connect(self, log: CampaignWriter, observer: Observer, asker: Asker | None = None) -> None:
        """Make the operators ask through a campaign's books; nothing where no model was opened.

        Args:
            log: where calls are stored.
            observer: is told of calls and of what is tried again.
            asker: is asked instead, and keeps its own books.
        """
        choose_model: Callable[[Context], str] | None = None
        if asker is None and self.models:
            budget = Budget(usd=self.config.budget_usd, tokens=self.config.budget_tokens)
            asker = recording = RecordingAsker(self.models, log, budget=budget, observer=observer)
            names = [priced.model.name for priced in self.models]

            def choose(context: Context) -> str:
                told = ensemble.pulls(context.log, recording.paid)
                pending = context.ordinal - len(context.log)
                exponent = self.config.llm.cost_exponent
                return ensemble.choose(names, told, pending=pending, cost_exponent=exponent)

            choose_model = choose if len(names) > 1 else None
        for operator in (self.operator, self.crossover):
            if asker is not None and isinstance(operator, LlmOperator):
                operator.connect(asker, choose_model)

    async def close(self) -> None:
        """Give connections back."""
        for priced in self.models:
            await priced.model.close()


def prepare_llm(config: CampaignConfig, domain: TaskDomain, plan: Plan, objective: str) -> Llm:
    """Return the operators that a configuration asks for, with their prompts; `Llm.open` makes the models.

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
    settings = config.llm
    prompter = Prompter(domain, families=plan.groups, objective=objective, examples=settings.examples)
    merges = settings.crossover == "model"
    crossover = LlmCrossover(prompter, settings) if merges else CrossoverOperator()
    return Llm(config, LlmOperator(prompter, settings), crossover)
