"""Noisy metrics: paired seeds, refinement of leaders, gates; the same on any number of workers, killed or not."""

import asyncio
from statistics import fmean

import pytest

from evaluators.contract import MeanGate, SequentialGate
from evaluators.records import Metric, Tag
from evaluators.testing import FakeDomain, fake_program
from evolve.operators.base import ScriptedOperator
from evolve.search.events import NewBest, Refined, Told
from results import queries
from results.loading import BEST
from results.store import open_store
from results.writer import program_id

NOISE, SAMPLES = 0.3, 3
SETTINGS = {"candidates": 40, "lookahead": 4}


def noisy(**options):
    return FakeDomain("toy", **({"noise": NOISE, "samples": SAMPLES, "refinements": 2} | options))


@pytest.fixture
def run(toy, contents):
    """Runs or continues a noisy campaign: its rows, and the refinements in the order in which they were told."""

    def go(db, *, domain=None, **options):
        seen, refined = options.pop("seen", None), []
        delay, wrap = options.pop("delay", lambda: 0.0), options.pop("wrap", None)
        operator = options.pop("operator", None)

        def watch(campaign, event):
            if isinstance(event, Refined):
                refined.append(event.candidate)
            if seen:
                seen(campaign, event)

        config = toy.config(**(SETTINGS | options))
        summary = toy.run(
            db, config, domain=domain or noisy(), seen=watch, delay=delay, wrap=wrap, operator=operator
        )
        with open_store(db, read_only=True) as store:
            assert queries.top(store, "toy", n=1)[0].program_id == summary.best
        return summary, contents(db, "toy"), refined

    return go


@pytest.fixture
def undisturbed(run, new_db):
    return run(new_db(), workers=1)


def plans(rows):
    return [name for row in rows for name in row[2]]


def test_leaders_are_refined_and_their_scores_are_of_all_results(undisturbed):
    _, rows, refined = undisturbed
    assert refined
    assert {"search", "refinement-1", "refinement-2"} == set(plans(rows))
    for row in rows:
        scores, curves = row[2], row[3]
        further = sorted(set(scores) - {"search"})
        assert further == [f"refinement-{n + 1}" for n in range(len(further))]
        if not further or not row[0].outcome.ok:
            continue
        values = {}
        for plan in curves.values():
            for task, curve in plan:
                values.setdefault(task.family, []).append(-curve[-1][1])
        blocks = 1 + len(further)
        assert {len(own) for own in values.values()} == {SAMPLES * blocks}
        assert scores["search"]["score"].n == 2 * SAMPLES * blocks
        assert scores["search"]["score"].mean == pytest.approx(fmean(fmean(own) for own in values.values()))


def test_every_program_is_paired_on_the_same_seeds(undisturbed):
    _, rows, _ = undisturbed
    for plan, first in (("search", 0), ("refinement-1", SAMPLES), ("refinement-2", 2 * SAMPLES)):
        own = [[task for task, _ in row[3][plan]] for row in rows if row[2].get(plan)]
        assert own
        assert all(tasks == own[0] for tasks in own)
        assert {task.seed for task in own[0]} == set(range(first, first + SAMPLES))


@pytest.mark.parametrize("workers", [1, 4])
def test_workers_and_their_timing_change_nothing(run, db, undisturbed, jitter, workers):
    summary, rows, refined = run(db, workers=workers, delay=jitter)
    assert summary == undisturbed[0]
    assert rows == undisturbed[1]
    told = [[(c.ordinal, c.scores) for c in each] for each in (refined, undisturbed[2])]
    assert told[0] == told[1]


@pytest.mark.parametrize("after", range(0, 39, 5))
def test_a_stopped_campaign_goes_on_as_if_never_stopped(run, db, undisturbed, jitter, after):
    def stop(campaign, event):
        if isinstance(event, Told) and event.candidate.ordinal == after:
            campaign.stop()

    summary, _, _ = run(db, delay=jitter, seen=stop)
    assert summary.status == "interrupted"
    summary, rows, _ = run(db, delay=jitter)
    assert summary == undisturbed[0]
    assert rows == undisturbed[1]


def test_what_a_stopped_campaign_told_early_is_taken_back_where_it_is_told_to_nobody(run, new_db):
    """A small archive loses leaders before their refinements are due, which a stop tells at once."""
    options = {"candidates": 24, "population": {"islands": 1, "archive": 2}, "lookahead": 6, "seed": 2}
    undisturbed, whole, refined = run(new_db(), **options)
    assert sum(name != "search" for name in plans(whole)) > len(refined)
    for after in range(0, 20, 2):
        db = new_db()

        def stop(campaign, event, after=after):
            if isinstance(event, Told) and event.candidate.ordinal == after:
                campaign.stop()

        run(db, seen=stop, **options)
        assert run(db, **options)[:2] == (undisturbed, whole), after


@pytest.mark.parametrize("after", range(1, 39, 4))
def test_a_killed_campaign_goes_on_as_if_nothing_had_happened(run, db, undisturbed, jitter, after):
    def kill(_, event):
        if isinstance(event, Told | Refined) and event.candidate.ordinal >= after:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        run(db, delay=jitter, seen=kill)
    summary, rows, _ = run(db, delay=jitter)
    assert summary == undisturbed[0]
    assert rows == undisturbed[1]


def test_a_crash_at_any_write_changes_nothing(run, new_db, mortal):
    options = {"candidates": 8, "lookahead": 3}
    whole = run(new_db(), **options)[:2]
    for lives in range(0, 400, 3):
        db = new_db()
        try:
            run(db, wrap=lambda writer, lives=lives: mortal(writer, lives), **options)
        except (mortal.Crash, ExceptionGroup):
            assert run(db, **options)[:2] == whole
        else:
            assert lives > 30
            return
    pytest.fail("the campaign never came to its end")


def test_a_raised_budget_comes_to_what_the_larger_one_would_have(run, db, undisturbed):
    run(db, candidates=17)
    assert run(db)[:2] == undisturbed[:2]


def test_the_best_is_always_one_that_was_measured_on_a_further_block(run, db, jitter):
    """But for the first one; and it is said as soon as that block is told."""
    events = []
    summary, _, _ = run(db, delay=jitter, seen=lambda _, event: events.append(event))
    bests = [event.candidate for event in events if isinstance(event, NewBest)]
    assert len(bests) > 2
    assert bests[0].ordinal == 0
    for best in bests[1:]:
        assert best.scores["score"].n > 2 * SAMPLES
    assert bests[-1].program_id == summary.best
    with open_store(db, read_only=True) as store:
        stored = [event.payload for event in queries.events(store, "toy") if event.kind == BEST]
    assert [one["ordinal"] for one in stored] == [best.ordinal for best in bests]
    assert [one["mean"] for one in stored] == [best.scores["score"].mean for best in bests]
    assert [one["told"] for one in stored] == sorted(one["told"] for one in stored)


@pytest.mark.parametrize("after", [3, 14, 25])
def test_what_a_stop_announced_before_its_time_is_taken_back(run, db, undisturbed, after):
    """A stop tells refinements at once; the next run holds for the best what an undisturbed one held then."""

    def stop(campaign, event):
        if isinstance(event, Told) and event.candidate.ordinal == after:
            campaign.stop()

    run(db, seen=stop)
    assert run(db)[0].best == undisturbed[0].best


def test_the_end_measures_the_best_and_every_seed_on_a_fresh_block(run, db):
    summary, rows, _ = run(db)
    with open_store(db, read_only=True) as store:
        shown = queries.held_out(store, "toy")
    seen = {task.seed for row in rows for curves in row[3].values() for task, _ in curves}
    fresh = [one for one in shown if one.task.family in "ab"]
    assert {one.program_id for one in fresh} == {summary.best, *map(program_id, noisy().sources.values())}
    assert len(fresh) == 3 * 2 * SAMPLES
    assert not seen & {one.task.seed for one in fresh}
    assert {one.task.family for one in shown} == {"a", "b", "c"}


def test_ranking_uses_what_is_known_of_a_member(toy, run, db):
    """The luckiest of many equal programs leads at first, and further seeds take its luck away."""
    operator = ScriptedOperator([toy.program(3.5 + n * 1e-9) for n in range(1, 30)])
    domain = noisy(noise=1.0, refinements=8)
    summary, rows, refined = run(db, domain=domain, operator=operator, candidates=30, crossover=0.0)
    first = {row[0].ordinal: -fmean(c[-1][1] for _, c in row[3]["search"]) for row in rows[1:]}
    lucky = max(first, key=first.get)
    assert any(candidate.ordinal == lucky for candidate in refined)
    known = {row[0].program_id: row[2]["search"]["score"] for row in rows}
    assert summary.scores["score"] == known[summary.best]
    assert known[rows[lucky][0].program_id].mean < first[lucky]
    confirmed = {key: score for key, score in known.items() if score.n > 2 * SAMPLES}
    assert summary.best in confirmed
    # All are of one size but for their digits: within a standard error of the first, measured as often, one is chosen.
    leader = max(confirmed.values(), key=lambda score: score.mean - score.stderr)
    assert known[summary.best].mean >= leader.mean - leader.stderr
    with open_store(db, read_only=True) as store:
        ranked = queries.top(store, "toy", n=99)
    assert ranked[0].program_id == summary.best
    bounds = [one.value - one.scores["score"].stderr for one in ranked[1:]]
    assert bounds == sorted(bounds, reverse=True)


def test_of_programs_that_are_level_the_smaller_one_is_the_best(toy, run, db):
    """Nine statements that do nothing, and none: the prompts promise that it counts."""
    idle = "".join(f"x{n} = {n}\n" for n in range(9))
    sources = [idle + toy.program(3.5), toy.program(3.4), *(toy.program(1.0 + n / 100) for n in range(9))]
    summary, rows, _ = run(
        db, domain=noisy(refinements=1), operator=ScriptedOperator(sources), candidates=12, crossover=0.0,
        lookahead=1, population={"islands": 2, "migrate_every": 99},
    )  # fmt: skip
    long, short = rows[1], rows[2]
    assert long[2]["search"]["score"].n == short[2]["search"]["score"].n == 4 * SAMPLES
    assert summary.best == short[0].program_id


class Brittle(FakeDomain):
    """A noisy domain on which one program fails as soon as seeds are others than those of the search."""

    def __init__(self, source, fault):
        super().__init__("toy", noise=0.01, samples=SAMPLES, refinements=1)
        self._source, self._fault = source, fault

    def run(self, program, task, sandbox, limits):
        if program == self._source and task.seed >= SAMPLES:
            program = fake_program(3.5, self._fault)
            task = type(task)(task.name, "b", seed=task.seed)
        return super().run(program, task, sandbox, limits)


@pytest.mark.parametrize("fault", [Tag.TIMEOUT, Tag.EXCEPTION, Tag.INVALID])
def test_a_member_that_fails_on_further_seeds_leaves_the_archives(toy, run, db, fault):
    brittle = toy.program(3.5)
    sources = [brittle, *(toy.program(2.0 + n / 100) for n in range(9))]
    summary, rows, refined = run(
        db, domain=Brittle(brittle, fault), operator=ScriptedOperator(sources), candidates=11, crossover=0.0,
        lookahead=2, population={"islands": 1},
    )  # fmt: skip
    failed = [candidate for candidate in refined if not candidate.ok]
    assert [(c.ordinal, c.outcome.tag) for c in failed] == [(1, fault)]
    assert summary.best != rows[1][0].program_id
    told = rows[1][0].program_id
    assert all(told not in row[0].parents for row in rows[4:])


def test_a_fault_of_ours_on_further_seeds_says_nothing_about_the_member(toy, run, db):
    good = toy.program(3.5)
    summary, rows, refined = run(
        db, domain=Brittle(good, Tag.ENGINE_ERROR), operator=ScriptedOperator([good]), candidates=2,
        crossover=0.0,
    )  # fmt: skip
    assert summary.status == "finished"
    assert all(candidate.ordinal == 0 for candidate in refined)
    assert rows[1][0].outcome.ok
    assert rows[1][2]["search"]["score"].n == 2 * SAMPLES
    assert summary.best == rows[0][0].program_id  # Nothing confirms what the member's own tasks say.


def test_a_domain_that_cannot_refine_ends_no_campaign(run, db):
    class Stubborn(FakeDomain):
        def tasks(self, suite, tiers=None, budget=None, seeds=None):
            if seeds is not None and 3 * SAMPLES <= max(seeds) < 9 * SAMPLES:
                raise ZeroDivisionError("no other seeds")
            return super().tasks(suite, tiers, budget, seeds)

    summary, _, refined = run(
        db, domain=Stubborn("toy", noise=NOISE, samples=SAMPLES, refinements=3), candidates=30
    )
    assert summary.status == "finished"
    assert refined
    assert {candidate.scores["score"].n for candidate in refined} == {4 * SAMPLES}


def test_an_exact_domain_refines_nothing(run, db):
    _, rows, refined = run(db, domain=FakeDomain("toy", refinements=3), candidates=8, refinements=3)
    assert refined == []
    assert set(plans(rows)) == {"search"}


def test_no_refinements_unless_a_campaign_or_its_domain_asks_for_them(run, db):
    assert run(db, candidates=8, refinements=0)[2] == []


@pytest.mark.parametrize(
    ("gate", "stops"), [(MeanGate(2.0), True), (SequentialGate(0.05, 16), True), (None, False)]
)
def test_a_gate_stops_what_is_far_worse_than_its_parent(toy, run, db, gate, stops):
    bad, good = toy.program(-9.0), toy.program(3.4)
    _, rows, _ = run(
        db, domain=noisy(gate=gate, noise=0.2, samples=8, refinements=0), operator=ScriptedOperator([bad, good]),
        candidates=3, crossover=0.0, lookahead=1,
    )  # fmt: skip
    assert rows[1][0].outcome.tag is (Tag.EARLY_STOPPED if stops else Tag.OK)
    assert rows[2][0].outcome.ok
    done = len(rows[1][3].get("search", ()))
    if isinstance(gate, SequentialGate):
        assert 2 <= done < 16  # as soon as there is no doubt, which the first two tasks may not settle
    else:
        assert done == 16


METRICS = [
    Metric("loss", "loss", "min", "log", resolution=0.05),
    Metric("gain", "gain", "max", "linear", resolution=0.01),
]


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_any_direction_and_scale_is_searched_alike(run, db, metric):
    domain = FakeDomain("toy", metric=metric, noise=0.05, samples=2, refinements=1)
    summary, rows, _ = run(db, domain=domain, candidates=30)
    start = rows[0][2]["search"]["score"].mean
    assert summary.scores["score"].mean > start + 0.5
