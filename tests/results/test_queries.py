"""What is asked about campaigns and programs, on a small campaign with known answers."""

from __future__ import annotations

import pytest

from results import programs, progress, queries
from results.errors import AmbiguousError, StoreError, UnknownNameError
from results.store import open_store

NAME = "cfr-symbolic-s1"


@pytest.fixture
def filled(store, make):
    """Candidates 0 to 7 of a campaign and one baseline; ids are what `make.record` gave.

    Value of "train": 1.0, 3.0, 2.0, -, -, 3.0, -, 0.5 (3 timed out, 4 is a duplicate, 6 is being proposed).
    """
    ids = {}
    with store.begin_campaign(make.spec()) as writer:
        baseline = writer.add_program("# baseline", tree_hash="b", name="cfr_plus")
        make.store(writer, make.evaluation(None, baseline, scores={"train": 99.0}))
        ids[0] = make.record(writer, 0, scores={"train": 1.0, "worst": -1.0})
        ids[1] = make.record(writer, 1, parents=[ids[0]], scores={"train": 3.0, "worst": -3.0})
        ids[2] = make.record(writer, 2, parents=[ids[1], ids[0]], scores={"train": 2.0, "worst": 0.0})
        # Better on another plan than any on the campaign's own, which must not move it up.
        make.store(writer, make.evaluation(2, ids[2], plan="finals", scores={"train": 50.0}))
        ids[3] = make.record(writer, 3, parents=[ids[1]], outcome="timeout", scores={}, message="10 s")
        writer.record_candidate(make.candidate(4, ids[1], parents=(ids[1], ids[1]), outcome="duplicate"))
        ids[5] = make.record(writer, 5, tell=False, scores={"train": 3.0})
        writer.record_candidate(make.candidate(6, outcome=None, parents=(ids[5],)))
        ids[7] = make.record(writer, 7, scores={"train": 0.5, "worst": 7.0})
    with store.begin_campaign(make.spec("psro", domain="psro", objective="test")) as writer:
        writer.record_candidate(make.candidate(0, ids[1], parents=(ids[0],)))
        writer.record_candidate(
            make.candidate(1, outcome="rejected", message="It has no class MetaStrategy.")
        )
        writer.set_status("finished")
    return ids


def test_campaigns_are_summed_up(store, filled, make):
    first, second = queries.campaigns(store)
    assert (first.name, first.domain, first.status) == (NAME, "cfr", "interrupted")
    assert (first.candidates, first.objective, first.best) == (8, "train", 3.0)
    assert first.metric == make.spec().metric
    assert first.cpu_s == pytest.approx(sum(0.5 + k for k in (0, 0, 1, 2, 2, 3, 5, 7)))
    assert (first.created_at, first.finished_at) == (make.start, None)
    assert (second.status, second.candidates, second.best, second.cpu_s) == ("finished", 2, None, 0.0)
    assert second.finished_at > second.created_at


def test_the_best_come_first_and_the_elder_of_equals(store, filled, make):
    best = queries.top(store, NAME)
    assert [(one.rank, one.ordinal, one.value) for one in best] == [
        (1, 1, 3.0),
        (2, 5, 3.0),
        (3, 2, 2.0),
        (4, 0, 1.0),
        (5, 7, 0.5),
    ]
    assert best[0].program_id == filled[1]
    assert best[0].scores == {"train": make.score(3.0), "worst": make.score(-3.0)}
    assert (best[0].operator, best[0].note, best[0].island, best[0].cpu_s) == ("symbolic", "insert 1", 1, 1.5)
    assert [one.ordinal for one in queries.top(store, NAME, "worst", n=2)] == [7, 2]
    assert queries.top(store, "psro") == []


def test_progress_never_falls(store, filled):
    tried = progress.trials(store, NAME)
    assert [(one.ordinal, one.value, one.best) for one in tried if one.value is not None] == [
        (0, 1.0, 1.0),
        (1, 3.0, 3.0),
        (2, 2.0, 3.0),
        (5, 3.0, 3.0),
        (7, 0.5, 3.0),
    ]


def test_outcomes_are_counted(store, filled):
    counts = progress.outcome_counts(progress.trials(store, NAME))
    assert list(counts.items()) == [("ok", 5), ("duplicate", 1), ("timeout", 1)]


def test_baselines_are_told_from_candidates(store, filled, make):
    ((program, stored),) = queries.baselines(store, NAME)
    assert (program.name, stored.ordinal) == ("cfr_plus", None)
    assert stored == make.evaluation(None, program.id, scores={"train": 99.0})


@pytest.mark.parametrize(
    ("ask", "message", "hint"),
    [
        (lambda store: queries.top(store, "cfr"), "no campaign 'cfr'", "Known: cfr-symbolic-s1, psro."),
        (lambda store: queries.top(store, NAME, "trian"), "scored on 'trian'", "Did you mean 'train'?"),
        (lambda store: queries.events(store, "psr"), "no campaign 'psr'", "Did you mean 'psro'?"),
        (lambda store: programs.program(store, "abc"), "nothing fits 'abc'", "Known: cfr_plus."),
        (lambda store: programs.program(store, "f" * 64), "nothing fits 'ffff", "Known: cfr_plus."),
        (lambda store: programs.program(store, "cfr_pls"), "'cfr_pls'", "Did you mean 'cfr_plus'?"),
        (lambda store: programs.program(store, ""), "nothing fits ''", "Known: cfr_plus."),
        (lambda store: programs.program(store, "psor:1"), "no campaign 'psor'", "Did you mean 'psro'?"),
        (lambda store: programs.program(store, "psro:9"), "no candidate 9", "Its last one is 1."),
        (
            lambda store: programs.program(store, "psro:1"),
            r"never became a program \(rejected\)",
            "It has no class MetaStrategy.",
        ),
    ],
)
def test_wrong_names_are_answered_in_one_line(store, filled, ask, message, hint):
    with pytest.raises(UnknownNameError, match=message) as caught:
        ask(store)
    assert caught.value.hint == hint
    assert "\n" not in caught.value.message


def test_an_empty_database_has_nothing_to_suggest(store):
    with pytest.raises(StoreError) as caught:
        programs.program(store, "nothing")
    assert caught.value.hint == "There is none yet."


def test_a_program_is_found_by_id_beginning_ordinal_and_name(store, filled):
    for ref in (filled[1], filled[1][:12], filled[1][:12].upper(), f"{NAME}:1", f"{NAME}:4", "psro:0"):
        assert programs.program(store, ref).program.id == filled[1]
    assert programs.program(store, "cfr_plus").program.source == "# baseline\n"


def test_a_beginning_of_several_ids_is_ambiguous(store, make):
    starts: dict[str, str] = {}
    with store.begin_campaign(make.spec()) as writer:
        # Two of some hundreds of ids share their first four of 16 ** 4 digits soon (seen at 402).
        for number in range(2000):
            key = writer.add_program(f"x = {number}", tree_hash="t")
            if key[:4] in starts:
                break
            starts[key[:4]] = key
    with pytest.raises(AmbiguousError, match="more than one program") as caught:
        programs.program(store, key[:4])
    assert key[:12] in caught.value.hint
    assert starts[key[:4]][:12] in caught.value.hint
    assert programs.program(store, key[:12]).program.id == key


def test_a_program_knows_its_parents_children_and_evaluations(store, filled, make):
    details = programs.program(store, filled[1])
    assert details.program.source == make.source(1)
    scores = {"train": 3.0, "worst": -3.0}
    assert details.evaluations == ((NAME, make.evaluation(1, filled[1], scores=scores)),)
    first, duplicate, elsewhere = details.origins
    assert (first.campaign, first.ordinal, first.parents, first.outcome) == (NAME, 1, (filled[0],), "ok")
    assert (first.operator, first.note, first.island) == ("symbolic", "insert 1", 1)
    assert (duplicate.ordinal, duplicate.outcome, duplicate.parents) == (4, "duplicate", (filled[1],) * 2)
    assert (elsewhere.campaign, elsewhere.parents) == ("psro", (filled[0],))
    assert first.created_at < duplicate.created_at < elsewhere.created_at
    assert [tuple(child) for child in details.children] == [
        (NAME, 2, filled[2], "ok"),
        (NAME, 3, filled[3], "timeout"),
        (NAME, 4, filled[1], "duplicate"),
    ]
    assert [tuple(child) for child in programs.program(store, filled[5]).children] == [(NAME, 6, None, None)]
    plans = [stored.plan for _, stored in programs.program(store, filled[2]).evaluations]
    assert plans == ["train", "finals"]


def test_a_reader_of_another_process_gives_the_same_answers(where, store, filled):
    with open_store(where, read_only=True) as reader:
        assert queries.top(reader, NAME) == queries.top(store, NAME)
        assert programs.program(reader, filled[1]) == programs.program(store, filled[1])
        assert queries.campaigns(reader) == queries.campaigns(store)
