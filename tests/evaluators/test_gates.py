"""Gates: what is certain about them, and by simulation how often a sequential test errs."""

import math
import random
from statistics import fmean, stdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluators.contract import MeanGate, SequentialGate
from evaluators.records import Score

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

    def test_closes_on_a_clear_loser_at_the_second_sample(self):
        gate = SequentialGate(0.05, 16)
        assert gate.closes(Score(0.0, 0.1, 2), Score(1.0, 0.1, 16), finished=False)

    def test_known_bound(self):
        """One-sided, 0.05 / 16 per test: z = 2.734."""
        gate, stderr = SequentialGate(0.05, 16), math.hypot(0.3, 0.4)
        assert gate.closes(Score(-2.74 * stderr, 0.3, 4), Score(0.0, 0.4, 4), finished=False)
        assert not gate.closes(Score(-2.73 * stderr, 0.3, 4), Score(0.0, 0.4, 4), finished=False)


def stopped(gate, *, behind, rng, samples=16, noise=1.0):
    """Whether a candidate that is truly so far behind is stopped; both see `samples` draws of known spread."""
    parent = [rng.gauss(0.0, noise) for _ in range(samples)]
    against = Score(fmean(parent), noise / math.sqrt(samples), samples)
    drawn = []
    for n in range(1, samples + 1):
        drawn.append(rng.gauss(-behind, noise))
        if gate.closes(Score(fmean(drawn), noise / math.sqrt(n), n), against, finished=n == samples):
            return True
    return False


@pytest.mark.parametrize("alpha", [0.01, 0.05, 0.2])
def test_an_equal_candidate_is_stopped_no_more_often_than_alpha(alpha):
    """Bonferroni's bound is an upper one: tests of one stage are correlated, so less than alpha is used up."""
    rng, runs = random.Random(7), 4000
    gate = SequentialGate(alpha, 16)
    share = sum(stopped(gate, behind=0.0, rng=rng) for _ in range(runs)) / runs
    three_sigma = 3 * math.sqrt(alpha * (1 - alpha) / runs)
    assert alpha / 20 < share <= alpha + three_sigma


def test_the_farther_behind_the_more_often_it_is_stopped():
    rng, gate = random.Random(8), SequentialGate(0.05, 16)
    shares = [
        fmean(stopped(gate, behind=behind, rng=rng) for _ in range(400)) for behind in (0.0, 0.5, 1.0, 2.0)
    ]
    assert shares == sorted(shares)
    assert shares[-1] > 0.99


def test_a_spread_that_is_estimated_from_few_samples_errs_a_little_more():
    """The z test takes standard errors as known. With those of few draws it errs above alpha, not far above."""
    rng, runs, alpha = random.Random(9), 2000, 0.05
    gate, wrong = SequentialGate(alpha, 16), 0
    for _ in range(runs):
        parent = [rng.gauss(0.0, 1.0) for _ in range(16)]
        against = Score(fmean(parent), stdev(parent) / 4, 16)
        drawn = [rng.gauss(0.0, 1.0)]
        for n in range(2, 17):
            drawn.append(rng.gauss(0.0, 1.0))
            if gate.closes(Score(fmean(drawn), stdev(drawn) / math.sqrt(n), n), against, finished=n == 16):
                wrong += 1
                break
    assert wrong / runs < 3 * alpha
