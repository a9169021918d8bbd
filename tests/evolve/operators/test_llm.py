"""The operator that asks a model: what it sends, how it repairs, what it gives up on."""

import asyncio
import random

import pytest

from evaluators.records import Candidate
from evolve.models.base import Completion, Message, Stop, Usage
from evolve.models.config import LlmConfig
from evolve.operators.base import Context, ProposalError
from evolve.operators.llm import LlmCrossover, LlmOperator

W = "        weight = iteration_number + 1"


def block(power):
    return f"Idea: power {power}; not one.\n<<<<<<< SEARCH\n{W}\n=======\n{W} ** {power}\n>>>>>>> REPLACE\n"


class Asker:
    """Answers in turn; a text, or a completion."""

    def __init__(self, *answers):
        self.answers, self.requests = list(answers), []

    async def ask(self, request):
        self.requests.append(request)
        came = self.answers.pop(0)
        return came if isinstance(came, Completion) else Completion(came, Usage(1, 1), "m", 0.0)


class Prompter:
    def first(self, parent, context, rng):
        return (Message("system", "S"), Message("user", parent.source))

    def merge(self, first, second, context):
        return (Message("system", "S"), Message("user", f"{first.source}\n{second.source}"))

    def repair(self, problem, *, patched):
        return Message("user", f"{'screened' if patched else 'unpatched'}: {problem}")


@pytest.fixture
def propose(seed_sources, context):
    def run(asker, *, objection=lambda source: "", **options):
        operator = LlmOperator(Prompter(), LlmConfig(**options))
        operator.connect(asker)
        parent = Candidate(0, "seed", "id", source=seed_sources["cfr_plus"])
        told = Context(context.components, context.mechanisms, "cfr", 7, objection=objection)
        return asyncio.run(operator.propose([parent], told, random.Random(0)))

    return run


def test_a_good_answer_is_the_child(propose):
    asker = Asker(block(2))
    child = propose(asker, max_output_tokens=99, temperature=0.5)
    assert f"{W} ** 2" in child.source
    assert (child.ordinal, child.operator, child.parents) == (7, "llm", ("id",))
    assert child.note == "power 2, not one."
    (request,) = asker.requests
    assert (request.ordinal, request.attempt, request.max_output_tokens, request.temperature) == (
        7,
        0,
        99,
        0.5,
    )


def test_a_failed_patch_goes_back_with_the_reason(propose):
    asker = Asker("I would square it.", block(2))
    assert "** 2" in propose(asker).source
    second = asker.requests[1]
    assert second.attempt == 1
    assert [m.role for m in second.messages] == ["system", "user", "assistant", "user"]
    assert second.messages[2].text == "I would square it."
    assert second.messages[3].text.startswith("unpatched: The answer holds no SEARCH/REPLACE block")


def test_a_failed_screening_goes_back_with_the_reason(propose):
    asker = Asker(block(2), block(3))
    child = propose(asker, objection=lambda source: "known" if "** 2" in source else "")
    assert "** 3" in child.source
    assert asker.requests[1].messages[-1].text == "screened: known"


@pytest.mark.parametrize(
    ("stop", "said"),
    [
        (Stop.LENGTH, "cut off at the limit of 16384"),
        (Stop.EMPTY, "empty"),
        (Stop.REFUSED, "refusal"),
        (Stop.BLOCKED, "filter"),
    ],
)
def test_what_is_no_answer_goes_back_too(propose, stop, said):
    asker = Asker(Completion("", Usage(), "m", 0.0, stop), block(2))
    propose(asker)
    assert said in asker.requests[1].messages[-1].text
    assert asker.requests[1].messages[-2].text == "(no answer)"


def test_a_good_text_that_was_cut_off_is_not_used(propose):
    asker = Asker(Completion(block(2), Usage(), "m", 0.0, Stop.LENGTH), block(3))
    assert "** 3" in propose(asker).source


def test_repairs_end(propose):
    asker = Asker("a", "b", "c", "d")
    with pytest.raises(
        ProposalError, match="no usable answer in 3 attempts; the last one: The answer holds no"
    ):
        propose(asker)
    assert len(asker.requests) == 3


def test_no_repairs_at_all(propose):
    with pytest.raises(ProposalError, match="in 1 attempts"):
        propose(Asker("a"), repairs=0)


def test_a_program_that_never_passes_screening_is_kept_to_look_at(propose):
    child = propose(Asker(block(2), block(3), block(4)), objection=lambda source: "known")
    assert "** 4" in child.source


@pytest.mark.parametrize(
    ("answer", "note"),
    [
        ("**Idea:** bold one\n", "bold one"),
        ("idea: a\x1b[31m red; one\n", "a[31m red, one"),
        ("Idea: " + "x" * 300 + "\n", "x" * 159 + "…"),
        ("", "a change without a stated idea"),
    ],
)
def test_the_note_is_the_idea(propose, answer, note):
    assert propose(Asker(answer + block(2).split("\n", 1)[1])).note == note


def test_a_merge_shows_both_parents_and_changes_the_first(seed_sources, context):
    asker, operator = Asker("no idea", block(2)), LlmCrossover(Prompter(), LlmConfig())
    operator.connect(asker)
    parents = [Candidate(0, "seed", name, source=seed_sources[name]) for name in ("cfr_plus", "dcfr")]
    child = asyncio.run(operator.propose(parents, context, random.Random(0)))
    assert child.operator == "llm-crossover"
    assert child.parents == ("cfr_plus", "dcfr")
    assert child.source == seed_sources["cfr_plus"].replace(W, f"{W} ** 2")
    assert seed_sources["dcfr"] in asker.requests[0].messages[1].text
    assert [request.attempt for request in asker.requests] == [0, 1]


def test_one_model_is_chosen_for_a_candidate_and_its_repairs(seed_sources, context):
    names = iter(("openai:a", "openai:b"))
    asker, operator = Asker("no idea", block(2), block(3)), LlmOperator(Prompter(), LlmConfig())
    operator.connect(asker, lambda told: next(names))
    for _ in range(2):
        parent = Candidate(0, "seed", "id", source=seed_sources["cfr_plus"])
        asyncio.run(operator.propose([parent], context, random.Random(0)))
    assert [request.model for request in asker.requests] == ["openai:a", "openai:a", "openai:b"]
