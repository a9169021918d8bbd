"""Running best, costs and shares, against a campaign counted by hand."""

from dataclasses import replace

import pytest

from results import progress
from results.errors import UnknownNameError
from results.progress import NO_MODEL, Share, model_report
from results.records import CallRecord
from results.store import open_store

NAME = "cfr-symbolic-s1"
CANDIDATES = [  # operator, island, parent's place, outcome, score, CPU seconds
    ("seed", 0, None, "ok", 1.0, 1.0),
    ("symbolic", 1, 0, "timeout", None, 5.0),
    ("llm", 0, 0, "ok", 3.0, 2.0),
    ("symbolic", 1, 2, "ok", 2.0, 2.0),
    ("llm", 1, 3, "ok", 3.5, 2.0),
    ("symbolic", 0, 2, "ok", 3.5, 2.0),
]


def ask(writer, ordinal, model, *, cost, state="answered", attempt=0):
    call = CallRecord(ordinal=ordinal, attempt=attempt, model=model, request_hash="0")
    answer = {
        "answer": "x", "stop": "end", "answered_by": model, "input_tokens": 100, "output_tokens": 10, "cost_usd": cost,
        "latency_s": 1.0,
    }  # fmt: skip
    writer.end_call(
        writer.begin_call(call), replace(call, state=state, **answer if state == "answered" else {})
    )


@pytest.fixture
def store(make, tmp_path):
    with open_store(tmp_path / "evolve.db", clock=make.clock()) as opened:
        with opened.begin_campaign(make.spec()) as writer:
            ids = [writer.add_program(make.source(k), tree_hash=str(k)) for k in range(len(CANDIDATES))]
            for k, (operator, island, parent, outcome, score, cpu_s) in enumerate(CANDIDATES):
                parents = () if parent is None else (ids[parent],)
                writer.record_candidate(
                    make.candidate(
                        k, ids[k], operator=operator, island=island, outcome=outcome, parents=parents,
                        message="" if score else "too slow",
                    )
                )  # fmt: skip
                scores = {} if score is None else {"train": score}
                make.store(writer, make.evaluation(k, ids[k], outcome=outcome, scores=scores, cpu_s=cpu_s))
                writer.tell(k)
            writer.record_candidate(make.candidate(6, None, outcome=None))
            ask(writer, 2, "a", cost=0.25)
            ask(writer, 2, "b", cost=0.5, attempt=1)
            ask(writer, 3, "a", cost=0.0, state="failed")
            ask(writer, 4, "b", cost=0.125)
        yield opened


def test_running_best_and_totals(store):
    found = progress.trials(store, NAME)
    assert [t.ordinal for t in found] == [0, 1, 2, 3, 4, 5]
    assert [t.value for t in found] == [1.0, None, 3.0, 2.0, 3.5, 3.5]
    assert [t.best for t in found] == [1.0, 1.0, 3.0, 3.0, 3.5, 3.5]
    assert [t.gain for t in found] == [0.0, 0.0, 2.0, 0.0, 0.5, 0.0]
    assert [t.parent for t in found] == [None, 0, 0, 2, 3, 2]
    assert [t.total_cpu_s for t in found] == [1.0, 6.0, 8.0, 10.0, 12.0, 14.0]
    assert [t.total_cost_usd for t in found] == [0.0, 0.0, 0.75, 0.75, 0.875, 0.875]
    assert [t.model for t in found] == ["", "", "b", "", "b", ""]


def test_a_refinement_costs_and_does_not_rank(store, make):
    before = progress.trials(store, NAME)
    with store.continue_campaign(NAME) as writer:
        refined = make.evaluation(2, before[2].program_id, plan="refine-1", scores={"train": 9.0}, cpu_s=0.5)
        make.store(writer, refined)
    after = progress.trials(store, NAME)
    assert [(t.value, t.best) for t in after] == [(t.value, t.best) for t in before]
    assert [t.cpu_s for t in after] == [1.0, 5.0, 2.5, 2.0, 2.0, 2.0]
    assert [t.total_cpu_s for t in after] == [1.0, 6.0, 8.5, 10.5, 12.5, 14.5]


def test_shares_leave_out_what_the_search_started_from(store):
    found = progress.trials(store, NAME)
    assert progress.operator_shares(found) == [
        Share("symbolic", 3, 2, 0, 0.0, 9.0, 0.0),
        Share("llm", 2, 2, 2, 2.5, 4.0, 0.875),
    ]
    assert progress.model_shares(found) == [
        Share(NO_MODEL, 3, 2, 0, 0.0, 9.0, 0.0),
        Share("b", 2, 2, 2, 2.5, 4.0, 0.875),
    ]
    assert progress.model_shares(found[:2]) == []


def test_islands_outcomes_and_the_way_to_the_best(store):
    found = progress.trials(store, NAME)
    assert progress.island_bests(found) == {
        0: [(0, 1.0), (2, 3.0), (5, 3.5)],
        1: [(3, 2.0), (4, 3.5)],
    }
    assert progress.outcome_counts(found) == {"ok": 5, "timeout": 1}
    assert [trial.ordinal for trial in progress.way_to(found, 4)] == [0, 2, 3, 4]


def test_calls_failures_and_isolation(store):
    totals = {t.model: t for t in model_report(store, NAME)}
    assert (totals["a"].calls, totals["a"].unanswered, totals["a"].cost_usd) == (2, 1, 0.25)
    assert (totals["b"].calls, totals["b"].input_tokens, totals["b"].output_tokens) == (2, 200, 20)
    assert progress.failures(store, NAME) == [progress.Failure("timeout", 1, "too slow", 1)]
    assert progress.isolation_levels(store, NAME) == {"kernel+ns": 6}


def test_a_failure_shows_its_most_frequent_message(make, tmp_path):
    with open_store(tmp_path / "e.db", clock=make.clock()) as store:
        with store.begin_campaign(make.spec()) as writer:
            for k, message in enumerate(["rare", "often", "often"]):
                writer.record_candidate(make.candidate(k, None, outcome="invalid", message=message))
        assert progress.failures(store, NAME) == [progress.Failure("invalid", 3, "often", 2)]


def test_an_empty_campaign(make, tmp_path):
    with open_store(tmp_path / "e.db", clock=make.clock()) as store:
        store.begin_campaign(make.spec()).close()
        assert progress.trials(store, NAME) == []
        assert progress.operator_shares([]) == progress.model_shares([]) == []
        assert progress.island_bests([]) == progress.outcome_counts([]) == {}
        assert model_report(store, NAME) == progress.failures(store, NAME) == []


def test_an_unknown_campaign_names_the_nearest(store):
    with pytest.raises(UnknownNameError) as error:
        progress.trials(store, "cfr-symbolic-s2")
    assert NAME in error.value.hint


def test_the_number_of_queries_does_not_grow(store):
    from sqlalchemy import event

    seen = []
    with store.reading() as connection:
        engine = connection.engine
    event.listen(engine, "before_cursor_execute", lambda *args: seen.append(args[2]))
    progress.trials(store, NAME)
    assert len([s for s in seen if s.startswith("SELECT")]) <= 8
