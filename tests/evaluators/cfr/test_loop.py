"""The trusted loop: known values, checkpoints, and the same bytes with and without a sandbox."""

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import seeds
from evaluators.cfr.domain import DOMAIN
from evaluators.cfr.loop import CfrRun
from evaluators.contract import InvalidAnswer, MeanGate
from evaluators.games.game_domain import RACE_MARGIN
from evaluators.games.loading import load
from evaluators.records import Score, Tag
from sandbox.inprocess import InProcessSandbox
from sandbox.process import ProcessSandbox


@pytest.fixture(scope="module")
def runner():
    with ProcessSandbox() as sandbox:
        yield sandbox


def evaluate(source, games, iterations, sandbox=None, tiers=("exact",)):
    plan = DOMAIN.plan(games, tiers=tiers, budget=iterations)
    return DOMAIN.evaluate(source, plan, sandbox or InProcessSandbox())


# OpenSpiel's `cfr.CFRPlusSolver` and `cfr.CFRSolver`, exploitability of the average policy (NashConv / N).
KNOWN = [
    ("cfr_plus", "kuhn3", 50, 0.0035504991241),
    ("cfr_plus", "leduc2", 20, 0.1736553734420),
    ("cfr", "kuhn3", 50, 0.0242174692594),
    ("cfr", "leduc2", 20, 0.4531456534161),
]


@pytest.mark.parametrize(("seed", "game", "iterations", "value"), KNOWN)
def test_reproduces_openspiel(seed, game, iterations, value):
    (result,) = evaluate(seeds.source("cfr", seed), [game], iterations).results
    assert result.value == pytest.approx(value, rel=1e-9)


def test_the_sandbox_changes_no_bit(runner):
    for seed in seeds.names("cfr"):
        source = seeds.source("cfr", seed)
        inside = evaluate(source, ["kuhn3"], 20, runner, ("exact", "generic"))
        beside = evaluate(source, ["kuhn3"], 20, None, ("exact", "generic"))
        assert [r.curve for r in inside.results] == [r.curve for r in beside.results]
        assert inside.scores == beside.scores


class Forged:
    """A session whose program took the guest's place: it answers with as many arrays as it likes."""

    def __init__(self, count):
        self.count = count

    def call(self, name, scalars=(), arrays=()):
        return (np.full(6, 0.5),) * self.count


@pytest.mark.parametrize("count", [0, 2, 3])
def test_too_many_or_too_few_arrays_are_an_invalid_answer(count):
    play = CfrRun(DOMAIN.prepare(seeds.source("cfr", "cfr")), load("kuhn2"), Forged(count))
    with pytest.raises(InvalidAnswer, match=f"expected 1 arrays; got {count}"):
        play.iterate()
    play = CfrRun(DOMAIN.prepare(seeds.source("cfr", "cfr")), load("kuhn2"), Forged(1))
    with pytest.raises(InvalidAnswer, match="expected 2 arrays; got 1"):
        play.average_policies()


def test_the_isolation_is_what_the_sandbox_achieved(runner):
    source = seeds.source("cfr", "cfr")
    assert evaluate(source, ["kuhn2"], 1, runner).isolation == runner.level.label
    assert evaluate(source, ["kuhn2"], 1).isolation == "none"


def test_again_gives_the_same_bytes():
    source = seeds.source("cfr", "pcfr_plus")
    first, second = (evaluate(source, ["kuhn3", "kuhn2"], 30) for _ in range(2))
    assert [r.curve for r in first.results] == [r.curve for r in second.results]


@given(st.integers(1, 10**6))
def test_checkpoints_rise_to_the_last_iteration(iterations):
    found = DOMAIN.checkpoints(iterations)
    assert list(found) == sorted(set(found))
    assert found[0] == 1
    assert found[-1] == iterations
    assert set(DOMAIN.read_at(iterations)) <= set(found)
    assert len(found) <= 4 * len(str(iterations)) + len(DOMAIN.readings)


def test_checkpoints_of_the_default_horizon():
    assert DOMAIN.read_at(1000) == (300, 1000)
    assert DOMAIN.checkpoints(1000) == (1, 2, 3, 5, 10, 20, 30, 50, 100, 200, 300, 500, 1000)


def test_a_longer_run_begins_with_the_shorter_one():
    source = seeds.source("cfr", "cfr_plus")
    short, long = (dict(evaluate(source, ["kuhn2"], k).results[0].curve) for k in (20, 60))
    shared = short.keys() & long.keys()
    assert {1, 2, 3, 5, 10, 20} <= shared
    assert {k: short[k] for k in shared} == {k: long[k] for k in shared}


def test_the_curve_stands_at_the_checkpoints():
    (result,) = evaluate(seeds.source("cfr", "cfr"), ["kuhn2"], 30).results
    assert [k for k, _ in result.curve] == list(DOMAIN.checkpoints(30))


REACHES = seeds.source("cfr", "cfr").replace(
    "return info_states.cumulative_policy +",
    "assert (counterfactual_reach_prob is None) == EXPECT_NONE\n        return info_states.cumulative_policy +",
)


def test_a_program_that_reads_the_counterfactual_reach_gets_it():
    assert evaluate(REACHES.replace("EXPECT_NONE", "False"), ["kuhn2"], 2).outcome.ok


def test_programs_may_not_change_the_loops_arrays():
    source = seeds.source("cfr", "cfr")
    vandal = re.sub(r"(\n +)(return info_states.cumulative_policy)", r"\1reach_prob[:] = 7.0\1\2", source)
    spared = source.replace("info_states.per_action(reach_prob)", "7.0")
    assert vandal != source
    one, other = (evaluate(s, ["kuhn2"], 5).results[0] for s in (vandal, spared))
    assert one.value == pytest.approx(other.value, rel=1e-12)


class TestStages:
    """Some seeds of the small games before the rest, and the gate between them."""

    def test_games_run_from_cheap_to_costly(self):
        plan = DOMAIN.plan(["leduc2", "kuhn2", "kuhn3"], tiers=("exact",), budget=1)
        assert [i.name for i in plan.tasks] == ["kuhn2", "kuhn3", "leduc2"]

    def gated(self):
        plan = DOMAIN.plan(["kuhn2"], tiers=("exact",), budget=5)
        (stage,) = plan.stages
        return replace(plan, stages=(replace(stage, gate=MeanGate(RACE_MARGIN)),))

    def test_a_stage_far_below_the_parents_ends_the_evaluation(self):
        source, against = seeds.source("cfr", "cfr"), {"first rung": Score(5.9)}
        evaluation = DOMAIN.evaluate(source, self.gated(), InProcessSandbox(), against=against)
        assert evaluation.outcome.tag is Tag.EARLY_STOPPED
        assert "beside 5.900 of its parent" in evaluation.outcome.message
        assert evaluation.scores == {}
        assert len(evaluation.results) == 1

    def test_a_stage_within_the_margin_goes_on(self):
        source, plan = seeds.source("cfr", "cfr"), self.gated()
        first = DOMAIN.evaluate(source, plan, InProcessSandbox())
        mean = first.stages["first rung"].mean
        for parent, tag in ((mean, Tag.OK), (mean + 0.249, Tag.OK), (mean + 0.251, Tag.EARLY_STOPPED)):
            against = {"first rung": Score(parent)}
            assert DOMAIN.evaluate(source, plan, InProcessSandbox(), against=against).outcome.tag is tag

    def test_progress_is_told_task_by_task(self):
        plan = DOMAIN.plan(["kuhn2"], tiers=("exact", "generic"), budget=2)
        seen = []
        done = DOMAIN.evaluate(seeds.source("cfr", "cfr"), plan, InProcessSandbox(), progress=seen.append)
        assert tuple(seen) == done.results

    def test_all_scores_of_the_plan_are_there(self):
        plan = DOMAIN.plan(["kuhn2"], budget=2)
        done = DOMAIN.evaluate(seeds.source("cfr", "cfr"), plan, InProcessSandbox())
        assert set(DOMAIN.score_names(plan)) <= set(done.scores)
        assert DOMAIN.scores(done.results) == done.scores
