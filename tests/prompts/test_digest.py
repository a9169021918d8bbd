"""What of a search is told to a model: ideas with what they brought, the way to the parent, what other programs add."""

import pytest

import seeds
from evaluators.records import Candidate, Evaluation, Outcome, Score, Tag
from evolve.prompting import digest
from evolve.search.log import CandidateLog

OK = Outcome(Tag.OK)


def told(ordinal, parent, score, note, *, source=None, outcome=OK):
    evaluation = Evaluation(outcome, scores={"score": Score(score)} if outcome is OK else {})
    parents = (parent,) if parent else ()
    source = source or f"x = {ordinal}\n"
    return Candidate(ordinal, "llm", f"id{ordinal}", parents, note, 0, outcome, source, evaluation)


TOLD = (
    told(0, "", 1.0, "", source="a = 1\nb = 1\n"),
    told(1, "id0", 1.5, "gain", source="b = 1\nc = 1\n"),
    told(2, "id0", 0.4, "loss"),
    told(3, "id1", 1.4, "step", source="c = 1\nd = 1\n"),
    told(4, "id2", 0.9, "recovery"),
    told(5, "id2", 0.0, "nonsense", outcome=Outcome(Tag.INVALID, "expected numbers")),
    told(6, "id3", 1.6, "child"),
)
LOG = CandidateLog("score", TOLD).upto(len(TOLD))
PARENT = TOLD[3]


def test_ideas_are_ranked_by_what_they_brought_and_none_is_told_twice():
    assert digest.ideas(PARENT, LOG) == [("+0.500, to 0.900", "recovery"), ("-0.600, to 0.400", "loss")]
    assert digest.children(PARENT, LOG) == [("+0.200", "child")]


def test_the_way_begins_with_the_oldest_ancestor():
    assert digest.way(PARENT, LOG) == [
        ("1.000", "where the search began"),
        ("1.500", "gain"),
        ("1.400", "step"),
    ]
    assert digest.way(TOLD[0], LOG) == []
    assert [t.ordinal for t in digest.ancestors(PARENT, LOG)] == [3, 1, 0]
    assert digest.ancestors(told(9, "", 0.0, ""), LOG) == []


def test_lines_whose_loss_did_harm_are_not_warned_of():
    assert digest.removed_lines(PARENT, LOG) == [("1.000 → 1.500", "a = 1")]


def test_failures_say_what_was_tried():
    assert digest.failures(PARENT, LOG) == [("invalid", "expected numbers (nonsense)")]


def test_what_other_programs_share_is_named_once():
    plus, dcfr = seeds.source("cfr", "cfr_plus"), seeds.source("cfr", "dcfr")
    text, same = digest.differing(dcfr, {"the parent": plus})
    assert same == {"the parent": ["PolicyFromRegretAccumulator"]}
    assert "class RegretAccumulator" in text
    assert "class PolicyFromRegretAccumulator" not in text
    documented_otherwise = plus.replace("Regret matching+:", "RM+:")
    assert digest.differing(documented_otherwise, {"the parent": plus})[0] == ""


@pytest.mark.parametrize("source", ["def f(:\n", "\0"])
def test_a_program_that_does_not_parse_is_shown_whole(source):
    assert digest.differing(source, {"the parent": "x = 1"}) == (source, {})
    assert digest.differing("x = 1", {"the parent": source})[0] == "x = 1"


def test_a_fault_of_ours_is_not_shown():
    ours = told(7, "id3", 0.0, "an idea", outcome=Outcome(Tag.ENGINE_ERROR, "ZeroDivisionError: no"))
    seen = CandidateLog("score", [*TOLD, ours]).upto(99)
    assert len(seen) == len(LOG) + 1
    for section in (digest.ideas, digest.children, digest.way, digest.failures):
        assert section(PARENT, seen) == section(PARENT, LOG)
    assert digest.outcomes(seen) == digest.outcomes(LOG)
