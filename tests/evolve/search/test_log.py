"""What a search has seen, looked up: the same as going through all of it, as of any candidate."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluators.records import Candidate, Evaluation, Outcome, Score, Tag
from evolve.search.log import BEST, FAILURES, CandidateLog

TAGS = (Tag.OK, Tag.OK, Tag.OK, Tag.DUPLICATE, Tag.EARLY_STOPPED, Tag.REJECTED, Tag.TIMEOUT)


def made(seed, count):
    """Candidates with ties, failures, and parents among those before."""
    draw, found = random.Random(seed), []
    for n in range(count):
        tag = draw.choice(TAGS)
        parts = {f"score/{game}": float(draw.randrange(4)) for game in draw.sample("abc", 2)}
        means = {"score": float(draw.randrange(6)), **parts} if tag is Tag.OK else {}
        scores = {name: Score(mean) for name, mean in means.items()}
        outcome = Outcome(tag)
        program = None if tag is Tag.REJECTED else f"p{n}"
        parents = (f"p{draw.randrange(n)}",) if n else ()
        evaluation = Evaluation(outcome, scores=scores) if tag is Tag.OK else None
        found.append(Candidate(n, "llm", program, parents, outcome=outcome, evaluation=evaluation))
    return found


def standing(seen):
    return (seen.best, list(seen.outcomes.items()), seen.parts)


@given(st.integers(0, 1000), st.integers(0, 60), st.integers(0, 60))
def test_as_if_all_were_gone_through(seed, count, told):
    entries = made(seed, count)
    seen, known = CandidateLog("score", entries).upto(told), entries[:told]
    assert list(seen) == known
    assert (len(seen), seen[-3:]) == (len(known), known[-3:])
    ok = [t for t in known if t.ok]
    assert seen.best == tuple(sorted(ok, key=lambda t: (-t.mean("score"), t.ordinal))[:BEST])
    tags = [t.outcome.tag.value for t in known]
    assert list(seen.outcomes.items()) == [(tag, tags.count(tag)) for tag in dict.fromkeys(tags)]
    parts = [item for t in ok for item in t.scores.items() if item[0] != "score"]
    assert seen.parts == {name: max(v.mean for n, v in parts if n == name) for name, _ in parts}
    assert seen.failed(4) == [t for t in known if t.outcome.tag in FAILURES][-4:]
    for n in range(count):
        assert seen.children(f"p{n}", 3) == [t for t in known if t.parents == (f"p{n}",)][-3:]
        assert seen.scored(f"p{n}") == next((t for t in ok if t.program_id == f"p{n}"), None)
    better = [
        (t, t.mean("score") - before.mean("score"))
        for t in known[-5:]
        if t.ok and t.parents and (before := seen.scored(t.parents[0]))
    ]
    assert seen.gains(5) == better


def test_a_view_stays_what_it_was():
    entries = made(3, 40)
    log = CandidateLog("score", entries[:20])
    seen = log.upto(20)
    before = (standing(seen), list(seen), seen.failed(50), seen.gains(50))
    for tried in entries[20:]:
        log.append(tried)
    assert (standing(seen), list(seen), seen.failed(50), seen.gains(50)) == before
    with pytest.raises(IndexError):
        seen[20]


def test_a_candidate_that_failed_leaves_its_results_behind():
    """Operators see what became of it; what it achieved before it failed is in the database."""
    outcome = Outcome(Tag.TIMEOUT)
    log = CandidateLog("score", [Candidate(0, "llm", "p0", outcome=outcome, evaluation=Evaluation(outcome))])
    assert log.upto(1)[0].evaluation is None
    assert [c.ordinal for c in log.upto(1).failed(3)] == [0]


@pytest.mark.parametrize("tag", sorted(frozenset(Tag) - FAILURES))
def test_what_says_nothing_against_a_program_is_no_failure(tag):
    log = CandidateLog("score", [Candidate(0, "llm", outcome=Outcome(tag))]).upto(1)
    assert log.failed(9) == []


def test_a_fault_of_ours_is_not_looked_back_on():
    ok, ours = Outcome(Tag.OK), Outcome(Tag.ENGINE_ERROR)
    scored = Evaluation(ok, scores={"score": Score(1.0)})
    seed = Candidate(0, "seed", "p0", outcome=ok, evaluation=scored)
    log = CandidateLog("score", [seed, Candidate(1, "llm", "p1", ("p0",), outcome=ours)]).upto(2)
    assert len(log) == 2
    assert log.children("p0", 9) == log.failed(9) == []
    assert dict(log.outcomes) == {"ok": 1}


def test_a_view_of_nothing_is_empty():
    assert len(CandidateLog("").upto(0)) == 0
