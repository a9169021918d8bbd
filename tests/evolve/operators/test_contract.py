"""What every operator promises; each implementation inherits the same tests."""

import asyncio
import random
from dataclasses import replace

import pytest

from evaluators.records import Candidate, Evaluation, Outcome, Score, Tag
from evaluators.registry import get_domain
from evolve.models.base import Completion, Usage
from evolve.models.config import LlmConfig
from evolve.operators.base import ProposalError, ScriptedOperator
from evolve.operators.crossover import CrossoverOperator
from evolve.operators.llm import LlmCrossover, LlmOperator
from evolve.operators.symbolic import SymbolicOperator
from evolve.prompting.prompter import Prompter
from evolve.source.canonical import canonical_hash


class OperatorContract:
    def make(self, seed_sources):
        raise NotImplementedError

    @pytest.fixture
    def parents(self, seed_sources, context):
        ok = Outcome(Tag.OK)
        evaluation = Evaluation(ok, scores={context.log.objective: Score(4.0)})
        return [
            Candidate(0, "seed", name, outcome=ok, source=seed_sources[name], evaluation=evaluation)
            for name in ("cfr_plus", "dcfr", "cfr")
        ]

    def propose(self, seed_sources, parents, context, seed=0):
        operator = self.make(seed_sources)
        chosen = parents[: operator.num_parents]
        return operator, asyncio.run(operator.propose(chosen, context, random.Random(seed)))

    def test_the_child_says_who_made_it_of_whom(self, seed_sources, parents, context):
        operator, child = self.propose(seed_sources, parents, replace(context, ordinal=7))
        assert (child.ordinal, child.operator) == (7, operator.kind)
        assert child.parents == tuple(parent.program_id for parent in parents[: operator.num_parents])
        assert child.outcome is None

    def test_the_same_input_gives_the_same_child(self, seed_sources, parents, context):
        first, second = (self.propose(seed_sources, parents, context, seed=5)[1] for _ in range(2))
        assert first == second

    def test_the_child_is_a_new_program(self, seed_sources, parents, context):
        _, child = self.propose(seed_sources, parents, context)
        assert canonical_hash(child.source) not in {canonical_hash(parent.source) for parent in parents}


class TestSymbolic(OperatorContract):
    def make(self, seed_sources):
        return SymbolicOperator()


class TestCrossover(OperatorContract):
    def make(self, seed_sources):
        return CrossoverOperator()


class Asker:
    """Gives the same answer to every request."""

    async def ask(self, request):
        weight = "        weight = iteration_number + 1"
        text = f"Idea: a\n<<<<<<< SEARCH\n{weight}\n=======\n{weight} + 0.5\n>>>>>>> REPLACE\n"
        return Completion(text, Usage(1, 1), "m", 0.0)


class TestLlm(OperatorContract):
    operator = LlmOperator

    def make(self, seed_sources):
        made = self.operator(
            Prompter(get_domain("cfr"), families=(), objective="decades", examples=0), LlmConfig()
        )
        made.connect(Asker())
        return made


class TestLlmCrossover(TestLlm):
    operator = LlmCrossover


class TestScripted(OperatorContract):
    def make(self, seed_sources):
        return ScriptedOperator([seed_sources["pdcfr_plus"]])

    def test_an_empty_script_is_said(self, parents, context):
        with pytest.raises(ProposalError, match="handed out"):
            asyncio.run(ScriptedOperator([]).propose(parents, context, random.Random(0)))
