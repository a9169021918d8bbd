"""Whatever goes in comes out: every float to the last bit, every text that a database can hold."""

from __future__ import annotations

import itertools
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluators.records import (
    Candidate,
    Cost,
    Evaluation,
    Outcome,
    Provenance,
    Score,
    Tag,
    Task,
    TaskResult,
)
from results.records import StoredEvaluation
from results.schema import storable
from results.store import open_store
from results.writer import normalised, program_id

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=50)
ANY_TEXT = st.text(st.characters(), max_size=50)
FLOAT = st.floats(allow_nan=False, allow_infinity=False)
COST = st.floats(min_value=0, allow_infinity=False)

BUDGET = st.integers(0, 2**16 - 1) | st.integers(0, 2**32 - 1) | st.integers(0, 2**63 - 1)
POINTS = st.lists(st.tuples(BUDGET, FLOAT), min_size=1, max_size=5).map(tuple)
NAMES = st.dictionaries(TEXT, FLOAT, max_size=3)
COUNT = st.integers(0, 2**62)
COSTS = st.builds(Cost, COST, COST, COST, COUNT)
SCORES = st.dictionaries(TEXT, st.builds(Score, FLOAT, COST, COUNT), max_size=4)


@st.composite
def task_results(draw):
    curve = draw(POINTS)
    return TaskResult(
        task=draw(st.builds(Task, TEXT, TEXT, TEXT, COUNT, st.none() | COUNT)),
        value=curve[-1][1],
        stderr=draw(COST),
        samples=draw(COUNT),
        curve=curve,
        reference=draw(st.just(()) | POINTS),
        uniform=draw(st.none() | FLOAT),
        floor=draw(st.none() | FLOAT),
        extra=draw(NAMES),
        cost=draw(COSTS),
    )


def _bits(points) -> list[tuple[int, bytes]]:
    return [(budget, struct.pack("<d", value)) for budget, value in points]


@pytest.fixture(scope="module")
def writing(tmp_path_factory):
    """A store, and ordinals that no example before has used."""
    with open_store(tmp_path_factory.mktemp("columns") / "evolve.db") as store:
        yield store, itertools.count()


@settings(max_examples=60, deadline=None)
@given(
    source=TEXT,
    operator=TEXT,
    note=TEXT,
    message=TEXT,
    log=TEXT,
    island=st.integers(0, 2**31 - 1),
    cost=COSTS,
    scores=SCORES,
    stages=SCORES,
    results=st.lists(task_results(), max_size=4).map(tuple),
    limits=NAMES,
    config=st.dictionaries(ANY_TEXT, st.none() | FLOAT | ANY_TEXT | st.lists(st.booleans()), max_size=3),
)
def test_records_come_back_as_they_went(
    make, writing, source, operator, note, message, log, island, cost, scores, stages, results, limits, config
):
    store, ordinals = writing
    number = next(ordinals)
    with store.begin_campaign(make.spec(f"campaign {number}", config=config)) as writer:
        assert writer.campaign.config == config
        source = f"# {number}\n{source}"
        provenance = Provenance("kernel", "process", limits)
        key = writer.add_program(source, tree_hash="t", provenance=provenance)
        assert key == program_id(source)
        outcome = Outcome(Tag.OK, message)
        candidate = Candidate(7, operator, key, (key,), note, island, outcome)
        evaluation = Evaluation(outcome, results, scores, stages, "none", cost, log)
        writer.record_candidate(candidate)
        writer.record_evaluation(evaluation, program_id=key, ordinal=7, plan="train")
        stored = writer.load().pending[7]
        program = writer.load_programs()[key]
    assert (program.source, program.provenance) == (normalised(source), provenance)
    assert stored.candidate == candidate
    assert stored.evaluations == (StoredEvaluation(7, key, "train", evaluation),)
    for before, after in zip(results, stored.evaluations[0].evaluation.results, strict=True):
        assert _bits(before.curve) == _bits(after.curve)


@given(ANY_TEXT)
def test_text_is_changed_only_where_it_must_be(text):
    kept = storable(text)
    kept.encode()
    assert "\0" not in kept
    assert storable(kept) == kept
    if "\0" not in text and not any("\ud800" <= letter <= "\udfff" for letter in text):
        assert kept == text


@given(ANY_TEXT)
def test_a_program_is_one_whatever_its_newlines(source):
    once = normalised(source)
    assert normalised(once) == once
    assert once.endswith("\n")
    assert "\r" not in once
    assert program_id(source) == program_id(once) == program_id(once.replace("\n", "\r\n"))
