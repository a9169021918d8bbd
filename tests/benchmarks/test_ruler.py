"""The yardstick: its fixture, its statistics against other implementations, and how it measures."""

import json

import numpy as np
import pytest
from scipy.stats import spearmanr

from benchmarks import ruler
from evaluators.cfr.domain import DOMAIN
from evaluators.games.game_domain import variants


@pytest.fixture(scope="module")
def fixture():
    return ruler.load()


@pytest.fixture(scope="module")
def scored(fixture):
    return fixture.score(ruler._default()), np.mean(list(fixture.ranks().values()), axis=0)


def test_a_hundred_programs_of_every_origin_finished_every_task(fixture):
    assert len(fixture.programs) >= 100
    assert {fixture.origins[p] for p in fixture.programs} == {
        "seeds", "random draws", "candidates of a search", "candidates of a recorded search",
    }  # fmt: skip


def test_the_fixtures_programs_are_programs_of_the_domain():
    for one in json.loads(ruler.PROGRAMS.read_text(encoding="utf-8")):
        DOMAIN.check(one["source"])


def test_at_most_a_fifth_is_a_decade_below_the_reference(scored):
    assert np.mean(scored[0] <= -0.95) < 0.2


def test_the_reference_has_an_advantage_of_zero(fixture, scored):
    assert scored[0][fixture.programs.index("dcfr")] == 0.0


def test_the_default_is_the_domains_block(fixture):
    default = ruler._default()
    assert default.block == dict(DOMAIN.block)
    assert default.readings == DOMAIN.read_at(DOMAIN.iterations)
    assert (default.clip, default.reference) == (DOMAIN.clip, DOMAIN.reference)


def test_the_block_says_more_than_the_first_ruler(fixture, scored):
    """The figures of docs/ruler.md: 0.96 and 0.87, where the first ruler has 0.69 and 0.56."""
    scores, target = scored
    half = target >= np.median(target)
    first = fixture.first_ruler()
    assert spearmanr(scores, target).statistic >= 0.95 > spearmanr(first, target).statistic
    assert (
        spearmanr(scores[half], target[half]).statistic
        >= 0.8
        > spearmanr(first[half], target[half]).statistic
    )


def test_correlations_are_spearmans(scored):
    assert ruler._spearman(*scored) == pytest.approx(spearmanr(*scored).statistic, abs=1e-12)


def test_a_score_is_the_domains_own_of_the_same_values(fixture):
    """One cell, written down again: mean over readings of clipped decades below the reference."""
    task = variants("leduc2", "generic", 1000, [100])[0]
    curves = fixture.curves[task.name, task.budget]
    own, theirs = (dict(zip(ruler.HORIZONS, curves[p], strict=False)) for p in ("cfr_plus", "dcfr"))
    gains = [max(-1.0, min(1.0, np.log10(theirs[k] / own[k]))) for k in (300, 1000)]
    column = fixture.advantages([task], (300, 1000), 1.0, "dcfr")[:, 0]
    assert column[fixture.programs.index("cfr_plus")] == pytest.approx(np.mean(gains), abs=1e-12)


def test_the_best_of_many_noisy_scores_falls_and_of_exact_ones_does_not():
    rng = np.random.default_rng(0)
    true = rng.normal(size=200)
    assert ruler._curse(true, true) == 0.0
    assert ruler._curse(true + rng.normal(size=200), true + rng.normal(size=200)) > 0.5


def test_measuring_goes_on_where_it_ended(monkeypatch, tmp_path):
    tasks = variants("kuhn2", "generic", 100, range(2))
    monkeypatch.setattr(ruler, "all_tasks", lambda: tasks)
    programs, values = tmp_path / "programs.json", tmp_path / "values.json.gz"
    chosen = [{"name": n, "origin": "seeds", "source": DOMAIN.seed_source(n)} for n in ("cfr_plus", "dcfr")]
    programs.write_text(json.dumps(chosen[:1]))
    seen = []
    ruler.measure(programs, values, workers=1, progress=lambda *progress: seen.append(progress))
    programs.write_text(json.dumps(chosen))
    ruler.measure(programs, values, workers=1, progress=lambda *progress: seen.append(progress))
    assert seen == [(1, 1), (1, 1)]
    made = ruler.load(programs, values)
    assert made.programs == ["cfr_plus", "dcfr"]
    (column,) = made.advantages(tasks[:1], (100,), 1.0, "dcfr").T
    assert column[1] == 0.0 != column[0]
