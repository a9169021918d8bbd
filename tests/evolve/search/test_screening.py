"""Screening: what never costs an evaluation."""

import pytest

import seeds
from evaluators.records import Tag
from evaluators.registry import get_domain
from evolve.search.proposer import Screen
from evolve.source.canonical import canonical_hash

CFR_PLUS = seeds.source("cfr", "cfr_plus")


@pytest.fixture
def screen():
    return Screen(get_domain("cfr"))


def test_a_new_program_passes(screen):
    assert screen.judge(CFR_PLUS) == (canonical_hash(CFR_PLUS), None)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("def f(:\n", "line 1: expected Python source; it does not parse"),
        ("\0", "it does not parse"),
        ("x = 1\n", "expected a class RegretAccumulator; it has no class"),
        (CFR_PLUS.replace("cfr_regrets", "regrets"), "expected RegretAccumulator.update_accumulate_regret"),
        (
            CFR_PLUS.replace("iteration_number + 1", " + ".join("1" * 2000)),
            "nested at most 100 deep",
        ),
    ],
)
def test_what_is_no_program_is_rejected_with_the_reason(screen, source, said):
    stopped = screen.judge(source)[1]
    assert stopped.tag is Tag.REJECTED
    assert said in stopped.message


def test_a_rejected_message_ends_with_what_to_do(screen):
    assert screen.judge("x = 1\n")[1].message.endswith(
        "A CFR program has the classes RegretAccumulator, PolicyFromRegretAccumulator, PolicyAccumulator."
    )


@pytest.mark.parametrize(
    "again",
    [CFR_PLUS, "# a comment\n" + CFR_PLUS, CFR_PLUS.replace("weight", "w"), CFR_PLUS.replace("    ", "\t")],
)
def test_an_admitted_program_is_a_duplicate_however_it_is_written(screen, again):
    screen.admit(screen.judge(CFR_PLUS)[0], 7)
    stopped = screen.judge(again)[1]
    assert (stopped.tag, stopped.message) == (Tag.DUPLICATE, "the same program as candidate 7")


def test_another_constant_is_another_program(screen):
    screen.admit(screen.judge(CFR_PLUS)[0], 0)
    assert screen.judge(CFR_PLUS.replace("iteration_number + 1", "iteration_number + 2"))[1] is None


def test_judging_remembers_nothing(screen):
    screen.judge(CFR_PLUS)
    assert screen.judge(CFR_PLUS)[1] is None


def test_the_first_candidate_of_a_tree_is_named(screen):
    tree_hash = screen.judge(CFR_PLUS)[0]
    screen.admit(tree_hash, 3)
    screen.admit(tree_hash, 5)
    assert screen.judge(CFR_PLUS)[1].message.endswith("candidate 3")
