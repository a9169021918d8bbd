"""Whatever goes in comes out: every float to the last bit, every text that a database can hold."""

from __future__ import annotations

import itertools
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from results.columns import storable
from results.records import CandidateRecord, CurveRecord, EvaluationRecord
from results.store import open_store
from results.writing import normalised, program_id

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=50)
ANY_TEXT = st.text(st.characters(), max_size=50)
FLOAT = st.floats(allow_nan=False, allow_infinity=False)
COST = st.floats(min_value=0, allow_infinity=False)

CURVE = st.builds(
    CurveRecord,
    instance=TEXT,
    game=TEXT,
    variant=TEXT,
    iterations=st.integers(0, 2**62),
    game_string=TEXT,
    uniform=FLOAT,
    points=st.lists(st.tuples(st.integers(0, 2**32 - 1), FLOAT), max_size=5).map(tuple),
    cpu_s=COST,
    wall_s=COST,
    candidate_cpu_s=COST,
)


def _bits(points) -> list[tuple[int, bytes]]:
    return [(iteration, struct.pack("<d", value)) for iteration, value in points]


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
    numbers=st.tuples(COST, COST),
    scores=st.dictionaries(TEXT, FLOAT, max_size=4),
    curves=st.lists(CURVE, max_size=4).map(tuple),
    config=st.dictionaries(ANY_TEXT, st.none() | FLOAT | ANY_TEXT | st.lists(st.booleans()), max_size=3),
)
def test_records_come_back_as_they_went(
    make, writing, source, operator, note, message, log, island, numbers, scores, curves, config
):
    store, ordinals = writing
    name = f"campaign {next(ordinals)}"
    with store.begin_campaign(make.spec(name, config=config)) as writer:
        assert writer.campaign.config == config
        key = writer.add_program(source, tree_hash="t")
        assert key == program_id(source)
        candidate = CandidateRecord(
            ordinal=7,
            operator=operator,
            program_id=key,
            note=note,
            island=island,
            outcome="ok",
            message=message,
        )
        evaluation = EvaluationRecord(
            ordinal=7,
            program_id=key,
            plan="train",
            outcome="ok",
            isolation="none",
            cpu_s=numbers[0],
            wall_s=numbers[1],
            log=log,
            scores=scores,
            curves=curves,
        )
        writer.record_candidate(candidate)
        writer.record_evaluation(evaluation)
        stored = writer.load().pending[7]
        assert writer.load_programs()[key].source == normalised(source)
    assert stored.candidate == candidate
    assert stored.evaluations == (evaluation,)
    for before, after in zip(curves, stored.evaluations[0].curves, strict=True):
        assert _bits(before.points) == _bits(after.points)


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
