"""What a promotion runs and says: means and comparisons worked out by hand, and what is recorded."""

import asyncio
import json
from dataclasses import replace

import pytest

from evaluators.contract import CapabilityError
from evaluators.records import Metric, Outcome, Score, Tag, Task
from evaluators.registry import get_domain, register
from evaluators.testing import FakeDomain
from evolve.comparison.held_out import (
    Choice,
    checks_plan,
    distinct,
    evaluate_held_out,
    held_out_plan,
    promote,
)
from evolve.comparison.verdicts import Contender, Promotion, as_json, comparisons, summary, verdict
from evolve.config import CampaignConfig
from evolve.errors import EvolveError
from evolve.evaluation.service import EvaluationService
from evolve.search.blocks import block
from results import queries
from results.queries import RankedCandidate
from results.records import HeldOutEvaluation
from results.store import open_store

FINALIST, BASELINE = Contender("#7", "f", "", 7), Contender("dcfr", "b", "", None)
METRIC = Metric("exploitability", "exploitability", "min", "log", resolution=0.1)


def run(program, game, tier, k, score, *, seed=None, family=None):
    task = Task(f"{game}/{tier}", family or game, tier, k, seed)
    outcome = Outcome(Tag.TIMEOUT if score is None else Tag.OK)
    value = None if score is None else 10**-score
    return HeldOutEvaluation(
        program_id=program, task=task, outcome=outcome, value=value, stderr=0.0, score=score,
        isolation="kernel", purpose="promotion",
    )  # fmt: skip


def promotion(runs, horizons=(300, 1000)):
    return Promotion(
        campaign="c",
        objective="decades",
        metric=METRIC,
        seed=5,
        budget=900,
        horizons=horizons,
        contenders=(FINALIST, BASELINE),
        held_out=tuple(r for r in runs if r.task.budget != 900),
        checks=tuple(r for r in runs if r.task.budget == 900),
        total=9,
        drawn=frozenset({"leduc3/generic"}),
        searched=frozenset(r.task for r in runs if r.task.budget == 900 and r.task.tier == "exact"),
    )


def training(program, exact, generic, jitter, scale):
    values = {"exact": exact, "generic": generic, "jitter": jitter, "scale": scale}
    return [run(program, "leduc2", tier, 900, s) for tier, s in values.items()]


RUNS = [
    *training("f", 4.0, 3.0, 3.8, 4.5),
    *training("b", 3.0, 2.5, 3.1, 3.0),
    run("f", "kuhn2", "exact", 300, 3.0),
    run("f", "kuhn2", "exact", 1000, 3.5),
    run("f", "kuhn4", "exact", 1000, 2.5),
    run("f", "leduc3", "generic", 1000, 2.0, seed=5),
    run("b", "kuhn2", "exact", 300, 1.0),
    run("b", "kuhn2", "exact", 1000, 3.45),
    run("b", "kuhn4", "exact", 1000, 3.0),
    run("b", "leduc3", "generic", 1000, None, seed=5),
]


def test_a_summary_tells_families_of_the_search_from_others():
    runs = [*RUNS, run("f", "leduc2/other", "generic", 1000, 1.0, family="leduc2")]
    found = summary(promotion(runs), FINALIST)
    assert (found.training.mean, found.sibling.mean) == (4.0, 1.0)
    # Means over families, of which each has one task here: errors are those of the values, which are exact.
    assert (found.new.mean, found.new.n) == (pytest.approx((3.5 + 2.5 + 2.0) / 3), 3)
    assert found.tiers == pytest.approx({"generic": 1.0, "jitter": 0.2, "scale": 0.5})


def test_a_failure_leaves_no_mean():
    found = summary(promotion(RUNS), BASELINE)
    assert (found.new, found.sibling) == (None, None)
    assert found.training.mean == 3.0


def test_a_finalist_is_compared_with_every_baseline_over_what_both_finished():
    (found,) = comparisons(promotion(RUNS), FINALIST)
    assert (found.program, found.other) == ("f", "b")
    assert (found.wins, found.ties, found.losses, found.unpaired) == (1, 0, 1, 1)
    # Two horizons of one game are one observation, and a decade is the most that counts at each.
    assert found.mean == pytest.approx(((1.0 + 0.05) / 2 - 0.5) / 2)
    assert found.verdict == "level"


def test_a_reconstruction_is_shown_and_not_counted():
    ours = Contender("wop_cfr", "b", '"""Rule.\n\nReconstruction: from its name.\n"""', None)
    told = Contender("hs", "h", "\nPLANNED_ITERATIONS = 1\n", None)
    assert [(c.label, c.counted) for c in (FINALIST, BASELINE, ours, told)] == [
        ("#7", True), ("dcfr", True), ("wop_cfr‡", False), ("hs†", True),
    ]  # fmt: skip
    (found,) = comparisons(replace(promotion(RUNS), contenders=(FINALIST, ours)), FINALIST)
    assert (found.verdict, found.wins) == (None, 1)


def test_the_horizon_is_the_closest_to_the_training_runs():
    assert promotion([]).horizon == 1000
    assert promotion([], horizons=(300,)).horizon == 300


def test_json_has_every_run_and_what_is_stored_is_part_of_it():
    found = as_json(promotion(RUNS))
    assert len(found["runs"]) == len(RUNS)
    assert sum(one["held_out"] for one in found["runs"]) == 8
    assert found["horizons"] == [300, 1000]
    assert found["programs"][1] == {"program": "b", "name": "dcfr", "candidate": None}
    assert found.items() >= verdict(promotion(RUNS)).items()


def test_finalists_differ_in_their_scores():
    def ranked(ordinal, a, b):
        return RankedCandidate(
            rank=ordinal, ordinal=ordinal, program_id=str(ordinal), value=a, scores={"a": Score(a), "b": Score(b)},
            operator="", note="", island=0, cpu_s=0.0,
        )  # fmt: skip

    same = [ranked(3, 2.0, 1.0), ranked(4, 2.0, 1.0 + 1e-9), ranked(5, 2.0, 1.1), ranked(6, 1.0, 1.0)]
    assert [c.ordinal for c in distinct(same, 2)] == [3, 5]
    assert [c.ordinal for c in distinct(same, 9)] == [3, 5, 6]


# What is run.


def test_checks_have_the_campaign_s_own_block_and_other_tiers_of_the_same_games():
    config = CampaignConfig(domain="cfr", tasks=["leduc2", "random"], seed=3, budget=20)
    plan, searched = checks_plan(get_domain("cfr"), config)
    assert searched == frozenset(block(get_domain("cfr"), config, 0).tasks)
    others = [task for task in plan.tasks if task not in searched]
    assert {task.tier for task in searched} == {"generic", "drawn"}
    assert {(task.group, task.tier) for task in others} == {
        ("leduc2", tier) for tier in ("exact", "jitter", "scale")
    }
    assert {task.budget for task in plan.tasks} == {20}


def evaluate(toy, sources, writer=None, **options):
    domain = toy.Domain()
    plan = held_out_plan(domain, Choice(horizons=(1, 3)), 0)
    with toy.Executor(domain, 2) as executor:
        service = EvaluationService("toy", executor, 2)
        return asyncio.run(
            evaluate_held_out(service, writer, domain, sources, plan, purpose="promotion", **options)
        )


class Recording:
    def __init__(self):
        self.records = []

    def record_held_out(self, record):
        self.records.append(record)


def test_every_program_runs_on_every_task_by_itself_and_is_recorded(toy):
    writer, done = Recording(), []
    sources = {"good": toy.program(3.5), "bad": toy.program(1.0, Tag.TIMEOUT)}
    found = evaluate(toy, sources, writer, done=lambda: done.append(1))
    assert len(done) == len(writer.records) == 4
    assert {r.program_id for r in writer.records} == {"good", "bad"}
    assert [(r.task.name, r.task.budget, r.value) for r in found["good"]] == [("c", 3, 0.5), ("c", 1, 0.5)]
    assert [(r.outcome.tag, r.value, r.score) for r in found["bad"]] == [(Tag.TIMEOUT, None, None)] * 2


def test_what_was_run_before_is_skipped(toy):
    found = evaluate(toy, {"p": toy.program(3.5)}, skip={("p", Task("c", "c", budget=3))})
    assert [r.task.budget for r in found["p"]] == [1]


@pytest.mark.parametrize(
    ("tag", "message"),
    [
        (Tag.INFRASTRUCTURE, "for reasons of the machine, every time: c: it is this"),
        (Tag.ENGINE_ERROR, "promotion: c cannot be run here: RuntimeError"),
    ],
)
def test_a_fault_of_ours_is_no_result_of_a_program(toy, tag, message):
    writer = Recording()
    with pytest.raises(EvolveError, match=message):
        evaluate(toy, {"p": toy.program(3.5, tag)}, writer)
    assert writer.records == []


def test_a_domain_without_held_out_tasks_says_so():
    class Searched(FakeDomain):
        suites = ("train",)

    with pytest.raises(CapabilityError, match="the domain fake has no held-out tasks"):
        held_out_plan(Searched(), Choice(), 0)


METRICS = [
    Metric("loss", "loss", "min", "log", resolution=0.05),
    Metric("gain", "gain", "max", "linear", resolution=0.02, unit=0.5),
]


@pytest.mark.parametrize("noise", [0.0, 0.2])
@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_what_a_promotion_says_is_stored_and_follows_from_what_is_stored(toy, db, metric, noise):
    """Whoever reads the database later names the same winners."""
    domain = FakeDomain("toy", metric=metric, noise=noise)
    register(domain)
    toy.run(db, toy.config(candidates=20), domain=domain)
    with open_store(db) as store:
        found = promote(store, "toy", Choice(finalists=2, seed=1, workers=0))
        stored = [one for one in queries.held_out(store, "toy") if one.purpose == "promotion"]
        (event,) = [e for e in queries.events(store, "toy") if e.kind == "verdict"]
    assert event.payload == json.loads(json.dumps(verdict(found)))
    assert {(one.program_id, one.task, one.value) for one in stored} == {
        (one.program_id, one.task, one.value) for one in found.held_out
    }
    again = replace(found, held_out=tuple(stored))
    for finalist in found.finalists:
        made = comparisons(found, finalist)
        assert comparisons(again, finalist) == made
        assert {one.other for one in made} == {one.program_id for one in found.baselines}
