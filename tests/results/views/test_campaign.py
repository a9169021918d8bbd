"""What the views say of a campaign, against numbers computed by hand."""

import math

import pytest

from evaluators.records import Metric
from results.errors import UnknownNameError
from results.store import open_store
from results.views import report
from results.views.campaign import changes, view
from results.views.structure import Split, split
from results.views.words import facts, verdict


@pytest.fixture
def seen(hunt):
    return view(hunt, "hunt")


def test_the_best_and_the_others(seen):
    assert [(e.label, e.score.mean, e.baseline) for e in seen.entries] == [
        ("#2", 3.0, False), ("strong", 2.5, True), ("#1", 2.0, False), ("start", 1.0, False), ("weak", 0.5, True),
    ]  # fmt: skip
    assert (seen.best.ordinal, seen.baseline.label) == (2, "strong")
    assert [e.label for e in seen.contenders()] == ["#2", "strong", "start", "weak"]
    assert (seen.status, seen.planned, len(seen.trials), seen.valid) == ("finished", 100, 4, 3)
    assert seen.cpu_s == 3.0
    assert seen.isolation == {"kernel": 5}


def named(view, values):
    labels = {entry.program_id: entry.label for entry in view.entries}
    return {labels[key]: value for key, value in values.items()}


def test_final_values_and_winners(seen):
    columns = {column.name: column for column in seen.columns}
    assert list(columns) == ["kuhn2", "leduc2", "kuhn2 (generic, mean of 2)"]
    kuhn = columns["kuhn2"]
    values = {key: value.value for key, value in named(seen, kuhn.values).items()}
    assert values == {"#2": 0.01, "strong": 0.02, "#1": 0.05, "start": 0.1, "weak": 0.2}
    assert named(seen, {kuhn.standing.winner: 0}) == {"#2": 0}
    assert (kuhn.standing.tied, kuhn.uniform, kuhn.budget) == ((), 1.0, 50)
    assert named(seen, {columns["leduc2"].standing.winner: 0}) == {"strong": 0}
    generic = columns["kuhn2 (generic, mean of 2)"]
    # Geometric means over the copies, which differ by a factor of 16 for every program: a pair of programs does not.
    assert {k: v.value for k, v in named(seen, generic.values).items()} == {
        k: pytest.approx(v) for k, v in values.items()
    }
    assert generic.standing.tied == ()
    assert seen.wins == 2


def test_lineage_and_its_split(seen):
    made = changes(seen.lineage)
    assert [(c.step.ordinal, c.kind, c.gain) for c in made] == [
        (0, None, None), (1, "structure", 1.0), (2, "constants", 1.0),
    ]  # fmt: skip
    assert split([(c.kind, c.gain) for c in made[1:]]) == (
        Split("structure", 1, 1.0), Split("constants", 1, 1.0),
    )  # fmt: skip


def test_held_out_evaluations(seen):
    unseen = seen.held_out
    names = unseen.names
    assert list(names.values()) == ["#2", "#1", "strong"]
    assert len(unseen.evaluations) == 6
    assert [
        (c.name, {names[k]: v.value for k, v in c.values.items()}, names[c.standing.winner])
        for c in unseen.columns
    ] == [
        ("kuhn4", {"#2": 0.01, "strong": 0.1}, "#2"),
        ("goofspiel5", {"#2": 0.04, "strong": 0.004}, "strong"),
    ]
    one, failed = unseen.comparisons
    assert (names[one.program], names[one.other]) == ("#2", "strong")
    assert (one.wins, one.ties, one.losses, one.verdict) == (1, 0, 1, "level")
    assert one.mean == pytest.approx(0.0)
    assert (names[failed.program], failed.mean, failed.verdict) == ("#1", None, None)
    (advantage,) = unseen.advantages
    assert advantage.held_out == one
    # The copies of Kuhn poker and the game itself are of one family, which counts as much as the other.
    kuhn = math.log10(2)
    assert advantage.search.mean == pytest.approx((kuhn + math.log10(0.1)) / 2)


def test_the_verdict(seen):
    assert verdict(seen) == [
        "On 2 held-out games of 2 families, #2 is ahead of 0 of 1, level with 1 (strong).",
        "It is on average 0.00 ± 1.00 orders of magnitude ahead of the strongest of these, strong, which these games "
        "do not tell from 0.",
        "Candidate 2 of 4 scores 3.0000 (train) on the games of the search, by which it was chosen; the best baseline "
        "there, strong, 2.5000.",
        "By exploitability (NashConv / N) it is the best, or tied with the best, among itself and 2 baselines on "
        "2 of 3 groups of games.",
    ]
    told = {name: (value, note) for name, value, note in facts(seen)}
    assert told["candidates"] == ("4", "of 100")
    assert told["held-out evaluations"] == ("6", "")


def test_the_best_is_what_the_search_held_for_it_last(family, make, tmp_path):
    """And not the highest score, which may have been luck."""
    with open_store(tmp_path / "e.db", clock=make.clock()) as store:
        with store.begin_campaign(make.spec("led")) as writer:
            ids = family.write(make, writer)
            for told, ordinal, mean in ((1, 0, 1.0), (3, 2, 3.25), (4, 1, 2.0)):
                known = {"ordinal": ordinal, "program": ids[ordinal], "told": told, "n": 3}
                writer.add_event("best", known | {"mean": mean, "stderr": 0.125})
            family.hold_out(writer, ids)
        seen = view(store, "led")
        assert (seen.best.ordinal, seen.lineage[-1].ordinal) == (1, 1)
        assert [(k.told, k.ordinal, k.score.mean) for k in seen.known_best] == [
            (1, 0, 1.0),
            (3, 2, 3.25),
            (4, 1, 2.0),
        ]
        assert seen.held_out.names[seen.held_out.leader] == "#1"
        text, _ = report.markdown(seen, "f")
        assert "| 2 | 3 | 3.2500 ± 0.12 |" in text


def test_an_unknown_campaign_names_the_nearest(hunt):
    with pytest.raises(UnknownNameError) as error:
        view(hunt, "humt")
    assert "'hunt'" in error.value.hint


def test_before_the_first_candidate(make, tmp_path):
    with open_store(tmp_path / "e.db", clock=make.clock()) as store:
        with store.begin_campaign(make.spec("new")):
            seen = view(store, "new")
        assert seen.status == "running"
        assert (seen.best, seen.entries, seen.columns, seen.lineage, seen.held_out) == (
            None,
            (),
            (),
            (),
            None,
        )
        assert verdict(seen) == ["No candidate has been evaluated yet."]
        assert view(store, "new").status == "interrupted"


def test_without_a_valid_program(make, tmp_path):
    with open_store(tmp_path / "e.db", clock=make.clock()) as store:
        with store.begin_campaign(make.spec("bad")) as writer:
            writer.record_candidate(make.candidate(0, None, outcome="crash", message="boom"))
            writer.tell(0)
        seen = view(store, "bad")
        assert verdict(seen) == ["None of 1 candidate ended as a valid program."]
        assert seen.failures[0].message == "boom"


def test_nothing_better_than_the_start(family, make, tmp_path):
    with open_store(tmp_path / "e.db", clock=make.clock()) as store:
        with store.begin_campaign(make.spec("flat")) as writer:
            key = writer.add_program(family.sources[0], tree_hash="0", name="start")
            writer.record_candidate(make.candidate(0, key, operator="seed"))
            family.evaluate(writer, 0, key, 0.0, (0.1, 0.2))
            writer.tell(0)
        seen = view(store, "flat")
        assert [e.label for e in seen.entries] == ["start"]
        assert verdict(seen)[0].startswith(
            "No candidate of 1 is better than the program that the search started"
        )
        assert seen.columns[0].standing is None


def test_a_start_that_is_a_baseline_too_stands_once(family, make, tmp_path):
    with open_store(tmp_path / "e.db", clock=make.clock()) as store:
        with store.begin_campaign(make.spec("twice")) as writer:
            key = writer.add_program(family.sources[0], tree_hash="0", name="start")
            writer.record_candidate(make.candidate(0, key, operator="seed"))
            for ordinal in (0, None):
                family.evaluate(writer, ordinal, key, 1.0, (0.1, 0.2))
            writer.tell(0)
        (entry,) = view(store, "twice").entries
        assert (entry.label, entry.ordinal, entry.baseline) == ("start", 0, True)


def test_a_failed_baseline_never_ranks(family, make, tmp_path):
    """Where scores are negative, a failure that counts as 0 would be the best."""
    with open_store(tmp_path / "e.db", clock=make.clock()) as store:
        with store.begin_campaign(make.spec("below")) as writer:
            for name, score in (("weak", -3.0), ("strong", -2.0)):
                key = writer.add_program(f"# {name}\n", tree_hash=name, name=name)
                family.evaluate(writer, None, key, score, (0.1, 0.2))
            key = writer.add_program("# broken\n", tree_hash="broken", name="broken")
            broken = make.evaluation(
                None, key, outcome="timeout", scores={}, results=family.results((1e-9, 1e-9))
            )
            make.store(writer, broken)
        seen = view(store, "below")
        assert [e.label for e in seen.entries] == ["strong", "weak", "broken"]
        assert seen.baseline.label == "strong"
        assert not any(column.best(key) for column in seen.columns)


MAXIMISED = Metric("sum", "sum of radii", "max", "linear", 0.01, task="packing", budget="move")


def test_where_larger_is_better_the_larger_value_wins(family, make, tmp_path):
    with open_store(tmp_path / "e.db", clock=make.clock()) as store:
        with store.begin_campaign(make.spec("up", metric=MAXIMISED)) as writer:
            family.write(make, writer)
        seen = view(store, "up")
        assert [named(seen, {c.standing.winner: 0}) for c in seen.columns] == [{"weak": 0}] * 3
        generic = seen.columns[2]
        assert named(seen, generic.values)["#2"].value == pytest.approx((0.01 * 0.25 + 0.01 * 4) / 2)
        # The copies of the third group differ so much that nobody can be told apart there.
        assert verdict(seen)[1] == (
            "By sum of radii it is the best, or tied with the best, among itself and 2 baselines on 1 of 3 groups of "
            "packings."
        )
        assert verdict(seen)[2] == "It was not run on held-out packings yet."
