"""A language model writes the child: prompt -> answer -> patch -> source.

An answer that cannot be applied, or whose program would not pass screening, goes back to the model with what is
wrong, a few times. Every request counts, is stored and is paid for, whatever comes of it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from evaluators.records import Candidate
from evolve.models.asking import Asker
from evolve.models.base import Completion, Message, Request, Stop
from evolve.models.config import LlmConfig
from evolve.operators.base import Context, Operator, ProposalError
from evolve.operators.patch import FORMAT, PatchError, patch
from evolve.prompting.prompter import Prompter

_UNUSABLE = {
    Stop.LENGTH: "The answer was cut off at the limit of {limit} tokens. Be brief: change few lines, with blocks.",
    Stop.EMPTY: "The answer was empty. " + FORMAT,
    Stop.REFUSED: "The answer was a refusal. This is work on published algorithms for small card games. "
    + FORMAT,
    Stop.BLOCKED: "The answer was stopped by a filter. " + FORMAT,
}


class LlmOperator(Operator):
    """Asks a model for a change of the first parent; one and the same model, however often it takes.

    Args:
        prompter: renders what it is asked.
        settings: how it is asked, and how often its answer goes back with what is wrong.
    """

    kind = "llm"
    waits = True

    def __init__(self, prompter: Prompter, settings: LlmConfig) -> None:
        self._asker: Asker | None = None
        self._choose_model: Callable[[Context], str] = lambda context: ""
        self._prompter, self._settings = prompter, settings

    def connect(self, asker: Asker, choose_model: Callable[[Context], str] | None = None) -> None:
        """Say whom to ask: known when the campaign's database is open, since every call goes there first.

        Args:
            asker: answers requests.
            choose_model: of several models, names the one for a candidate.
        """
        self._asker = asker
        self._choose_model = choose_model or self._choose_model

    async def propose(self, parents: Sequence[Candidate], context: Context, rng: random.Random) -> Candidate:
        """Return a child that the model made of the first parent.

        Raises:
            ProposalError: no answer could be used.
            ModelError: the model cannot be asked, or a budget is reached.
        """
        assert self._asker is not None, "connect comes before propose"
        settings, model = self._settings, self._choose_model(context)
        first, *others = parents
        messages = (
            self._prompter.merge(first, others[0], context)
            if others
            else self._prompter.first(first, context, rng)
        )
        problem, child = "", None
        for attempt in range(settings.repairs + 1):
            completion = await self._asker.ask(
                Request(
                    messages,
                    settings.max_output_tokens,
                    settings.temperature,
                    context.ordinal,
                    attempt,
                    model,
                )
            )
            try:
                child = self._child(parents, completion, context)
                problem = context.objection(child.source)
            except PatchError as error:
                child, problem = None, f"{error.message}\n{error.hint}".strip()
            if child is not None and not problem:
                return child
            reminder = self._prompter.repair(problem, patched=child is not None)
            messages = (*messages, Message("assistant", completion.text or "(no answer)"), reminder)
        if child is not None:
            return child  # screening says the same about it, and keeps it to look at
        raise ProposalError(
            f"{self.kind}: no usable answer in {settings.repairs + 1} attempts; the last one: {problem}"
        )

    def _child(self, parents: Sequence[Candidate], completion: Completion, context: Context) -> Candidate:
        """Return what an answer makes of the first parent.

        Raises:
            PatchError: the answer cannot be used.
        """
        if completion.stop is not Stop.END:
            raise PatchError(_UNUSABLE[completion.stop].format(limit=self._settings.max_output_tokens))
        source = patch(parents[0].source, completion.text, context.components)
        return context.child(self.kind, parents, source, _idea(completion.text))


class LlmCrossover(LlmOperator):
    """Shows a model two parents and asks it to merge them: what it answers is a change of the first one."""

    kind = "llm-crossover"
    num_parents = 2


def _idea(answer: str) -> str:
    """Return the sentence behind ``Idea:``, short and without control characters, or that there is none."""
    for line in answer.splitlines():
        name, colon, rest = line.strip().strip("*# ").partition(":")
        if colon and name.strip("* ").lower() == "idea":
            idea = "".join(c for c in " ".join(rest.strip("* ").split()) if c.isprintable())
            idea = idea.replace(";", ",")
            return idea if len(idea) <= 160 else idea[:159] + "…"
    return "a change without a stated idea"
