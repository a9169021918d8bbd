"""What a search has seen, looked up: the same as going through all of it, at any of its beginnings."""

import random

import pytest
from evolve.search.record import BEST, FAILURES, Log, Record, Scored, Tried
from hypothesis import given
from hypothesis import strategies as st

from evaluators.records import Outcome, Tag

TAGS = (Tag.OK, Tag.OK, Tag.OK, Tag.DUPLICATE, Tag.EARLY_STOPPED, Tag.REJECTED, Tag.TIMEOUT)


def made(seed, count):
    """Candidates with ties, failures, and parents among those before."""
    draw, found = random.Random(seed), []
    for n in range(count):
        tag = draw.choice(TAGS)
        parts = {f"score/{game}": float(draw.randrange(4)) for game in draw.sample("abc", 2)}
        scored = Scored({"score": float(draw.randrange(6)), **parts} if tag is Tag.OK else {})
        program = None if tag is Tag.REJECTED else f"p{n}"
        parents = (f"p{draw.randrange(n)}",) if n else ()
        found.append(Tried(n, "llm", program, "", parents, "", Outcome(tag), scored))
    return found


@given(st.integers(0, 1000), st.integers(0, 60), st.integers(0, 60))
def test_as_if_all_were_gone_through(seed, count, told):
    entries = made(seed, count)
    seen, known = Log("score", entries).upto(told), entries[:told]
    assert list(seen) == known
    assert (len(seen), seen[-3:]) == (len(known), known[-3:])
    ok = [t for t in known if t.ok]
    assert seen.standing.best == tuple(
        sorted(ok, key=lambda t: (-t.scored.objectives["score"], t.ordinal))[:BEST]
    )
    tags = [t.outcome.tag.value for t in known]
    assert list(seen.standing.outcomes.items()) == [(tag, tags.count(tag)) for tag in dict.fromkeys(tags)]
    parts = [item for t in ok for item in t.scored.objectives.items() if item[0] != "score"]
    assert seen.standing.parts == {name: max(v for n, v in parts if n == name) for name, _ in parts}
    assert seen.failed(4) == [t for t in known if t.outcome.tag in FAILURES][-4:]
    for n in range(count):
        assert seen.children(f"p{n}", 3) == [t for t in known if t.parents == (f"p{n}",)][-3:]
        assert seen.scored(f"p{n}") == next((t for t in ok if t.program_id == f"p{n}"), None)
    better = [
        (t, t.scored.objectives["score"] - before.scored.objectives["score"])
        for t in known[-5:]
        if t.ok and t.parents and (before := seen.scored(t.parents[0]))
    ]
    assert seen.gains(5) == better


def test_a_beginning_stays_what_it_was():
    entries = made(3, 40)
    log = Log("score", entries[:20])
    seen = log.upto(20)
    before = (seen.standing, list(seen), seen.failed(50), seen.gains(50))
    for tried in entries[20:]:
        log.append(tried)
    assert (seen.standing, list(seen), seen.failed(50), seen.gains(50)) == before
    with pytest.raises(IndexError):
        seen[20]


def test_a_record_takes_any_sequence():
    entries = made(1, 10)
    assert Record("score", {}, entries).seen.standing == Log("score", entries).upto(10).standing
    assert len(Record().seen) == 0
