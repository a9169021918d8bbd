"""Gates: what is certain about them, and by simulation how often a sequential test errs."""

import math
import random
from dataclasses import replace
from statistics import fmean, stdev

import pytest
import scipy.special  # noqa: F401 - loaded here, it takes longer than an example may
from hypothesis import given
from hypothesis import strategies as st

from evaluators.contract import MeanGate, SequentialGate
from evaluators.records import Score, Tag
from evaluators.testing import FakeDomain, fake_program
from sandbox.inprocess import InProcessSandbox

means = st.floats(-1e3, 1e3)
errors = st.floats(0.0, 10.0)
scores = st.builds(Score, means, errors, st.integers(1, 40))
gates = st.builds(SequentialGate, st.floats(0.001, 0.4), st.integers(2, 64))


class TestMeanGate:
    @given(means, means, st.floats(0.0, 10.0))
    def test_closes_after_the_stage_on_what_is_further_below_than_the_margin(self, mean, parent, margin):
        gate = MeanGate(margin)
        assert gate.closes(Score(mean), Score(parent), finished=True) == (mean < parent - margin)

    @given(scores, scores)
    def test_never_closes_during_a_stage(self, score, parent):
        assert not MeanGate(0.0).closes(score, parent, finished=False)

    def test_standard_errors_do_not_count(self):
        assert MeanGate(0.5).closes(Score(1.0, 9.0), Score(2.0, 9.0), finished=True)


class TestSequentialGate:
    @given(gates, means, errors, scores, st.booleans())
    def test_never_closes_before_two_samples(self, gate, mean, stderr, parent, finished):
        assert not gate.closes(Score(mean, stderr, 1), parent, finished=finished)

    @given(gates, scores, scores, st.booleans())
    def test_tests_no_more_often_than_it_says(self, gate, score, parent, finished):
        late = Score(score.mean, score.stderr, gate.max_samples + 1)
        assert not gate.closes(late, parent, finished=finished)

    @given(gates, scores, scores, st.booleans())
    def test_never_closes_on_who_is_ahead(self, gate, score, parent, finished):
        if score.mean >= parent.mean:
            assert not gate.closes(score, parent, finished=finished)

    @given(gates, scores, scores, st.floats(0.0, 100.0), st.floats(0.0, 10.0))
    def test_falling_further_behind_never_reopens_it_and_doubt_never_closes_it(
        self, gate, score, parent, further, doubt
    ):
        closed = gate.closes(score, parent, finished=False)
        worse = Score(score.mean - further, score.stderr, score.n)
        unsure = Score(score.mean, score.stderr + doubt, score.n)
        assert gate.closes(worse, parent, finished=False) >= closed
        assert gate.closes(unsure, parent, finished=False) <= closed

    @pytest.mark.parametrize(("n", "behind"), [(2, 15.0), (3, 2.0), (4, 1.0), (8, 0.6), (16, 0.5)])
    def test_closes_on_clear_losers_and_the_later_the_clearer_it_sees(self, n, behind):
        gate = SequentialGate(0.05, 16)
        assert gate.closes(Score(-behind, 0.1, n), Score(0.0, 0.1, 16), finished=False)
        assert not gate.closes(Score(-behind / 2, 0.1, n), Score(0.0, 0.1, 16), finished=False)

    @pytest.mark.parametrize(("n", "quantile"), [(2, 101.86), (3, 12.5897), (5, 5.2611), (16, 3.17710)])
    def test_known_bounds(self, n, quantile):
        """One-sided quantiles of Student's t at 1 - 0.05 / 16; with one degree of freedom tan(pi (1/2 - 0.05 / 16))."""
        gate, stderr = SequentialGate(0.05, 16), math.hypot(0.3, 0.4)
        assert gate.closes(Score(-1.001 * quantile * stderr, 0.3, n), Score(0.0, 0.4, 16), finished=False)
        assert not gate.closes(Score(-0.999 * quantile * stderr, 0.3, n), Score(0.0, 0.4, 16), finished=False)


def stopped(gate, *, behind, rng, samples=16):
    """Whether a candidate that is truly so far behind is stopped; errors are estimated from what was drawn."""
    parent = [rng.gauss(0.0, 1.0) for _ in range(samples)]
    against = Score(fmean(parent), stdev(parent) / math.sqrt(samples), samples)
    drawn = [rng.gauss(-behind, 1.0)]
    for n in range(2, samples + 1):
        drawn.append(rng.gauss(-behind, 1.0))
        if gate.closes(Score(fmean(drawn), stdev(drawn) / math.sqrt(n), n), against, finished=n == samples):
            return True
    return False


@pytest.mark.parametrize("alpha", [0.01, 0.05, 0.2])
def test_an_equal_candidate_is_stopped_no_more_often_than_alpha(alpha):
    """Bonferroni's bound is an upper one: tests of one stage are correlated, so less than alpha is used up."""
    rng, runs, gate = random.Random(7), 2000, SequentialGate(alpha, 16)
    share = sum(stopped(gate, behind=0.0, rng=rng) for _ in range(runs)) / runs
    assert share <= alpha + 3 * math.sqrt(alpha * (1 - alpha) / runs)


def test_the_farther_behind_the_more_often_it_is_stopped():
    rng, gate = random.Random(8), SequentialGate(0.05, 16)
    shares = [
        fmean(stopped(gate, behind=behind, rng=rng) for _ in range(300)) for behind in (0.0, 0.5, 1.0, 2.0)
    ]
    assert shares == sorted(shares)
    assert shares[-1] > 0.99


class Quiet(FakeDomain):
    """A noisy domain that knows nothing of its errors, as most do: they are what its samples spread by."""

    def run(self, program, task, sandbox, limits):
        return replace(super().run(program, task, sandbox, limits), stderr=0.0)


class BySeed(Quiet):
    """The families one after the other, the harder one first: a mean during the stage is of other tasks."""

    def stages(self, tasks):
        return super().stages(sorted(tasks, key=lambda task: task.family))


@pytest.mark.parametrize("kind", [Quiet, BySeed])
@pytest.mark.parametrize("samples", [4, 8])
def test_a_child_as_good_as_its_parent_is_stopped_no_more_often_than_alpha(kind, samples):
    """In an evaluation: a child has the parent's number, but for its own luck; task a is harder than b for it."""
    alpha, runs, wrong = 0.05, 300, 0
    domain = kind(noise=0.2, samples=samples, gate=SequentialGate(alpha, 2 * samples))
    for number in range(runs):
        parent, child = (fake_program(5.0 + (2 * number + k) * 1e-9) for k in range(2))
        against = domain.evaluate(parent, domain.plan(), InProcessSandbox()).stages
        wrong += not domain.evaluate(child, domain.plan(), InProcessSandbox(), against=against).outcome.ok
    assert wrong / runs <= alpha + 3 * math.sqrt(alpha * (1 - alpha) / runs)


@pytest.mark.parametrize("kind", [Quiet, BySeed])
def test_a_child_that_is_far_worse_is_stopped(kind):
    domain = kind(noise=0.2, samples=8, gate=SequentialGate(0.05, 16))
    against = domain.evaluate(fake_program(3.5), domain.plan(), InProcessSandbox()).stages
    found = domain.evaluate(fake_program(-9.0), domain.plan(), InProcessSandbox(), against=against)
    assert found.outcome.tag is Tag.EARLY_STOPPED
    assert len(found.results) < 16 or kind is BySeed
