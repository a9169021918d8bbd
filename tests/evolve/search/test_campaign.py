"""The loop, on a toy domain: same seed, same campaign, however it is timed, interrupted or killed."""

import asyncio

import pytest

from evaluators.records import Tag
from evolve.errors import EngineFault, EvolveError
from evolve.operators.base import ScriptedOperator
from evolve.search.events import BaselineScored, HeldOut, Started, Told
from results import queries
from results.store import open_store


@pytest.fixture(scope="session")
def uninterrupted(toy, contents, empty_db, tmp_path_factory):
    """What a campaign of so many candidates comes to when nothing happens to it."""
    known = {}

    def run(candidates):
        if candidates not in known:
            db = tmp_path_factory.mktemp("whole") / "whole.db"
            db.write_bytes(empty_db.read_bytes())
            toy.run(db, toy.config(candidates=candidates, workers=1))
            known[candidates] = contents(db, "toy")
        return known[candidates]

    return run


def held_out_of(db):
    with open_store(db, read_only=True) as store:
        return queries.held_out(store, "toy")


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_workers_and_their_timing_change_nothing(toy, db, contents, uninterrupted, jitter, workers):
    toy.run(db, toy.config(candidates=40, workers=workers), delay=jitter)
    assert contents(db, "toy") == uninterrupted(40)


def test_the_toy_campaign_has_all_kinds_of_candidates(uninterrupted):
    rows = [candidate for candidate, *_ in uninterrupted(80)]
    assert {"ok", "duplicate", "rejected", "exception", "timeout"} <= {row.outcome.tag for row in rows}
    assert {row.operator for row in rows} == {"seed", "toy", "crossover"}


def test_another_seed_is_another_campaign(toy, db, contents, uninterrupted):
    toy.run(db, toy.config(candidates=12, seed=1))
    assert contents(db, "toy")[1:] != uninterrupted(12)[1:]


def test_a_longer_campaign_begins_with_the_shorter_one(uninterrupted):
    assert uninterrupted(40)[:12] == uninterrupted(12)


def test_candidates_are_told_in_the_order_of_their_ordinals(toy, db, jitter):
    order = []
    toy.run(
        db,
        toy.config(candidates=30, workers=4),
        delay=jitter,
        seen=lambda _, e: order.append(e.candidate.ordinal) if isinstance(e, Told) else None,
    )
    assert order == list(range(30))


@pytest.mark.parametrize("lookahead", [1, 3])
def test_a_parent_was_told_a_lookahead_before_its_child(toy, db, contents, jitter, lookahead):
    toy.run(db, toy.config(candidates=40, lookahead=lookahead, workers=4), delay=jitter)
    born = {}
    for candidate, *_ in contents(db, "toy"):
        for parent in candidate.parents:
            assert born[parent] <= max(0, candidate.ordinal - lookahead)
        if candidate.outcome.ok:
            born.setdefault(candidate.program_id, candidate.ordinal)


def test_no_more_than_the_lookahead_is_in_flight(toy, db, jitter):
    class Counting(toy.Operator):
        proposed = told = most = 0

        async def propose(self, parents, context, rng):
            self.proposed += 1
            self.most = max(self.most, self.proposed - self.told)
            return await super().propose(parents, context, rng)

    operator = Counting()

    def count(_, event):
        operator.told += isinstance(event, Told) and event.candidate.ordinal > 0

    config = toy.config(candidates=30, lookahead=3, crossover=0.0, attempts=1, workers=4)
    toy.run(db, config, operator=operator, delay=jitter, seen=count)
    assert operator.most == 3


def test_lookahead_is_part_of_the_campaign(toy, db, contents, uninterrupted):
    toy.run(db, toy.config(candidates=40, lookahead=1))
    assert contents(db, "toy") != uninterrupted(40)


def test_a_failing_candidate_never_becomes_a_parent(uninterrupted):
    rows = [candidate for candidate, *_ in uninterrupted(40)]
    ok = {row.program_id for row in rows if row.outcome.ok}
    parents = {parent for row in rows for parent in row.parents}
    assert parents <= ok


def test_what_did_not_end_ok_has_no_scores(uninterrupted):
    for candidate, _, scores, _ in uninterrupted(40):
        assert bool(scores.get("search")) == candidate.outcome.ok


def test_a_program_is_evaluated_once(toy, db):
    domain = toy.Domain()
    sources = [toy.program(1.5), toy.program(1.5), "# as before\n" + toy.program(1.5), toy.program(2.5)]
    config = toy.config(candidates=5, attempts=1, crossover=0.0)
    summary = toy.run(db, config, domain=domain, operator=ScriptedOperator(sources))
    assert summary.outcomes == {"duplicate": 2, "ok": 3}
    searched = domain.evaluated
    assert [searched.count(toy.program(x)) for x in (0.0, 1.5, 2.5)] == [1, 1, 1]


def test_a_duplicate_names_the_candidate_that_it_repeats(toy, db, contents):
    operator = ScriptedOperator([toy.program(1.5), toy.program(1.5)])
    toy.run(db, toy.config(candidates=3, attempts=1, crossover=0.0), operator=operator)
    assert contents(db, "toy")[2][0].outcome.message == "the same program as candidate 1"


def test_a_rejected_proposal_is_tried_again(toy, db, contents):
    operator = ScriptedOperator(["no program", toy.program(0.0), toy.program(2.0)])
    toy.run(db, toy.config(candidates=2, attempts=3, crossover=0.0), operator=operator)
    assert contents(db, "toy")[1][0].outcome.ok


def test_an_operator_without_ideas_costs_one_candidate(toy, db, contents):
    summary = toy.run(db, toy.config(candidates=3, crossover=0.0), operator=ScriptedOperator([]))
    assert summary.outcomes == {"ok": 1, "rejected": 2}
    candidate = contents(db, "toy")[1][0]
    assert candidate.program_id is None
    assert candidate.outcome.message.startswith("scripted: expected one more source")


def test_a_seed_that_fails_is_a_clear_error(toy, db):
    with pytest.raises(
        EvolveError, match=r"the seed program ended as exception: b: it is this program's fate\."
    ) as e:
        toy.run(db, toy.config(), founders=(toy.program(0.0, Tag.EXCEPTION),))
    assert "evolve evaluate" in e.value.hint


def test_a_seed_that_fails_fails_again(toy, db):
    for _ in range(2):
        with pytest.raises(EvolveError, match="the seed program ended as exception"):
            toy.run(db, toy.config(), founders=(toy.program(0.0, Tag.EXCEPTION),))


def test_a_machine_that_evaluates_nothing_ends_the_campaign(toy, db, contents):
    broken = ScriptedOperator([toy.program(2.0), toy.program(1.0, Tag.INFRASTRUCTURE)])
    config = toy.config(candidates=3, crossover=0.0)
    with pytest.raises(EngineFault, match="it is this program's fate"):
        toy.run(db, config, operator=broken)
    # Our fault is no outcome of a candidate: the machine repaired, it is proposed and evaluated again.
    toy.run(db, config, operator=ScriptedOperator([toy.program(1.5), toy.program(2.5)]))
    assert all(candidate.outcome.ok for candidate, *_ in contents(db, "toy"))


@pytest.mark.parametrize("after", [0, 1, 7, 20])
def test_stop_drains_and_the_next_run_ends_as_if_never_stopped(
    toy, db, contents, uninterrupted, jitter, after
):
    def stop(campaign, event):
        if isinstance(event, Told) and event.candidate.ordinal == after:
            campaign.stop()

    summary = toy.run(db, toy.config(candidates=40), delay=jitter, seen=stop)
    assert summary.status == "interrupted"
    assert after < summary.candidates < 40
    # contents() asserts that nothing was left pending: what was in flight has been told.
    assert contents(db, "toy") == uninterrupted(40)[: summary.candidates]
    assert toy.run(db, toy.config(candidates=40), delay=jitter).status == "finished"
    assert contents(db, "toy") == uninterrupted(40)


def test_a_stopped_campaign_runs_no_held_out_task(toy, db):
    toy.run(db, toy.config(), seen=lambda campaign, _: campaign.stop())
    assert held_out_of(db) == []


def test_a_continued_campaign_evaluates_nothing_twice(toy, db):
    domain = toy.Domain()

    def stop(campaign, event):
        if isinstance(event, Told) and event.candidate.ordinal == 5:
            campaign.stop()

    toy.run(db, toy.config(candidates=30), domain=domain, seen=stop)
    toy.run(db, toy.config(candidates=30), domain=domain)
    # The baseline may come up as a candidate too, and a limit outcome is tried again on purpose.
    once = [s for s in domain.evaluated if s != toy.program(1.0) and "timeout" not in s]
    assert len(once) == len(set(once)) > 10


def test_a_finished_campaign_run_again_evaluates_nothing(toy, db):
    config, domain = toy.config(), toy.Domain()
    first = toy.run(db, config)
    assert toy.run(db, config, domain=domain) == first
    assert domain.evaluated == []


def test_a_raised_budget_continues(toy, db, contents, uninterrupted):
    toy.run(db, toy.config(candidates=12))
    summary = toy.run(db, toy.config(candidates=40))
    assert summary.candidates == 40
    assert contents(db, "toy") == uninterrupted(40)


def test_used_up_time_leaves_a_beginning_of_the_same_campaign(toy, db, contents, uninterrupted, jitter):
    summary = toy.run(db, toy.config(candidates=40, time_s=0.03), delay=jitter)
    assert summary.candidates < 40
    assert contents(db, "toy") == uninterrupted(40)[: summary.candidates]


def test_a_cancelled_campaign_continues(toy, db, contents, uninterrupted, jitter):
    """The second Ctrl-C: nothing is drained."""

    def cancel(_, event):
        if isinstance(event, Told) and event.candidate.ordinal == 9:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        toy.run(db, toy.config(candidates=40), delay=jitter, seen=cancel)
    toy.run(db, toy.config(candidates=40), delay=jitter)
    assert contents(db, "toy") == uninterrupted(40)


@pytest.mark.parametrize("eighth", range(8))
def test_a_crash_at_any_write_changes_nothing(toy, new_db, contents, uninterrupted, mortal, eighth):
    """Every number of writes up to the end of the campaign; split in eight so that a failure is quickly found."""
    config = toy.config(candidates=8, lookahead=4)
    whole = uninterrupted_with(toy, new_db(), contents, config)
    for lives in range(eighth, 100, 8):
        db, writers = new_db(), []

        def wrap(writer, lives=lives, writers=writers):
            writers.append(mortal(writer, lives))
            return writers[0]

        try:
            toy.run(db, config, wrap=wrap)
        except (mortal.Crash, ExceptionGroup):
            assert writers[0].lives < 0
        else:
            assert lives > 20
            return
        toy.run(db, config)
        assert contents(db, "toy") == whole
        # A held-out evaluation that was recorded is not repeated.
        assert len(held_out_of(db)) == len({(one.program_id, one.task) for one in held_out_of(db)}) == 2
    pytest.fail("the campaign never came to its end")


def uninterrupted_with(toy, db, contents, config):
    toy.run(db, config)
    return contents(db, "toy")


def test_baselines_are_scored_and_remembered(toy, db):
    events = []
    for _ in range(2):
        toy.run(
            db, toy.config(), seen=lambda _, e: events.append(e) if isinstance(e, BaselineScored) else None
        )
    assert [(e.name, e.remembered) for e in events] == [("one", False), ("one", True)]
    assert events[0].evaluation == events[1].evaluation


def test_a_baseline_is_no_candidate(toy, db, contents):
    toy.run(db, toy.config())
    assert toy.program(1.0) not in {source for candidate, source, *_ in contents(db, "toy")[:1]}


def test_the_end_runs_held_out_tasks_and_records_each_evaluation(toy, db):
    events = []
    summary = toy.run(db, toy.config(), seen=lambda _, e: events.append(e))
    held_out = held_out_of(db)
    assert [one.task.name for one in held_out] == ["c", "c"]
    assert {one.purpose for one in held_out} == {"end of campaign"}
    assert summary.best in {one.program_id for one in held_out}
    seen = [one for e in events if isinstance(e, HeldOut) for one in e.evaluations]
    assert {(one.program_id, one.value) for one in seen} == {(one.program_id, one.value) for one in held_out}
    assert [e.total for e in events if isinstance(e, HeldOut)] == [2, 2]


def test_a_finished_campaign_run_again_runs_no_held_out_task_again(toy, db):
    for _ in range(2):
        toy.run(db, toy.config())
    assert len(held_out_of(db)) == 2


def test_the_first_event_says_where_the_campaign_stands(toy, db):
    events = []
    for candidates in (12, 14):
        toy.run(db, toy.config(candidates=candidates), seen=lambda _, e: events.append(e))
    told = [e.told for e in events if isinstance(e, Started)]
    assert told == [0, 12]


def test_the_summary_names_the_best_candidate(toy, db, contents):
    summary = toy.run(db, toy.config(candidates=40))
    rows = [(c, s) for c, _, s, _ in contents(db, "toy") if c.outcome.ok]
    best = max(rows, key=lambda row: (row[1]["search"]["score"].mean, -row[0].ordinal))[0]
    assert summary.best == best.program_id
    assert sum(summary.outcomes.values()) == summary.candidates == 40


def test_the_stored_status_follows_the_campaign(toy, db):
    def status():
        with open_store(db, read_only=True) as store:
            return store.find_campaign("toy").status

    toy.run(db, toy.config(candidates=30), seen=lambda campaign, _: campaign.stop())
    assert status() == "interrupted"
    toy.run(db, toy.config(candidates=30))
    assert status() == "finished"
