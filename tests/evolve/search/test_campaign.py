"""The loop, on a toy domain: same seed, same campaign, however it is timed, interrupted or killed."""

import asyncio
from itertools import pairwise
from types import MappingProxyType

import pytest

from evaluators.records import Tag
from evolve.errors import EngineFault, EvolveError
from evolve.operators.base import ScriptedOperator
from evolve.search.events import BaselineScored, HeldOut, NewBest, Started, Told
from results import queries
from results.loading import BEST
from results.store import open_store
from results.writer import program_id


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


def best_of(db):
    """What readers of the database see as the best program."""
    with open_store(db, read_only=True) as store:
        return queries.top(store, "toy", n=1)[0].program_id


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
    first = new_db()
    best = toy.run(first, config).best
    whole = contents(first, "toy")
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
        assert len(held_out_of(db)) == len({(one.program_id, one.task) for one in held_out_of(db)}) == 3
        assert best_of(db) == best
    pytest.fail("the campaign never came to its end")


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
    assert [one.task.name for one in held_out] == ["c", "c", "c"]
    assert {one.purpose for one in held_out} == {"end of campaign"}
    seeds = {program_id(toy.program(x)) for x in (0.0, 1.0)}
    assert {one.program_id for one in held_out} == {summary.best} | seeds
    seen = [one for e in events if isinstance(e, HeldOut) for one in e.evaluations]
    assert {(one.program_id, one.value) for one in seen} == {(one.program_id, one.value) for one in held_out}
    assert [e.total for e in events if isinstance(e, HeldOut)] == [3, 3, 3]


def test_the_end_compares_with_the_baselines_of_the_configuration_where_it_names_them(toy, db):
    summary = toy.run(db, toy.config(baselines=("one",)))
    assert {one.program_id for one in held_out_of(db)} == {summary.best, program_id(toy.program(1.0))}


def test_the_end_shows_no_task_that_the_search_saw(toy, db):
    toy.run(db, toy.config(tasks=("a", "c")))
    assert held_out_of(db) == []


def test_a_finished_campaign_run_again_runs_no_held_out_task_again(toy, db):
    for _ in range(2):
        toy.run(db, toy.config())
    assert len(held_out_of(db)) == 3


def test_the_first_event_says_where_the_campaign_stands(toy, db):
    events = []
    for candidates in (12, 14):
        toy.run(db, toy.config(candidates=candidates), seen=lambda _, e: events.append(e))
    first, second = (e for e in events if isinstance(e, Started))
    assert (first.told, first.best, second.told) == (0, None, 12)
    assert second.best == [e for e in events if isinstance(e, NewBest)][-1].candidate.scores["score"]


def test_the_summary_names_the_best_candidate(toy, db, contents):
    summary = toy.run(db, toy.config(candidates=40))
    rows = [(c, s) for c, _, s, _ in contents(db, "toy") if c.outcome.ok]
    best = max(rows, key=lambda row: (row[1]["search"]["score"].mean, -row[0].ordinal))[0]
    assert summary.best == best.program_id == best_of(db)
    assert sum(summary.outcomes.values()) == summary.candidates == 40


def test_the_stored_status_follows_the_campaign(toy, db):
    def status():
        with open_store(db, read_only=True) as store:
            return store.find_campaign("toy").status

    toy.run(db, toy.config(candidates=30), seen=lambda campaign, _: campaign.stop())
    assert status() == "interrupted"
    toy.run(db, toy.config(candidates=30))
    assert status() == "finished"


def test_every_new_best_is_announced_when_it_is_told(toy, db, contents):
    events = []
    summary = toy.run(db, toy.config(candidates=40), seen=lambda _, e: events.append(e))
    rows = [(c.ordinal, s["search"]["score"].mean) for c, _, s, _ in contents(db, "toy") if c.outcome.ok]
    records = [k for k, value in rows if all(value > other for n, other in rows if n < k)]
    announced = [e.candidate for e in events if isinstance(e, NewBest)]
    assert [one.ordinal for one in announced] == records
    assert announced[-1].program_id == summary.best
    for before, event in pairwise(events):
        if isinstance(event, NewBest):
            assert isinstance(before, Told)
            assert before.candidate.ordinal == event.candidate.ordinal


def test_the_best_is_an_event_in_the_database(toy, db):
    announced = []
    summary = toy.run(
        db,
        toy.config(candidates=40),
        seen=lambda _, e: announced.append(e.candidate) if isinstance(e, NewBest) else None,
    )
    with open_store(db, read_only=True) as store:
        stored = [e.payload for e in queries.events(store, "toy") if e.kind == BEST]
    assert [(e["ordinal"], e["program"]) for e in stored] == [(c.ordinal, c.program_id) for c in announced]
    assert [e["mean"] for e in stored] == [c.scores["score"].mean for c in announced]
    assert all(e["told"] == e["ordinal"] + 1 for e in stored)
    assert stored[-1]["program"] == summary.best


def test_a_best_whose_event_was_lost_is_announced_by_the_next_run(toy, db, uninterrupted, mortal):
    """Telling and announcing are two writes."""

    class Deaf(mortal):
        def add_event(self, kind, payload):
            raise self.Crash

    with pytest.raises((mortal.Crash, ExceptionGroup)):
        toy.run(db, toy.config(candidates=1), wrap=lambda writer: Deaf(writer, 1000))
    summary = toy.run(db, toy.config(candidates=1))
    assert best_of(db) == summary.best
    with open_store(db, read_only=True) as store:
        assert [e.payload["ordinal"] for e in queries.events(store, "toy") if e.kind == BEST] == [0]


class TestFounders:
    """A search that starts from several programs."""

    SETTINGS = MappingProxyType({"candidates": 24, "lookahead": 4, "workers": 3})

    @pytest.fixture
    def founders(self, toy):
        return tuple(toy.program(x) for x in (0.5, 6.0, 2.0))

    @pytest.fixture
    def whole(self, toy, new_db, contents, founders):
        db = new_db()
        summary = toy.run(db, toy.config(**self.SETTINGS), founders=founders)
        return contents(db, "toy"), summary

    def test_they_are_the_first_candidates(self, whole, founders):
        rows, _ = whole
        assert [row[1] for row in rows[:3]] == list(founders)
        assert [(row[0].operator, row[0].parents) for row in rows[:3]] == [("seed", ())] * 3
        assert all(row[0].operator != "seed" for row in rows[3:])

    def test_each_has_children(self, whole):
        """Of the islands' leaders and those that were told last: all are told before any child is proposed."""
        rows, _ = whole
        parents = {parent for row in rows for parent in row[0].parents}
        assert {row[0].program_id for row in rows[:3]} & parents
        assert all(row[0].parents or row[0].outcome.tag is Tag.REJECTED for row in rows[3:])

    def test_none_waits_for_another(self, toy, db, founders):
        """They are evaluated side by side; the first child is proposed when all of them are told."""
        told, proposed = [], []

        class Watching(toy.Operator):
            async def propose(self, parents, context, rng):
                proposed.append((context.ordinal, len(told)))
                return await super().propose(parents, context, rng)

        def watch(_, event):
            if isinstance(event, Told):
                told.append(event.candidate.ordinal)

        config = toy.config(**self.SETTINGS | {"crossover": 0.0, "attempts": 1})
        toy.run(db, config, founders=founders, operator=Watching(), seen=watch)
        assert proposed[0] == (3, 3)
        assert all(count >= max(3, ordinal - 3) for ordinal, count in proposed)

    @pytest.mark.parametrize("workers", [1, 4])
    def test_workers_and_their_timing_change_nothing(
        self, toy, db, contents, founders, whole, jitter, workers
    ):
        config = toy.config(**self.SETTINGS | {"workers": workers})
        assert toy.run(db, config, founders=founders, delay=jitter) == whole[1]
        assert contents(db, "toy") == whole[0]

    @pytest.mark.parametrize("after", [0, 1, 2, 3, 9])
    def test_stopped_it_goes_on_as_if_never_stopped(self, toy, db, contents, founders, whole, jitter, after):
        def stop(campaign, event):
            if isinstance(event, Told) and event.candidate.ordinal == after:
                campaign.stop()

        config = toy.config(**self.SETTINGS)
        assert toy.run(db, config, founders=founders, delay=jitter, seen=stop).status == "interrupted"
        assert toy.run(db, config, founders=founders, delay=jitter) == whole[1]
        assert contents(db, "toy") == whole[0]
        assert best_of(db) == whole[1].best

    def test_a_crash_at_any_write_changes_nothing(self, toy, new_db, contents, founders, mortal):
        config = toy.config(candidates=5, lookahead=2)
        first = new_db()
        best = toy.run(first, config, founders=founders).best
        whole = contents(first, "toy")
        for lives in range(100):
            db = new_db()
            try:
                toy.run(db, config, founders=founders, wrap=lambda writer, lives=lives: mortal(writer, lives))
            except (mortal.Crash, ExceptionGroup):
                toy.run(db, config, founders=founders)
                assert contents(db, "toy") == whole
                assert best_of(db) == best
            else:
                assert lives > 15
                return
        pytest.fail("the campaign never came to its end")

    def test_fewer_candidates_than_founders_are_the_first_of_them(self, toy, db, contents, founders, whole):
        assert toy.run(db, toy.config(**self.SETTINGS | {"candidates": 2}), founders=founders).candidates == 2
        assert toy.run(db, toy.config(**self.SETTINGS), founders=founders) == whole[1]
        assert contents(db, "toy") == whole[0]

    @pytest.mark.parametrize("place", [0, 2])
    def test_one_that_fails_is_a_clear_error(self, toy, db, founders, place):
        broken = [*founders]
        broken[place] = toy.program(1.0, Tag.EXCEPTION)
        with pytest.raises(EvolveError, match=r"the seed program ended as exception: b: it is this"):
            toy.run(db, toy.config(**self.SETTINGS), founders=tuple(broken))

    def test_the_same_program_twice_is_a_clear_error(self, toy, db, founders):
        again = "# as before\n" + founders[0]
        with pytest.raises(
            EvolveError, match="the seed program ended as duplicate: the same program as cand"
        ):
            toy.run(db, toy.config(**self.SETTINGS), founders=(*founders, again))

    @pytest.mark.parametrize("other", [(0, 2, 1), (0, 1, 2, 3)])
    def test_others_are_another_campaign(self, toy, db, founders, other):
        toy.run(db, toy.config(**self.SETTINGS), founders=founders)
        chosen = tuple([*founders, toy.program(9.0)][k] for k in other)
        with pytest.raises(EvolveError, match="started from another program"):
            toy.run(db, toy.config(**self.SETTINGS), founders=chosen)
