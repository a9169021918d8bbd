"""What a promotion's runs say, worked out by hand."""

import pytest

from evolve.comparison.held_out import Contender, Promotion, Run, distinct
from evolve.comparison.verdicts import as_json, horizon, pair, verdict
from results.queries import RankedCandidate

FINALIST, BASELINE = Contender("#7", "f", "", 7), Contender("dcfr", "b", "", None)


def run(program, game, variant, k, score, *, sealed):
    instance = Instance(f"{game}/{variant}/K={k}", game, variant, k)
    outcome = "timeout" if score is None else "ok"
    return Run(program, instance, sealed, outcome, None if score is None else 10**-score, score)


def promotion(runs, horizons=(300, 1000)):
    return Promotion("c", "decades", 5, 900, horizons, (FINALIST, BASELINE), tuple(runs), 9)


def training(program, exact, generic, jitter, scale):
    values = {"exact": exact, "generic-0": generic, "jitter-0": jitter, "scale-10": scale}
    return [run(program, "leduc2", v, 900, s, sealed=False) for v, s in values.items()]


RUNS = [
    *training("f", 4.0, 3.0, 3.8, 4.5),
    *training("b", 3.0, 2.5, 3.1, 3.0),
    run("f", "kuhn2", "exact", 300, 3.0, sealed=True),
    run("f", "kuhn2", "exact", 1000, 3.5, sealed=True),
    run("f", "kuhn4", "exact", 1000, 2.5, sealed=True),
    run("f", "leduc3", "generic-5", 1000, 2.0, sealed=True),
    run("b", "kuhn2", "exact", 300, 1.0, sealed=True),
    run("b", "kuhn2", "exact", 1000, 3.4, sealed=True),
    run("b", "kuhn4", "exact", 1000, 3.0, sealed=True),
    run("b", "leduc3", "generic-5", 1000, None, sealed=True),
]


def test_a_verdict():
    found = verdict(promotion(RUNS), FINALIST)
    assert (found.training, found.test, found.gap, found.drawn) == (4.0, 3.0, 1.0, 2.0)
    assert (found.generic, found.jitter, found.scale) == pytest.approx((1.0, 0.2, 0.5))


def test_a_failure_leaves_no_mean():
    found = verdict(promotion(RUNS), BASELINE)
    assert found.drawn is None
    assert found.test == pytest.approx(3.2)


def test_perturbed_payoffs_have_no_ties():
    close = [
        run("f", "leduc3", "generic-5", 300, 2.01, sealed=True),
        run("b", "leduc3", "generic-5", 300, 2.0, sealed=True),
    ]
    found = pair(
        promotion([*training("f", 4, 3, 3, 4), *training("b", 3, 2, 2, 3), *close]), FINALIST, BASELINE
    )
    assert (found.wins, found.ties, found.losses) == (1, 0, 0)


def test_a_pair_counts_small_differences_as_ties():
    found = pair(promotion(RUNS), FINALIST, BASELINE)
    assert (found.wins, found.ties, found.losses) == (1, 1, 1)
    assert found.mean == pytest.approx((2.0 + 0.1 - 0.5) / 3)


def test_the_horizon_is_the_closest_to_the_training_runs():
    assert horizon(promotion([])) == 1000
    assert horizon(promotion([], horizons=(300,))) == 300


def test_json_has_every_run():
    found = as_json(promotion(RUNS))
    assert len(found["runs"]) == len(RUNS)
    assert found["horizons"] == [300, 1000]
    assert found["programs"][1] == {"program": "b", "name": "dcfr", "candidate": None}


def test_finalists_differ_in_their_scores():
    def ranked(ordinal, a, b):
        return RankedCandidate(
            rank=ordinal, ordinal=ordinal, program_id=str(ordinal), value=a, scores={"a": a, "b": b},
            operator="", note="", island=0, cpu_s=0.0,
        )  # fmt: skip

    same = [ranked(3, 2.0, 1.0), ranked(4, 2.0, 1.0 + 1e-9), ranked(5, 2.0, 1.1), ranked(6, 1.0, 1.0)]
    assert [c.ordinal for c in distinct(same, 2)] == [3, 5]
    assert [c.ordinal for c in distinct(same, 9)] == [3, 5, 6]
