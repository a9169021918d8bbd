"""What a report says, against numbers computed by hand."""

import math

import pytest

from results.errors import UnknownNameError
from results.report.build import build
from results.report.structure import Split
from results.report.words import facts, verdict
from results.store import open_store


@pytest.fixture
def report(hunt):
    return build(hunt, "hunt", command="again", settings="seed = 1\n")


def test_the_best_and_the_others(report):
    assert [(c.label, c.score) for c in report.contenders] == [
        ("discovered", 3.0), ("strong", 2.5), ("start", 1.0), ("weak", 0.5),
    ]  # fmt: skip
    assert (report.best.ordinal, report.best.score, report.start) == (2, 3.0, 1.0)
    assert report.baseline.label == "strong"
    assert (report.status, report.planned, len(report.trials)) == ("finished", 100, 4)
    assert report.cpu_s == 5.0
    assert report.isolation == {"kernel": 5}


def test_final_values_and_winners(report):
    rows = {(row.game, row.variant): row for row in report.rows}
    assert list(rows) == [("kuhn2", ""), ("leduc2", ""), ("kuhn2", "generic")]
    kuhn = rows["kuhn2", ""]
    assert kuhn.values == {"discovered": 0.01, "strong": 0.02, "start": 0.1, "weak": 0.2}
    assert (kuhn.winners, kuhn.uniform, kuhn.iterations, kuhn.copies) == (("discovered",), 1.0, 50, 1)
    assert rows["leduc2", ""].winners == ("strong",)
    generic = rows["kuhn2", "generic"]
    assert generic.copies == 2
    assert generic.values == {k: pytest.approx(v) for k, v in kuhn.values.items()}
    assert report.wins == 2


def test_curves_are_those_of_exact_payoffs(report):
    assert {curve.panel for curve in report.curves} == {"kuhn2", "leduc2"}
    assert len(report.curves) == 2 * 4


def test_lineage_and_its_split(report):
    assert [(c.step.ordinal, c.kind, c.gain) for c in report.changes] == [
        (0, None, None), (1, "structure", 1.0), (2, "constants", 1.0),
    ]  # fmt: skip
    assert report.splits == (Split("structure", 1, 1.0), Split("constants", 1, 1.0))


def test_sealed_games(report):
    sealed = report.sealed
    assert sealed.labels == ("discovered", "#1", "strong")
    assert len(sealed.looks) == 6
    assert [(r.game, dict(r.values), r.winners) for r in sealed.rows] == [
        ("kuhn4", {"discovered": 0.01, "strong": 0.1}, ("discovered",)),
        ("goofspiel5", {"discovered": 0.04, "strong": 0.004}, ("strong",)),
    ]
    (pair,) = sealed.pairs
    assert (pair.finalist, pair.baseline, pair.wins, pair.ties, pair.losses) == (
        "discovered",
        "strong",
        1,
        0,
        1,
    )
    assert pair.mean == pytest.approx(0.0)
    (advantage,) = sealed.advantages
    assert advantage.sealed == pytest.approx(0.0)
    assert advantage.training == pytest.approx((3 * math.log10(2) + math.log10(0.1)) / 4)


def test_the_verdict(report):
    first, second, third = verdict(report)
    assert first == "Candidate 2 of 4 scores 3.000 train, 0.500 more than the best baseline, strong (2.500)."
    assert "4 programs in 2 of the 3 rows" in second
    assert "(1 win, 0 ties, 1 loss)" in third
    assert dict(facts(report))["candidates"] == "4 of 100"
    assert dict(facts(report))["looks at sealed games"] == "6"


def test_an_unknown_campaign_names_the_nearest(hunt):
    with pytest.raises(UnknownNameError) as error:
        build(hunt, "humt")
    assert "'hunt'" in error.value.hint


def test_before_the_first_candidate(make, tmp_path):
    with open_store(tmp_path / "e.db", clock=make.clock()) as store:
        with store.begin_campaign(make.spec("new")):
            report = build(store, "new")
        assert report.status == "running"
        assert (report.best, report.contenders, report.rows, report.changes, report.sealed) == (
            None,
            (),
            (),
            (),
            None,
        )
        assert verdict(report) == ["No candidate has been evaluated yet."]
        assert build(store, "new").status == "interrupted"


def test_without_a_valid_program(make, tmp_path):
    with open_store(tmp_path / "e.db", clock=make.clock()) as store:
        with store.begin_campaign(make.spec("bad")) as writer:
            writer.record_candidate(make.candidate(0, None, outcome="crash", message="boom"))
            writer.tell(0)
        report = build(store, "bad")
        assert verdict(report) == ["None of the 1 candidates ended as a valid program."]
        assert report.failures[0].message == "boom"


def test_nothing_better_than_the_start(family, make, tmp_path):
    with open_store(tmp_path / "e.db", clock=make.clock()) as store:
        with store.begin_campaign(make.spec("flat")) as writer:
            key = writer.add_program(family.sources[0], tree_hash="0", name="start")
            writer.record_candidate(make.candidate(0, key, operator="seed"))
            writer.record_evaluation(family.evaluation(0, key, 0.0, (0.1, 0.2)))
            writer.tell(0)
        report = build(store, "flat")
        assert [c.label for c in report.contenders] == ["start (start)"]
        assert verdict(report)[0].startswith("Nothing better than the program that the search started from")
        assert report.rows[0].winners == ()
